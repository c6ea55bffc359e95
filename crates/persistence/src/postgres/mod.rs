//! PostgreSQL: one pool for the hot path, one for everything else.

mod database;
mod server;

pub(crate) use database::{HISTORY_RESET, HISTORY_SETTINGS, PostgresDatabase};
pub(crate) use server::{Driver, Server};
