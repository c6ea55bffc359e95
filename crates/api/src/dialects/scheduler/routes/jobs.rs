//! `/jobs`.

use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::{HttpRequest, HttpResponse, delete, get, patch, post, put, web};
use horarium_domain::job::{JobStatus, JobType};
use horarium_domain::page::{PageRequest, SortDirection};
use horarium_domain::store::{JobFilter, JobSort};
use horarium_domain::{JobId, Timestamp};
use horarium_scheduler_engine::service::JobService;
use utoipa::IntoParams;

use super::PREFIX;
use crate::dialects::scheduler::dto::{
    JobDto, JobRequest, JobSortName, JobStatusName, JobTypeName, NewJobRequest, PagedResponse, RescheduleRequest,
    SortDirectionName, TriggerRequest,
};
use crate::dialects::scheduler::map::entity;
use crate::http::{
    ApiError, AuditHandle, Authorized, Body, FromQuery, Id, IfMatch, OptionalBody, Paging, Query, QueryFields, perm,
};
use crate::state::ApiState;

/// Create a job
///
/// The definition is checked in full at once; `errors` names every field that is wrong.
#[utoipa::path(
    tag = "Jobs",
    request_body = NewJobRequest,
    responses(
        (status = 201, description = "The job was created.", body = JobDto, headers(
            ("Location" = String, description = "The path of the job."),
            ("ETag" = String, description = "Names its version, for If-Match."),
        )),
        (status = 409, description = "Another job has the name."),
    ),
)]
#[post("/jobs")]
pub(crate) async fn create_job(
    caller: Authorized<perm::JobsWrite>,
    state: web::Data<ApiState>,
    body: Body<NewJobRequest>,
) -> Result<HttpResponse, ApiError> {
    let job = state.services.jobs.create(&caller.actor, &body.0.0.into_input()).await?;
    let location = format!("{PREFIX}/jobs/{}", job.job.id);
    let mut response = entity(job).written(StatusCode::CREATED)?;
    response.headers_mut().insert(LOCATION, location.try_into().map_err(ApiError::internal)?);
    Ok(response)
}

/// What `GET /jobs` reads from its query.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
struct ListJobs {
    /// Only this type.
    #[param(value_type = Option<JobTypeName>)]
    job_type: Option<JobType>,
    /// Only this status.
    #[param(value_type = Option<JobStatusName>)]
    status: Option<JobStatus>,
    /// Only those with this tag.
    tag: Option<String>,
    /// Only those of this group.
    group: Option<String>,
    /// Only those whose name or description holds this text, in any case.
    search: Option<String>,
    /// What to sort by; the name when nothing is said.
    #[param(inline)]
    sort_by: Option<JobSortName>,
    /// Which way; ascending when nothing is said.
    #[param(inline)]
    sort_direction: Option<SortDirectionName>,
    #[param(ignore)]
    page: PageRequest,
}

impl FromQuery for ListJobs {
    fn from_query(fields: &mut QueryFields<'_>) -> Self {
        Self {
            job_type: fields.one_of("jobType", &JobType::ALL.map(|kind| (kind.as_str(), kind))),
            status: fields.one_of("status", &JobStatus::ALL.map(|status| (status.as_str(), status))),
            tag: fields.text("tag"),
            group: fields.text("group"),
            search: fields.text("search"),
            sort_by: fields.one_of("sortBy", SORTS),
            sort_direction: fields.one_of("sortDirection", DIRECTIONS),
            page: fields.page(),
        }
    }
}

const SORTS: &[(&str, JobSortName)] = &[
    ("name", JobSortName::Name),
    ("createdAt", JobSortName::CreatedAt),
    ("updatedAt", JobSortName::UpdatedAt),
    ("lastExecutedAt", JobSortName::LastExecutedAt),
    ("nextRunAt", JobSortName::NextRunAt),
    ("consecutiveFailures", JobSortName::ConsecutiveFailures),
];

const DIRECTIONS: &[(&str, SortDirectionName)] = &[
    ("asc", SortDirectionName::Asc),
    ("desc", SortDirectionName::Desc),
    ("ascending", SortDirectionName::Ascending),
    ("descending", SortDirectionName::Descending),
];

/// List jobs
#[utoipa::path(
    tag = "Jobs",
    params(Paging, ListJobs),
    responses((status = 200, description = "One page of the jobs that are not deleted.", body = PagedResponse<JobDto>)),
)]
#[get("/jobs")]
pub(crate) async fn list_jobs(
    caller: Authorized<perm::JobsRead>,
    state: web::Data<ApiState>,
    query: Query<ListJobs>,
) -> Result<HttpResponse, ApiError> {
    let query = query.0;
    let filter = JobFilter {
        job_type: query.job_type,
        status: query.status,
        tag: query.tag,
        search: query.search,
        group: query.group,
        except_group: None,
        sort: query.sort_by.map(JobSort::from).unwrap_or_default(),
        direction: query.sort_direction.map(SortDirection::from).unwrap_or_default(),
    };
    let page = state.services.jobs.list(caller.tenant.id, &filter, query.page).await?;
    Ok(HttpResponse::Ok().json(PagedResponse::new(page, query.page, JobDto::from)))
}

