//! What can be wrong with a schedule, and which field of the request to blame.

use std::fmt;

use crate::Timestamp;

use super::Schedule;
use super::cron::CronError;
use super::input::ScheduleType;
use super::timezone::UnknownTimeZone;

/// A field of [`super::ScheduleInput`], to attach an error to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ScheduleField {
    /// The cron expression.
    Expression,
    /// Seconds between two slots.
    IntervalSeconds,
    /// The one slot of a one-time schedule.
    RunAt,
    /// The time zone's name.
    Timezone,
    /// The end of the window.
    ExpiresAt,
    /// The greatest jitter.
    JitterSeconds,
    /// The instant that an interval is counted from.
    Anchor,
}

impl ScheduleField {
    /// The field's name in JSON.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Expression => "scheduleExpression",
            Self::IntervalSeconds => "intervalSeconds",
            Self::RunAt => "runAt",
            Self::Timezone => "timezone",
            Self::ExpiresAt => "expiresAt",
            Self::JitterSeconds => "jitterSeconds",
            Self::Anchor => "anchor",
        }
    }
}

impl fmt::Display for ScheduleField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One thing that is wrong with a schedule. [`ScheduleError::field`] says where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The kind of schedule needs a field that was not given.
    #[error("a schedule of type {kind} needs {field}")]
    Missing {
        /// The kind asked for.
        kind: ScheduleType,
        /// The field that it needs.
        field: ScheduleField,
    },
    /// The cron expression is not valid or never fires.
    #[error(transparent)]
    Cron(#[from] CronError),
    /// The interval is not in its range.
    #[error("an interval of {0} seconds is out of range; it takes 1 to {max}", max = Schedule::MAX_INTERVAL_SECONDS)]
    IntervalOutOfRange(i64),
    /// The one slot lies outside of the window, so the job would never run.
    #[error("the job would never run: {at} is not within effectiveFrom and expiresAt")]
    RunAtOutsideWindow {
        /// The slot.
        at: Timestamp,
    },
    /// There is no such time zone.
    #[error(transparent)]
    Timezone(#[from] UnknownTimeZone),
    /// The window ends before it starts.
    #[error("the schedule would expire at {expires_at}, before it takes effect at {effective_from}")]
    ExpiresBeforeEffective {
        /// Start of the window.
        effective_from: Timestamp,
        /// End of the window.
        expires_at: Timestamp,
    },
    /// The jitter is not in its range.
    #[error("a jitter of {0} seconds is out of range; it takes 0 to {max}", max = Schedule::MAX_JITTER_SECONDS)]
    JitterOutOfRange(i64),
}

impl ScheduleError {
    /// The field that the error belongs to.
    pub const fn field(&self) -> ScheduleField {
        match self {
            Self::Missing { field, .. } => *field,
            Self::Cron(_) => ScheduleField::Expression,
            Self::IntervalOutOfRange(_) => ScheduleField::IntervalSeconds,
            Self::RunAtOutsideWindow { .. } => ScheduleField::RunAt,
            Self::Timezone(_) => ScheduleField::Timezone,
            Self::ExpiresBeforeEffective { .. } => ScheduleField::ExpiresAt,
            Self::JitterOutOfRange(_) => ScheduleField::JitterSeconds,
        }
    }
}

/// All that is wrong with a schedule; never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleErrors(Vec<ScheduleError>);

impl ScheduleErrors {
    /// `Err` with the errors if there are any.
    pub(super) fn check(errors: Vec<ScheduleError>) -> Result<(), Self> {
        if errors.is_empty() { Ok(()) } else { Err(Self(errors)) }
    }

    /// The errors, in the order of the fields.
    pub fn iter(&self) -> std::slice::Iter<'_, ScheduleError> {
        self.0.iter()
    }
}

impl From<ScheduleError> for ScheduleErrors {
    fn from(error: ScheduleError) -> Self {
        Self(vec![error])
    }
}

impl IntoIterator for ScheduleErrors {
    type Item = ScheduleError;
    type IntoIter = std::vec::IntoIter<ScheduleError>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a ScheduleErrors {
    type Item = &'a ScheduleError;
    type IntoIter = std::slice::Iter<'a, ScheduleError>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for ScheduleErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{}: {error}", error.field())?;
        }
        Ok(())
    }
}

impl std::error::Error for ScheduleErrors {}
