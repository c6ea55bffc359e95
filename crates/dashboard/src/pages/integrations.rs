//! `/settings/integrations`: how well a tenant's integrations are, and what is behind it.

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{self, ServiceConfig};
use askama::Template;
use futures_util::future;
use horarium_auth::{AuthError, Permission};
use horarium_domain::audit::AuditTarget;
use horarium_domain::execution::{ExecutionState, ExecutionSummary};
use horarium_domain::job::LastRun;
use horarium_domain::store::CursorPage;
use horarium_domain::{ExecutionId, Timestamp};
use horarium_scheduler_engine::service::{
    HealthStatus, HealthThresholds, INTEGRATION_GROUP, IntegrationFilter, IntegrationMetrics, IntegrationService,
    wait_in_words,
};
use serde::Deserialize;

use super::confirm::Confirmation;
use super::executions::took;
use crate::view::{Address, Ago, At, Badge, Figure, Layout, Missing, Pager, Section, Tabs, Tone, Took, count};
use crate::web::{Flash, Form, PageError, Visit, page, perm};

const ADDRESS: &str = "/settings/integrations";
const CLEAR: &str = "/settings/integrations/clear";

/// How many executions a page shows.
const LINES: usize = 25;

/// The states by their names in the integrations dialect, which are also those in the address.
const STATES: [(&str, ExecutionState); 5] = [
    ("PENDING", ExecutionState::Pending),
    ("PROCESSING", ExecutionState::Running),
    ("DONE", ExecutionState::Succeeded),
    ("FAILED", ExecutionState::Failed),
    ("CANCELLED", ExecutionState::Cancelled),
];

#[derive(Debug, Deserialize)]
struct Wanted {
    status: Option<String>,
    kind: Option<String>,
    before: Option<String>,
}

/// What the question before failures are deleted was about.
#[derive(Debug, Deserialize)]
struct Seen {
    /// Those that had failed by then, in microseconds: none that nobody has seen.
    failed_by: Option<i64>,
}

#[derive(Template)]
#[template(path = "integrations/page.html")]
struct IntegrationsPage {
    layout: Layout,
    health: Result<Health, Missing>,
    thresholds: String,
    can_clear: bool,
    can_create: bool,
    tabs: Tabs,
    /// The state's name in the address, for the form that asks for a kind.
    state: &'static str,
    kind: String,
    is_filtered: bool,
    /// What is wrong with what the address asks of the list.
    problem: Option<String>,
    list: Result<List, Missing>,
}

/// How well the integrations are.
struct Health {
    status: Badge,
    sentence: &'static str,
    reasons: Vec<String>,
    figures: Vec<Figure>,
    last_run: Option<LastRunLine>,
}

/// What is behind the counts.
struct List {
    lines: Vec<Line>,
    pager: Pager,
}

struct LastRunLine {
    at: At,
    ago: Ago,
    state: Badge,
    took: Took,
}

struct Line {
    id: String,
    state: Badge,
    kind: String,
    at: Ago,
    took: Took,
    attempts: u16,
}

pub(crate) fn configure(cfg: &mut ServiceConfig) {
    cfg.route(ADDRESS, web::get().to(show)).route(CLEAR, web::get().to(ask)).route(CLEAR, web::post().to(clear));
}

async fn show(visit: Visit<perm::IntegrationsRead>, wanted: web::Query<Wanted>) -> Result<HttpResponse, PageError> {
    only_own(&visit)?;
    let kind = wanted.kind.as_deref().unwrap_or_default().trim().to_owned();
    let (state, before, problem) = wanted.read();
    let filter = IntegrationFilter { kind: Some(kind.clone()).filter(|kind| !kind.is_empty()), state };
    let thresholds = &visit.dashboard().config.integration_health;
    let integrations = &visit.services().integrations;
    let list = async {
        match problem {
            Some(_) => Ok(CursorPage { items: Vec::new(), next: None }),
            None => integrations.list(visit.tenant.id, filter, before, LINES).await,
        }
    };
    let (metrics, list) = future::join(integrations.metrics(visit.tenant.id, thresholds), list).await;
    let (metrics, list) = (visit.part("the health", metrics), visit.part("the executions", list));
    let now = visit.now();
    let has_failed = metrics.as_ref().is_ok_and(|metrics| metrics.figures.failed > 0);
    let status = if problem.is_some() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let model = IntegrationsPage {
        layout: visit.layout("Integrations", Some(Section::Settings)),
        health: metrics.map(|metrics| Health::of(&metrics, now)),
        thresholds: limits(thresholds),
        can_clear: has_failed && visit.can(Permission::IntegrationsWrite),
        can_create: visit.can(Permission::JobsWrite),
        tabs: tabs(state, &kind, problem.is_none()),
        state: state.map_or("", name_of),
        is_filtered: state.is_some() || !kind.is_empty() || before.is_some() || problem.is_some(),
        list: list.map(|list| List {
            lines: list.items.iter().map(|execution| line(execution, now)).collect(),
            pager: Pager::of_history(
                format!("{} shown", list.items.len()),
                before.map(|_| address(state, &kind, None)),
                list.next.map(|next| address(state, &kind, Some(next))),
            ),
        }),
        problem,
        kind,
    };
    page(status, &model)
}

