//! The routes, below `/v1/toolkit` and `/paid`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::middleware::from_fn;
use actix_web::{HttpResponse, get, post, web};
use horarium_domain::ExecutionId;
use horarium_domain::execution::{Execution, ExecutionState};
use horarium_domain::job::QueueName;
use horarium_domain::queue::QueueSummary;
use horarium_scheduler_engine::service::{
    CallbackInput, ExecutionService, JobRef, ServiceError, Submission, TriggerInput,
};
use serde_json::Value;
use utoipa_actix_web::scope;
use utoipa_actix_web::service_config::ServiceConfig;

use super::dto::{
    Envelope, JobStatus, JobStatusDto, JobStatuses, ProcessingDto, RecentRequest, StatusRequest, SubmitRequest,
    Unauthorized,
};
use super::{error, map};
use crate::http::{
    ApiError, AuditHandle, Authenticated, Authorized, Body, Caller, OfAcceptedWork, OptionalBody, Patience,
    authenticate_by_key, idempotent, perm,
};
use crate::state::ApiState;

/// What a call that waits on purpose is given beside the time that it waits.
const TIME_TO_ANSWER: Duration = Duration::from_secs(5);

/// Registers the routes.
pub(crate) fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(
        scope::scope("/v1/toolkit")
            .configure(|cfg| {
                cfg.service(list_job_statuses)
                    .service(get_job_status)
                    .service(submit_job)
                    .service(check_key)
                    .service(test_queue);
            })
            .wrap(from_fn(idempotent))
            .wrap(from_fn(authenticate_by_key)),
    )
    .service(
        scope::scope("/paid")
            .configure(|cfg| {
                cfg.service(list_all_job_statuses);
            })
            .wrap(from_fn(authenticate_by_key)),
    );
}

/// List the status of recent jobs
///
/// Every job that was submitted, started, tried again or ended in the last `since_seconds`, newest first. The body may
/// be left out.
#[utoipa::path(
    tag = "Toolkit",
    request_body = Option<RecentRequest>,
    responses(
        (status = 200, description = "The jobs and how far each is; at most 100,000.", body = Envelope<BTreeMap<String, JobStatus>>),
        (status = 401, description = "The key is missing or no good.", body = Unauthorized),
        (status = 404, description = "The key's tenant has no jobs any more: `Jobs directory not found`."),
    ),
)]
#[post("/jobs/status")]
pub(crate) async fn list_job_statuses(
    caller: Authorized<perm::ExecutionsRead>,
    state: web::Data<ApiState>,
    body: OptionalBody<RecentRequest>,
) -> Result<HttpResponse, ApiError> {
    statuses(&state, &caller, body.0).await
}

/// List the status of all recent jobs
///
/// The same as `/v1/toolkit/jobs/status`, at the path of the published document.
#[utoipa::path(
    tag = "Toolkit",
    request_body = Option<RecentRequest>,
    responses(
        (status = 200, description = "The jobs and how far each is; at most 100,000.", body = Envelope<BTreeMap<String, JobStatus>>),
        (status = 401, description = "The key is missing or no good.", body = Unauthorized),
        (status = 404, description = "The key's tenant has no jobs any more: `Jobs directory not found`."),
    ),
)]
#[post("/get/all/jobs/id/status")]
pub(crate) async fn list_all_job_statuses(
    caller: Authorized<perm::ExecutionsRead>,
    state: web::Data<ApiState>,
    body: OptionalBody<RecentRequest>,
) -> Result<HttpResponse, ApiError> {
    statuses(&state, &caller, body.0).await
}

async fn statuses(state: &ApiState, caller: &Caller, body: Option<RecentRequest>) -> Result<HttpResponse, ApiError> {
    let begun = Instant::now();
    let RecentRequest { since_seconds, id } = body.unwrap_or_default();
    let since = since_seconds.unwrap_or(ExecutionService::DEFAULT_RECENT_SECONDS);
    let recent = state.services.executions.recent(caller.tenant.id, since).await.map_err(error::listing)?;
    let queue = queue(state, caller, QueueName::DEFAULT).await.map_err(error::listing)?;
    let truncated = recent.truncated.then_some(true);
    let envelope = own(state, Some(JobStatuses(recent.items)), begun).in_queue(caller.tenant.id, &queue);
    Ok(HttpResponse::Ok().json(Envelope { id, truncated, ..envelope }))
}

