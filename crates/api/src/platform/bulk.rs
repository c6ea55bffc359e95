//! Many executions in one request and one transaction.

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpRequest, HttpResponse, post, web};
use futures_util::future::LocalBoxFuture;
use horarium_domain::JobId;
use horarium_scheduler_engine::service::{
    Admission, ExecutionService, FieldErrors, JobRef, ServiceError, Submission, TriggerInput,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::time::Duration;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::http::{ApiError, AuditHandle, Authorized, Object, Patience, media_type, parse_json, perm, read_limited};
use crate::state::ApiState;

/// How long a batch may take to come and to be accepted: it is larger than other bodies.
const UPLOAD: Duration = Duration::from_mins(2);

/// How many rejected entries are told in detail.
const REJECTIONS_TOLD: usize = 100;

/// One execution to be accepted.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[schema(example = json!({"jobName": "nightly-report", "payload": {"day": "2025-07-10"}}))]
struct BulkEntry {
    /// The job; or else `jobName`.
    job_id: Option<Uuid>,
    /// The job by its name; or else `jobId`.
    job_name: Option<String>,
    /// What to work on.
    payload: Option<Value>,
    /// When it may start; at once when none is given.
    #[schema(format = DateTime)]
    run_at: Option<String>,
    /// The higher goes first; the job's own when none is given.
    #[schema(minimum = -100, maximum = 100)]
    priority: Option<i64>,
    /// While an execution of the job with this key waits or runs, no second one is accepted.
    #[schema(min_length = 1, max_length = 200)]
    unique_key: Option<String>,
    /// What it has in common with others, of any job: limits of that key hold them together.
    #[schema(min_length = 1, max_length = 200)]
    concurrency_key: Option<String>,
}

impl BulkEntry {
    fn into_submission(self) -> Result<Submission, ServiceError> {
        let job = match (self.job_id, self.job_name) {
            (Some(id), None) => JobRef::Id(JobId::from_uuid(id)),
            (None, Some(name)) => JobRef::Name(name),
            (None, None) => return Err(ServiceError::invalid("jobId", "say which job, by jobId or by jobName")),
            (Some(_), Some(_)) => return Err(ServiceError::invalid("jobName", "say jobId or jobName, not both")),
        };
        let input = TriggerInput {
            payload: self.payload,
            priority: self.priority,
            run_at: self.run_at,
            unique_key: self.unique_key,
            concurrency_key: self.concurrency_key,
        };
        Ok(Submission { job, input })
    }
}

/// Why one entry was not accepted.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BulkRejection {
    /// Which, counted from 0.
    index: usize,
    /// The status that it alone would have been answered with.
    status: u16,
    /// What is wrong with it.
    detail: String,
    /// What is wrong, by field.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schema(required = false)]
    errors: BTreeMap<String, Vec<String>>,
}

/// What became of a batch.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct BulkResult {
    /// How many were accepted; they are durable.
    accepted: usize,
    /// How many were there already, under the same unique key.
    duplicates: usize,
    /// How many were not accepted.
    rejected: usize,
    /// The executions' ids in the order of the batch; of a duplicate the one that was there, null for a rejected one.
    ids: Vec<Option<Uuid>>,
    /// Why entries were rejected; the first 100.
    rejections: Vec<BulkRejection>,
}

/// The entries: a JSON array, or one JSON object on each line.
struct Batch(Vec<Object<BulkEntry>>);

impl FromRequest for Batch {
    type Error = ApiError;
    type Future = LocalBoxFuture<'static, Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, mut payload) = (req.clone(), payload.take());
        Box::pin(async move {
            Patience::extract(&req).await?.at_least(UPLOAD);
            let state = req.app_data::<web::Data<ApiState>>();
            let state = state.ok_or_else(|| ApiError::internal("the application has no ApiState"))?;
            let body = read_limited(req.headers(), &mut payload, state.config.max_bulk_body_bytes).await?;
            let entries = match media_type(req.headers()).as_deref() {
                // What is not there is of no type.
                _ if body.is_empty() => Vec::new(),
                Some("application/json") => parse_json(&body)?,
                Some("application/x-ndjson" | "application/ndjson" | "application/jsonl") => parse_lines(&body)?,
                _ => {
                    let detail = "The body must be a JSON array (Content-Type: application/json) or one JSON object \
                                  on each line (Content-Type: application/x-ndjson).";
                    return Err(ApiError::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
                }
            };
            let problem = match entries.len() {
                0 => Some("The batch is empty.".to_owned()),
                count if count > ExecutionService::MAX_BATCH => {
                    Some(format!("A batch holds at most {} executions, not {count}.", ExecutionService::MAX_BATCH))
                }
                _ => None,
            };
            problem.map_or(Ok(Self(entries)), |problem| Err(ApiError::bad_request(problem)))
        })
    }
}

