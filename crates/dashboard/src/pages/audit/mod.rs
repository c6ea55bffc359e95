//! `/audit`: who changed what, from where, and how it ended.

mod line;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, ServiceConfig};
use askama::Template;
use horarium_domain::store::AuditFilter;
use horarium_domain::{AuditId, Timestamp};
use horarium_scheduler_engine::service::AuditPage;
use serde::Deserialize;

use crate::view::{Address, Layout, Pager, Section, time};
use crate::web::{PageError, Visit, page, perm};
use line::Line;

const ADDRESS: &str = "/audit";

/// How many entries a page shows.
const LINES: usize = 50;

/// What the address asks for, as it was typed in.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Wanted {
    actor: String,
    action: String,
    target: String,
    since: String,
    until: String,
    before: String,
}

/// What is wrong with each field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Problems {
    since: Option<String>,
    until: Option<String>,
    before: Option<String>,
}

#[derive(Template)]
#[template(path = "audit/page.html")]
struct AuditLog {
    layout: Layout,
    wanted: Wanted,
    since: String,
    until: String,
    problems: Problems,
    is_filtered: bool,
    /// The actions of the entries that are shown, to choose from.
    actions: Vec<String>,
    lines: Vec<Line>,
    pager: Pager,
}

pub(crate) fn configure(cfg: &mut ServiceConfig) {
    cfg.route(ADDRESS, web::get().to(show));
}

async fn show(visit: Visit<perm::AuditRead>, wanted: web::Query<Wanted>) -> Result<HttpResponse, PageError> {
    let wanted = wanted.into_inner();
    let (filter, before, problems) = wanted.read();
    let (status, found) = if problems == Problems::default() {
        (StatusCode::OK, visit.services().audit.list(visit.tenant.id, &filter, before, LINES).await?)
    } else {
        (StatusCode::BAD_REQUEST, AuditPage { items: Vec::new(), next: None })
    };
    let mut actions: Vec<String> = found.items.iter().map(|entry| entry.action.clone()).collect();
    actions.sort_unstable();
    actions.dedup();
    let model = AuditLog {
        layout: visit.layout("Audit", Some(Section::Audit)),
        since: time::field_or(filter.since, &wanted.since),
        until: time::field_or(filter.until, &wanted.until),
        is_filtered: filter != AuditFilter::default() || problems != Problems::default(),
        actions,
        lines: found.items.iter().map(|entry| Line::of(entry, &visit, &wanted)).collect(),
        pager: Pager::of_history(
            format!("{} shown", found.items.len()),
            before.map(|_| wanted.address(None)),
            found.next.map(|next| wanted.address(Some(next))),
        ),
        wanted,
        problems,
    };
    page(status, &model)
}

impl Wanted {
    /// What it asks for, from which entry on, and what of it makes no sense.
    fn read(&self) -> (AuditFilter, Option<AuditId>, Problems) {
        let mut problems = Problems::default();
        let filter = AuditFilter {
            actor: given(&self.actor),
            action: given(&self.action),
            target: given(&self.target),
            since: instant(&self.since, &mut problems.since),
            until: instant(&self.until, &mut problems.until),
        };
        let before = self.before.trim();
        let from = before.parse().ok();
        if from.is_none() && !before.is_empty() {
            problems.before = Some("The address names no place in the log.".to_owned());
        }
        (filter, from, problems)
    }

    /// The page with these filters, from an entry on.
    fn address(&self, before: Option<AuditId>) -> String {
        let before = before.map(|id| id.to_string()).unwrap_or_default();
        Address::new(ADDRESS)
            .with("actor", self.actor.trim())
            .with("action", self.action.trim())
            .with("target", self.target.trim())
            .with("since", self.since.trim())
            .with("until", self.until.trim())
            .with("before", &before)
            .to_string()
    }

    /// The newest of what these filters show, with one of them changed.
    fn with(&self, change: impl FnOnce(&mut Self)) -> String {
        let mut changed = self.clone();
        change(&mut changed);
        changed.address(None)
    }
}

/// A filter that says something. No id and no name holds a control character, and not every database can look for one.
fn given(text: &str) -> Option<String> {
    let text: String = text.trim().chars().filter(|c| !c.is_control()).collect();
    (!text.is_empty()).then_some(text)
}

/// The instant that a field says, if any; what is wrong with it is noted.
fn instant(text: &str, problem: &mut Option<String>) -> Option<Timestamp> {
    let text = text.trim();
    if text.is_empty() {
        return None;
    }
    let read = time::instant(text);
    if read.is_none() {
        *problem = Some(format!("'{text}' is no date and time, such as 2025-07-10T14:50:00Z."));
    }
    read
}