/// Read the status of a job
///
/// With the job's own envelope once it is over.
#[utoipa::path(
    tag = "Toolkit",
    request_body = StatusRequest,
    responses(
        (status = 200, description = "How far the job is.", body = Envelope<JobStatusDto>),
        (status = 401, description = "The key is missing or no good.", body = Unauthorized),
        (status = 404, description = "There is no such job, or it is another tenant's: `error` and `job_id` say so."),
    ),
)]
#[post("/job/status")]
pub(crate) async fn get_job_status(
    caller: Authorized<perm::ExecutionsRead>,
    state: web::Data<ApiState>,
    body: Body<StatusRequest>,
) -> Result<HttpResponse, ApiError> {
    let begun = Instant::now();
    let StatusRequest { job_id: asked, id } = body.0;
    // What is no UUID names no job either.
    let found = match asked.trim().parse::<ExecutionId>() {
        Ok(id) => state.services.executions.get(caller.tenant.id, id).await,
        Err(_) => Err(ServiceError::NotFound("execution")),
    };
    let execution = match found {
        Ok(execution) => execution,
        Err(ServiceError::NotFound(_)) => return Ok(no_such_job(&state, &asked, id, begun)),
        Err(error) => return Err(error.into()),
    };
    let reference = reference(&state, &caller, &execution).await?;
    let queue = queue(&state, &caller, &execution.summary.queue).await?;
    let told = map::status(&execution, reference.clone(), &queue, state.about.version);
    let envelope =
        Envelope { id: id.or(reference), ..own(&state, Some(told), begun).in_queue(caller.tenant.id, &queue) };
    Ok(HttpResponse::Ok().json(envelope))
}

/// Submit a job
///
/// With a `webhook_url`, it is answered at once, and the job's envelope is sent there when it is over, signed. Without
/// one, the call waits for the end and answers the job's envelope with its code, or 202 when that takes too long.
#[utoipa::path(
    tag = "Toolkit",
    request_body = SubmitRequest,
    responses(
        (status = 200, description = "The job succeeded: its own envelope.", body = Envelope<Value>),
        (status = 202, description = "The job is durable, and not over yet.", body = ProcessingDto),
        (status = 401, description = "The key is missing or no good.", body = Unauthorized),
        (status = 404, description = "There is no such job definition."),
        (status = 429, description = "`MAX_QUEUE_LENGTH (N) reached`, or the tenant sends more requests than it may."),
        (status = 500, description = "The job failed or was cancelled: its own envelope."),
    ),
)]
#[post("/jobs")]
pub(crate) async fn submit_job(
    caller: Authorized<perm::ExecutionsTrigger>,
    state: web::Data<ApiState>,
    patience: Patience,
    audit: AuditHandle,
    body: Body<SubmitRequest>,
) -> Result<HttpResponse, ApiError> {
    let begun = Instant::now();
    let SubmitRequest { job, payload, id, webhook_url } = body.0;
    let job = job.trim().parse().map_or_else(|_| JobRef::Name(job), JobRef::Id);
    let submission = Submission { job, input: TriggerInput { payload, ..TriggerInput::default() } };
    let waits = webhook_url.is_none();
    let callback = CallbackInput { url: webhook_url, reference: id.clone() };
    let executions = &state.services.executions;
    let actor = audit.submitting(&caller.actor, StatusCode::ACCEPTED);
    let admission = match executions.submit_called_back(&actor, submission, callback).await {
        Ok(admission) => admission,
        Err(ServiceError::QueueFull { queue, max_length }) => {
            return full(&state, &caller, id, &queue, max_length, begun).await;
        }
        Err(error) => return Err(error.into()),
    };
    if waits {
        patience.at_least(state.config.submit_wait + TIME_TO_ANSWER);
    }
    let seen = async {
        let waited = executions.wait(caller.tenant.id, admission.id, state.config.submit_wait);
        let execution = if waits { Some(waited.await?) } else { None };
        Ok::<_, ServiceError>((execution, queue(&state, &caller, &admission.queue).await?))
    };
    let (execution, queue) = match seen.await {
        Ok((execution, queue)) => (execution, Some(queue)),
        // The job is durable. A caller who was told of an error now would submit it once more.
        Err(failure) => {
            tracing::warn!(
                execution = %admission.id,
                cause = failure.internal().unwrap_or_default(),
                "a job was accepted, but how it goes could not be read for the answer"
            );
            (None, None)
        }
    };
    if let (Some(execution), Some(queue)) = (&execution, &queue)
        && let Some(envelope) = map::finished(execution, id.clone(), queue.pending, state.about.version)
    {
        let status = StatusCode::from_u16(envelope.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut answer = HttpResponse::build(status).json(envelope);
        answer.extensions_mut().insert(OfAcceptedWork);
        return Ok(answer);
    }
    let answer = map::processing(caller.tenant.id, &admission, id, queue.as_ref(), state.about.version);
    Ok(HttpResponse::Accepted().json(answer))
}

/// Check a key
#[utoipa::path(
    tag = "Toolkit",
    responses(
        (status = 200, description = "`Authorized`.", body = Envelope<String>),
        (status = 401, description = "The key is missing or no good.", body = Unauthorized),
    ),
)]
#[get("/authenticate")]
pub(crate) async fn check_key(caller: Authenticated, state: web::Data<ApiState>) -> Result<HttpResponse, ApiError> {
    let begun = Instant::now();
    let queue = queue(&state, &caller, QueueName::DEFAULT).await?;
    let envelope = own(&state, Some("Authorized"), begun).in_queue(caller.tenant.id, &queue);
    Ok(HttpResponse::Ok().json(envelope))
}

