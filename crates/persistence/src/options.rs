//! How many connections, and how long to wait for one.

use std::time::Duration;

/// The sizes of the connection pools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseOptions {
    /// PostgreSQL: connections for definitions, lists and figures. SQLite: readers.
    pub connections: usize,
    /// PostgreSQL: connections for accepting, claiming and settling executions.
    pub hot_connections: usize,
    /// How long a call waits for a connection before the database counts as unavailable.
    pub acquire_timeout: Duration,
}

impl Default for DatabaseOptions {
    fn default() -> Self {
        Self { connections: 8, hot_connections: 8, acquire_timeout: Duration::from_secs(10) }
    }
}
