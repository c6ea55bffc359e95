//! The dialect's words for the domain's enumerations.

use horarium_domain::execution::{AttemptOutcome, ExecutionState, Trigger};
use horarium_domain::job::{ConcurrencyPolicy, JobStatus, JobType};
use horarium_domain::retry::Backoff;
use horarium_domain::schedule::{MisfirePolicy, ScheduleType};
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
