//! The databases: one [`SqlStore`] that implements every port of [`horarium_domain::store`] on PostgreSQL and on SQLite.
//!
//! The work is split by how often it is done:
//!
//! - `hot` accepts, claims and settles executions and fires schedules, thousands of times a second. It is written twice,
//!   each time in its database's own best SQL.
//! - everything else (definitions, tenants, keys, queues, lists and figures) is written once, with diesel: `conn` has the
//!   one macro that instantiates an expression per database, `schema` the column types that keep PostgreSQL's native.
//!
//! Rows are decoded strictly: one that makes no sense is reported with its table and key, and never repaired in silence.

mod address;
mod agents;
mod api_keys;
mod audit;
mod callbacks;
mod conn;
mod decode;
mod error;
mod executions;
mod gates;
mod hot;
mod idempotency;
mod jobs;
mod key_limits;
mod maintenance;
mod migrations;
mod options;
mod ports;
mod postgres;
mod queues;
mod schema;
mod secrets;
mod sessions;
mod sqlite;
mod store;
mod tenants;
mod text;
mod transaction;

pub use address::{DatabaseUrl, InvalidDatabaseUrl};
pub use options::DatabaseOptions;
pub use store::SqlStore;
