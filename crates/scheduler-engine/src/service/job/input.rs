//! Jobs as callers send them, before any check.

use serde_json::Value;

/// What a caller says of a job, before any check. `None` was not sent: a new job takes the default, an existing one
/// keeps what it has.
///
/// An existing value is taken away by its empty form: `""` for `description`, `group`, `effective_from` and
/// `expires_at`, an empty list of `tags`, 0 for `max_concurrency`,
/// `max_concurrency_per_key` and `jitter_seconds`, `{}` for `retry_policy`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JobInput {
    /// 1 to 200 characters, unique in the tenant. Required for a new job.
    pub name: Option<String>,
    /// At most 4000 characters.
    pub description: Option<String>,
    /// A [`JobType`](horarium_domain::job::JobType)'s name in any case. Required for a new job.
    pub job_type: Option<String>,
    /// `Manual` (the default), `OneTime`, `Interval` or `Cron`, in any case.
    pub schedule_type: Option<String>,
    /// For Cron.
    pub schedule_expression: Option<String>,
    /// For Interval.
    pub interval_seconds: Option<i64>,
    /// For OneTime: RFC 3339 with an offset.
    pub run_at: Option<String>,
    /// As the job type needs it. Required for a new job, and when the type changes.
    pub job_configuration: Option<Value>,
    /// An object in either spelling of the scheduler dialect. A new job of the group
    /// [`INTEGRATION_GROUP`](crate::service::INTEGRATION_GROUP) is tried five times unless said otherwise, any other
    /// once.
    pub retry_policy: Option<Value>,
    /// Seconds that one attempt may take; 300 unless said otherwise.
    pub timeout_seconds: Option<i64>,
    /// An IANA time zone; UTC unless said otherwise.
    pub timezone: Option<String>,
    /// Whether the schedule fires; true unless said otherwise.
    pub is_enabled: Option<bool>,
    /// At most 50, of at most 100 characters each.
    pub tags: Option<Vec<String>>,
    /// Who makes the job, if it is not the caller; ignored in changes.
    pub created_by: Option<String>,
    /// A [`QueueName`](horarium_domain::job::QueueName).
    pub queue: Option<String>,
    /// -100..=100.
    pub priority: Option<i64>,
    /// At most 100 characters.
    pub group: Option<String>,
    /// `Skip`, `FireOnce` (the default) or `FireAll`, in any case.
    pub misfire_policy: Option<String>,
    /// `Allow` (the default), `Forbid` or `Replace`, in any case.
    pub concurrency_policy: Option<String>,
    /// How many executions may run at once; 0 for no limit.
    pub max_concurrency: Option<i64>,
    /// How many executions with the same concurrency key may run at once; 0 for no limit.
    pub max_concurrency_per_key: Option<i64>,
    /// The greatest delay of a scheduled start.
    pub jitter_seconds: Option<i64>,
    /// No slot after this: RFC 3339 with an offset.
    pub expires_at: Option<String>,
    /// No slot before this: RFC 3339 with an offset.
    pub effective_from: Option<String>,
}

/// A new schedule for a job; what is not sent stays as [`JobInput`] says.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RescheduleInput {
    /// Required.
    pub schedule_type: Option<String>,
    /// For Cron.
    pub schedule_expression: Option<String>,
    /// For Interval.
    pub interval_seconds: Option<i64>,
    /// For OneTime.
    pub run_at: Option<String>,
    /// An IANA time zone.
    pub timezone: Option<String>,
    /// No slot before this.
    pub effective_from: Option<String>,
    /// No slot after this.
    pub expires_at: Option<String>,
    /// The greatest delay of a scheduled start.
    pub jitter_seconds: Option<i64>,
}

impl From<RescheduleInput> for JobInput {
    fn from(input: RescheduleInput) -> Self {
        Self {
            schedule_type: input.schedule_type,
            schedule_expression: input.schedule_expression,
            interval_seconds: input.interval_seconds,
            run_at: input.run_at,
            timezone: input.timezone,
            effective_from: input.effective_from,
            expires_at: input.expires_at,
            jitter_seconds: input.jitter_seconds,
            ..Self::default()
        }
    }
}