fn parse_lines(body: &[u8]) -> Result<Vec<Object<BulkEntry>>, ApiError> {
    let lines = body.split(|byte| *byte == b'\n').enumerate();
    let filled = lines.filter(|(_, line)| !line.iter().all(u8::is_ascii_whitespace));
    filled
        .map(|(index, line)| {
            serde_json::from_slice(line)
                .map_err(|error| ApiError::bad_request(format!("Line {} of the body is wrong: {error}.", index + 1)))
        })
        .collect()
}

/// Submit many executions
///
/// Up to 10,000 in one transaction, as a JSON array or as one JSON object on each line. Those that can be accepted
/// are; `rejections` tells of the others. When none can, the request is refused as a whole.
#[utoipa::path(
    tag = "Executions",
    request_body(content(
        (Vec<BulkEntry> = "application/json"),
        (String = "application/x-ndjson"),
    )),
    responses(
        (status = 202, description = "What became of each.", body = BulkResult),
        (status = 429, description = "The queues are full, or the tenant sends more requests than it may."),
    ),
)]
#[post("/executions/bulk")]
pub(super) async fn submit_executions(
    caller: Authorized<perm::ExecutionsTrigger>,
    state: web::Data<ApiState>,
    audit: AuditHandle,
    batch: Batch,
) -> Result<HttpResponse, ApiError> {
    // Entries that name no job are set aside, and their answers put back in their places afterwards.
    let mut answers: Vec<Option<Result<Admission, ServiceError>>> = Vec::with_capacity(batch.0.len());
    let mut submissions = Vec::with_capacity(batch.0.len());
    for Object(entry) in batch.0 {
        match entry.into_submission() {
            Ok(submission) => {
                submissions.push(submission);
                answers.push(None);
            }
            Err(error) => answers.push(Some(Err(error))),
        }
    }
    let actor = audit.submitting(&caller.actor, StatusCode::ACCEPTED);
    let mut submitted = state.services.executions.submit_many(&actor, submissions).await?.into_iter();
    let answers: Vec<_> = answers.into_iter().filter_map(|answer| answer.or_else(|| submitted.next())).collect();
    let result = summarize(answers);
    if result.accepted + result.duplicates > 0 {
        return Ok(HttpResponse::Accepted().json(result));
    }
    Err(refusal(result))
}

fn summarize(answers: Vec<Result<Admission, ServiceError>>) -> BulkResult {
    let mut result = BulkResult { accepted: 0, duplicates: 0, rejected: 0, ids: Vec::new(), rejections: Vec::new() };
    for (index, answer) in answers.into_iter().enumerate() {
        match answer {
            Ok(admission) => {
                result.ids.push(Some(admission.id.as_uuid()));
                if admission.is_duplicate {
                    result.duplicates += 1;
                } else {
                    result.accepted += 1;
                }
            }
            Err(error) => {
                result.ids.push(None);
                result.rejected += 1;
                if result.rejections.len() < REJECTIONS_TOLD {
                    let error = ApiError::from(error);
                    result.rejections.push(BulkRejection {
                        index,
                        status: error.status().as_u16(),
                        detail: error.detail().to_owned(),
                        errors: error.errors().clone(),
                    });
                }
            }
        }
    }
    result
}

/// The answer when nothing was accepted: 429 when full queues alone are to blame, else 400.
fn refusal(result: BulkResult) -> ApiError {
    let full = StatusCode::TOO_MANY_REQUESTS.as_u16();
    if result.rejections.iter().all(|rejection| rejection.status == full) {
        return ApiError::new(StatusCode::TOO_MANY_REQUESTS, "The queues are full; try again later.").retry_after(5);
    }
    let mut errors = FieldErrors::default();
    for rejection in result.rejections {
        let index = rejection.index;
        if rejection.errors.is_empty() {
            errors.add(format!("[{index}]"), rejection.detail);
        } else {
            for (field, problems) in rejection.errors {
                for problem in problems {
                    errors.add(format!("[{index}].{field}"), problem);
                }
            }
        }
    }
    ApiError::invalid(errors)
}
