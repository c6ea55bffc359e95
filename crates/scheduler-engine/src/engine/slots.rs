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
            pace: Mutex::new(Pace { since: Instant::now(), freed: 0, lately: 0.0 }),
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

    /// How many slots for work came free, ever.
    pub(super) fn freed(&self) -> u64 {
        self.freed.load(Ordering::Relaxed)
    }

    /// How many slots for work come free within [`AHEAD`], if it goes on as it went lately.
    pub(super) fn freed_soon(&self) -> usize {
        let mut pace = self.pace.lock().unwrap_or_else(PoisonError::into_inner);
        pace.freed_soon(self.freed(), Instant::now())
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
    /// How many a window brought lately, each half as much as the one after it.
    lately: f64,
}

impl Pace {
    /// Rises at once with the pace, half of the way, and falls by half with every window: slots that come free together
    /// every so often are not taken for a steady stream.
    fn freed_soon(&mut self, freed: u64, now: Instant) -> usize {
        let count = freed.saturating_sub(self.freed) as f64;
        let windows = now.duration_since(self.since).div_duration_f64(AHEAD);
        if windows < 1.0 {
            return self.lately.midpoint(count).max(self.lately).round() as usize;
        }
        let kept = 0.5_f64.powf(windows);
        let lately = self.lately * kept + count / windows * (1.0 - kept);
        *self = Self { since: now, freed, lately };
        lately.round() as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pace() -> Pace {
        Pace { since: Instant::now(), freed: 0, lately: 0.0 }
    }

    #[test]
    fn what_comes_free_soon_is_what_came_free_lately() {
        let mut pace = pace();
        let mut now = pace.since;
        for window in 1..=10 {
            now += AHEAD;
            pace.freed_soon(100 * window, now);
        }
        assert_eq!(pace.freed_soon(1000, now + AHEAD / 2), 100, "the present window is not over");
        assert_eq!(pace.freed_soon(1000, now + AHEAD), 50, "nothing came free in it");
        assert_eq!(pace.freed_soon(1000, now + 20 * AHEAD), 0);
    }

    #[test]
    fn a_pace_that_rises_is_noticed_at_once() {
        let mut pace = pace();
        let soon = pace.since + AHEAD / 5;
        assert_eq!(pace.freed_soon(80, soon), 40);
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
