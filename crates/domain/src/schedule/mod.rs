//! When a job runs: cron expressions, intervals and one-time instants, in a time zone, within a window.
//!
//! Everything here is a pure function of its arguments. A *slot* is one instant at which a schedule wants its job to
//! run, before any jitter; [`Schedule::next_after`] gives the next one, [`Schedule::plan`] says which of the due ones
//! fire and which are skipped.
//!
//! # Daylight saving time
//!
//! A cron expression speaks of the wall clock, and the wall clock jumps. Which rule applies depends on the hour field:
//!
//! **An expression that names hours** (`30 2 * * *`, `*/30 2 * * *`, `*/15 9-17 * * MON-FRI`, `0 */2 * * *`) is an
//! appointment with the wall clock:
//!
//! - a wall time that does not exist runs at the first instant after the gap;
//! - a wall time that happens twice runs once, at the first;
//! - several that fall on one instant fire once. So `*/30 2 * * *` in Europe/Berlin fires once on the spring day, at
//!   03:00 (for 02:00 and 02:30, both missing), and twice on the autumn day, at the first 02:00 and the first 02:30.
//!
//! In one sentence: the slot of a wall time is the earliest instant at which the clock shows that time or a later one.
//!
//! **An expression that allows every hour** (hour field `*`, `*/1` or `0-23`: `*/15 * * * *`, `* * * * * *`, `@hourly`)
//! has a period of an hour or less. It follows elapsed time: it fires whenever the clock shows a matching time, through
//! both passes of a repeated hour, and nothing is made up for times that never were. `*/15 * * * *` fires every fifteen
//! minutes on either day, and `@hourly` 25 times on an autumn day.
//!
//! Both rules hold for every shift in the time zone database, not only for those of an hour: Lord Howe Island's half
//! hour, and the whole day that Samoa left out in 2011.

mod calendar;
mod cron;
mod error;
mod input;
mod interval;
mod jitter;
mod misfire;
mod outlook;
mod timezone;
mod wall_clock;
mod wall_time;

use std::time::Duration;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use cron::{CronError, CronExpression, CronField};
pub use error::{ScheduleError, ScheduleErrors, ScheduleField};
pub use input::{ScheduleInput, ScheduleType};
pub use jitter::jitter;
pub use misfire::{MisfirePolicy, Plan, PlanLimits, SkipReason, Skipped, Slot};
pub use outlook::{Outlook, ShiftEffect, ShiftOutlook, ZonedSlot};
pub use timezone::{TimeZone, UnknownTimeZone};
pub use wall_time::{ClockShift, LocalTime, Shown, WallTime, Weekday};

use crate::Timestamp;
use interval::Grid;

/// What makes a schedule's slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScheduleKind {
    /// No slots: the job runs when someone triggers it.
    Manual,
    /// One slot.
    OneTime {
        /// The slot.
        at: Timestamp,
    },
    /// A slot every so many seconds of elapsed time.
    Interval {
        /// Seconds between two slots, 1 to [`Schedule::MAX_INTERVAL_SECONDS`].
        seconds: u64,
        /// The first slot; all are counted from it.
        anchor: Timestamp,
    },
    /// The slots of a cron expression on the wall clock of [`Schedule::timezone`].
    Cron(CronExpression),
}

/// A validated schedule.
///
/// Made from a [`ScheduleInput`], which is also how it is serialised: whatever is read back has passed the same checks.
/// Its instants are kept in whole milliseconds, as they are written, so a schedule that was stored and read back has
/// exactly the slots it had before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "ScheduleInput", into = "ScheduleInput")]
pub struct Schedule {
    kind: ScheduleKind,
    timezone: TimeZone,
    effective_from: Option<Timestamp>,
    expires_at: Option<Timestamp>,
    jitter_seconds: u32,
}

impl Schedule {
    /// The longest interval, a hundred years of 365.25 days, in seconds.
    pub const MAX_INTERVAL_SECONDS: u64 = 3_155_760_000;
    /// The longest jitter, one day, in seconds.
    pub const MAX_JITTER_SECONDS: u32 = 86_400;
    /// The most slots that [`Schedule::preview`] gives.
    pub const MAX_PREVIEW: usize = 1_000;

