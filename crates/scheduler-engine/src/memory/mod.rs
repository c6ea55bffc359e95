//! A store that keeps everything in this process's memory, and forgets it when the process ends.
//!
//! It is what the engine's own tests run on, and what a program embeds that wants Horarium's scheduling without its
//! durability. It is also the reference: each port's documentation made into the plainest code that does it, so where
//! the databases' stores are in doubt, this one shows what is meant. It passes the same conformance suite.
//!
//! Plain comes before fast: lists and counters are read off the executions themselves, in time that grows with how
//! many are kept. Accepting, claiming and settling are indexed, and do not slow down with them.

mod accept;
mod agents;
mod audit;
mod callbacks;
mod claim;
mod disturbance;
mod executions;
mod groups;
mod idempotency;
mod jobs;
mod key_limits;
mod keys;
mod lanes;
mod maintenance;
mod outcome;
mod planning;
mod queue;
mod queues;
mod record;
mod secrets;
mod sessions;
mod state;
mod tenants;

use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use disturbance::Disturbance;
use state::State;

/// See the [module](self).
///
/// Share it with an `Arc`: two nodes in one process are two engines on one `Arc<MemoryStore>`.
#[derive(Default)]
pub struct MemoryStore {
    // Never held over an await: each method of a port locks it once, does all that it does, and lets go. That is what
    // makes it atomic.
    state: Mutex<State>,
    disturbance: Mutex<Disturbance>,
    /// Reads that fail.
    failing: Mutex<Vec<&'static str>>,
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MemoryStore")
    }
}
