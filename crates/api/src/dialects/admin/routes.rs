//! The routes, below `/api/v1/admin/jobs`.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, post, routes, web};
use horarium_domain::page::PageRequest;
use horarium_domain::store::JobFilter;
use horarium_scheduler_engine::service::TriggerInput;
use utoipa::IntoParams;
use utoipa_actix_web::scope;
use utoipa_actix_web::service_config::ServiceConfig;

use super::dto::{AdminEnvelope, JobOverviewDto, JobStatsDto, TriggerJobRequest, TriggeredJobDto};
use super::request::{JobName, TenantNamed};
use super::{error, map};
use crate::http::{ApiError, AuditHandle, Authorized, Body, FromQuery, Query, QueryFields, perm};
use crate::state::ApiState;

/// Where the dialect lives.
pub(crate) const PREFIX: &str = "/api/v1/admin/jobs";

/// How many jobs the tenant has, beside a list that shows a page of them.
const X_TOTAL_COUNT: &str = "X-Total-Count";

/// How many of its latest executions a job's statistics show.
const RECENT: usize = 10;

/// Registers the routes.
pub(crate) fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(scope::scope("/admin/jobs").service(list_admin_jobs).service(trigger_admin_job).service(get_job_stats));
}

/// What `GET /` reads from its query.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
struct ListAdminJobs {
    /// The page, counted from 1.
    #[param(inline, minimum = 1, maximum = 2_147_483_647, default = 1, required = false)]
    page_number: u32,
    /// Jobs per page.
    #[param(inline, minimum = 1, maximum = 200, default = 200, required = false)]
    page_size: u32,
}

impl FromQuery for ListAdminJobs {
    fn from_query(fields: &mut QueryFields<'_>) -> Self {
        Self {
            page_number: fields.number("pageNumber", 1..=i32::MAX.unsigned_abs()).unwrap_or(1),
            page_size: fields.number("pageSize", 1..=PageRequest::MAX_SIZE).unwrap_or(PageRequest::MAX_SIZE),
        }
    }
}

/// List jobs with what they are doing
#[utoipa::path(
    tag = "Administration of jobs",
    params(("x-tenantid" = String, Header, description = "The tenant, by UUID or slug."), ListAdminJobs),
    responses((
        status = 200,
        description = "The jobs by name.",
        body = AdminEnvelope<Vec<JobOverviewDto>>,
        headers(("X-Total-Count" = u64, description = "How many jobs there are.")),
    )),
)]
#[routes]
#[get("")]
#[get("/")]
pub(crate) async fn list_admin_jobs(
    caller: Authorized<perm::AdminDialect>,
    _: TenantNamed,
    state: web::Data<ApiState>,
    query: Query<ListAdminJobs>,
) -> Result<HttpResponse, ApiError> {
    let page = PageRequest { number: query.0.page_number, size: query.0.page_size };
    let jobs = state.services.statistics.overview(caller.tenant.id, &JobFilter::default(), page).await?;
    let data: Vec<_> = jobs.items.into_iter().map(JobOverviewDto::from).collect();
    let envelope = AdminEnvelope::new("Jobs retrieved successfully", data, state.core.now());
    Ok(HttpResponse::Ok().insert_header((X_TOTAL_COUNT, jobs.total)).json(envelope))
}

/// Trigger a job by its name
#[utoipa::path(
    tag = "Administration of jobs",
    params(("x-tenantid" = String, Header, description = "The tenant, by UUID or slug.")),
    request_body = TriggerJobRequest,
    responses(
        (status = 200, description = "An execution waits; it is durable.", body = AdminEnvelope<TriggeredJobDto>),
        (status = 404, description = "There is no job of that name."),
        (status = 429, description = "Its queue is full, or the tenant sends more requests than it may."),
    ),
)]
#[post("/trigger")]
pub(crate) async fn trigger_admin_job(
    caller: Authorized<perm::AdminDialect>,
    _: TenantNamed,
    state: web::Data<ApiState>,
    audit: AuditHandle,
    body: Body<TriggerJobRequest>,
) -> Result<HttpResponse, ApiError> {
    let JobName(name) = JobName::new(&body.0.job_name)?;
    let actor = audit.submitting(&caller.actor, StatusCode::OK);
    let admission = state.services.executions.trigger_by_name(&actor, &name, TriggerInput::default()).await;
    let admission = admission.map_err(|failure| error::about(failure, &name))?;
    let data = map::triggered(&admission, name, &caller.principal);
    Ok(HttpResponse::Ok().json(AdminEnvelope::new("Job triggered successfully", data, state.core.now())))
}

/// Read a job's statistics
///
/// They come from counters: they cost the same with a thousand executions and with ten million.
#[utoipa::path(
    tag = "Administration of jobs",
    params(
        ("jobName" = String, Path, description = "The job's name.", min_length = 1, max_length = 200),
        ("x-tenantid" = String, Header, description = "The tenant, by UUID or slug."),
    ),
    responses(
        (status = 200, description = "The job's statistics.", body = AdminEnvelope<JobStatsDto>),
        (status = 400, description = "The name can be no job's, or the tenant is not named."),
        (status = 404, description = "There is no job of that name."),
    ),
)]
#[get("/{jobName}/stats")]
pub(crate) async fn get_job_stats(
    caller: Authorized<perm::AdminDialect>,
    _: TenantNamed,
    state: web::Data<ApiState>,
    name: JobName,
) -> Result<HttpResponse, ApiError> {
    let report = state.services.statistics.report(caller.tenant.id, &name.0, RECENT).await;
    let report = report.map_err(|failure| error::about(failure, &name.0))?;
    let timestamp = report.generated_at;
    let envelope = AdminEnvelope::new("Job statistics retrieved successfully", JobStatsDto::from(report), timestamp);
    Ok(HttpResponse::Ok().json(envelope))
}
