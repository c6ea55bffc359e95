//! `/agents/{hostname}`: one agent, and what it works on.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web;
use askama::Template;
use horarium_auth::Permission;
use horarium_domain::Timestamp;
use horarium_domain::agent::{Agent, AgentState, AgentTiming, HeldTask};

use super::{address, labels};
use crate::view::{Ago, At, Badge, Layout, Missing, Section, Took};
use crate::web::{PageError, Visit, page, perm};

#[derive(Template)]
#[template(path = "agents/detail.html")]
struct AgentPage {
    layout: Layout,
    hostname: String,
    address: String,
    state: Badge,
    sentence: String,
    is_drained: bool,
    can_manage: bool,
    can_read_executions: bool,
    last_seen: Ago,
    registered: At,
    version: String,
    labels: Vec<String>,
    operations: Vec<String>,
    held: Result<Vec<HeldLine>, Missing>,
    facts: Vec<Fact>,
}

struct HeldLine {
    operation: String,
    execution: String,
    attempt: u16,
    since: Ago,
    took: Took,
}

struct Fact {
    name: String,
    value: String,
    /// Whether it is more than a word.
    is_nested: bool,
}

pub(super) async fn show(
    visit: Visit<perm::AgentsRead>,
    hostname: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let agents = &visit.services().agents;
    let agent = agents.get(visit.tenant.id, &hostname).await?;
    let held = agents.held(visit.tenant.id, std::slice::from_ref(&agent.hostname)).await;
    let (state, now) = (agents.state(&agent), visit.now());
    let model = AgentPage {
        layout: visit.layout(format!("{} · Agent", agent.hostname), Some(Section::Agents)),
        address: address(&agent.hostname),
        state: Badge::agent(state),
        sentence: sentence(&agent, state, agents.timing()),
        is_drained: agent.draining,
        can_manage: visit.can(Permission::AgentsManage),
        can_read_executions: visit.can(Permission::ExecutionsRead),
        last_seen: Ago { at: Some(agent.last_seen_at), now },
        registered: At(Some(agent.registered_at)),
        labels: labels(&agent),
        held: visit.part("what runs here", held).map(|held| held.iter().map(|task| held_line(task, now)).collect()),
        facts: facts(&agent),
        version: agent.version,
        operations: agent.operations,
        hostname: agent.hostname,
    };
    page(StatusCode::OK, &model)
}

/// What its standing means.
fn sentence(agent: &Agent, state: AgentState, timing: AgentTiming) -> String {
    match state {
        AgentState::Alive => "It takes work.".to_owned(),
        AgentState::Draining if agent.draining => {
            "It finishes what it has and takes no more, until somebody lets it work again.".to_owned()
        }
        AgentState::Draining => "It shuts down: it finishes what it has and takes no more.".to_owned(),
        AgentState::Gone if agent.leaving => "It has shut down.".to_owned(),
        AgentState::Gone => {
            format!("Nothing was heard of it for more than {} s.", timing.alive.as_secs())
        }
    }
}

fn held_line(task: &HeldTask, now: Timestamp) -> HeldLine {
    HeldLine {
        operation: task.operation.clone(),
        execution: task.execution_id.to_string(),
        attempt: task.attempt,
        since: Ago { at: Some(task.leased_at), now },
        took: Took(Some(now.since(task.leased_at))),
    }
}

/// What the agent told of its host: words as they are, the rest as JSON.
fn facts(agent: &Agent) -> Vec<Fact> {
    let told = agent.facts.iter().map(|(name, value)| {
        let is_nested = value.is_object() || value.is_array();
        let value = value.as_str().map_or_else(|| format!("{value:#}"), str::to_owned);
        Fact { name: name.clone(), value, is_nested }
    });
    told.collect()
}