/// Test the queue
///
/// Has a job that does nothing go through the queue and waits for its end.
#[utoipa::path(
    tag = "Toolkit",
    responses(
        (status = 200, description = "It came back.", body = Envelope<String>),
        (status = 401, description = "The key is missing or no good.", body = Unauthorized),
        (status = 503, description = "It did not come back in time."),
    ),
)]
#[get("/test")]
pub(crate) async fn test_queue(
    caller: Authorized<perm::ExecutionsTrigger>,
    state: web::Data<ApiState>,
    time: Patience,
) -> Result<HttpResponse, ApiError> {
    let patience = state.config.submit_wait;
    time.at_least(patience + TIME_TO_ANSWER);
    let execution = state.services.executions.test_queue(&caller.actor, patience).await?;
    let queue = queue(&state, &caller, &execution.summary.queue).await?;
    let told = map::finished(&execution, None, queue.pending, state.about.version);
    let came_back = execution.summary.lifecycle.state == ExecutionState::Succeeded;
    let Some(envelope) = told.filter(|_| came_back) else {
        let problem = format!("The queue was tested and did not answer well within {} s.", patience.as_secs_f64());
        return Err(ApiError::new(StatusCode::SERVICE_UNAVAILABLE, problem).retry_after(5));
    };
    let response = Some(Value::from("The queue works"));
    Ok(HttpResponse::Ok().json(Envelope { endpoint: None, response, ..envelope }))
}

/// The envelope of a request that is about no job, or about another than itself.
fn own<T>(state: &ApiState, response: Option<T>, begun: Instant) -> Envelope<T> {
    let job_id = state.core.ids.uuid(state.core.now());
    map::answered(200, job_id, response, "success", begun.elapsed(), state.about.version)
}

async fn queue(state: &ApiState, caller: &Caller, name: &str) -> Result<QueueSummary, ServiceError> {
    state.services.queues.glance(caller.tenant.id, name).await
}

/// The caller's own name for a job.
async fn reference(state: &ApiState, caller: &Caller, execution: &Execution) -> Result<Option<Value>, ServiceError> {
    let callback = state.services.callbacks.find(caller.tenant.id, execution.summary.id).await?;
    Ok(callback.and_then(|callback| callback.asked.reference))
}

fn no_such_job(state: &ApiState, asked: &str, id: Option<Value>, begun: Instant) -> HttpResponse {
    const NOT_FOUND: &str = "Job not found";
    let message = NOT_FOUND.to_owned();
    let envelope = Envelope { code: 404, id, message, error: Some(NOT_FOUND), ..own::<Value>(state, None, begun) };
    let mut told = serde_json::to_value(envelope).unwrap_or_default();
    // The document has the id that was asked for here, whatever it was.
    told["job_id"] = Value::from(asked);
    HttpResponse::NotFound().json(told)
}

async fn full(
    state: &ApiState,
    caller: &Caller,
    id: Option<Value>,
    name: &str,
    max_length: u32,
    begun: Instant,
) -> Result<HttpResponse, ApiError> {
    let queue = queue(state, caller, name).await?;
    let envelope = Envelope {
        code: 429,
        id,
        message: format!("MAX_QUEUE_LENGTH ({max_length}) reached"),
        ..own::<Value>(state, None, begun).in_queue(caller.tenant.id, &queue)
    };
    Ok(HttpResponse::TooManyRequests().insert_header((RETRY_AFTER, "5")).json(envelope))
}
