//! From the engine's words to the dialect's.

use std::time::Duration;

use horarium_domain::TenantId;
use horarium_domain::execution::{Execution, ExecutionState};
use horarium_domain::queue::QueueSummary;
use horarium_domain::store::Recent;
use horarium_scheduler_engine::service::Admission;
use serde_json::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::dto::{Envelope, JobStatus, JobStatusDto, MaxQueueLength, ProcessingDto, Seconds, Unlimited};

/// Which call submits jobs.
const SUBMIT: &str = "/v1/toolkit/jobs";

impl From<Recent> for JobStatus {
    fn from(recent: Recent) -> Self {
        match recent {
            Recent::Waiting => Self::Queued,
            Recent::Running => Self::Running,
            Recent::Over => Self::Done,
        }
    }
}

impl From<ExecutionState> for JobStatus {
    fn from(state: ExecutionState) -> Self {
        match state {
            ExecutionState::Pending => Self::Queued,
            ExecutionState::Running => Self::Running,
            ExecutionState::Succeeded | ExecutionState::Failed | ExecutionState::Cancelled => Self::Done,
        }
    }
}

impl From<Option<u32>> for MaxQueueLength {
    fn from(limit: Option<u32>) -> Self {
        limit.map_or(Self::Unlimited(Unlimited::Unlimited), Self::Limited)
    }
}

/// A queue's number: the first bytes of a hash of whose it is and its name, so that every node says the same.
pub(super) fn queue_id(tenant: TenantId, queue: &str) -> u32 {
    let hash = Sha256::new().chain_update(tenant.as_uuid().as_bytes()).chain_update(queue.as_bytes()).finalize();
    hash.iter().take(4).fold(0, |number, byte| number << 8 | u32::from(*byte))
}

/// This process.
pub(super) fn pid() -> u32 {
    std::process::id()
}

/// What an answer about a request itself says of the time: it never waited.
pub(super) fn answered<T>(
    code: u16,
    job_id: Uuid,
    response: Option<T>,
    message: impl Into<String>,
    took: Duration,
    build_number: &str,
) -> Envelope<T> {
    Envelope {
        endpoint: None,
        code,
        id: None,
        job_id,
        response,
        message: message.into(),
        run_time: Seconds(took),
        queue_time: Seconds::default(),
        total_time: Seconds(took),
        pid: pid(),
        queue_id: 0,
        queue_length: 0,
        build_number: build_number.to_owned(),
        truncated: None,
        error: None,
    }
}

impl<T> Envelope<T> {
    /// The same, with what is known of the queue.
    pub(super) fn in_queue(self, tenant: TenantId, queue: &QueueSummary) -> Self {
        let name = queue.limits.name.as_str();
        Self { queue_id: queue_id(tenant, name), queue_length: queue.pending, ..self }
    }
}

/// The envelope of a job that is over; `None` while it is not.
pub(super) fn finished(
    execution: &Execution,
    reference: Option<Value>,
    queue_length: u64,
    build_number: &str,
) -> Option<Envelope<Value>> {
    let summary = &execution.summary;
    let ended = summary.completed_at?;
    let (code, message) = match summary.lifecycle.state {
        ExecutionState::Pending | ExecutionState::Running => return None,
        ExecutionState::Succeeded => (200, "success".to_owned()),
        ExecutionState::Failed => (500, execution.error.clone().unwrap_or_else(|| "failed".to_owned())),
        ExecutionState::Cancelled => (500, "cancelled".to_owned()),
    };
    let output = execution.output.as_ref().filter(|_| code == 200);
    let response = output.map(|output| {
        let document = if output.truncated { None } else { serde_json::from_str(&output.text).ok() };
        document.unwrap_or_else(|| Value::String(output.text.clone()))
    });
    let started = summary.started_at.unwrap_or(ended);
    let (run_time, queue_time) = (ended.since(started), started.since(summary.created_at));
    // Told to the millisecond, the parts are to add up.
    let millis = |span: Duration| Duration::from_millis(u64::try_from(span.as_millis()).unwrap_or(u64::MAX));
    let (run_time, queue_time) = (millis(run_time), millis(queue_time));
    Some(Envelope {
        endpoint: Some(SUBMIT),
        code,
        id: reference,
        job_id: summary.id.as_uuid(),
        response,
        message,
        run_time: Seconds(run_time),
        queue_time: Seconds(queue_time),
        total_time: Seconds(run_time + queue_time),
        pid: pid(),
        queue_id: queue_id(summary.tenant_id, &summary.queue),
        queue_length,
        build_number: build_number.to_owned(),
        truncated: None,
        error: None,
    })
}

/// The body that a callback tells the end of an execution with: its envelope as JSON. Empty while it is not over.
pub fn callback_body(
    execution: &Execution,
    reference: Option<Value>,
    queue_length: u64,
    build_number: &str,
) -> Vec<u8> {
    let envelope = finished(execution, reference, queue_length, build_number);
    // Texts, numbers and JSON values always have a JSON form.
    envelope.map_or_else(Vec::new, |envelope| serde_json::to_vec(&envelope).unwrap_or_default())
}

/// What is told about one job.
pub(super) fn status(
    execution: &Execution,
    reference: Option<Value>,
    queue: &QueueSummary,
    build_number: &str,
) -> JobStatusDto {
    let summary = &execution.summary;
    JobStatusDto {
        job_status: summary.lifecycle.state.into(),
        job_id: summary.id.as_uuid(),
        queue_id: queue_id(summary.tenant_id, &summary.queue),
        process_id: pid(),
        response: finished(execution, reference, queue.pending, build_number),
    }
}

/// The answer about a tenant's job that is not over, as far as is known; its queue, if it could be read.
pub(super) fn processing(
    tenant: TenantId,
    admission: &Admission,
    reference: Option<Value>,
    queue: Option<&QueueSummary>,
    build_number: &str,
) -> ProcessingDto {
    ProcessingDto {
        code: 202,
        id: reference,
        job_id: admission.id.as_uuid(),
        message: "processing",
        pid: pid(),
        queue_id: queue_id(tenant, &admission.queue),
        max_queue_length: queue.map(|queue| queue.limits.max_length.into()),
        queue_length: queue.map(|queue| queue.pending),
        build_number: build_number.to_owned(),
    }
}
