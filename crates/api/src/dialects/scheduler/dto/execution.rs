//! An execution as callers see it.

use horarium_domain::Timestamp;
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{AttemptOutcomeName, ExecutionStatusName, TriggerName};

/// One run of a job, as lists show it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobExecutionDto {
    /// Its id.
    pub(crate) id: Uuid,
    /// Of which job.
    pub(crate) job_id: Uuid,
    /// That job's present name.
    pub(crate) job_name: String,
    /// Where it stands.
    pub(crate) status: ExecutionStatusName,
    /// Who caused it.
    pub(crate) triggered_by: String,
    /// Why it came into being.
    pub(crate) trigger: TriggerName,
    /// When it was due.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) scheduled_for: Timestamp,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
    /// When its latest attempt started.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) completed_at: Option<Timestamp>,
    /// The same as `completedAt`.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) ended_at: Option<Timestamp>,
    /// How long its last attempt took, as `hh:mm:ss.fff`; null until it has ended.
    #[schema(example = "00:00:01.250", pattern = r"^\d{2,}:\d{2}:\d{2}\.\d{3}$")]
    pub(crate) duration: Option<String>,
    /// The same in milliseconds.
    pub(crate) duration_ms: Option<u64>,
    /// Attempts after the first.
    pub(crate) retry_count: u16,
    /// The failed execution that it retries.
    pub(crate) retry_parent_id: Option<Uuid>,
    /// What it has in common with others that limits of that key hold together.
    pub(crate) concurrency_key: Option<String>,
    /// Who runs or ran its latest attempt.
    pub(crate) worker: Option<String>,
    /// How many items its handler said it processed.
    pub(crate) items_processed: Option<i64>,
    /// How far its handler said it is, in percent.
    #[schema(minimum = 0, maximum = 100)]
    pub(crate) progress: Option<u8>,
}

/// One try of an execution by one worker.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AttemptDto {
    /// Counted from 1.
    pub(crate) number: u16,
    /// Who tried.
    pub(crate) worker: Option<String>,
    /// When it started.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) ended_at: Option<Timestamp>,
    /// How it ended.
    pub(crate) outcome: AttemptOutcomeName,
    /// What went wrong.
    pub(crate) error: Option<String>,
}

/// What can happen to an execution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) enum HistoryEvent {
    /// It was accepted.
    Submitted,
    /// An attempt started.
    Started,
    /// An attempt failed.
    AttemptFailed,
    /// An attempt ran longer than the job allows.
    AttemptTimedOut,
    /// An attempt's worker was lost.
    AttemptLost,
    /// An attempt was taken back.
    Snoozed,
    /// A host's part was taken from its agent, which was lost or handed it back, and given to the next.
    HandedOn,
    /// It ended well.
    Succeeded,
    /// It failed for good.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
    /// Somebody had it run again, as a new execution.
    Retried,
    /// Its end was told to the URL that its submitter gave.
    CallbackDelivered,
    /// An attempt to tell its end failed.
    CallbackFailed,
}

/// Something that happened to an execution.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct HistoryEventDto {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) timestamp: Timestamp,
    /// What.
    pub(crate) event: HistoryEvent,
    /// Who or what caused it.
    pub(crate) source: String,
    /// For people.
    pub(crate) message: String,
    /// The error, where it is about one.
    pub(crate) error: Option<String>,
}

/// One run of a job in full.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JobExecutionDetailDto {
    /// What lists show.
    #[serde(flatten)]
    pub(crate) summary: JobExecutionDto,
    /// What its handler gave back: a response body, or a JSON document as text.
    pub(crate) output: Option<String>,
    /// Whether the end of `output` is missing because it was larger than is kept.
    pub(crate) output_truncated: bool,
    /// Why it failed.
    pub(crate) error_message: Option<String>,
    /// What it works on; any JSON value.
    #[schema(value_type = Value, nullable)]
    pub(crate) payload: Option<Value>,
    /// Its tries, oldest first.
    pub(crate) attempts: Vec<AttemptDto>,
    /// What happened to it, oldest first.
    pub(crate) timeline: Vec<HistoryEventDto>,
}
