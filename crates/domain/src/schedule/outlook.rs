//! What a schedule will do, as its zone's clock tells it, and what becomes of it when that clock is put forward or back.

use crate::Timestamp;

use super::wall_clock::Shift;
use super::wall_time::{ClockShift, LocalTime, WallTime};
use super::{CronExpression, Schedule, ScheduleKind};

/// What a schedule will do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    /// The schedule.
    pub schedule: Schedule,
    /// The next slots, soonest first.
    pub slots: Vec<ZonedSlot>,
    /// What the next shift of the clock does to it. `None` where the clock is not shifted in the next two years or before
    /// the schedule expires, and for schedules that speak of no clock: an instant is an instant.
    pub shift: Option<ShiftOutlook>,
}

/// A slot, and what the schedule's clock shows at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZonedSlot {
    /// When.
    pub at: Timestamp,
    /// What the clock shows.
    pub local: LocalTime,
}

/// A shift of the clock and what it does to a schedule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShiftOutlook {
    /// The shift.
    pub shift: ClockShift,
    /// What it does.
    pub effect: ShiftEffect,
}

/// What a shift of the clock does to a schedule; see [the module](super) for the rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ShiftEffect {
    /// Nothing: the schedule follows elapsed time.
    ElapsedTime,
    /// Nothing: no wall time of the schedule is left out or repeated.
    Untouched,
    /// Wall times of the schedule are left out.
    Moved {
        /// The first of them.
        wall: WallTime,
        /// When the schedule runs instead.
        runs_at: Timestamp,
        /// How many runs that one stands for: those left out, and its own if it has one.
        merged: u32,
    },
    /// Wall times of the schedule happen twice.
    Once {
        /// The first of them.
        wall: WallTime,
        /// When the schedule runs.
        first: Timestamp,
        /// When the clock shows the same again, and the schedule does not run.
        second: Timestamp,
    },
}

impl Schedule {
    /// The next `count` slots strictly after `after`, as in [`preview`](Self::preview), on the clock of the schedule's zone,
    /// and what the next shift of that clock does.
    pub fn outlook(&self, after: Timestamp, count: usize) -> Outlook {
        let slots = self.preview(after, count).into_iter();
        let slots = slots.map(|at| ZonedSlot { at, local: self.timezone.local(at) }).collect();
        let shift = self.shift_outlook(self.not_before_window(after));
        Outlook { schedule: self.clone(), slots, shift }
    }

    fn shift_outlook(&self, after: Timestamp) -> Option<ShiftOutlook> {
        // An expression that names hours, if it is one.
        let cron = match &self.kind {
            ScheduleKind::Manual | ScheduleKind::OneTime { .. } => return None,
            ScheduleKind::Interval { .. } => None,
            ScheduleKind::Cron(cron) => (!cron.follows_elapsed_time()).then_some(cron),
        };
        let shift = self.timezone.shift_following(after.as_seconds())?;
        let told = shift.told()?;
        if self.expires_at.is_some_and(|until| until < told.at) {
            return None;
        }
        let effect = cron.map_or(Some(ShiftEffect::ElapsedTime), |cron| effect(cron, after, shift, told));
        Some(ShiftOutlook { shift: told, effect: effect? })
    }
}

/// What a shift does to an expression that names hours, as seen from `after`; `None` at the ends of the calendar.
fn effect(cron: &CronExpression, after: Timestamp, shift: Shift, told: ClockShift) -> Option<ShiftEffect> {
    let (before, to) = (told.from.date_time(), told.to.date_time());
    if told.is_forward() {
        let Some(wall) = cron.first_wall_from(before).filter(|wall| *wall < to) else {
            return Some(ShiftEffect::Untouched);
        };
        let missing = std::iter::successors(Some(wall), |wall| cron.first_wall_after(*wall));
        let merged = missing.take_while(|wall| *wall <= to).fold(0_u32, |count, _| count.saturating_add(1));
        return Some(ShiftEffect::Moved { wall: WallTime::new(wall), runs_at: told.at, merged });
    }
    // What the clock has shown of it by now has run.
    let from = to.max(shift.wall_on_old_clock(after.as_seconds() + 1)?);
    let Some(wall) = cron.first_wall_from(from).filter(|wall| *wall < before) else {
        return Some(ShiftEffect::Untouched);
    };
    let (first, second) = shift.instants(wall)?;
    let [first, second] = [first, second].map(Timestamp::from_seconds);
    Some(ShiftEffect::Once { wall: WallTime::new(wall), first, second })
}
