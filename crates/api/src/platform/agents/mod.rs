//! Agents: what an operator sees of them, and the protocol that they speak (docs/agent-protocol.md).

mod protocol;

use actix_web::{HttpResponse, delete, get, post, web};
use horarium_domain::Timestamp;
use horarium_domain::agent::Agent;
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;
use uuid::Uuid;

use crate::http::{ApiError, Authorized, ByName, Name, Query, perm};
use crate::state::ApiState;

/// Registers the routes.
pub(super) fn configure(cfg: &mut ServiceConfig<'_>) {
    // What has a fixed name comes before what has a name in the same place.
    cfg.service(protocol::register_agent)
        .service(protocol::lease_tasks)
        .service(protocol::report_tasks)
        .service(protocol::send_heartbeat)
        .service(list_agents)
        .service(get_agent)
        .service(delete_agent)
        .service(drain_agent)
        .service(undrain_agent);
}

/// An agent.
#[derive(Debug, Serialize, ToSchema)]
struct AgentDto {
    /// Its id.
    id: Uuid,
    /// The host that it works on.
    hostname: String,
    /// `alive`, `draining` (it finishes what it has and takes no more) or `gone` (nothing is heard of it).
    state: &'static str,
    /// What the host is, for `key:value` targets.
    labels: BTreeMap<String, String>,
    /// What it can do.
    operations: Vec<String>,
    /// The version of its program.
    version: String,
    /// What else it told of its host.
    #[schema(value_type = Object)]
    facts: Map<String, Value>,
    /// When it first registered.
    #[schema(value_type = String, format = DateTime)]
    registered_at: Timestamp,
    /// When it was last heard of.
    #[schema(value_type = String, format = DateTime)]
    last_seen_at: Timestamp,
}

/// One page of the agents of a tenant.
#[derive(Debug, Serialize, ToSchema)]
struct AgentList {
    /// By hostname.
    items: Vec<AgentDto>,
    /// What to send as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
}

fn dto(state: &ApiState, agent: Agent) -> AgentDto {
    AgentDto {
        state: state.services.agents.state(&agent).as_str(),
        id: agent.id.as_uuid(),
        hostname: agent.hostname,
        labels: agent.labels,
        operations: agent.operations,
        version: agent.version,
        facts: agent.facts,
        registered_at: agent.registered_at,
        last_seen_at: agent.last_seen_at,
    }
}

/// List agents
#[utoipa::path(
    tag = "Agents",
    params(ByName),
    responses((
        status = 200,
        description = "One page of the agents of the tenant, also of those that are gone.",
        body = AgentList,
    )),
)]
#[get("/agents")]
async fn list_agents(
    caller: Authorized<perm::AgentsRead>,
    state: web::Data<ApiState>,
    query: Query<ByName>,
) -> Result<HttpResponse, ApiError> {
    let ByName { cursor, limit } = query.0;
    let page = state.services.agents.list(caller.tenant.id, cursor.as_deref(), limit).await?;
    let items = page.items.into_iter().map(|agent| dto(&state, agent)).collect();
    Ok(HttpResponse::Ok().json(AgentList { items, next_cursor: page.next }))
}

/// Read an agent
#[utoipa::path(
    tag = "Agents",
    params(("hostname" = String, Path, description = "Its hostname.")),
    responses((status = 200, description = "The agent.", body = AgentDto)),
)]
#[get("/agents/{hostname}")]
async fn get_agent(
    caller: Authorized<perm::AgentsRead>,
    state: web::Data<ApiState>,
    hostname: Name,
) -> Result<HttpResponse, ApiError> {
    let agent = state.services.agents.get(caller.tenant.id, &hostname.0).await?;
    Ok(HttpResponse::Ok().json(dto(&state, agent)))
}

/// Forget an agent
///
/// One that lives registers again; to keep it from working, drain it or revoke its credential.
#[utoipa::path(
    tag = "Agents",
    params(("hostname" = String, Path, description = "Its hostname.")),
    responses((status = 204, description = "It is forgotten.")),
)]
#[delete("/agents/{hostname}")]
async fn delete_agent(
    caller: Authorized<perm::AgentsManage>,
    state: web::Data<ApiState>,
    hostname: Name,
) -> Result<HttpResponse, ApiError> {
    state.services.agents.delete(caller.tenant.id, &hostname.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Drain an agent
///
/// It finishes what it has and takes no more, until it is undrained.
#[utoipa::path(
    tag = "Agents",
    params(("hostname" = String, Path, description = "Its hostname.")),
    responses((status = 200, description = "The agent as it is now.", body = AgentDto)),
)]
#[post("/agents/{hostname}/drain")]
async fn drain_agent(
    caller: Authorized<perm::AgentsManage>,
    state: web::Data<ApiState>,
    hostname: Name,
) -> Result<HttpResponse, ApiError> {
    let agent = state.services.agents.drain(caller.tenant.id, &hostname.0, true).await?;
    Ok(HttpResponse::Ok().json(dto(&state, agent)))
}

/// Let an agent work again
#[utoipa::path(
    tag = "Agents",
    params(("hostname" = String, Path, description = "Its hostname.")),
    responses((status = 200, description = "The agent as it is now.", body = AgentDto)),
)]
#[post("/agents/{hostname}/undrain")]
async fn undrain_agent(
    caller: Authorized<perm::AgentsManage>,
    state: web::Data<ApiState>,
    hostname: Name,
) -> Result<HttpResponse, ApiError> {
    let agent = state.services.agents.drain(caller.tenant.id, &hostname.0, false).await?;
    Ok(HttpResponse::Ok().json(dto(&state, agent)))
}
