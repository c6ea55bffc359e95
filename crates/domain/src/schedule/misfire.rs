//! What becomes of slots that nobody fired in time.
//!
//! A planner that comes to a schedule late (it was down, the job's node was lost) finds any number of slots behind it.
//! [`Schedule::plan`] decides about every one of them: it is fired, or it is reported as skipped with the reason, or it
//! is left as the `next` of the plan for the following call. None is dropped silently and none is fired twice.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

use super::interval::Grid;
use super::{Schedule, ScheduleKind};

/// What to do about slots that were missed: that are later than [`PlanLimits::grace`] when the planner comes to them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum MisfirePolicy {
    /// Skip them all.
    Skip,
    /// Fire once for all of them: the latest fires, the others are skipped.
    #[default]
    FireOnce,
    /// Fire each, up to [`PlanLimits::max_fires`]: the latest fire, those before them are skipped.
    FireAll,
}

impl MisfirePolicy {
    /// All policies.
    pub const ALL: [Self; 3] = [Self::Skip, Self::FireOnce, Self::FireAll];

    /// The name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "Skip",
            Self::FireOnce => "FireOnce",
            Self::FireAll => "FireAll",
        }
    }
}

impl fmt::Display for MisfirePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How late is late, and how much one plan may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlanLimits {
    /// A slot that is no later than this is on time, and fires whatever the policy.
    pub grace: Duration,
    /// The most slots that one plan fires, at least 1. Slots on time beyond it are left for the next plan.
    pub max_fires: usize,
}

impl Default for PlanLimits {
    /// 30 seconds of grace, 1000 fires.
    fn default() -> Self {
        Self { grace: Duration::from_secs(30), max_fires: 1_000 }
    }
}

/// A slot to fire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Slot {
    /// The slot, before jitter.
    pub at: Timestamp,
    /// Whether it was missed and fires by [`MisfirePolicy`].
    pub missed: bool,
}

/// Why slots were skipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum SkipReason {
    /// They were missed, and the policy is [`MisfirePolicy::Skip`].
    Missed,
    /// They were missed, and a later one fires for all of them ([`MisfirePolicy::FireOnce`]).
    Coalesced,
    /// They were missed, and more than [`PlanLimits::max_fires`] later ones were too ([`MisfirePolicy::FireAll`]).
    OverLimit,
}

impl SkipReason {
    /// The name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Missed => "Missed",
            Self::Coalesced => "Coalesced",
            Self::OverLimit => "OverLimit",
        }
    }
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A run of consecutive slots that were skipped for one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    /// The first of them.
    pub first: Timestamp,
    /// The last of them; the first when there is one.
    pub last: Timestamp,
    /// How many there are, `first` and `last` included.
    pub count: u64,
    /// Whether `count` is all of them. When a cron schedule has skipped more than
    /// [`Skipped::COUNT_LIMIT`], that limit is given and this is false.
    pub count_is_exact: bool,
    /// Why.
    pub reason: SkipReason,
}

impl Skipped {
    /// How many skipped slots of a cron schedule are counted one by one.
    pub const COUNT_LIMIT: u64 = 1_000;
}

/// What to do about the slots of one schedule that are due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The slots to fire, oldest first.
    pub fire: Vec<Slot>,
    /// The slots that were skipped; all are before those to fire.
    pub skipped: Option<Skipped>,
    /// The first slot that this plan does not decide about: what the job's next slot becomes. It is not in the future
    /// when there was more to fire than [`PlanLimits::max_fires`].
    pub next: Option<Timestamp>,
}

impl Plan {
    /// Whether nothing fires and nothing was skipped.
    pub fn is_empty(&self) -> bool {
        self.fire.is_empty() && self.skipped.is_none()
    }
}