impl Wanted {
    /// The state that is asked for, from which execution on, and what of the two makes no sense.
    fn read(&self) -> (Option<ExecutionState>, Option<ExecutionId>, Option<String>) {
        let mut problem = None;
        let name = self.status.as_deref().unwrap_or_default();
        let state = STATES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, state)| *state);
        if state.is_none() && !name.is_empty() {
            let known = STATES.map(|(known, _)| known).join(", ");
            problem = Some(format!("There is no status '{name}'; these are: {known}."));
        }
        let before = self.before.as_deref().unwrap_or_default();
        let from = before.parse().ok();
        if from.is_none() && !before.is_empty() {
            problem = Some("The address names no place in the list.".to_owned());
        }
        (state, from, problem)
    }
}

impl Health {
    fn of(metrics: &IntegrationMetrics, now: Timestamp) -> Self {
        let (status, sentence) = told(metrics.health.status);
        Self {
            status,
            sentence,
            reasons: metrics.health.reasons.iter().map(ToString::to_string).collect(),
            figures: figures(metrics, now),
            last_run: metrics.figures.last_run.map(|run| last_run_line(&run, now)),
        }
    }
}

/// Asks before failed executions are deleted.
async fn ask(visit: Visit<perm::IntegrationsWrite>) -> Result<HttpResponse, PageError> {
    only_own(&visit)?;
    let failed_by = visit.now();
    let thresholds = &visit.dashboard().config.integration_health;
    let failed = visit.services().integrations.metrics(visit.tenant.id, thresholds).await?.figures.failed;
    let failed = failed.unsigned_abs();
    let most = IntegrationService::MAX_CLEARED as u64;
    let what = match failed {
        0 => return Ok(visit.go(ADDRESS, &Flash::note("No failed execution of an integration job is kept."))),
        1 => "1 failed execution".to_owned(),
        failed if failed > most => format!("the newest {most} of {} failed executions", count(failed)),
        failed => format!("{failed} failed executions"),
    };
    let question = Confirmation {
        layout: visit.layout("Clear failed", Some(Section::Settings)),
        question: format!("Delete {what} of integration jobs?"),
        consequences: vec![
            "Their output and their history go with them. This cannot be undone.".to_owned(),
            "The health is computed without them. To run them again, retry them first.".to_owned(),
        ],
        action: CLEAR.to_owned(),
        fields: vec![("failed_by", failed_by.as_micros().to_string())],
        verb: "Clear failed".to_owned(),
        back: ADDRESS.to_owned(),
    };
    question.show()
}

async fn clear(visit: Visit<perm::IntegrationsWrite>, form: Form<Seen>) -> Result<HttpResponse, PageError> {
    only_own(&visit)?;
    let failed_by = form.0.failed_by.map(Timestamp::from_micros);
    let failed_by = failed_by.ok_or_else(|| PageError::BadRequest("It does not say which failures.".to_owned()))?;
    let group = Some(INTEGRATION_GROUP.to_owned());
    let target =
        AuditTarget { kind: "group".to_owned(), before: group.clone(), after: group, ..AuditTarget::default() };
    let actor = visit.does("clear_failed_integrations", Some(target));
    let done = match visit.services().integrations.clear_failed(&actor, failed_by).await? {
        0 => Flash::note("No failed execution of an integration job was left."),
        1 => Flash::done("1 failed execution is deleted."),
        cleared => Flash::done(format!("{cleared} failed executions are deleted.")),
    };
    Ok(visit.go(ADDRESS, &done))
}

/// Integrations are their own organization's alone: not even who may act in any tenant elsewhere sees another's. Nor does
/// anybody change what he may not see.
fn only_own<P>(visit: &Visit<P>) -> Result<(), PageError> {
    if !visit.can(Permission::IntegrationsRead) {
        return Err(AuthError::PermissionDenied(Permission::IntegrationsRead).into());
    }
    if visit.tenant.is_named_by(&visit.principal.tenant) {
        Ok(())
    } else {
        Err(PageError::Refused(
            "Integrations are shown to their own organization alone: that of the credential that you signed in with.",
        ))
    }
}

