//! The routes, below `/job`.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{FromRequest, HttpRequest, HttpResponse, delete, get, post, routes, web};
use horarium_auth::Permission;
use horarium_domain::store::ExecutionFilter;
use horarium_domain::{ExecutionId, Timestamp};
use horarium_scheduler_engine::service::{NewAgentJob, RetryAgentJob, ServiceError};
use utoipa::IntoParams;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::dto::{
    CreateJobRequest, CreateJobResponse, JobItem, ListJobsResponse, QueueStatusResponse, RetryJobRequest,
};
use super::status::{AgentJobStatus, STATUSES, StatusCounts};
use crate::http::{ApiError, AuditHandle, Authorized, Body, FromQuery, OptionalBody, Query, QueryFields, perm};
use crate::state::ApiState;

/// Registers the routes, in a scope of the prefix.
pub(crate) fn configure(cfg: &mut ServiceConfig<'_>) {
    // What has a fixed name comes before what has an id in the same place.
    cfg.service(list_agent_jobs)
        .service(create_agent_job)
        .service(get_agent_job_counts)
        .service(get_agent_job)
        .service(delete_agent_job)
        .service(retry_agent_job);
}

/// The job that a path names. In this dialect, a text that can be no id is a 400.
#[derive(Debug)]
struct PathJob(ExecutionId);

impl FromRequest for PathJob {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        let parsed = req.match_info().iter().next().and_then(|(_, text)| Uuid::try_parse(text).ok());
        let refusal = || ApiError::bad_request("The job's id must be a UUID.");
        ready(parsed.map(|uuid| Self(ExecutionId::from_uuid(uuid))).ok_or_else(refusal))
    }
}

/// What `GET /job` reads from its query.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
struct ListJobs {
    /// Only jobs of this status.
    #[param(inline)]
    status: Option<AgentJobStatus>,
    /// Jobs per page.
    #[param(inline, minimum = 1, maximum = 100, default = 10, required = false)]
    limit: u32,
    /// How many jobs to leave out, of the newest.
    #[param(inline, minimum = 0, default = 0, required = false)]
    offset: u32,
}

impl FromQuery for ListJobs {
    fn from_query(fields: &mut QueryFields<'_>) -> Self {
        let offset = fields.number("offset", 0..=u64::MAX).unwrap_or(0);
        Self {
            status: fields.one_of("status", STATUSES),
            limit: fields.number("limit", 1..=100).unwrap_or(10),
            // No history is that long.
            offset: u32::try_from(offset).unwrap_or(u32::MAX).min(i32::MAX.unsigned_abs()),
        }
    }
}

/// In the dialect's words, an execution is a job.
fn named(error: ServiceError) -> ApiError {
    match error {
        ServiceError::NotFound(_) => ApiError::not_found("job"),
        other => other.into(),
    }
}

fn created((id, timestamp): (ExecutionId, Timestamp)) -> HttpResponse {
    let accepted =
        CreateJobResponse { job_id: id.as_uuid(), status: AgentJobStatus::Submitted, revision: 1, timestamp };
    HttpResponse::Created().insert_header((LOCATION, format!("/job/{id}"))).json(accepted)
}

/// List jobs
///
/// Newest first; those of other dialects too.
#[utoipa::path(
    tag = "Agent jobs",
    params(ListJobs),
    responses((status = 200, description = "One page, newest first.", body = ListJobsResponse)),
)]
#[routes]
#[get("")]
#[get("/")]
async fn list_agent_jobs(
    caller: Authorized<perm::ExecutionsRead>,
    state: web::Data<ApiState>,
    query: Query<ListJobs>,
) -> Result<HttpResponse, ApiError> {
    let ListJobs { status, limit, offset } = query.0;
    let filter = status.map_or_else(ExecutionFilter::default, AgentJobStatus::filter);
    let jobs = &state.services.agent_jobs;
    let counts = jobs.counts(caller.tenant.id).await?;
    let page = jobs.list(caller.tenant.id, &filter, limit, offset).await?;
    Ok(HttpResponse::Ok().json(ListJobsResponse {
        total_items: page.total,
        status_counts: StatusCounts::from(counts),
        items: page.items.into_iter().map(JobItem::from).collect(),
    }))
}