/// What `GET /jobs/failed` reads from its query.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
struct ListFailingJobs {
    /// The least number of failures in a row.
    #[param(minimum = 1, maximum = 2_147_483_647, default = 3)]
    threshold: Option<i64>,
}

impl FromQuery for ListFailingJobs {
    fn from_query(fields: &mut QueryFields<'_>) -> Self {
        Self { threshold: fields.number("threshold", 1..=i64::from(i32::MAX)) }
    }
}

/// List jobs that keep failing
///
/// Those that failed at least `threshold` times in a row, worst first; the worst 200 at most.
#[utoipa::path(
    tag = "Jobs",
    params(ListFailingJobs),
    responses((status = 200, description = "The jobs, worst first.", body = Vec<JobDto>)),
)]
#[get("/jobs/failed")]
pub(crate) async fn list_failing_jobs(
    caller: Authorized<perm::JobsRead>,
    state: web::Data<ApiState>,
    query: Query<ListFailingJobs>,
) -> Result<HttpResponse, ApiError> {
    let threshold = query.0.threshold.unwrap_or(3);
    let jobs = state.services.jobs.failing(caller.tenant.id, threshold, JobService::MAX_FAILING).await?;
    Ok(HttpResponse::Ok().json(jobs.into_iter().map(JobDto::from).collect::<Vec<_>>()))
}

/// Read a job
#[utoipa::path(
    tag = "Jobs",
    params(
        ("jobId" = Uuid, Path, description = "The job."),
        ("If-None-Match" = Option<String>, Header, description = "An ETag: 304 when nothing changed since."),
    ),
    responses(
        (status = 200, description = "The job.", body = JobDto, headers(
            ("ETag" = String, description = "Names its version, for If-Match."),
        )),
        (status = 304, description = "Nothing changed since the ETag in If-None-Match."),
    ),
)]
#[get("/jobs/{jobId}")]
pub(crate) async fn get_job(
    caller: Authorized<perm::JobsRead>,
    state: web::Data<ApiState>,
    id: Id<JobId>,
    req: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    entity(state.services.jobs.get(caller.tenant.id, id.0).await?).read_by(&req)
}

/// Change a job
///
/// Only the fields that are sent change. A secret header that comes back as `***` keeps its stored value.
#[utoipa::path(
    tag = "Jobs",
    params(
        ("jobId" = Uuid, Path, description = "The job."),
        ("If-Match" = Option<String>, Header, description = "Change it only if it is still of this version."),
    ),
    request_body = JobRequest,
    responses(
        (status = 200, description = "The job as it is now.", body = JobDto, headers(
            ("ETag" = String, description = "Names its version, for If-Match."),
        )),
        (status = 409, description = "Another job has the name."),
        (status = 412, description = "It is of another version than If-Match says."),
    ),
)]
#[put("/jobs/{jobId}")]
pub(crate) async fn update_job(
    caller: Authorized<perm::JobsWrite>,
    state: web::Data<ApiState>,
    id: Id<JobId>,
    expected: IfMatch,
    body: Body<JobRequest>,
) -> Result<HttpResponse, ApiError> {
    let input = body.0.into_input();
    let job = state.services.jobs.update(&caller.actor, id.0, &input, expected.version()).await?;
    entity(job).written(StatusCode::OK)
}

/// What `DELETE /jobs/{jobId}` reads from its query.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
struct DeleteJob {
    /// Whether its history goes too.
    #[param(default = false)]
    hard_delete: Option<bool>,
}

impl FromQuery for DeleteJob {
    fn from_query(fields: &mut QueryFields<'_>) -> Self {
        Self { hard_delete: fields.flag("hardDelete") }
    }
}

/// Delete a job
///
/// Softly: it is hidden, its schedule stops, its history stays. With `hardDelete=true` it is gone with its history.
#[utoipa::path(
    tag = "Jobs",
    params(
        ("jobId" = Uuid, Path, description = "The job."),
        DeleteJob,
        ("If-Match" = Option<String>, Header, description = "Delete it only if it is still of this version."),
    ),
    responses(
        (status = 204, description = "It is deleted."),
        (status = 409, description = "An execution of it is running, so it cannot be deleted with its history."),
        (status = 412, description = "It is of another version than If-Match says."),
    ),
)]
#[delete("/jobs/{jobId}")]
pub(crate) async fn delete_job(
    caller: Authorized<perm::JobsWrite>,
    state: web::Data<ApiState>,
    id: Id<JobId>,
    query: Query<DeleteJob>,
    expected: IfMatch,
) -> Result<HttpResponse, ApiError> {
    let jobs = &state.services.jobs;
    if query.0.hard_delete.unwrap_or_default() {
        jobs.purge(&caller.actor, id.0, expected.version()).await?;
    } else {
        jobs.delete(&caller.actor, id.0, expected.version()).await?;
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Give a job another schedule
#[utoipa::path(
    tag = "Jobs",
    params(
        ("jobId" = Uuid, Path, description = "The job."),
        ("If-Match" = Option<String>, Header, description = "Change it only if it is still of this version."),
    ),
    request_body = RescheduleRequest,
    responses(
        (status = 200, description = "The job as it is now.", body = JobDto, headers(
            ("ETag" = String, description = "Names its version, for If-Match."),
        )),
        (status = 412, description = "It is of another version than If-Match says."),
    ),
)]
#[patch("/jobs/{jobId}/reschedule")]
pub(crate) async fn reschedule_job(
    caller: Authorized<perm::JobsWrite>,
    state: web::Data<ApiState>,
    id: Id<JobId>,
    expected: IfMatch,
    body: Body<RescheduleRequest>,
) -> Result<HttpResponse, ApiError> {
    let input = body.0.into_input();
    let job = state.services.jobs.reschedule(&caller.actor, id.0, input, expected.version()).await?;
    entity(job).written(StatusCode::OK)
}

