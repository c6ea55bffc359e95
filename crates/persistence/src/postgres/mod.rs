//! PostgreSQL: one pool for the hot path, one for everything else.

mod database;

pub(crate) use database::PostgresDatabase;
