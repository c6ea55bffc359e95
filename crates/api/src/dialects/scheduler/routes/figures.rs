//! The dashboard and the timeline.

use actix_web::{HttpResponse, get, web};
use horarium_scheduler_engine::service::TimelineRange;
use utoipa::IntoParams;

use crate::dialects::scheduler::dto::{DashboardStatsDto, TimelinePointDto};
use crate::http::{ApiError, Authorized, FromQuery, Query, QueryFields, perm};
use crate::state::ApiState;

/// What `GET /executions/timeline` reads from its query.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
struct GetTimeline {
    /// How far to look back.
    #[param(minimum = 1, maximum = 2160, default = 24)]
    hours: Option<i64>,
}

impl FromQuery for GetTimeline {
    fn from_query(fields: &mut QueryFields<'_>) -> Self {
        Self { hours: fields.number("hours", 1..=TimelineRange::MAX_HOURS) }
    }
}

/// Count executions over time
///
/// Buckets in UTC, none left out, oldest first: of 5 minutes up to 6 hours, of one hour up to 7 days, else of one day.
#[utoipa::path(
    tag = "Dashboard",
    params(GetTimeline),
    responses((status = 200, description = "The buckets, oldest first.", body = Vec<TimelinePointDto>)),
)]
#[get("/executions/timeline")]
pub(crate) async fn get_timeline(
    caller: Authorized<perm::ExecutionsRead>,
    state: web::Data<ApiState>,
    query: Query<GetTimeline>,
) -> Result<HttpResponse, ApiError> {
    let points = state.services.executions.timeline(caller.tenant.id, query.0.hours.unwrap_or(24)).await?;
    Ok(HttpResponse::Ok().json(points.into_iter().map(TimelinePointDto::from).collect::<Vec<_>>()))
}

/// Read the dashboard's figures
#[utoipa::path(
    tag = "Dashboard",
    responses((status = 200, description = "The tenant at a glance.", body = DashboardStatsDto)),
)]
#[get("/dashboard/stats")]
pub(crate) async fn get_dashboard_stats(
    caller: Authorized<perm::JobsRead>,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let dashboard = state.services.executions.dashboard(caller.tenant.id).await?;
    Ok(HttpResponse::Ok().json(DashboardStatsDto::from(dashboard)))
}