impl Schedule {
    /// Decides about every slot from `next_slot`, the first that has not been decided about, up to `now`.
    ///
    /// The work is bounded whatever the length of the outage: proportional to [`PlanLimits::max_fires`] and
    /// [`Skipped::COUNT_LIMIT`].
    pub fn plan(&self, next_slot: Timestamp, now: Timestamp, policy: MisfirePolicy, limits: PlanLimits) -> Plan {
        if !self.admits(next_slot) {
            // The window was changed since this slot was worked out.
            return Plan { fire: Vec::new(), skipped: None, next: self.next_after(next_slot) };
        }
        let max_fires = limits.max_fires.max(1);
        let on_time_from = now - limits.grace;
        let (mut fire, skipped) = match policy {
            _ if next_slot >= on_time_from => (Vec::new(), None),
            MisfirePolicy::Skip => {
                let last = self.last_slot_before(on_time_from, next_slot);
                (Vec::new(), Some(self.skipped(next_slot, last, SkipReason::Missed)))
            }
            MisfirePolicy::FireOnce => self.keep_latest(next_slot, on_time_from, 1, SkipReason::Coalesced),
            MisfirePolicy::FireAll => self.keep_latest(next_slot, on_time_from, max_fires, SkipReason::OverLimit),
        };
        let decided = fire.last().map(|slot| slot.at).max(skipped.map(|skipped| skipped.last));
        let mut next = decided.map_or(Some(next_slot), |decided| self.next_after(decided));
        while let Some(at) = next.filter(|at| *at <= now && fire.len() < max_fires) {
            fire.push(Slot { at, missed: false });
            next = self.next_after(at);
        }
        Plan { fire, skipped, next }
    }

    /// Splits the missed slots, those from `first` up to `end` exclusive, into the latest `count`, which fire, and the
    /// rest, which are skipped for `reason`.
    fn keep_latest(
        &self,
        first: Timestamp,
        end: Timestamp,
        count: usize,
        reason: SkipReason,
    ) -> (Vec<Slot>, Option<Skipped>) {
        let mut fire = Vec::new();
        let mut end = end;
        while end > first && fire.len() < count {
            end = self.last_slot_before(end, first);
            fire.push(Slot { at: end, missed: true });
        }
        fire.reverse();
        let skipped = (end > first).then(|| self.skipped(first, self.last_slot_before(end, first), reason));
        (fire, skipped)
    }

    fn skipped(&self, first: Timestamp, last: Timestamp, reason: SkipReason) -> Skipped {
        let (count, count_is_exact) = if let ScheduleKind::Interval { seconds, anchor } = self.kind {
            (Grid::new(anchor, seconds).count(first, last), true)
        } else {
            let further = self.slots_after(first).take_while(|slot| *slot <= last);
            // One more than the limit, to tell "as many as" from "more than".
            let count = 1 + further.zip(0..Skipped::COUNT_LIMIT).count() as u64;
            (count.min(Skipped::COUNT_LIMIT), count <= Skipped::COUNT_LIMIT)
        };
        Skipped { first, last, count, count_is_exact, reason }
    }

    /// The last slot before `end`, where `known` is a slot before `end`.
    ///
    /// For cron it is found by halving the time between the two with [`Schedule::next_after`], some thirty steps for a
    /// year: a search backwards would need the rules for jumping clocks a second time, the other way around.
    fn last_slot_before(&self, end: Timestamp, known: Timestamp) -> Timestamp {
        if let ScheduleKind::Interval { seconds, anchor } = self.kind {
            return Grid::new(anchor, seconds).last_before(end).map_or(known, |slot| slot.max(known));
        }
        // Most often a planner is late by one slot only.
        let Some(second) = self.next_after(known).filter(|slot| *slot < end) else {
            return known;
        };
        // There is no slot from `upper` up to `end`, and `lower` is a slot.
        let (mut lower, mut upper) = (second, end);
        // Slots are whole seconds apart.
        while upper.since(lower) >= Duration::from_secs(1) {
            let middle = lower + upper.since(lower) / 2;
            match self.next_after(middle) {
                Some(slot) if slot < end => lower = slot,
                _ => upper = middle,
            }
        }
        lower
    }
}
