//! Executions across jobs. The shapes are those of the scheduler dialect; the list is walked with a cursor, which
//! stays exact while new executions come in.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, web};
use horarium_domain::execution::ExecutionState;
use horarium_domain::store::ExecutionFilter;
use horarium_domain::{ExecutionId, JobId, Timestamp};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::dialects::scheduler::dto::{ExecutionStatusName, JobExecutionDetailDto, JobExecutionDto};
use crate::dialects::scheduler::{STATUSES, cancelled, detail, retried, started_between};
use crate::http::{ApiError, AuditHandle, Authorized, FromQuery, Id, Query, QueryFields, perm};
use crate::state::ApiState;

/// What `GET /executions` reads from its query.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
struct ListExecutions {
    /// Only of this job.
    job_id: Option<Uuid>,
    /// Only in this state.
    #[param(value_type = Option<ExecutionStatusName>)]
    status: Option<ExecutionState>,
    /// Only those that started at or after this.
    #[param(value_type = Option<String>, format = DateTime)]
    from_date: Option<Timestamp>,
    /// Only those that started at or before this.
    #[param(value_type = Option<String>, format = DateTime)]
    to_date: Option<Timestamp>,
    /// `nextCursor` of the page before.
    #[param(value_type = Option<String>, format = Uuid)]
    cursor: Option<Uuid>,
    /// Executions per page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<usize>,
}

impl FromQuery for ListExecutions {
    fn from_query(fields: &mut QueryFields<'_>) -> Self {
        let (from_date, to_date) = started_between(fields);
        Self {
            job_id: fields.uuid("jobId"),
            status: fields.one_of("status", STATUSES),
            from_date,
            to_date,
            cursor: fields.uuid("cursor"),
            limit: fields.number("limit", 1..=200),
        }
    }
}

/// One page of executions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ExecutionPage {
    /// This page's executions, newest first.
    items: Vec<JobExecutionDto>,
    /// What to send as `cursor` for the next page; null at the end.
    next_cursor: Option<Uuid>,
}

/// List executions across jobs
#[utoipa::path(
    tag = "Executions",
    params(ListExecutions),
    responses(
        (status = 200, description = "One page, newest first.", body = ExecutionPage),
        (status = 404, description = "There is no job `jobId`."),
    ),
)]
#[get("/executions")]
pub(super) async fn list_executions(
    caller: Authorized<perm::ExecutionsRead>,
    state: web::Data<ApiState>,
    query: Query<ListExecutions>,
) -> Result<HttpResponse, ApiError> {
    let query = query.0;
    let filter = ExecutionFilter {
        job_id: query.job_id.map(JobId::from_uuid),
        state: query.status,
        started_from: query.from_date,
        started_to: query.to_date,
        ..ExecutionFilter::default()
    };
    let before = query.cursor.map(ExecutionId::from_uuid);
    let limit = query.limit.unwrap_or(50);
    let page = state.services.executions.list_before(caller.tenant.id, &filter, before, limit).await?;
    Ok(HttpResponse::Ok().json(ExecutionPage {
        items: page.items.into_iter().map(JobExecutionDto::from).collect(),
        next_cursor: page.next.map(ExecutionId::as_uuid),
    }))
}

/// Read an execution, as in the scheduler dialect
#[utoipa::path(
    tag = "Executions",
    params(("executionId" = Uuid, Path, description = "The execution.")),
    responses((status = 200, description = "The execution in full.", body = JobExecutionDetailDto)),
)]
#[get("/executions/{executionId}")]
pub(super) async fn read_execution(
    caller: Authorized<perm::ExecutionsRead>,
    state: web::Data<ApiState>,
    id: Id<ExecutionId>,
) -> Result<HttpResponse, ApiError> {
    detail(&state, &caller, id.0).await
}

/// Cancel an execution, as in the scheduler dialect
#[utoipa::path(
    tag = "Executions",
    params(("executionId" = Uuid, Path, description = "The execution.")),
    responses(
        (status = 200, description = "It is cancelled.", body = JobExecutionDetailDto),
        (status = 409, description = "It is over already."),
    ),
)]
#[post("/executions/{executionId}/cancel")]
pub(super) async fn stop_execution(
    caller: Authorized<perm::ExecutionsCancel>,
    state: web::Data<ApiState>,
    id: Id<ExecutionId>,
) -> Result<HttpResponse, ApiError> {
    cancelled(&state, &caller, id.0).await
}

/// Run a failed execution again, as in the scheduler dialect
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
pub(super) async fn rerun_execution(
    caller: Authorized<perm::ExecutionsRetry>,
    state: web::Data<ApiState>,
    audit: AuditHandle,
    id: Id<ExecutionId>,
) -> Result<HttpResponse, ApiError> {
    retried(&state, &audit.submitting(&caller.actor, StatusCode::ACCEPTED), id.0).await
}
