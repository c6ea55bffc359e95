//! What attempts run on, and how fast it comes free.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::EngineConfig;

/// How far ahead work is claimed: what the slots that come free within this time will start. More would wait in this
/// node's memory, where no other node can take it and nothing more urgent gets past it.
pub(super) const AHEAD: Duration = Duration::from_millis(50);

/// The slots of a node, shared by its dispatchers.
#[derive(Debug)]
pub(super) struct Slots {
    concurrency: usize,
    /// How many are free for attempts that work.
    full: AtomicUsize,
    /// How many are free for those that only wait.
    light: AtomicUsize,
    /// Tells that one came free.
    changed: Notify,
    /// How many of those that work came free, ever.
    freed: AtomicU64,
    // Held for an instant, never over I/O.
    pace: Mutex<Pace>,
}

impl Slots {
    pub(super) fn new(config: &EngineConfig) -> Arc<Self> {
        Arc::new(Self {
            concurrency: config.concurrency,
            full: AtomicUsize::new(config.concurrency),
            light: AtomicUsize::new(config.light_concurrency),
            changed: Notify::new(),
            freed: AtomicU64::new(0),
            pace: Mutex::new(Pace { since: Instant::now(), freed: 0, last: 0 }),
        })
    }

    /// A slot of its own kind, if one is free. When those for waiting are used up, it takes one for work.
    pub(super) fn take(self: &Arc<Self>, is_light: bool) -> Option<Slot> {
        let one =
            |of: &AtomicUsize| of.fetch_update(Ordering::AcqRel, Ordering::Relaxed, |free| free.checked_sub(1)).is_ok();
        if is_light && one(&self.light) {
            return Some(Slot { slots: Arc::clone(self), is_light: true });
        }
        one(&self.full).then(|| Slot { slots: Arc::clone(self), is_light: false })
    }

    /// How many slots for work are free.
    pub(super) fn free(&self) -> usize {
        self.full.load(Ordering::Acquire)
    }

    /// How many slots for work are taken.
    pub(super) fn taken(&self) -> usize {
        self.concurrency.saturating_sub(self.free())
    }

    /// What tells of each slot that comes free from when it is first polled or enabled.
    pub(super) fn changed(&self) -> tokio::sync::futures::Notified<'_> {
        self.changed.notified()
    }

    /// How many slots for work come free within [`AHEAD`], if it goes on as it went lately.
    pub(super) fn freed_soon(&self) -> usize {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.freed_soon(self.freed.load(Ordering::Relaxed), Instant::now())
    }
}

/// A slot, until it is dropped.
#[derive(Debug)]
pub(super) struct Slot {
    slots: Arc<Slots>,
    is_light: bool,
}

impl Drop for Slot {
    fn drop(&mut self) {
        if self.is_light {
            self.slots.light.fetch_add(1, Ordering::AcqRel);
        } else {
            self.slots.freed.fetch_add(1, Ordering::Relaxed);
            self.slots.full.fetch_add(1, Ordering::AcqRel);
        }
        self.slots.changed.notify_waiters();
    }
}

/// How fast slots came free lately.
#[derive(Debug)]
struct Pace {
    /// When the present window began, and how many had come free by then.
    since: Instant,
    freed: u64,
    /// How many the window before brought.
    last: usize,
}

impl Pace {
    /// What the last window brought, or the present one if that is more already: it rises at once with the pace, and
    /// falls a window later.
    fn freed_soon(&mut self, freed: u64, now: Instant) -> usize {
        let count = usize::try_from(freed.saturating_sub(self.freed)).unwrap_or(usize::MAX);
        let took = now.duration_since(self.since);
        if took < AHEAD {
            return count.max(self.last);
        }
        // A window at whose end nobody looked is longer than the others.
        let last = count as f64 * (AHEAD.as_secs_f64() / took.as_secs_f64());
        *self = Self { since: now, freed, last: last.ceil() as usize };
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace() -> Pace {
        Pace { since: Instant::now(), freed: 0, last: 0 }
    }

    #[test]
    fn what_comes_free_soon_is_what_came_free_lately() {
        let mut pace = pace();
        let later = pace.since + 2 * AHEAD;
        assert_eq!(pace.freed_soon(200, later), 100);
        assert_eq!(pace.freed_soon(200, later + AHEAD / 2), 100, "the present window is not over");
        assert_eq!(pace.freed_soon(200, later + AHEAD), 0, "nothing came free in it");
    }

    #[test]
    fn a_pace_that_rises_is_noticed_at_once() {
        let mut pace = pace();
        let soon = pace.since + AHEAD / 5;
        assert_eq!(pace.freed_soon(80, soon), 80);
    }

    #[test]
    fn a_slow_pace_is_more_than_none() {
        let mut pace = pace();
        let later = pace.since + 20 * AHEAD;
        assert_eq!(pace.freed_soon(1, later), 1);
    }

    #[test]
    fn attempts_that_only_wait_take_slots_for_work_when_their_own_are_used_up() {
        let config = EngineConfig { concurrency: 1, light_concurrency: 1, ..config() };
        let slots = Slots::new(&config);
        let light = slots.take(true).unwrap();
        let full = slots.take(true).unwrap();
        assert_eq!((light.is_light, full.is_light, slots.taken()), (true, false, 1));
        assert!(slots.take(true).is_none());
        drop(light);
        assert!(slots.take(false).is_none(), "what waits frees no slot for work");
        drop(full);
        assert_eq!(slots.free(), 1);
    }

    fn config() -> EngineConfig {
        EngineConfig::new(horarium_domain::NodeId::from_uuid(uuid::Uuid::nil()), "a")
    }
}
