//! `/executions`, and the executions of a job.

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpResponse, get, post, web};
use horarium_domain::execution::ExecutionState;
use horarium_domain::page::PageRequest;
use horarium_domain::store::ExecutionFilter;
use horarium_domain::{ExecutionId, JobId, Timestamp};
use horarium_scheduler_engine::Actor;
use utoipa::IntoParams;

use super::{PREFIX, STATUSES, started_between};
use crate::dialects::scheduler::dto::{ExecutionStatusName, JobExecutionDetailDto, JobExecutionDto, PagedResponse};
use crate::dialects::scheduler::error;
use crate::http::{ApiError, AuditHandle, Authorized, Caller, FromQuery, Id, Paging, Query, QueryFields, perm};
use crate::state::ApiState;

/// 202 for an execution that is durable now.
pub(super) fn accepted(id: ExecutionId) -> HttpResponse {
    HttpResponse::Accepted().insert_header((LOCATION, format!("{PREFIX}/executions/{id}"))).json(id)
}

/// What `GET /jobs/{jobId}/executions` reads from its query.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
struct ListJobExecutions {
    /// Only in this state.
    #[param(value_type = Option<ExecutionStatusName>)]
    status: Option<ExecutionState>,
    /// Only those that started at or after this.
    #[param(value_type = Option<String>, format = DateTime)]
    from_date: Option<Timestamp>,
    /// Only those that started at or before this.
    #[param(value_type = Option<String>, format = DateTime)]
    to_date: Option<Timestamp>,
    #[param(ignore)]
    page: PageRequest,
}

impl FromQuery for ListJobExecutions {
    fn from_query(fields: &mut QueryFields<'_>) -> Self {
        let (from_date, to_date) = started_between(fields);
        Self { status: fields.one_of("status", STATUSES), from_date, to_date, page: fields.page() }
    }
}

/// List the executions of a job
///
/// Newest first. The history of a deleted job can still be read.
#[utoipa::path(
    tag = "Executions",
    params(("jobId" = Uuid, Path, description = "The job."), Paging, ListJobExecutions),
    responses((status = 200, description = "One page, newest first.", body = PagedResponse<JobExecutionDto>)),
)]
#[get("/jobs/{jobId}/executions")]
pub(crate) async fn list_job_executions(
    caller: Authorized<perm::ExecutionsRead>,
    state: web::Data<ApiState>,
    id: Id<JobId>,
    query: Query<ListJobExecutions>,
) -> Result<HttpResponse, ApiError> {
    let query = query.0;
    let filter = ExecutionFilter {
        job_id: Some(id.0),
        state: query.status,
        started_from: query.from_date,
        started_to: query.to_date,
        ..ExecutionFilter::default()
    };
    let page = state.services.executions.list(caller.tenant.id, &filter, query.page).await?;
    Ok(HttpResponse::Ok().json(PagedResponse::new(page, query.page, JobExecutionDto::from)))
}

/// Read an execution
#[utoipa::path(
    tag = "Executions",
    params(("executionId" = Uuid, Path, description = "The execution.")),
    responses((status = 200, description = "The execution in full.", body = JobExecutionDetailDto)),
)]
#[get("/executions/{executionId}")]
pub(crate) async fn get_execution(
    caller: Authorized<perm::ExecutionsRead>,
    state: web::Data<ApiState>,
    id: Id<ExecutionId>,
) -> Result<HttpResponse, ApiError> {
    detail(&state, &caller, id.0).await
}

/// Cancel an execution
///
/// One that waits will not start. One that runs is told to stop, and is Cancelled at once: whatever its handler still
/// reports is refused.
#[utoipa::path(
    tag = "Executions",
    params(("executionId" = Uuid, Path, description = "The execution.")),
    responses(
        (status = 200, description = "It is cancelled.", body = JobExecutionDetailDto),
        (status = 409, description = "It is over already."),
    ),
)]
#[post("/executions/{executionId}/cancel")]
pub(crate) async fn cancel_execution(
    caller: Authorized<perm::ExecutionsCancel>,
    state: web::Data<ApiState>,
    id: Id<ExecutionId>,
) -> Result<HttpResponse, ApiError> {
    cancelled(&state, &caller, id.0).await
}

/// Run a failed execution again
///
/// As a new execution of the same job, with the same payload; `retryParentId` of the new one names this one.
#[utoipa::path(
    tag = "Executions",
    params(("executionId" = Uuid, Path, description = "The execution that failed.")),
    responses(
        (
            status = 202,
            description = "The new execution's id; it is durable.",
            body = Uuid,
            content_type = "application/json",
            headers(("Location" = String, description = "The path of the new execution.")),
        ),
        (status = 400, description = "There is no such execution, or it did not fail."),
        (status = 429, description = "Its queue is full, or the tenant sends more requests than it may."),
    ),
)]
#[post("/executions/{executionId}/retry")]
pub(crate) async fn retry_execution(
    caller: Authorized<perm::ExecutionsRetry>,
    state: web::Data<ApiState>,
    audit: AuditHandle,
    id: Id<ExecutionId>,
) -> Result<HttpResponse, ApiError> {
    retried(&state, &audit.submitting(&caller.actor, StatusCode::ACCEPTED), id.0).await
}

/// An execution in full.
pub(crate) async fn detail(state: &ApiState, caller: &Caller, id: ExecutionId) -> Result<HttpResponse, ApiError> {
    let execution = state.services.executions.get(caller.tenant.id, id).await?;
    Ok(HttpResponse::Ok().json(JobExecutionDetailDto::from(execution)))
}

/// Cancels an execution and shows what has become of it.
pub(crate) async fn cancelled(state: &ApiState, caller: &Caller, id: ExecutionId) -> Result<HttpResponse, ApiError> {
    state.services.executions.cancel(&caller.actor, id).await?;
    detail(state, caller, id).await
}

/// Retries an execution.
pub(crate) async fn retried(state: &ApiState, actor: &Actor, id: ExecutionId) -> Result<HttpResponse, ApiError> {
    let result = state.services.executions.retry(actor, id).await;
    let admission = result.map_err(|failure| error::retry(failure, id))?;
    Ok(accepted(admission.id))
}
