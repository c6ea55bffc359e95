//! `/admin`: what concerns all jobs of a tenant at once.

use actix_web::{HttpResponse, delete, post, web};

use crate::dialects::scheduler::dto::ClearLogsRequest;
use crate::http::{ApiError, Authorized, Body, perm};
use crate::state::ApiState;

/// Pause every job
#[utoipa::path(
    tag = "Scheduler administration",
    responses(
        (status = 200, description = "How many jobs were not paused before.", body = u64, content_type = "application/json"),
    ),
)]
#[post("/admin/pause-all")]
pub(crate) async fn pause_all(
    caller: Authorized<perm::SchedulerAdmin>,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(state.services.admin.pause_all(&caller.actor).await?))
}

/// Resume every job
///
/// Also those that were paused one by one.
#[utoipa::path(
    tag = "Scheduler administration",
    responses(
        (status = 200, description = "How many jobs were paused before.", body = u64, content_type = "application/json"),
    ),
)]
#[post("/admin/resume-all")]
pub(crate) async fn resume_all(
    caller: Authorized<perm::SchedulerAdmin>,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    Ok(HttpResponse::Ok().json(state.services.admin.resume_all(&caller.actor).await?))
}

/// Delete old executions
///
/// The figures over time (dashboard, timeline) are kept.
#[utoipa::path(
    tag = "Scheduler administration",
    request_body = ClearLogsRequest,
    responses(
        (status = 200, description = "How many executions were deleted.", body = u64, content_type = "application/json"),
    ),
)]
#[delete("/admin/clear-logs")]
pub(crate) async fn clear_logs(
    caller: Authorized<perm::SchedulerAdmin>,
    state: web::Data<ApiState>,
    body: Body<ClearLogsRequest>,
) -> Result<HttpResponse, ApiError> {
    let removed = state.services.admin.clear_logs(&caller.actor, body.0.older_than_days).await?;
    Ok(HttpResponse::Ok().json(removed))
}
