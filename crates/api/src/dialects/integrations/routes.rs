//! The routes, below `/api/integrations/jobs`.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, get, routes, web};
use horarium_domain::ExecutionId;
use horarium_domain::execution::ExecutionState;
use horarium_scheduler_engine::service::{IntegrationFilter, IntegrationInput};
use utoipa::IntoParams;
use utoipa_actix_web::scope;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use super::dto::{
    IntegrationJobPage, IntegrationMetricsDto, IntegrationStatus, SubmitIntegrationJobRequest,
    SubmittedIntegrationJobDto,
};
use super::error;
use super::map::STATUSES;
use super::request::OwnOrganization;
use crate::http::{ApiError, AuditHandle, Authorized, Body, FromQuery, Query, QueryFields, perm};
use crate::state::ApiState;

/// Registers the routes.
pub(crate) fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(
        scope::scope("/jobs")
            .service(get_integration_metrics)
            .service(list_integration_jobs)
            .service(submit_integration_job),
    );
}

/// Read the metrics and the health of the job runner
///
/// They come from counters and the queue: reading them costs the same whatever the history.
#[utoipa::path(
    tag = "Integrations",
    responses((status = 200, description = "The state of the organization's jobs.", body = IntegrationMetricsDto)),
)]
#[get("/metrics")]
pub(crate) async fn get_integration_metrics(
    caller: Authorized<perm::IntegrationsRead>,
    _: OwnOrganization,
    state: web::Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let metrics = state.services.integrations.metrics(caller.tenant.id, &state.config.integration_health).await?;
    Ok(HttpResponse::Ok().json(IntegrationMetricsDto::from(metrics)))
}

/// What `GET /` reads from its query.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
struct ListIntegrationJobs {
    /// Only in this state.
    #[param(value_type = Option<IntegrationStatus>)]
    status: Option<ExecutionState>,
    /// Only of this kind.
    kind: Option<String>,
    /// `nextCursor` of the page before.
    #[param(value_type = Option<String>, format = Uuid)]
    cursor: Option<Uuid>,
    /// Jobs per page.
    #[param(minimum = 1, maximum = 200, default = 50)]
    limit: Option<usize>,
}

impl FromQuery for ListIntegrationJobs {
    fn from_query(fields: &mut QueryFields<'_>) -> Self {
        Self {
            status: fields.one_of("status", STATUSES),
            kind: fields.text("kind"),
            cursor: fields.uuid("cursor"),
            limit: fields.number("limit", 1..=200),
        }
    }
}

/// List the jobs behind the counts
#[utoipa::path(
    tag = "Integrations",
    params(ListIntegrationJobs),
    responses((status = 200, description = "One page, newest first.", body = IntegrationJobPage)),
)]
#[routes]
#[get("")]
#[get("/")]
pub(crate) async fn list_integration_jobs(
    caller: Authorized<perm::IntegrationsRead>,
    _: OwnOrganization,
    state: web::Data<ApiState>,
    query: Query<ListIntegrationJobs>,
) -> Result<HttpResponse, ApiError> {
    let ListIntegrationJobs { status, kind, cursor, limit } = query.0;
    let filter = IntegrationFilter { kind, state: status };
    let before = cursor.map(ExecutionId::from_uuid);
    let page = state.services.integrations.list(caller.tenant.id, filter, before, limit.unwrap_or(50)).await?;
    Ok(HttpResponse::Ok().json(IntegrationJobPage::from(page)))
}

/// Submit a job
///
/// Unless its kind says otherwise it is tried five times: again after 2 minutes, then after twice as long each time, up
/// to an hour.
#[utoipa::path(
    tag = "Integrations",
    request_body = SubmitIntegrationJobRequest,
    responses(
        (status = 202, description = "It was accepted; it is durable.", body = SubmittedIntegrationJobDto),
        (
            status = 200,
            description = "A job of the same kind and `dedupeKey` waits or runs already; this is it.",
            body = SubmittedIntegrationJobDto,
        ),
        (status = 404, description = "There is no integration job of that kind."),
        (status = 429, description = "Its queue is full, or the tenant sends more requests than it may."),
    ),
)]
#[routes]
#[post("")]
#[post("/")]
pub(crate) async fn submit_integration_job(
    caller: Authorized<perm::IntegrationsWrite>,
    _: OwnOrganization,
    state: web::Data<ApiState>,
    audit: AuditHandle,
    body: Body<SubmitIntegrationJobRequest>,
) -> Result<HttpResponse, ApiError> {
    let SubmitIntegrationJobRequest { kind, payload, dedupe_key, run_at, max_attempts } = body.0;
    let input = IntegrationInput { payload, run_at, unique_key: dedupe_key, max_attempts };
    let actor = audit.submitting(&caller.actor, StatusCode::ACCEPTED);
    let submitted = state.services.integrations.submit(&actor, &kind, input).await;
    let (admission, status) = submitted.map_err(|failure| error::submission(failure, &kind))?;
    let body = SubmittedIntegrationJobDto { id: admission.id.as_uuid(), status: status.into() };
    if admission.is_duplicate {
        return Ok(HttpResponse::Ok().json(body));
    }
    Ok(HttpResponse::Accepted().json(body))
}