    /// Checks `input` and makes a schedule of it. An interval without an anchor is anchored at its `effective_from`,
    /// or else at `created_at`.
    ///
    /// All that is wrong is reported at once, each error with the field it belongs to.
    pub fn new(input: ScheduleInput, created_at: Timestamp) -> Result<Self, ScheduleErrors> {
        input.with_anchor(created_at).try_into()
    }

    /// A schedule without slots, for jobs that are only triggered.
    pub fn manual() -> Self {
        Self {
            kind: ScheduleKind::Manual,
            timezone: TimeZone::UTC,
            effective_from: None,
            expires_at: None,
            jitter_seconds: 0,
        }
    }

    /// What makes the slots.
    pub fn kind(&self) -> &ScheduleKind {
        &self.kind
    }

    /// The name of the kind, as the contract writes it.
    pub fn schedule_type(&self) -> ScheduleType {
        match self.kind {
            ScheduleKind::Manual => ScheduleType::Manual,
            ScheduleKind::OneTime { .. } => ScheduleType::OneTime,
            ScheduleKind::Interval { .. } => ScheduleType::Interval,
            ScheduleKind::Cron(_) => ScheduleType::Cron,
        }
    }

    /// The zone whose wall clock a cron expression speaks of.
    pub fn timezone(&self) -> &TimeZone {
        &self.timezone
    }

    /// No slot is before this instant.
    pub fn effective_from(&self) -> Option<Timestamp> {
        self.effective_from
    }

    /// No slot is after this instant; one may be at it.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// The greatest jitter, in seconds; 0 for none. See [`Schedule::jitter_of`].
    pub fn jitter_seconds(&self) -> u32 {
        self.jitter_seconds
    }

    /// Whether there can be more than one slot.
    pub fn is_recurring(&self) -> bool {
        match self.kind {
            ScheduleKind::Manual | ScheduleKind::OneTime { .. } => false,
            ScheduleKind::Interval { .. } | ScheduleKind::Cron(_) => true,
        }
    }

    /// The first slot strictly after `after`, or `None` when there is none before the schedule expires.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let after = self.not_before_window(after);
        let slot = match &self.kind {
            ScheduleKind::Manual => None,
            ScheduleKind::OneTime { at } => (*at > after).then_some(*at),
            ScheduleKind::Interval { seconds, anchor } => Grid::new(*anchor, *seconds).next_after(after),
            ScheduleKind::Cron(cron) => cron.next_after(after, &self.timezone),
        };
        slot.filter(|slot| self.admits(*slot))
    }

    /// The slot that a job gets when this schedule is given to it at `now`.
    ///
    /// It is the next one, but a one-time instant that has just passed still counts: a caller who says "now" is late by
    /// the time the request is read, and [`Schedule::plan`] decides what becomes of it like of any late slot.
    pub fn first_slot(&self, now: Timestamp) -> Option<Timestamp> {
        match self.kind {
            ScheduleKind::OneTime { at } => Some(at),
            _ => self.next_after(now),
        }
    }

    /// All slots strictly after `after`, oldest first.
    pub fn slots_after(&self, after: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        std::iter::successors(self.next_after(after), |slot| self.next_after(*slot))
    }

    /// The next `count` slots strictly after `after`, at most [`Schedule::MAX_PREVIEW`].
    pub fn preview(&self, after: Timestamp, count: usize) -> Vec<Timestamp> {
        self.slots_after(after).take(count.min(Self::MAX_PREVIEW)).collect()
    }

    /// How long after `slot` this `job` starts: [`jitter()`] within this schedule's [`Schedule::jitter_seconds`].
    ///
    /// Jitter delays the start of the execution and leaves the slot where it is, so misfire planning and exactly-once
    /// firing work on slots alone.
    pub fn jitter_of(&self, job: Uuid, slot: Timestamp) -> Duration {
        jitter(job, slot, self.jitter_seconds)
    }

    /// `after`, or the last instant before the window if that is later.
    fn not_before_window(&self, after: Timestamp) -> Timestamp {
        match self.effective_from {
            Some(from) if after < from => from - Duration::from_micros(1),
            _ => after,
        }
    }

    /// Whether `slot` lies in the window from `effective_from` to `expires_at`, both included.
    fn admits(&self, slot: Timestamp) -> bool {
        self.effective_from.is_none_or(|from| slot >= from) && self.expires_at.is_none_or(|until| slot <= until)
    }
}
