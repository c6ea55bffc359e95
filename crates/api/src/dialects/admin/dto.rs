//! The wire shapes of the admin dialect. JSON names are camelCase; times are UTC with milliseconds.

use std::collections::BTreeMap;

use horarium_domain::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

/// What every answer comes in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdminEnvelope<T> {
    /// True.
    pub(crate) success: bool,
    /// What was done.
    pub(crate) message: &'static str,
    /// What was asked for.
    pub(crate) data: T,
    /// When it was answered.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) timestamp: Timestamp,
}

impl<T> AdminEnvelope<T> {
    /// An answer.
    pub(crate) const fn new(message: &'static str, data: T, timestamp: Timestamp) -> Self {
        Self { success: true, message, data, timestamp }
    }
}

/// What every refusal comes in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(example = json!({
    "success": false,
    "message": "Job not found",
    "data": null,
    "error": {"code": "JOB_NOT_FOUND", "details": {"reason": "There is no job 'tokenExpiri'."}},
    "timestamp": "2025-07-10T14:50:00.000Z"
}))]
pub(crate) struct AdminErrorEnvelope {
    /// False.
    pub(crate) success: bool,
    /// What is refused, in a few words.
    pub(crate) message: String,
    /// Null.
    #[schema(value_type = Option<Value>)]
    pub(crate) data: (),
    /// What is refused, for programs.
    #[schema(inline)]
    pub(crate) error: AdminErrorDto,
    /// When it was answered.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) timestamp: Timestamp,
}

/// What is refused, for programs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdminErrorDto {
    /// The message in capitals, its words joined by underscores.
    #[schema(example = "JOB_NOT_FOUND")]
    pub(crate) code: String,
    /// More of it.
    #[schema(inline)]
    pub(crate) details: AdminErrorDetails,
}

/// More of a refusal.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AdminErrorDetails {
    /// What happened, to which thing, and what to do about it.
    pub(crate) reason: String,
    /// What is wrong, by field; absent when no field is to blame.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) errors: Option<BTreeMap<String, Vec<String>>>,
}

/// What a job is doing.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AdminJobStatus {
    /// An execution of it runs.
    Running,
    /// Its schedule is on hold.
    Paused,
    /// It is not enabled.
    Disabled,
    /// Nothing of it runs.
    Idle,
}

/// Where an execution stands.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum AdminExecutionStatus {
    /// It waits.
    Pending,
    /// A worker has it.
    Processing,
    /// It ended well.
    Completed,
    /// It failed for good.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

/// A job's statistics, over the whole history that is kept.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobStatsDto {
    /// Its name.
    pub(crate) job_name: String,
    /// What it is doing.
    pub(crate) status: AdminJobStatus,
    /// How many of its executions stand where.
    pub(crate) queue: QueueStatsDto,
    /// How long they took and how often they ended well.
    pub(crate) performance: PerformanceDto,
    /// When it runs.
    pub(crate) schedule: JobScheduleDto,
    /// The latest ten executions, newest first.
    pub(crate) recent_executions: Vec<RecentExecutionDto>,
    /// When the statistics were made.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) generated_at: Timestamp,
}

/// How many of a job's executions stand where.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct QueueStatsDto {
    /// Waiting now.
    pub(crate) pending: i64,
    /// Running now.
    pub(crate) processing: i64,
    /// Failed, of those that are kept.
    pub(crate) failed: i64,
    /// Ended well, of those that are kept.
    pub(crate) completed: i64,
    /// Cancelled, of those that are kept.
    pub(crate) cancelled: i64,
}

/// How long a job's executions took and how often they ended well; null where none has ended. Percentiles are within
/// 19 % of the true ones.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PerformanceDto {
    /// On average.
    #[schema(example = "45s")]
    pub(crate) average_execution_time: Option<String>,
    /// The latest one to end.
    #[schema(example = "38s")]
    pub(crate) last_execution_time: Option<String>,
    /// How many of those that completed or failed completed.
    #[schema(example = "99.8%")]
    pub(crate) success_rate: Option<String>,
    /// Half of them took no longer.
    pub(crate) p50: Option<String>,
    /// 95 of 100 took no longer.
    pub(crate) p95: Option<String>,
    /// 99 of 100 took no longer.
    pub(crate) p99: Option<String>,
}

/// When a job runs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobScheduleDto {
    /// Its cron expression; null when it has none.
    pub(crate) cron: Option<String>,
    /// Its next slot.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) next_run: Option<Timestamp>,
    /// When the latest run to end started.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) last_run: Option<Timestamp>,
}

/// A recent execution.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RecentExecutionDto {
    /// Its id.
    pub(crate) id: Uuid,
    /// Where it stands.
    pub(crate) status: AdminExecutionStatus,
    /// When its latest attempt started.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) completed_at: Option<Timestamp>,
    /// How many items its handler said it processed.
    pub(crate) items_processed: Option<i64>,
}

/// A job at a glance.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobOverviewDto {
    /// Its name.
    pub(crate) job_name: String,
    /// What it is doing.
    pub(crate) status: AdminJobStatus,
    /// When it runs.
    #[serde(flatten)]
    pub(crate) schedule: JobScheduleDto,
}

/// Which job to trigger.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[schema(example = json!({"jobName": "tokenExpiry"}))]
pub(crate) struct TriggerJobRequest {
    /// Its name.
    #[schema(min_length = 1, max_length = 200)]
    pub(crate) job_name: String,
}

/// An execution that waits to start.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TriggeredJobDto {
    /// The execution's id behind `job-`.
    #[schema(example = "job-0197f4a1-6c3e-7d0a-9f7e-1b2c3d4e5f60")]
    pub(crate) job_id: String,
    /// The execution's id.
    pub(crate) execution_id: Uuid,
    /// The job's name.
    pub(crate) job_name: String,
    /// `queued`.
    pub(crate) status: &'static str,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) triggered_at: Timestamp,
    /// Who triggered it.
    pub(crate) triggered_by: TriggeredByDto,
    /// When it starts if a worker is free.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) estimated_start_time: Timestamp,
    /// How urgent it is.
    pub(crate) priority: PriorityName,
}

/// Who triggered an execution.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TriggeredByDto {
    /// The subject of the credential.
    pub(crate) id: String,
    /// The name in the credential.
    pub(crate) name: Option<String>,
    /// The address in the credential.
    pub(crate) email: Option<String>,
}

/// How urgent an execution is.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum PriorityName {
    /// A priority below 0.
    Low,
    /// Priority 0.
    Normal,
    /// A priority above 0.
    High,
}
