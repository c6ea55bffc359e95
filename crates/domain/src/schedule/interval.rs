//! Slots at fixed distances: pure arithmetic from one anchor, so that they never drift.

use crate::Timestamp;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// The instants `anchor + k * period` for k = 0, 1, 2, …
#[derive(Debug, Clone, Copy)]
pub(super) struct Grid {
    anchor: i64,
    period: i64,
}

impl Grid {
    /// `seconds` is what [`super::ScheduleKind::Interval`] allows.
    pub(super) fn new(anchor: Timestamp, seconds: u64) -> Self {
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX);
        Self { anchor: anchor.as_micros(), period: seconds.saturating_mul(MICROS_PER_SECOND).max(1) }
    }

    /// The first instant strictly after `after`, unless it is out of range.
    pub(super) fn next_after(self, after: Timestamp) -> Option<Timestamp> {
        let after = after.as_micros();
        if after < self.anchor {
            return Some(Timestamp::from_micros(self.anchor));
        }
        let next = self.anchor.checked_add(self.elapsed_at(after).checked_add(self.period)?)?;
        (next <= Timestamp::MAX.as_micros()).then(|| Timestamp::from_micros(next))
    }

    /// The last instant strictly before `limit`.
    pub(super) fn last_before(self, limit: Timestamp) -> Option<Timestamp> {
        let latest = limit.as_micros().checked_sub(1)?;
        (latest >= self.anchor).then(|| Timestamp::from_micros(self.anchor + self.elapsed_at(latest)))
    }

    /// How many instants there are from `first` to `last`, themselves included.
    pub(super) fn count(self, first: Timestamp, last: Timestamp) -> u64 {
        let whole_periods = (last.as_micros() - first.as_micros()) / self.period;
        u64::try_from(whole_periods + 1).unwrap_or(0)
    }

    /// Whole periods from the anchor to `at`, which is not before it, in microseconds. Both are timestamps, so the
    /// difference is far from overflowing.
    fn elapsed_at(self, at: i64) -> i64 {
        (at - self.anchor) / self.period * self.period
    }
}
