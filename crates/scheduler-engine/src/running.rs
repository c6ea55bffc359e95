//! The attempts that this node holds leases on. What runs is read from here, never from a counter that could leak.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};

use horarium_domain::store::Lease;
use horarium_domain::{ExecutionId, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::executor::Progress;

/// Why an attempt is stopped from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StopReason {
    /// The execution is no longer this node's: cancelled, or taken over. Nothing is to be reported.
    Revoked,
    /// The node shuts down: the attempt goes back to the queue.
    Shutdown,
}

#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) lease: Lease,
    pub(crate) lease_until: Timestamp,
    /// Whether its end makes room under a limit.
    pub(crate) limited: bool,
    pub(crate) stop: CancellationToken,
    pub(crate) reason: Option<StopReason>,
    pub(crate) progress: Progress,
}

/// The attempts held, by execution.
#[derive(Debug, Default)]
pub(crate) struct RunningSet {
    // Held for an instant, never over I/O.
    state: Mutex<State>,
    released: Notify,
}

#[derive(Debug, Default)]
struct State {
    held: HashMap<ExecutionId, Held>,
    /// Cancelled while not held here, latest last: an execution may be cancelled between its claim's commit and the
    /// moment this node learns of the claim. Cancelled is terminal, so remembering it can do no harm.
    cancelled: VecDeque<ExecutionId>,
}

/// How many cancellations of what is not held here are remembered.
const CANCELLED_MEMORY: usize = 1024;

impl RunningSet {
    /// Holds a claimed attempt until [`release`](Self::release).
    pub(crate) fn hold(&self, lease: Lease, lease_until: Timestamp, limited: bool) -> Held {
        let mut state = self.lock();
        let cancelled = state.cancelled.contains(&lease.execution_id);
        let reason = cancelled.then_some(StopReason::Revoked);
        let stop = CancellationToken::new();
        if cancelled {
            stop.cancel();
        }
        let held = Held { lease, lease_until, limited, stop, reason, progress: Progress::new() };
        // An older attempt of the same execution may still be winding down after its lease was lost; its lease is
        // stale, so the new one takes its place.
        if let Some(older) = state.held.insert(lease.execution_id, held.clone()) {
            older.stop.cancel();
        }
        held
    }

    /// Lets go of an attempt whose end is written, or is not this node's to write. Answers whether that makes room under
    /// a limit.
    pub(crate) fn release(&self, lease: Lease) -> bool {
        let mut state = self.lock();
        let released = match state.held.entry(lease.execution_id) {
            Entry::Occupied(entry) if entry.get().lease == lease => Some(entry.remove()),
            Entry::Occupied(_) | Entry::Vacant(_) => None,
        };
        drop(state);
        self.released.notify_one();
        released.is_some_and(|held| held.limited)
    }

    /// Waits until something was let go of since the last call; for one waiter.
    pub(crate) async fn changed(&self) {
        self.released.notified().await;
    }

    /// Stops the attempt at a cancelled execution, if it runs here.
    pub(crate) fn cancel(&self, id: ExecutionId) -> bool {
        let mut state = self.lock();
        let Some(entry) = state.held.get_mut(&id) else {
            if state.cancelled.len() == CANCELLED_MEMORY {
                state.cancelled.pop_front();
            }
            state.cancelled.push_back(id);
            return false;
        };
        entry.reason = Some(StopReason::Revoked);
        entry.stop.cancel();
        true
    }

    /// Stops an attempt whose lease is lost; another attempt at the same execution is left alone.
    pub(crate) fn revoke(&self, lease: Lease) {
        let mut state = self.lock();
        if let Some(entry) = state.held.get_mut(&lease.execution_id).filter(|entry| entry.lease == lease) {
            entry.reason = Some(StopReason::Revoked);
            entry.stop.cancel();
        }
    }

    /// Stops everything, for shutdown.
    pub(crate) fn stop_all(&self) {
        for entry in self.lock().held.values_mut() {
            entry.reason.get_or_insert(StopReason::Shutdown);
            entry.stop.cancel();
        }
    }

    /// Why an attempt was stopped, if it was. An attempt that is no longer held was revoked.
    pub(crate) fn stop_reason(&self, lease: Lease) -> Option<StopReason> {
        match self.lock().held.get(&lease.execution_id) {
            Some(entry) if entry.lease == lease => entry.reason,
            _ => Some(StopReason::Revoked),
        }
    }

    /// All that is held.
    pub(crate) fn snapshot(&self) -> Vec<Held> {
        self.lock().held.values().cloned().collect()
    }

    /// Notes that leases were extended.
    pub(crate) fn extended(&self, leases: &[Lease], until: Timestamp) {
        let mut state = self.lock();
        for lease in leases {
            if let Some(entry) = state.held.get_mut(&lease.execution_id).filter(|entry| entry.lease == *lease) {
                entry.lease_until = until;
            }
        }
    }

    /// How many are held.
    pub(crate) fn len(&self) -> usize {
        self.lock().held.len()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
