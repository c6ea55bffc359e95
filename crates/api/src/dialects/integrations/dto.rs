//! The wire shapes of the integrations dialect. JSON names are camelCase; times are UTC with milliseconds.

use horarium_domain::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// The state of an organization's integration jobs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IntegrationMetricsDto {
    /// Jobs that wait, those of a later time included.
    pub(crate) pending_count: u64,
    /// Jobs that a worker has.
    pub(crate) processing_count: u64,
    /// Jobs that failed, of those that are kept.
    pub(crate) failed_count: i64,
    /// For how many milliseconds the oldest job that waits has been due, 0 when its time has not come; null when none
    /// waits.
    pub(crate) oldest_pending_age_ms: Option<u64>,
    /// When the last job ended that is DONE or FAILED; null when none is.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) last_run_at: Option<Timestamp>,
    /// How many milliseconds that one took.
    pub(crate) last_run_duration_ms: Option<i64>,
    /// How well it all is.
    pub(crate) health: IntegrationHealthDto,
}

/// How well an organization's integrations are.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IntegrationHealthDto {
    /// How well.
    pub(crate) status: IntegrationHealthStatus,
    /// Why it is no better, in sentences; empty when it is OK.
    pub(crate) reasons: Vec<String>,
}

/// How well an organization's integrations are.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum IntegrationHealthStatus {
    /// Nothing failed and nothing waits for long.
    Ok,
    /// Something failed, or waits for long.
    Warn,
    /// Much failed, or something waits for very long.
    Error,
}

/// Where an integration job stands.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum IntegrationStatus {
    /// It waits: for a worker, for its time, for its next attempt.
    Pending,
    /// A worker has it.
    Processing,
    /// It ended well.
    Done,
    /// It failed for good.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

/// One run of an integration job.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IntegrationJobDto {
    /// Its id.
    pub(crate) id: Uuid,
    /// What it does: the name of the job.
    pub(crate) kind: String,
    /// Where it stands.
    pub(crate) status: IntegrationStatus,
    /// Attempts started.
    pub(crate) attempts: u16,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) created_at: Timestamp,
    /// When it is due: again, where an attempt failed; once it runs, when it was due at first.
    #[schema(value_type = String, format = DateTime)]
    pub(crate) run_at: Timestamp,
    /// When its latest attempt started.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) started_at: Option<Timestamp>,
    /// When it ended.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(crate) completed_at: Option<Timestamp>,
    /// How many milliseconds its last attempt took; null until it has ended.
    pub(crate) duration_ms: Option<u64>,
}

/// One page of integration jobs.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct IntegrationJobPage {
    /// This page's jobs, newest first.
    pub(crate) items: Vec<IntegrationJobDto>,
    /// What to send as `cursor` for the next page; null at the end.
    pub(crate) next_cursor: Option<Uuid>,
}

/// Work for an integration.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[schema(example = json!({"kind": "whatsapp", "payload": {"to": "+420000000000"}, "dedupeKey": "reminder-17"}))]
pub(crate) struct SubmitIntegrationJobRequest {
    /// What to do: the name of a job of the group `integration`.
    #[schema(min_length = 1, max_length = 200)]
    pub(crate) kind: String,
    /// What to work on; any JSON value.
    pub(crate) payload: Option<Value>,
    /// While a job of this kind with this key waits or runs, no second one is accepted.
    #[schema(min_length = 1, max_length = 200)]
    pub(crate) dedupe_key: Option<String>,
    /// When it may start: RFC 3339 with an offset.
    #[schema(format = DateTime)]
    pub(crate) run_at: Option<String>,
    /// All tries, the first one included; the kind's own number when it is left out.
    #[schema(minimum = 1, maximum = 1000)]
    pub(crate) max_attempts: Option<i64>,
}

/// Work that was accepted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SubmittedIntegrationJobDto {
    /// Its id.
    pub(crate) id: Uuid,
    /// Where it stands.
    pub(crate) status: IntegrationStatus,
}