fn name_of(state: ExecutionState) -> &'static str {
    STATES.iter().find(|(_, known)| *known == state).map_or("", |(name, _)| name)
}

/// This page with these filters.
fn address(state: Option<ExecutionState>, kind: &str, before: Option<ExecutionId>) -> String {
    Address::new(ADDRESS)
        .with("status", state.map_or("", name_of))
        .with("kind", kind)
        .with("before", &before.map(|id| id.to_string()).unwrap_or_default())
        .to_string()
}

fn tabs(shown: Option<ExecutionState>, kind: &str, is_known: bool) -> Tabs {
    let tab = |state: Option<ExecutionState>| {
        (state.map_or("All", word), address(state, kind, None), is_known && state == shown)
    };
    Tabs::new("Status", [None].into_iter().chain(STATES.map(|(_, state)| Some(state))).map(tab))
}

const fn told(status: HealthStatus) -> (Badge, &'static str) {
    match status {
        HealthStatus::Ok => (Badge::new(Tone::Good, "check", "OK"), "All integration jobs are well."),
        HealthStatus::Warn => (Badge::new(Tone::Warn, "warn", "WARN"), "Some integration jobs need a look."),
        HealthStatus::Error => (Badge::new(Tone::Bad, "cross", "ERROR"), "Integration jobs are in trouble."),
    }
}

fn limits(thresholds: &HealthThresholds) -> String {
    let HealthThresholds { error_failures, warn_age, error_age } = thresholds;
    format!(
        "WARN from 1 failure or a wait of {} on, ERROR from {error_failures} failures or a wait of {} on.",
        wait_in_words(*warn_age),
        wait_in_words(*error_age),
    )
}

fn figures(metrics: &IntegrationMetrics, now: Timestamp) -> Vec<Figure> {
    let figures = &metrics.figures;
    let of = |state| address(Some(state), "", None);
    let failed_tone = if figures.failed > 0 { Tone::Bad } else { Tone::Good };
    vec![
        Figure::new("Pending", count(figures.pending)).href(of(ExecutionState::Pending)),
        Figure::new("Processing", count(figures.running)).tone(Tone::Info).href(of(ExecutionState::Running)),
        Figure::new("Failed", count(figures.failed.unsigned_abs())).tone(failed_tone).href(of(ExecutionState::Failed)),
        oldest(figures.oldest_due_at, metrics.oldest_pending_age, now),
    ]
}

/// How long the oldest pending job has been due.
fn oldest(due_at: Option<Timestamp>, age: Option<Duration>, now: Timestamp) -> Figure {
    let told = |text: String| Figure::new("Oldest pending", text);
    match (due_at, age) {
        (Some(due_at), _) if due_at > now => told("not due yet".to_owned()),
        (_, Some(age)) => told(wait_in_words(age)).hint("since it was due"),
        (_, None) => told("none is waiting".to_owned()),
    }
}

fn last_run_line(run: &LastRun, now: Timestamp) -> LastRunLine {
    let took = run.duration_ms.map(|ms| Duration::from_millis(ms.unsigned_abs()));
    let at = Some(run.completed_at);
    LastRunLine { at: At(at), ago: Ago { at, now }, state: badge(run.state), took: Took(took) }
}

fn line(execution: &ExecutionSummary, now: Timestamp) -> Line {
    let due = execution.run_at.unwrap_or(execution.scheduled_for);
    Line {
        id: execution.id.to_string(),
        state: badge(execution.lifecycle.state),
        kind: execution.job_name.clone(),
        at: Ago { at: Some(execution.started_at.unwrap_or(due)), now },
        took: took(execution, now),
        attempts: execution.lifecycle.attempt,
    }
}

/// A state in the words of the integrations dialect.
const fn word(state: ExecutionState) -> &'static str {
    match state {
        ExecutionState::Pending => "Pending",
        ExecutionState::Running => "Processing",
        ExecutionState::Succeeded => "Done",
        ExecutionState::Failed => "Failed",
        ExecutionState::Cancelled => "Cancelled",
    }
}

const fn badge(state: ExecutionState) -> Badge {
    let (tone, icon) = match state {
        ExecutionState::Pending => (Tone::Calm, "waiting"),
        ExecutionState::Running => (Tone::Info, "running"),
        ExecutionState::Succeeded => (Tone::Good, "check"),
        ExecutionState::Failed => (Tone::Bad, "cross"),
        ExecutionState::Cancelled => (Tone::Calm, "stop"),
    };
    Badge::new(tone, icon, word(state))
}
