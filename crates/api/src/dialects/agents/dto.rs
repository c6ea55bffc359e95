//! What goes over the wire.

use std::collections::BTreeMap;

use horarium_domain::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

use super::status::{AgentJobStatus, StatusCounts};
use crate::http::Object;

/// An operation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "an object")]
pub(super) struct OperationRequest {
    /// Its name, such as `node.uptime.get`.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// What it needs to know.
    #[serde(default)]
    pub(super) data: Value,
}

/// An operation for agents.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "an object")]
#[schema(example = json!({"operation": {"type": "node.uptime.get", "data": {}}, "target_hostname": "_any"}))]
pub(super) struct CreateJobRequest {
    /// What to do.
    #[schema(value_type = OperationRequest)]
    pub(super) operation: Object<OperationRequest>,
    /// For which agents: `_any` (one of them), `_all`, a hostname, or a label as `key:value`.
    #[schema(default = "_any", max_length = 507)]
    pub(super) target_hostname: Option<String>,
}

/// How to run a job again.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(expecting = "an object")]
#[schema(example = json!({"target_hostname": "_any"}))]
pub(super) struct RetryJobRequest {
    /// For which agents; those of the job when none is given.
    #[schema(max_length = 507)]
    pub(super) target_hostname: Option<String>,
    /// Whether only the hosts that did not complete it take part.
    #[serde(default)]
    pub(super) only_failed: Option<bool>,
}

/// A job that is durable now.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct CreateJobResponse {
    /// Its id.
    pub(super) job_id: Uuid,
    /// Where it stands.
    pub(super) status: AgentJobStatus,
    /// The version of its record: a new job's is 1.
    pub(super) revision: u64,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    pub(super) timestamp: Timestamp,
}

/// One page of jobs.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct ListJobsResponse {
    /// How many jobs match the filter.
    pub(super) total_items: u64,
    /// How many jobs there are of each status, whatever the filter.
    pub(super) status_counts: StatusCounts,
    /// This page's jobs, newest first.
    pub(super) items: Vec<JobItem>,
}

/// How many jobs there are.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct QueueStatusResponse {
    /// All of them.
    pub(super) total_jobs: u64,
    /// How many there are of each status.
    pub(super) status_counts: StatusCounts,
    /// How many failed for good: no attempt is left, and nobody cancelled them.
    pub(super) dlq_count: u64,
}

/// A job.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct JobItem {
    /// Its id.
    pub(super) id: Uuid,
    /// Where it stands.
    pub(super) status: AgentJobStatus,
    /// When it was accepted.
    #[schema(value_type = String, format = DateTime)]
    pub(super) created: Timestamp,
    /// What it does: `type` and `data`.
    #[schema(value_type = Object)]
    pub(super) operation: Value,
    /// What the operation gave, when one host did it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<Value>,
    /// Whether the operation changed anything; null for jobs that are not completed.
    pub(super) changed: Option<bool>,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) error: Option<String>,
    /// The host that did it, when one did.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) hostname: Option<String>,
    /// When something about it last changed.
    #[schema(value_type = String, format = DateTime)]
    pub(super) updated_at: Timestamp,
    /// The hosts' answers, of a broadcast.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false)]
    pub(super) responses: BTreeMap<String, HostResponse>,
    /// Where each host stands, of a broadcast.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false)]
    pub(super) agent_states: BTreeMap<String, HostState>,
    /// What happened, oldest first.
    pub(super) timeline: Vec<TimelineEvent>,
}

/// A host's answer.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HostResponse {
    /// `completed`, `failed` or `skipped`.
    pub(super) status: &'static str,
    /// What the operation gave there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<Value>,
    /// Whether it changed anything there; null when it did not complete.
    pub(super) changed: Option<bool>,
    /// Why it failed there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) error: Option<String>,
    /// The host.
    pub(super) hostname: String,
}

/// Where a host stands.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HostState {
    /// `submitted`, `processing`, `completed`, `failed` or `skipped`.
    pub(super) status: &'static str,
    /// Why it failed there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) error: Option<String>,
    /// How long it took there, such as `1.25s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) duration: Option<String>,
}

/// Something that happened to a job.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub(super) struct TimelineEvent {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub(super) timestamp: Timestamp,
    /// `submitted`, `acknowledged`, `started`, `completed`, `failed`, `retried`, `skipped` or `cancelled`.
    pub(super) event: &'static str,
    /// Which host or person it came from.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) hostname: Option<String>,
    /// For people.
    pub(super) message: String,
    /// The error, where it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(super) error: Option<String>,
}
