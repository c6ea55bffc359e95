//! A job as callers see it.

use horarium_domain::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{
    BackoffName, ConcurrencyPolicyName, ExecutionStatusName, JobStatusName, JobTypeName, MisfirePolicyName,
    ScheduleTypeName,
};

/// How often, how soon and for which failures an execution is tried again.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RetryPolicyDto {
    /// All tries, the first one included.
    pub(crate) max_attempts: u16,
    /// Seconds between the first failed attempt and the second.
    pub(crate) delay_seconds: u32,
    /// How that delay grows.
    pub(crate) retry_backoff_type: BackoffName,
    /// The longest delay, in seconds.
    pub(crate) max_delay_seconds: u32,
    /// How far chance may move a delay either way, as a share of it.
    #[schema(minimum = 0, maximum = 1)]
    pub(crate) jitter: f64,
    /// Only these statuses are retried; null when all are.
    pub(crate) should_retry_http_status_codes: Option<Vec<u16>>,
}

/// A job: what to run, when and how, and how it has fared.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobDto {
    /// Its id.
    pub(crate) id: Uuid,
    /// Unique in the tenant.
    pub(crate) name: String,
    /// For people.
    pub(crate) description: Option<String>,
    /// What kind of work it is.
    pub(crate) job_type: JobTypeName,
    /// What makes its slots.
    pub(crate) schedule_type: ScheduleTypeName,
    /// The cron expression of a Cron schedule.
    pub(crate) schedule_expression: Option<String>,
    /// Seconds between the slots of an Interval schedule.
    pub(crate) interval_seconds: Option<i64>,
    /// The slot of a OneTime schedule.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) run_at: Option<Timestamp>,
    /// What to run, in the shape of its type; secret headers are shown as `***`.
    #[schema(value_type = Object)]
    pub(crate) job_configuration: Value,
    /// How failures are retried.
    pub(crate) retry_policy: RetryPolicyDto,
    /// Seconds that one attempt may take.
    pub(crate) timeout_seconds: u32,
    /// The IANA time zone of its schedule.
    pub(crate) timezone: String,
    /// Whether its schedule may fire.
    pub(crate) is_enabled: bool,
    /// Whether its schedule is on hold.
    pub(crate) is_paused: bool,
    /// Whether it is deleted and only its history kept.
    pub(crate) is_deleted: bool,
    /// Who made it.
    pub(crate) created_by: Option<String>,
    /// Who changed it last.
    pub(crate) last_modified_by: Option<String>,
    /// For people and filters.
    pub(crate) tags: Vec<String>,
    /// Its standing.
    pub(crate) current_status: JobStatusName,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
    /// When its definition last changed.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) updated_at: Timestamp,
    /// When the latest execution to end had started; null when that was cancelled before it did.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) last_executed_at: Option<Timestamp>,
    /// How that execution ended.
    pub(crate) last_execution_status: Option<ExecutionStatusName>,
    /// Its next slot.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) next_run_at: Option<Timestamp>,
    /// Executions that failed since the last one that succeeded.
    pub(crate) consecutive_failures: u32,
    /// Where its executions wait.
    pub(crate) queue: String,
    /// -100..=100; the higher goes first.
    pub(crate) priority: i16,
    /// A family of jobs.
    pub(crate) group: Option<String>,
    /// What to do about slots that nobody fired in time.
    pub(crate) misfire_policy: MisfirePolicyName,
    /// What to do when executions overlap.
    pub(crate) concurrency_policy: ConcurrencyPolicyName,
    /// How many executions may run at once; null for no limit.
    pub(crate) max_concurrency: Option<u32>,
    /// How many executions with the same concurrency key may run at once; null for no limit.
    pub(crate) max_concurrency_per_key: Option<u32>,
    /// The greatest delay of a scheduled start, in seconds.
    pub(crate) jitter_seconds: u32,
    /// No slot before this.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) effective_from: Option<Timestamp>,
    /// No slot after this.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) expires_at: Option<Timestamp>,
    /// Counts the changes of its definition, from 1; what `If-Match: "v<version>"` names.
    pub(crate) version: i64,
}
