//! The dialect's words for the domain's enumerations.

use horarium_domain::execution::{AttemptOutcome, ExecutionState, Trigger};
use horarium_domain::job::{ConcurrencyPolicy, JobStatus, JobType};
use horarium_domain::page::SortDirection;
use horarium_domain::retry::Backoff;
use horarium_domain::schedule::{MisfirePolicy, ScheduleType};
use horarium_domain::store::JobSort;
use serde::Serialize;
use utoipa::ToSchema;

/// An enumeration on the wire, and its mapping from the domain's: a variant added there does not compile here until
/// it has been given a word.
macro_rules! names {
    ($($(#[$doc:meta])* $name:ident for $domain:ident { $($variant:ident),* $(,)? })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
        pub(crate) enum $name {
            $(
                #[allow(missing_docs)] // the domain's enumeration of the same name explains it
                $variant,
            )*
        }

        impl From<$domain> for $name {
            fn from(value: $domain) -> Self {
                match value {
                    $($domain::$variant => Self::$variant,)*
                }
            }
        }
    )*};
}

names! {
    /// What kind of work a job is.
    JobTypeName for JobType { HttpCall, StoredProcedure, CodeExecution, FileOperation, Command, Agent }

    /// What makes a job's slots.
    ScheduleTypeName for ScheduleType { Manual, OneTime, Interval, Cron }

    /// A job's standing.
    JobStatusName for JobStatus { Active, Paused, Disabled }

    /// What to do about slots that nobody fired in time.
    MisfirePolicyName for MisfirePolicy { Skip, FireOnce, FireAll }

    /// What to do when executions of a job overlap.
    ConcurrencyPolicyName for ConcurrencyPolicy { Allow, Forbid, Replace }

    /// How the delay grows from one failed attempt to the next.
    BackoffName for Backoff { Fixed, Linear, Exponential }

    /// Where an execution stands.
    ExecutionStatusName for ExecutionState { Pending, Running, Succeeded, Failed, Cancelled }

    /// Why an execution came into being.
    TriggerName for Trigger { Schedule, Manual, Retry, Api, Dependency, Workflow }

    /// How an attempt ended.
    AttemptOutcomeName for AttemptOutcome { Running, Succeeded, Failed, TimedOut, Lost, Snoozed, Cancelled }
}

/// What jobs can be sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "camelCase")]
pub(crate) enum JobSortName {
    /// Its name.
    Name,
    /// When it was made.
    CreatedAt,
    /// When its definition last changed.
    UpdatedAt,
    /// When its latest run started.
    LastExecutedAt,
    /// Its next slot.
    NextRunAt,
    /// Runs that failed since the last one that succeeded.
    ConsecutiveFailures,
}

impl From<JobSortName> for JobSort {
    fn from(name: JobSortName) -> Self {
        match name {
            JobSortName::Name => Self::Name,
            JobSortName::CreatedAt => Self::CreatedAt,
            JobSortName::UpdatedAt => Self::UpdatedAt,
            JobSortName::LastExecutedAt => Self::LastExecutedAt,
            JobSortName::NextRunAt => Self::NextRunAt,
            JobSortName::ConsecutiveFailures => Self::ConsecutiveFailures,
        }
    }
}

/// Which way a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ToSchema)]
#[schema(rename_all = "lowercase")]
pub(crate) enum SortDirectionName {
    /// Smallest first.
    Asc,
    /// Largest first.
    Desc,
    /// The same as `asc`.
    Ascending,
    /// The same as `desc`.
    Descending,
}

impl From<SortDirectionName> for SortDirection {
    fn from(name: SortDirectionName) -> Self {
        match name {
            SortDirectionName::Asc | SortDirectionName::Ascending => Self::Ascending,
            SortDirectionName::Desc | SortDirectionName::Descending => Self::Descending,
        }
    }
}
