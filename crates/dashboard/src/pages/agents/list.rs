//! `/agents`: all of them, by hostname.

use std::collections::HashMap;

use actix_web::http::StatusCode;
use actix_web::web;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;
use horarium_auth::Permission;
use horarium_domain::agent::{Agent, AgentState, HeldTask, check_hostname};
use horarium_domain::page::NamedPage;
use horarium_scheduler_engine::ServiceError;
use horarium_scheduler_engine::service::AgentService;
use serde::Deserialize;

use super::{ADDRESS, address, labels};
use crate::view::{Ago, Badge, Layout, Missing, Pager, Section, count};
use crate::web::{LocalPath, PageError, Site, Visit, page, perm, redirect};

/// How many agents a page shows.
const LINES: usize = 50;

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    /// The hostname after which the list begins.
    after: Option<String>,
    /// A hostname, or how it begins.
    name: Option<String>,
}

#[derive(Template)]
#[template(path = "agents/list.html")]
struct AgentsPage {
    layout: Layout,
    tally: String,
    /// Whether the list begins with the first.
    is_from_first: bool,
    lines: Vec<Line>,
    /// What could not be read of what runs on them.
    missing: Option<Missing>,
    /// What was asked for and can be no hostname.
    strange: Option<String>,
    can_make_key: bool,
    pager: Pager,
}

struct Line {
    hostname: String,
    state: Badge,
    running: String,
    labels: Vec<String>,
    operations: Vec<String>,
    version: String,
    last_seen: Ago,
}

pub(super) async fn show(
    visit: Visit<perm::AgentsRead>,
    wanted: web::Query<Wanted>,
    request: HttpRequest,
) -> Result<HttpResponse, PageError> {
    let Wanted { after, name } = wanted.into_inner();
    let agents = &visit.services().agents;
    let name = name.as_deref().map(str::trim).filter(|name| !name.is_empty());
    if let Some(name) = name {
        match agents.get(visit.tenant.id, name).await {
            Ok(agent) => {
                let site = Site::of(visit.dashboard(), &request);
                return Ok(redirect(&LocalPath::own(address(&agent.hostname)), None, site));
            }
            Err(ServiceError::NotFound(_)) => {}
            Err(error) => return Err(error.into()),
        }
    }
    // How hostnames begin leads to where they are in the list.
    let after = name.map(str::to_owned).or(after);
    let strange = after.clone().filter(|name| check_hostname(name).is_err());
    let (status, found) = match &strange {
        Some(_) => (StatusCode::BAD_REQUEST, NamedPage { items: Vec::new(), next: None }),
        None => (StatusCode::OK, agents.list(visit.tenant.id, after.as_deref(), LINES).await?),
    };
    let hostnames: Vec<String> = found.items.iter().map(|agent| agent.hostname.clone()).collect();
    let held = visit.part("what runs on them", agents.held(visit.tenant.id, &hostnames).await);
    let running = held.as_ref().map(|held| Running::of(held));
    let now = visit.now();
    let line = |agent: &Agent| Line {
        state: Badge::agent(agents.state(agent)),
        running: running.as_ref().map_or_else(|_| "–".to_owned(), |running| running.on(&agent.hostname)),
        labels: labels(agent),
        operations: agent.operations.clone(),
        version: agent.version.clone(),
        last_seen: Ago { at: Some(agent.last_seen_at), now },
        hostname: agent.hostname.clone(),
    };
    let is_all = after.is_none() && found.next.is_none();
    let model = AgentsPage {
        layout: visit.layout("Agents", Some(Section::Agents)),
        tally: tally(found.items.iter().map(|agent| agents.state(agent)), is_all),
        lines: found.items.iter().map(line).collect(),
        is_from_first: after.is_none(),
        missing: held.as_ref().err().cloned(),
        strange,
        can_make_key: visit.can(Permission::KeysManage),
        pager: Pager::by_name(
            format!("{} shown", found.items.len()),
            after.map(|_| ADDRESS.to_owned()),
            found.next.map(|next| format!("{ADDRESS}?after={next}")),
        ),
    };
    page(status, &model)
}

/// How many tasks each host has.
struct Running<'a> {
    by_host: HashMap<&'a str, u64>,
    /// Whether there are more than were looked at.
    is_capped: bool,
}

impl<'a> Running<'a> {
    fn of(held: &'a [HeldTask]) -> Self {
        let mut by_host = HashMap::<&str, u64>::new();
        for task in held {
            *by_host.entry(&task.hostname).or_default() += 1;
        }
        Self { by_host, is_capped: held.len() >= AgentService::MAX_HELD }
    }

    fn on(&self, hostname: &str) -> String {
        let more = if self.is_capped { "+" } else { "" };
        format!("{}{more}", count(self.by_host.get(hostname).copied().unwrap_or_default()))
    }
}

/// How many stand how, in a few words.
fn tally(states: impl Iterator<Item = AgentState>, is_all: bool) -> String {
    let (mut alive, mut draining, mut gone) = (0, 0, 0);
    for state in states {
        match state {
            AgentState::Alive => alive += 1,
            AgentState::Draining => draining += 1,
            AgentState::Gone => gone += 1,
        }
    }
    let of = if is_all { "" } else { " on this page" };
    format!("{alive} alive, {draining} draining, {gone} gone{of}")
}
