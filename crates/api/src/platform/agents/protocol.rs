//! What agents call.

use std::collections::BTreeMap;
use std::time::Duration;

use actix_web::{HttpResponse, post, web};
use horarium_domain::AgentId;
use horarium_domain::agent::protocol::{
    HeartbeatRequest, LeaseRequest, LeasedTask, RegisterRequest, RegisterResponse, Report, ReportResult, ReportStatus,
};
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::{ApiError, ArrayBody, AuditHandle, Authorized, Body, Id, OptionalBody, perm};
use crate::state::ApiState;

/// How much sooner than a request's time is over a waiting call is answered.
const MARGIN: Duration = Duration::from_secs(5);

/// An agent introduces itself. The type of these fields is the domain's; this one, and the next three, describe it.
#[derive(ToSchema)]
#[schema(example = json!({
    "hostname": "web-1",
    "labels": {"group": "web.dev"},
    "operations": ["node.uptime.get"],
    "version": "1.0.0",
    "facts": {"os": "linux"}
}))]
#[allow(dead_code)] // for the document alone
struct AgentRegistration {
    /// The host that it works on.
    #[schema(max_length = 253, pattern = "^[A-Za-z0-9.-][A-Za-z0-9._-]*$")]
    hostname: String,
    /// What the host is, for `key:value` targets.
    #[schema(required = false)]
    labels: BTreeMap<String, String>,
    /// What it can do.
    operations: Vec<String>,
    /// The version of its program.
    #[schema(required = false)]
    version: String,
    /// What else is worth knowing of the host.
    #[schema(required = false, value_type = Object)]
    facts: Value,
}

/// How much work, and how long to wait for it.
#[derive(ToSchema)]
#[schema(example = json!({"max": 1, "wait_seconds": 0}))]
#[allow(dead_code)] // as above
struct AgentLeaseRequest {
    /// How many tasks, at least 1; more than 100 means 100.
    #[schema(required = false, default = 1, minimum = 1)]
    max: u32,
    /// How long to wait for the first, in seconds; more than 60 means 60, and the server may answer sooner.
    #[schema(required = false, default = 0)]
    wait_seconds: u32,
}

/// What became of one task.
#[derive(ToSchema)]
#[schema(example = json!({
    "lease_token": "0197f3a1b2c37d4e8f90123456789abc.1",
    "outcome": "completed",
    "data": {"uptime_seconds": 86400},
    "changed": false
}))]
#[allow(dead_code)] // as above
struct AgentReport {
    /// The token of the lease.
    lease_token: String,
    /// `completed`, `failed`, `skipped`, `cancelled` or `released`.
    outcome: String,
    /// What the operation gave.
    #[schema(required = false)]
    data: Value,
    /// Whether it changed anything on the host.
    changed: Option<bool>,
    /// Why it did not work.
    error: Option<String>,
    /// Whether another attempt may help.
    #[schema(required = false, default = true)]
    retryable: bool,
    /// How long it took.
    duration_ms: Option<u64>,
}

/// A sign of life, and what the agent works on.
#[derive(ToSchema)]
#[schema(example = json!({"running": []}))]
#[allow(dead_code)] // as above
struct AgentHeartbeat {
    /// The tokens of what it works on.
    #[schema(required = false)]
    running: Vec<String>,
    /// Whether it is shutting down.
    #[schema(required = false, default = false)]
    leaving: bool,
}

/// Register an agent
///
/// Under a hostname of its own. Whoever registers under it again is the same agent.
#[utoipa::path(
    tag = "Agent protocol",
    request_body = AgentRegistration,
    responses((
        status = 200,
        description = "`agent_id`, `heartbeat_seconds` and `lease_seconds`.",
        body = Object,
    )),
)]
#[post("/agents/register")]
pub(super) async fn register_agent(
    caller: Authorized<perm::AgentsLease>,
    state: web::Data<ApiState>,
    audit: AuditHandle,
    body: Body<RegisterRequest>,
) -> Result<HttpResponse, ApiError> {
    let agents = &state.services.agents;
    let agent = agents.register(caller.tenant.id, body.0).await?;
    audit.made("agent", agent.id.to_string());
    let (timing, seconds) = (agents.timing(), |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX));
    Ok(HttpResponse::Ok().json(RegisterResponse {
        agent_id: agent.id,
        heartbeat_seconds: seconds(timing.heartbeat),
        lease_seconds: seconds(timing.lease),
    }))
}