/// Send an operation to agents
///
/// The hosts of a broadcast are those whose agents are alive now. If no agent matches, the job fails at once.
#[utoipa::path(
    tag = "Agent jobs",
    request_body = CreateJobRequest,
    responses((
        status = 201,
        description = "The job; it is durable.",
        body = CreateJobResponse,
        headers(("Location" = String, description = "The path of the job.")),
    )),
)]
#[routes]
#[post("")]
#[post("/")]
async fn create_agent_job(
    caller: Authorized<perm::AgentsUse>,
    state: web::Data<ApiState>,
    audit: AuditHandle,
    body: Body<CreateJobRequest>,
) -> Result<HttpResponse, ApiError> {
    let CreateJobRequest { operation, target_hostname } = body.0;
    let new = NewAgentJob { operation: operation.0.kind, data: operation.0.data, target: target_hostname };
    let actor = audit.submitting(&caller.actor, StatusCode::CREATED);
    Ok(created(state.services.agent_jobs.submit(&actor, new).await?))
}

/// Count jobs
#[utoipa::path(
    tag = "Agent jobs",
    responses((status = 200, description = "How many jobs there are of each status.", body = QueueStatusResponse)),
)]
#[get("/status")]
async fn get_agent_job_counts(
    caller: Authorized<perm::ExecutionsRead>,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let counts = state.services.agent_jobs.counts(caller.tenant.id).await?;
    let status_counts = StatusCounts::from(counts);
    Ok(HttpResponse::Ok().json(QueueStatusResponse {
        total_jobs: status_counts.total(),
        status_counts,
        dlq_count: counts.failed,
    }))
}

/// Read a job
#[utoipa::path(
    tag = "Agent jobs",
    params(("executionId" = Uuid, Path, description = "The job.")),
    responses(
        (status = 200, description = "The job.", body = JobItem),
        (status = 400, description = "The id is no UUID."),
    ),
)]
#[get("/{executionId}")]
async fn get_agent_job(
    caller: Authorized<perm::ExecutionsRead>,
    state: web::Data<ApiState>,
    id: PathJob,
) -> Result<HttpResponse, ApiError> {
    let job = state.services.agent_jobs.get(caller.tenant.id, id.0).await.map_err(named)?;
    Ok(HttpResponse::Ok().json(JobItem::from(job)))
}

/// Delete a job with its history
#[utoipa::path(
    tag = "Agent jobs",
    params(("executionId" = Uuid, Path, description = "The job.")),
    responses(
        (status = 204, description = "It is gone."),
        (status = 409, description = "It is running."),
    ),
)]
#[delete("/{executionId}")]
async fn delete_agent_job(
    caller: Authorized<perm::JobsWrite>,
    state: web::Data<ApiState>,
    id: PathJob,
) -> Result<HttpResponse, ApiError> {
    state.services.agent_jobs.delete(&caller.actor, id.0).await.map_err(named)?;
    Ok(HttpResponse::NoContent().finish())
}

/// Run a job again
///
/// As a new job with the same operation; the old one is kept.
#[utoipa::path(
    tag = "Agent jobs",
    params(("executionId" = Uuid, Path, description = "The job that is over.")),
    request_body(content = RetryJobRequest, description = "May be left out."),
    responses(
        (
            status = 201,
            description = "The new job; it is durable.",
            body = CreateJobResponse,
            headers(("Location" = String, description = "The path of the new job.")),
        ),
        (
            status = 409,
            description = "It is not over, only failed hosts are asked for and none failed, or it is no operation for agents \
                           and the credential lacks `executions:retry`.",
        ),
    ),
)]
#[post("/{executionId}/retry")]
async fn retry_agent_job(
    caller: Authorized<perm::AgentsUse>,
    state: web::Data<ApiState>,
    audit: AuditHandle,
    id: PathJob,
    body: OptionalBody<RetryJobRequest>,
) -> Result<HttpResponse, ApiError> {
    let RetryJobRequest { target_hostname, only_failed } = body.0.unwrap_or_default();
    let retry = RetryAgentJob {
        target: target_hostname,
        only_failed: only_failed.unwrap_or(false),
        may_retry_others: caller.principal.can(Permission::ExecutionsRetry),
    };
    let actor = audit.submitting(&caller.actor, StatusCode::CREATED);
    Ok(created(state.services.agent_jobs.retry(&actor, id.0, &retry).await.map_err(named)?))
}
