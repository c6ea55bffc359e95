//! Whose turn it is to write.
//!
//! SQLite allows one writer at a time and makes a second one poll for its turn, unfairly and with a timeout. Within this
//! process the writers queue here instead, first come first served, so that none of them ever meets SQLITE_BUSY.

use std::sync::Arc;

use tokio::sync::{Mutex, MutexGuard};

/// The right to write to one SQLite file. Clones guard the same file.
#[derive(Debug, Clone, Default)]
pub(crate) struct WriteGate(Arc<Mutex<()>>);

impl WriteGate {
    /// Waits for the turn; it lasts as long as the guard.
    pub(crate) async fn enter(&self) -> MutexGuard<'_, ()> {
        self.0.lock().await
    }

    /// The same, from a thread outside the async runtime. Panics inside of it.
    pub(crate) fn enter_blocking(&self) -> MutexGuard<'_, ()> {
        self.0.blocking_lock()
    }
}
