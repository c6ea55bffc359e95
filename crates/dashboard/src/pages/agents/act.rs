//! Draining an agent, letting it work again, and forgetting it.

use actix_web::HttpResponse;
use actix_web::web;
use horarium_domain::agent::{AgentState, check_hostname};
use horarium_domain::audit::AuditTarget;

use super::{ADDRESS, address};
use crate::pages::confirm::Confirmation;
use crate::view::{Section, count};
use crate::web::{Flash, PageError, Visit, perm};

type Manager = Visit<perm::AgentsManage>;

pub(super) async fn ask_to_drain(visit: Manager, hostname: web::Path<String>) -> Result<HttpResponse, PageError> {
    let agents = &visit.services().agents;
    let agent = agents.get(visit.tenant.id, &hostname).await?;
    let back = address(&agent.hostname);
    if agent.draining {
        return Ok(visit.go(back, &Flash::note(format!("{} is draining already.", agent.hostname))));
    }
    let held = agents.held(visit.tenant.id, std::slice::from_ref(&agent.hostname)).await?.len() as u64;
    let finishes = match held {
        0 => "It works on nothing now, and takes".to_owned(),
        1 => "It finishes its 1 task, and takes".to_owned(),
        held => format!("It finishes its {} tasks, and takes", count(held)),
    };
    let question = Confirmation {
        layout: visit.layout(format!("Drain {}", agent.hostname), Some(Section::Agents)),
        question: format!("Drain {}?", agent.hostname),
        consequences: vec![
            format!("{finishes} no more, also after it was started again, until somebody lets it work again."),
            "Broadcasts leave it out meanwhile.".to_owned(),
        ],
        action: format!("{back}/drain"),
        fields: Vec::new(),
        verb: "Drain it".to_owned(),
        back,
    };
    question.show()
}

pub(super) async fn drain(visit: Manager, hostname: web::Path<String>) -> Result<HttpResponse, PageError> {
    visit.does("drain_agent", Some(target(&hostname, true)?));
    let agent = visit.services().agents.drain(visit.tenant.id, &hostname, true).await?;
    let done = Flash::done(format!("{} finishes what it has, and takes no more.", agent.hostname));
    Ok(visit.go(address(&agent.hostname), &done))
}

pub(super) async fn undrain(visit: Manager, hostname: web::Path<String>) -> Result<HttpResponse, PageError> {
    visit.does("undrain_agent", Some(target(&hostname, true)?));
    let agent = visit.services().agents.drain(visit.tenant.id, &hostname, false).await?;
    Ok(visit.go(address(&agent.hostname), &Flash::done(format!("{} takes work again.", agent.hostname))))
}

pub(super) async fn ask_to_forget(visit: Manager, hostname: web::Path<String>) -> Result<HttpResponse, PageError> {
    let agents = &visit.services().agents;
    let agent = agents.get(visit.tenant.id, &hostname).await?;
    let comes_back = match agents.state(&agent) {
        AgentState::Alive | AgentState::Draining => {
            "It is alive, so it registers again by itself. To keep it from working, drain it instead."
        }
        AgentState::Gone => "If it comes back, it registers again. That it was drained is forgotten too.",
    };
    let question = Confirmation {
        layout: visit.layout(format!("Forget {}", agent.hostname), Some(Section::Agents)),
        question: format!("Forget {}?", agent.hostname),
        consequences: vec![
            "It leaves the list of agents. What it works on can still be reported.".to_owned(),
            comes_back.to_owned(),
        ],
        action: format!("{}/forget", address(&agent.hostname)),
        fields: Vec::new(),
        verb: "Forget it".to_owned(),
        back: address(&agent.hostname),
    };
    question.show()
}

pub(super) async fn forget(visit: Manager, hostname: web::Path<String>) -> Result<HttpResponse, PageError> {
    visit.does("delete_agent", Some(target(&hostname, false)?));
    visit.services().agents.delete(visit.tenant.id, &hostname).await?;
    Ok(visit.go(ADDRESS, &Flash::done(format!("{} is forgotten.", *hostname))))
}

/// For the audit log: the agent, and whether it is still there afterwards.
fn target(hostname: &str, stays: bool) -> Result<AuditTarget, PageError> {
    check_hostname(hostname).map_err(|_| PageError::not_found("agent"))?;
    let named = Some(hostname.to_owned());
    let after = named.clone().filter(|_| stays);
    Ok(AuditTarget { kind: "agent".to_owned(), before: named, after, ..AuditTarget::default() })
}
