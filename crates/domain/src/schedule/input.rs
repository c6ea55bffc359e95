//! A schedule as someone wrote it, before any check; also the form in which one is stored.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

use super::error::{ScheduleError, ScheduleErrors, ScheduleField};
use super::timezone::TimeZone;
use super::{CronExpression, Schedule, ScheduleKind};

/// The kinds of schedule, by the names that the scheduler dialect gives them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum ScheduleType {
    /// Only triggered.
    #[default]
    Manual,
    /// Once, at an instant.
    OneTime,
    /// Every so many seconds.
    Interval,
    /// By a cron expression.
    Cron,
}

impl ScheduleType {
    /// All kinds.
    pub const ALL: [Self; 4] = [Self::Manual, Self::OneTime, Self::Interval, Self::Cron];

    /// The name, as in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Manual => "Manual",
            Self::OneTime => "OneTime",
            Self::Interval => "Interval",
            Self::Cron => "Cron",
        }
    }
}

impl fmt::Display for ScheduleType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The unchecked parts of a [`Schedule`]. What the kind has no use for is ignored and dropped.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ScheduleInput {
    /// The kind of schedule.
    #[serde(default)]
    pub schedule_type: ScheduleType,
    /// The cron expression; needed by [`ScheduleType::Cron`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub schedule_expression: Option<String>,
    /// Seconds between two slots; needed by [`ScheduleType::Interval`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval_seconds: Option<i64>,
    /// The slot; needed by [`ScheduleType::OneTime`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub run_at: Option<Timestamp>,
    /// What an interval is counted from; see [`Schedule::new`] for its default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub anchor: Option<Timestamp>,
    /// An IANA time zone name in any case; UTC when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// No slot before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effective_from: Option<Timestamp>,
    /// No slot after this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// The greatest jitter, in seconds; 0 when there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jitter_seconds: Option<i64>,
}

impl ScheduleInput {
    /// A cron schedule in UTC.
    pub fn cron(expression: impl Into<String>) -> Self {
        Self { schedule_type: ScheduleType::Cron, schedule_expression: Some(expression.into()), ..Self::default() }
    }

    /// A schedule with a slot every `seconds`.
    pub fn interval(seconds: i64) -> Self {
        Self { schedule_type: ScheduleType::Interval, interval_seconds: Some(seconds), ..Self::default() }
    }

    /// A schedule with one slot.
    pub fn one_time(at: Timestamp) -> Self {
        Self { schedule_type: ScheduleType::OneTime, run_at: Some(at), ..Self::default() }
    }

    /// The same in another time zone.
    #[must_use]
    pub fn in_zone(mut self, timezone: impl Into<String>) -> Self {
        self.timezone = Some(timezone.into());
        self
    }

    pub(super) fn with_anchor(mut self, created_at: Timestamp) -> Self {
        self.anchor = self.anchor.or(self.effective_from).or(Some(created_at));
        self
    }

    fn kind(&self) -> Result<ScheduleKind, ScheduleError> {
        let missing = |field| ScheduleError::Missing { kind: self.schedule_type, field };
        match self.schedule_type {
            ScheduleType::Manual => Ok(ScheduleKind::Manual),
            ScheduleType::OneTime => {
                let at = self.run_at.ok_or(missing(ScheduleField::RunAt))?;
                Ok(ScheduleKind::OneTime { at: whole_millis(at) })
            }
            ScheduleType::Interval => {
                let given = self.interval_seconds.ok_or(missing(ScheduleField::IntervalSeconds))?;
                let seconds = u64::try_from(given)
                    .ok()
                    .filter(|seconds| (1..=Schedule::MAX_INTERVAL_SECONDS).contains(seconds))
                    .ok_or(ScheduleError::IntervalOutOfRange(given))?;
                let anchor = self.anchor.ok_or(missing(ScheduleField::Anchor))?;
                Ok(ScheduleKind::Interval { seconds, anchor: whole_millis(anchor) })
            }
            ScheduleType::Cron => {
                let text = self.schedule_expression.as_deref().ok_or(missing(ScheduleField::Expression))?;
                Ok(ScheduleKind::Cron(text.parse::<CronExpression>()?))
            }
        }
    }

    fn timezone(&self) -> Result<TimeZone, ScheduleError> {
        Ok(self.timezone.as_deref().map(str::parse).transpose()?.unwrap_or_default())
    }

    fn jitter(&self) -> Result<u32, ScheduleError> {
        let given = self.jitter_seconds.unwrap_or_default();
        match u32::try_from(given) {
            Ok(seconds @ 0..=Schedule::MAX_JITTER_SECONDS) => Ok(seconds),
            _ => Err(ScheduleError::JitterOutOfRange(given)),
        }
    }
}

impl TryFrom<ScheduleInput> for Schedule {
    type Error = ScheduleErrors;

    /// Like [`Schedule::new`], but an interval must say what it is counted from.
    fn try_from(input: ScheduleInput) -> Result<Self, ScheduleErrors> {
        let mut errors = Vec::new();
        let mut keep = |error: ScheduleError| errors.push(error);

        let kind = input.kind().map_err(&mut keep).ok();
        let timezone = input.timezone().map_err(&mut keep).ok();
        let effective_from = input.effective_from.map(whole_millis);
        let expires_at = input.expires_at.map(whole_millis);
        if let (Some(effective_from), Some(expires_at)) = (effective_from, expires_at)
            && expires_at < effective_from
        {
            keep(ScheduleError::ExpiresBeforeEffective { effective_from, expires_at });
        }
        let jitter_seconds = input.jitter().map_err(&mut keep).ok();

        ScheduleErrors::check(errors)?;
        // Each `None` has left an error behind, so the defaults are never taken.
        let schedule = Self {
            kind: kind.unwrap_or(ScheduleKind::Manual),
            timezone: timezone.unwrap_or_default(),
            effective_from,
            expires_at,
            jitter_seconds: jitter_seconds.unwrap_or_default(),
        };
        match schedule.kind {
            ScheduleKind::OneTime { at } if !schedule.admits(at) => {
                Err(ScheduleError::RunAtOutsideWindow { at }.into())
            }
            _ => Ok(schedule),
        }
    }
}

impl From<Schedule> for ScheduleInput {
    fn from(schedule: Schedule) -> Self {
        let mut input = Self {
            schedule_type: schedule.schedule_type(),
            timezone: Some(schedule.timezone.name().to_owned()),
            effective_from: schedule.effective_from,
            expires_at: schedule.expires_at,
            jitter_seconds: (schedule.jitter_seconds > 0).then_some(i64::from(schedule.jitter_seconds)),
            ..Self::default()
        };
        match schedule.kind {
            ScheduleKind::Manual => {}
            ScheduleKind::OneTime { at } => input.run_at = Some(at),
            ScheduleKind::Interval { seconds, anchor } => {
                input.interval_seconds = i64::try_from(seconds).ok();
                input.anchor = Some(anchor);
            }
            ScheduleKind::Cron(cron) => input.schedule_expression = Some(cron.as_str().to_owned()),
        }
        input
    }
}

/// `at` without what its serialised form has no digits for.
const fn whole_millis(at: Timestamp) -> Timestamp {
    Timestamp::from_millis(at.as_millis())
}
