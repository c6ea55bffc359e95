//! From instants to readings of a zone's wall clock and back, with the jumps of that clock made explicit.
//!
//! Instants are whole seconds since the Unix epoch here: cron speaks of nothing finer, and no zone has an offset finer
//! than a second.

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset};

use crate::Timestamp;

use super::timezone::TimeZone;
use super::wall_time::{ClockShift, WallTime};

/// When a wall clock shows a given time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// At one instant.
    Once(i64),
    /// Never: the clock was put forward over it.
    Never(Shift),
    /// At two instants: the clock was put back over it.
    Twice {
        /// Before the clock was put back.
        first: i64,
        /// After it.
        second: i64,
        /// The putting back.
        shift: Shift,
    },
}

/// A clock being put forward or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shift {
    /// The first instant with the new offset.
    pub(super) at: i64,
    before: Offset,
    after: Offset,
}

impl Shift {
    /// What the clock would have shown at the shift: the end of what is repeated when it is put back.
    pub(super) fn wall_before(self) -> Option<DateTime> {
        wall(self.at, self.before)
    }

    /// What the clock showed from the shift on: the end of what is left out, or the start of what is repeated.
    pub(super) fn wall_after(self) -> Option<DateTime> {
        wall(self.at, self.after)
    }

    /// What the clock would show at `instant` had it never been shifted.
    pub(super) fn wall_on_old_clock(self, instant: i64) -> Option<DateTime> {
        wall(instant, self.before)
    }

    /// When a clock that is not shifted at all shows `wall`: one with the old offset, one with the new.
    pub(super) fn instants(self, wall: DateTime) -> Option<(i64, i64)> {
        Some((instant(wall, self.before)?, instant(wall, self.after)?))
    }

    /// The shift as others see it.
    pub(super) fn told(self) -> Option<ClockShift> {
        let (from, to) = (self.wall_before()?, self.wall_after()?);
        Some(ClockShift { at: Timestamp::from_seconds(self.at), from: WallTime::new(from), to: WallTime::new(to) })
    }
}

/// How far ahead shifts are looked for, in seconds: two years.
const AHEAD: i64 = 2 * 366 * 86_400;

impl TimeZone {
    /// What the wall clock shows at `instant`; `None` outside of the calendar.
    pub(super) fn wall_at(&self, instant: i64) -> Option<DateTime> {
        let instant = jiff::Timestamp::from_second(instant).ok()?;
        Some(self.rules().to_datetime(instant))
    }

    /// When the wall clock shows `wall`; `None` outside of the calendar.
    pub(super) fn reading(&self, wall: DateTime) -> Option<Reading> {
        match self.rules().to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => Some(Reading::Once(instant(wall, offset)?)),
            AmbiguousOffset::Gap { before, after } => {
                // Read with the new offset, a time that was left out lies before the shift.
                let shift = self.shift_after(instant(wall, after)?, before, after)?;
                Some(Reading::Never(shift))
            }
            AmbiguousOffset::Fold { before, after } => {
                let first = instant(wall, before)?;
                let shift = self.shift_after(first, before, after)?;
                Some(Reading::Twice { first, second: instant(wall, after)?, shift })
            }
        }
    }

    /// The first shift after `instant`, if there is one in the next two years.
    pub(super) fn shift_following(&self, instant: i64) -> Option<Shift> {
        let from = jiff::Timestamp::from_second(instant).ok()?;
        let before = self.rules().to_offset(from);
        // Changes of the abbreviation alone are transitions as well.
        let ahead = self.rules().following(from).take_while(|it| it.timestamp().as_second() - instant <= AHEAD);
        let shift = ahead.into_iter().find(|it| it.offset() != before)?;
        Some(Shift { at: shift.timestamp().as_second(), before, after: shift.offset() })
    }

    /// The first shift to the offset `after` that is later than `instant`.
    fn shift_after(&self, instant: i64, before: Offset, after: Offset) -> Option<Shift> {
        let from = jiff::Timestamp::from_second(instant).ok()?;
        // Changes of the abbreviation alone are transitions as well, so the first need not be the one.
        let transition = self.rules().following(from).find(|transition| transition.offset() == after)?;
        Some(Shift { at: transition.timestamp().as_second(), before, after })
    }
}

fn wall(instant: i64, offset: Offset) -> Option<DateTime> {
    jiff::Timestamp::from_second(instant).ok().map(|instant| offset.to_datetime(instant))
}

fn instant(wall: DateTime, offset: Offset) -> Option<i64> {
    offset.to_timestamp(wall).ok().map(jiff::Timestamp::as_second)
}
