//! What was claimed and waits for a slot, shared by the dispatchers of a node: whoever of them is awake starts it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use horarium_domain::Timestamp;
use horarium_domain::job::Job;
use horarium_domain::store::Claimed;

use super::slots::{Slot, Slots};
use super::turns::Turns;
use crate::executor::Executor;
use crate::running::Held;

/// An attempt that has all it needs but a slot.
pub(super) struct Waiting {
    pub(super) claim: Claimed,
    pub(super) claimed_at: Timestamp,
    pub(super) job: Option<Arc<Job>>,
    pub(super) executor: Option<Arc<dyn Executor>>,
    pub(super) held: Held,
}

/// All that wait, each kind in turns by tenant.
#[derive(Default)]
pub(super) struct Lines {
    // Held for an instant, never over I/O.
    lines: Mutex<Both>,
}

#[derive(Default)]
struct Both {
    full: Turns<Waiting>,
    /// Those that will only wait: they do not queue up behind what works, and find a slot at once unless there are very
    /// many.
    light: Turns<Waiting>,
}

impl Lines {
    pub(super) fn len(&self) -> usize {
        let lines = self.lock();
        lines.full.len() + lines.light.len()
    }

    pub(super) fn push(&self, waiting: Waiting) {
        let is_light = waiting.executor.as_ref().is_some_and(|executor| executor.is_light());
        let mut lines = self.lock();
        let line = if is_light { &mut lines.light } else { &mut lines.full };
        line.push(waiting.claim.tenant_id, waiting);
    }

    /// The next, whether a slot is free or not.
    pub(super) fn pop(&self) -> Option<Waiting> {
        let mut lines = self.lock();
        lines.full.pop().or_else(|| lines.light.pop())
    }

    /// The next that a slot is free for.
    pub(super) fn next(&self, slots: &Arc<Slots>) -> Option<(Waiting, Slot)> {
        let mut lines = self.lock();
        if !lines.light.is_empty()
            && let Some(slot) = slots.take(true)
        {
            return lines.light.pop().map(|waiting| (waiting, slot));
        }
        if lines.full.is_empty() {
            return None;
        }
        let slot = slots.take(false)?;
        lines.full.pop().map(|waiting| (waiting, slot))
    }

    fn lock(&self) -> MutexGuard<'_, Both> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
