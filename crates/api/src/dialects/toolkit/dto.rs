//! The wire shapes of the dialect.

use std::time::Duration;

use horarium_domain::ExecutionId;
use horarium_domain::store::Recent;
use serde::ser::SerializeMap;
use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;
use utoipa::ToSchema;
use uuid::Uuid;

/// A span in seconds, to the millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seconds(pub(crate) Duration);

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if millis.is_multiple_of(1000) {
            serializer.serialize_u64(millis / 1000)
        } else {
            serializer.serialize_f64(millis as f64 / 1000.0)
        }
    }
}

/// What every answer is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({
    "code": 200,
    "id": null,
    "job_id": "0197f4b1-7c2a-7d31-9d1c-3f1f2b6a9c10",
    "response": "Authorized",
    "message": "success",
    "run_time": 0.123,
    "queue_time": 0,
    "total_time": 0.123,
    "pid": 12345,
    "queue_id": 1_234_567_890,
    "queue_length": 0,
    "build_number": "1.0.0"
}))]
pub(crate) struct Envelope<T> {
    /// Which call submitted the job; in the envelope of a job that is over.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) endpoint: Option<&'static str>,
    /// The HTTP status; in a job's own envelope 200 when it succeeded, else 500.
    pub(crate) code: u16,
    /// The caller's own name for the job or for this request, as it was sent with it.
    #[schema(value_type = Option<Value>)]
    pub(crate) id: Option<Value>,
    /// The job, or this request itself where it is about none.
    pub(crate) job_id: Uuid,
    /// The answer; null in a refusal.
    pub(crate) response: Option<T>,
    /// `success`, or what went wrong.
    pub(crate) message: String,
    /// Seconds that the work took.
    #[schema(value_type = f64, minimum = 0)]
    pub(crate) run_time: Seconds,
    /// Seconds that it waited before.
    #[schema(value_type = f64, minimum = 0)]
    pub(crate) queue_time: Seconds,
    /// Both together.
    #[schema(value_type = f64, minimum = 0)]
    pub(crate) total_time: Seconds,
    /// The process that answers.
    pub(crate) pid: u32,
    /// Names the queue: the same number for the same queue.
    pub(crate) queue_id: u32,
    /// How many jobs wait in it as this is answered; of a long queue, within the last second.
    pub(crate) queue_length: u64,
    /// The program's version.
    pub(crate) build_number: String,
    /// Only present, and true, when a list was cut.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) truncated: Option<bool>,
    /// Only present when the job that was asked for is not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) error: Option<&'static str>,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum JobStatus {
    /// It waits.
    Queued,
    /// It runs.
    Running,
    /// It is over, one way or another.
    Done,
}

/// The jobs and how far each is, newest first; on the wire an object by id.
#[derive(Debug)]
pub(crate) struct JobStatuses(pub(crate) Vec<(ExecutionId, Recent)>);

impl Serialize for JobStatuses {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        let mut text = Uuid::encode_buffer();
        for (id, recent) in &self.0 {
            let id: &str = id.as_uuid().hyphenated().encode_lower(&mut text);
            map.serialize_entry(id, &JobStatus::from(*recent))?;
        }
        map.end()
    }
}

/// What `POST /v1/toolkit/job/status` says of a job.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct JobStatusDto {
    /// How far it is.
    pub(crate) job_status: JobStatus,
    /// The job.
    pub(crate) job_id: Uuid,
    /// Names its queue.
    pub(crate) queue_id: u32,
    /// The process that answers.
    pub(crate) process_id: u32,
    /// The job's own envelope once it is over.
    #[schema(value_type = Option<Object>)]
    pub(crate) response: Option<Envelope<Value>>,
}

/// A job that was accepted and is not over yet.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ProcessingDto {
    /// 202.
    pub(crate) code: u16,
    /// The caller's own name for the job.
    #[schema(value_type = Option<Value>)]
    pub(crate) id: Option<Value>,
    /// The job.
    pub(crate) job_id: Uuid,
    /// `processing`.
    pub(crate) message: &'static str,
    /// The process that answers.
    pub(crate) pid: u32,
    /// Names the job's queue.
    pub(crate) queue_id: u32,
    /// How many jobs may wait in it, or `unlimited`. Null when the job was accepted and the queue cannot be read now.
    pub(crate) max_queue_length: Option<MaxQueueLength>,
    /// How many do as this is answered, whatever came meanwhile included; of a long queue, within the last second. Null
    /// when the job was accepted and the queue cannot be read now.
    pub(crate) queue_length: Option<u64>,
    /// The program's version.
    pub(crate) build_number: String,
}

/// How many jobs may wait in a queue.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(untagged)]
pub(crate) enum MaxQueueLength {
    /// That many.
    Limited(u32),
    /// As many as come.
    Unlimited(Unlimited),
}

/// The word for no limit.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Unlimited {
    /// No limit.
    Unlimited,
}

/// The body of a 401.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Unauthorized {
    /// `Unauthorized`.
    pub(crate) message: &'static str,
}

/// What may be said about which jobs to list.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(expecting = "an object")]
#[schema(example = json!({"since_seconds": 3600}))]
pub(crate) struct RecentRequest {
    /// How many seconds to look back; 600 when nothing is said.
    #[schema(minimum = 0)]
    pub(crate) since_seconds: Option<f64>,
    /// A name of the caller's own for this request, given back with its answer.
    pub(crate) id: Option<Value>,
}

/// Which job is asked about.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "an object")]
#[schema(example = json!({"job_id": "0197f4b1-7c2a-7d31-9d1c-3f1f2b6a9c10"}))]
pub(crate) struct StatusRequest {
    /// The job, as it was answered when it was submitted.
    pub(crate) job_id: String,
    /// A name of the caller's own for this request, given back with its answer; the job's own when none is given.
    pub(crate) id: Option<Value>,
}

/// Work to be done.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(expecting = "an object")]
#[schema(example = json!({
    "job": "resize-images",
    "payload": {"album": 7},
    "id": "order-7",
    "webhook_url": "https://example.com/hook"
}))]
pub(crate) struct SubmitRequest {
    /// Which job definition is to run: its name or its id.
    pub(crate) job: String,
    /// What it is to work on.
    #[serde(default)]
    pub(crate) payload: Option<Value>,
    /// A name of the caller's own, given back with every answer about the job.
    #[serde(default)]
    pub(crate) id: Option<Value>,
    /// Where the job's envelope is sent when it is over. Without it, the call waits for the end.
    #[serde(default)]
    pub(crate) webhook_url: Option<String>,
}
