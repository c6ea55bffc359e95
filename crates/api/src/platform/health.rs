//! Whether the process lives, and whether jobs can run on it.

use actix_web::{HttpResponse, get, web};
use horarium_domain::Timestamp;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::state::{ApiState, Check};

/// How things stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
enum HealthStatus {
    /// All is well.
    Ok,
    /// Jobs cannot run; `checks` say why.
    Unavailable,
}

/// The process answers.
#[derive(Debug, Serialize, ToSchema)]
struct Liveness {
    /// Always `ok`: a process that does not live does not answer.
    status: HealthStatus,
}

/// One thing that must be well for jobs to run.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct HealthCheck {
    /// What.
    name: &'static str,
    /// Whether it is well.
    ok: bool,
    /// What is wrong with it.
    problem: Option<String>,
}

/// Whether jobs can run.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ReadinessReport {
    /// In one word.
    status: HealthStatus,
    /// Thing by thing.
    checks: Vec<HealthCheck>,
}

/// Everything about the process.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct Health {
    /// Whether jobs can run, in one word.
    status: HealthStatus,
    /// The program's version.
    version: &'static str,
    /// This process; another after every start.
    node_id: Uuid,
    /// Its name, as executions show it.
    node: String,
    /// When it started.
    #[schema(value_type = String, format = DateTime)]
    started_at: Timestamp,
    /// Seconds since then.
    uptime_seconds: u64,
    /// Thing by thing.
    checks: Vec<HealthCheck>,
}

impl From<Check> for HealthCheck {
    fn from(check: Check) -> Self {
        Self { name: check.name, ok: check.problem.is_none(), problem: check.problem }
    }
}

async fn report(state: &ApiState) -> ReadinessReport {
    let checks: Vec<HealthCheck> = state.readiness.check().await.into_iter().map(HealthCheck::from).collect();
    let status = if checks.iter().all(|check| check.ok) { HealthStatus::Ok } else { HealthStatus::Unavailable };
    ReadinessReport { status, checks }
}

fn respond<T: Serialize>(status: HealthStatus, body: T) -> HttpResponse {
    match status {
        HealthStatus::Ok => HttpResponse::Ok().json(body),
        HealthStatus::Unavailable => HttpResponse::ServiceUnavailable().json(body),
    }
}

/// Ask whether the process lives
#[utoipa::path(
    tag = "Health",
    security(()),
    responses((status = 200, description = "It does.", body = Liveness)),
)]
#[get("/health/live")]
pub(super) async fn get_liveness() -> HttpResponse {
    HttpResponse::Ok().json(Liveness { status: HealthStatus::Ok })
}

/// Ask whether jobs can run
#[utoipa::path(
    tag = "Health",
    security(()),
    responses(
        (status = 200, description = "They can.", body = ReadinessReport),
        (status = 503, description = "They cannot; the checks say why.", body = ReadinessReport),
    ),
)]
#[get("/health/ready")]
pub(super) async fn get_readiness(state: web::Data<ApiState>) -> HttpResponse {
    let report = report(&state).await;
    respond(report.status, report)
}

/// Ask how the process is
#[utoipa::path(
    tag = "Health",
    security(()),
    responses(
        (status = 200, description = "Jobs can run.", body = Health),
        (status = 503, description = "Jobs cannot run; the checks say why.", body = Health),
    ),
)]
#[get("/health")]
pub(super) async fn get_health(state: web::Data<ApiState>) -> HttpResponse {
    let ReadinessReport { status, checks } = report(&state).await;
    let about = &state.about;
    let health = Health {
        status,
        version: about.version,
        node_id: about.node.as_uuid(),
        node: about.node_name.clone(),
        started_at: about.started_at,
        uptime_seconds: state.core.now().since(about.started_at).as_secs(),
        checks,
    };
    respond(status, health)
}