/// Put a job's schedule on hold
///
/// Slots that pass meanwhile never fire. A job that is paused already stays so.
#[utoipa::path(
    tag = "Jobs",
    params(
        ("jobId" = Uuid, Path, description = "The job."),
        ("If-Match" = Option<String>, Header, description = "Pause it only if it is still of this version."),
    ),
    responses(
        (status = 200, description = "The job as it is now.", body = JobDto),
        (status = 412, description = "It is of another version than If-Match says."),
    ),
)]
#[post("/jobs/{jobId}/pause")]
pub(crate) async fn pause_job(
    caller: Authorized<perm::JobsWrite>,
    state: web::Data<ApiState>,
    id: Id<JobId>,
    expected: IfMatch,
) -> Result<HttpResponse, ApiError> {
    entity(state.services.jobs.pause(&caller.actor, id.0, expected.version()).await?).written(StatusCode::OK)
}

/// Take a job's schedule off hold
#[utoipa::path(
    tag = "Jobs",
    params(
        ("jobId" = Uuid, Path, description = "The job."),
        ("If-Match" = Option<String>, Header, description = "Resume it only if it is still of this version."),
    ),
    responses(
        (status = 200, description = "The job as it is now.", body = JobDto),
        (status = 412, description = "It is of another version than If-Match says."),
    ),
)]
#[post("/jobs/{jobId}/resume")]
pub(crate) async fn resume_job(
    caller: Authorized<perm::JobsWrite>,
    state: web::Data<ApiState>,
    id: Id<JobId>,
    expected: IfMatch,
) -> Result<HttpResponse, ApiError> {
    entity(state.services.jobs.resume(&caller.actor, id.0, expected.version()).await?).written(StatusCode::OK)
}

/// Run a job now
///
/// Also one that is paused or disabled: both only hold back its schedule.
#[utoipa::path(
    tag = "Jobs",
    params(("jobId" = Uuid, Path, description = "The job.")),
    request_body = Option<TriggerRequest>,
    responses(
        (
            status = 202,
            description = "The new execution's id; it is durable.",
            body = Uuid,
            content_type = "application/json",
            headers(("Location" = String, description = "The path of the execution.")),
        ),
        (status = 429, description = "Its queue is full, or the tenant sends more requests than it may."),
    ),
)]
#[post("/jobs/{jobId}/trigger")]
pub(crate) async fn trigger_job(
    caller: Authorized<perm::ExecutionsTrigger>,
    state: web::Data<ApiState>,
    audit: AuditHandle,
    id: Id<JobId>,
    body: OptionalBody<TriggerRequest>,
) -> Result<HttpResponse, ApiError> {
    let input = body.0.unwrap_or_default().into_input();
    let actor = audit.submitting(&caller.actor, StatusCode::ACCEPTED);
    let admission = state.services.executions.trigger(&actor, id.0, input).await?;
    Ok(super::executions::accepted(admission.id))
}

/// What `GET /jobs/{jobId}/preview` reads from its query.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
struct PreviewJob {
    /// How many.
    #[param(minimum = 1, maximum = 1000, default = 10)]
    count: Option<usize>,
}

impl FromQuery for PreviewJob {
    fn from_query(fields: &mut QueryFields<'_>) -> Self {
        Self { count: fields.number("count", 1..=1000) }
    }
}

/// Preview a job's next slots
///
/// From now on, whether its schedule fires at present or not; fewer than asked for when it expires.
#[utoipa::path(
    tag = "Jobs",
    params(("jobId" = Uuid, Path, description = "The job."), PreviewJob),
    responses((status = 200, description = "The slots, soonest first, as RFC 3339 in UTC.", body = Vec<String>)),
)]
#[get("/jobs/{jobId}/preview")]
pub(crate) async fn preview_job(
    caller: Authorized<perm::JobsRead>,
    state: web::Data<ApiState>,
    id: Id<JobId>,
    query: Query<PreviewJob>,
) -> Result<HttpResponse, ApiError> {
    let count = query.0.count.unwrap_or(10);
    let slots: Vec<Timestamp> = state.services.jobs.preview(caller.tenant.id, id.0, count).await?;
    Ok(HttpResponse::Ok().json(slots))
}