/// Lease tasks
///
/// Waits for the first one, as long as asked; an empty list says that there was none. Waiting is a sign of life. A call
/// that waits when the agent registers again or leaves is given nothing any more.
#[utoipa::path(
    tag = "Agent protocol",
    params(("agentId" = Uuid, Path, description = "The agent.")),
    request_body = AgentLeaseRequest,
    responses((status = 200, description = "The tasks, each with the token of its lease.", body = Vec<Object>)),
)]
#[post("/agents/{agentId}/lease")]
pub(super) async fn lease_tasks(
    caller: Authorized<perm::AgentsLease>,
    state: web::Data<ApiState>,
    id: Id<AgentId>,
    body: OptionalBody<LeaseRequest>,
) -> Result<HttpResponse, ApiError> {
    let request = body.0.unwrap_or(LeaseRequest { max: 1, wait_seconds: 0 });
    let wait = Duration::from_secs(u64::from(request.wait_seconds));
    let wait = wait.min(state.config.request_timeout.saturating_sub(MARGIN));
    let leased: Vec<LeasedTask> = tokio::select! {
        // A lease that was made is always handed out; only the wait is broken off.
        biased;
        leased = state.services.agents.lease(caller.tenant.id, id.0, request.max, wait) => leased?.take(),
        () = state.shutdown.cancelled() => Vec::new(),
    };
    Ok(HttpResponse::Ok().json(leased))
}

/// Report tasks
///
/// Each is recorded or refused by itself. A report whose lease is over is refused as `stale`.
#[utoipa::path(
    tag = "Agent protocol",
    params(("agentId" = Uuid, Path, description = "The agent.")),
    request_body = Vec<AgentReport>,
    responses((status = 200, description = "What became of each report, in their order.", body = Vec<Object>)),
)]
#[post("/agents/{agentId}/report")]
pub(super) async fn report_tasks(
    caller: Authorized<perm::AgentsLease>,
    state: web::Data<ApiState>,
    id: Id<AgentId>,
    body: ArrayBody,
) -> Result<HttpResponse, ApiError> {
    let reports = body.0.into_iter().map(read_report).collect();
    let results = state.services.agents.report(caller.tenant.id, id.0, reports).await?;
    Ok(HttpResponse::Ok().json(results))
}

/// A report, or what to answer to it when it cannot be read: the others of its batch stand.
fn read_report(value: Value) -> Result<Report, ReportResult> {
    let lease_token = value.get("lease_token").and_then(Value::as_str).unwrap_or_default().to_owned();
    let unreadable = |error: String| ReportResult { lease_token, status: ReportStatus::Invalid, error: Some(error) };
    if !value.is_object() {
        return Err(unreadable("a report is an object".to_owned()));
    }
    serde_json::from_value(value).map_err(|error| unreadable(error.to_string()))
}

/// Say that an agent is alive
///
/// Extends the leases of what it works on, and tells which of that is to be stopped.
#[utoipa::path(
    tag = "Agent protocol",
    params(("agentId" = Uuid, Path, description = "The agent.")),
    request_body = AgentHeartbeat,
    responses((status = 200, description = "`stop`: the tokens of what is to be stopped.", body = Object)),
)]
#[post("/agents/{agentId}/heartbeat")]
pub(super) async fn send_heartbeat(
    caller: Authorized<perm::AgentsLease>,
    state: web::Data<ApiState>,
    id: Id<AgentId>,
    body: OptionalBody<HeartbeatRequest>,
) -> Result<HttpResponse, ApiError> {
    let heartbeat = body.0.unwrap_or_default();
    let answer = state.services.agents.heartbeat(caller.tenant.id, id.0, heartbeat).await?;
    Ok(HttpResponse::Ok().json(answer))
}
