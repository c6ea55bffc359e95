//! `/executions/{id}`: one execution, from its acceptance to its end. It keeps itself fresh until it is over.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web;
use askama::Template;
use futures_util::future;
use horarium_auth::Permission;
use horarium_domain::callback::Callback;
use horarium_domain::execution::{Event, EventKind, Execution, ExecutionState, ExecutionSummary};
use horarium_domain::queue::QueueSummary;
use horarium_domain::{ExecutionId, Timestamp};
use horarium_scheduler_engine::ServiceError;
use horarium_scheduler_engine::service::AgentJob;
use serde::Deserialize;

use super::hosts::Hosts;
use super::story::{Happening, Try, attempts, story};
use super::table::{badge, took};
use super::{address, named, payload};
use crate::view::{Ago, At, Badge, Layout, LongText, Missing, Section, Took, count};
use crate::web::{PageError, Visit, page, perm};

#[derive(Template)]
#[template(path = "executions/detail.html")]
struct DetailPage {
    layout: Layout,
    id: String,
    /// The attributes of regions that are looked at again and again; empty once it is over.
    live: String,
    badge: Badge,
    standing: Standing,
    /// What could not be read of where it stands.
    missing: Option<Missing>,
    progress: Option<u8>,
    may_cancel: bool,
    may_retry: bool,
    /// So that it runs again once, however often the button is pressed.
    once: String,
    facts: Facts,
    error: Option<LongText>,
    output: Option<LongText>,
    is_cut: bool,
    payload: Option<LongText>,
    hosts: Option<Hosts>,
    attempts: Vec<Try>,
    story: Vec<Happening>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Wanted {
    /// `all` where many hosts are not to be folded.
    hosts: Option<String>,
}

/// Where it stands, in a sentence.
struct Standing {
    text: String,
    /// When something will happen, if that is known.
    next: Option<Ago>,
}

struct Facts {
    job_id: String,
    job: String,
    /// Whether the page of the job may be seen.
    may_see_job: bool,
    /// Whether the job is deleted, so that it cannot be run again.
    is_orphan: bool,
    trigger: &'static str,
    by: String,
    due: At,
    accepted: At,
    started: At,
    ended: At,
    took: Took,
    /// How long it waited for its first attempt, where that is known.
    waited: Option<Took>,
    attempts: String,
    queue: String,
    /// Whether the page of the queue may be seen.
    may_see_queue: bool,
    priority: i16,
    worker: Option<String>,
    concurrency_key: Option<String>,
    items: Option<String>,
    retry_of: Option<String>,
    retried_as: Vec<String>,
    callback: Result<Option<Told>, Missing>,
}

/// What became of a callback.
struct Told {
    text: String,
    /// The execution that delivers it.
    delivery: Option<String>,
}

pub(super) async fn detail(
    visit: Visit<perm::ExecutionsRead>,
    path: web::Path<String>,
    wanted: web::Query<Wanted>,
) -> Result<HttpResponse, PageError> {
    let (services, tenant, now) = (visit.services(), visit.tenant.id, visit.now());
    let id = named(&path)?;
    let (found, callback) =
        future::join(services.agent_jobs.get(tenant, id), services.callbacks.find(tenant, id)).await;
    let found = found?;
    let callback = visit.part("its callback", callback);
    let summary = &found.execution.summary;
    let state = summary.lifecycle.state;
    let queue = visit.part("its queue", queue(&visit, &found.execution).await);
    let badge = badge(summary, now);
    let is_deleted = found.job.as_ref().is_none_or(|job| job.is_deleted);
    let download = |part: &str| format!("{}/{part}", address(id));
    let model = DetailPage {
        layout: visit.layout(format!("{state} · {} · Execution", summary.job_name), Some(Section::Executions)),
        id: id.to_string(),
        live: live(id, state),
        badge,
        standing: standing(&found, queue.as_ref().ok().and_then(Option::as_ref), now),
        missing: queue.err(),
        progress: summary.progress.filter(|_| state == ExecutionState::Running),
        may_cancel: !state.is_terminal() && visit.can(Permission::ExecutionsCancel),
        may_retry: state == ExecutionState::Failed
            && !is_deleted
            && found.request.is_none()
            && visit.can(Permission::ExecutionsRetry),
        once: visit.once(),
        error: found.execution.error.as_deref().map(|text| LongText::new("error", text).href(download("error"))),
        output: output(&found.execution).map(|text| text.href(download("output"))),
        is_cut: found.execution.output.as_ref().is_some_and(|output| output.truncated),
        payload: payload(&found)
            .map(|payload| LongText::new("payload", &payload.to_string()).href(download("payload"))),
        hosts: Hosts::of(&visit, &found, wanted.hosts.as_deref() == Some("all")),
        attempts: attempts(&found.execution, now),
        story: story(&found.execution),
        facts: facts(&visit, &found, callback, is_deleted),
    };
    page(StatusCode::OK, &model)
}

/// What regions say of how they are kept fresh: every so many seconds, and when something happens to it.
fn live(id: ExecutionId, state: ExecutionState) -> String {
    let seconds = match state {
        ExecutionState::Pending => 5,
        ExecutionState::Running => 2,
        ExecutionState::Succeeded | ExecutionState::Failed | ExecutionState::Cancelled => return String::new(),
    };
    format!(r#" data-live="{seconds}" data-live-on="execution:{id}""#)
}

/// What holds in the queue that it waits in, for those who may know.
async fn queue(
    visit: &Visit<perm::ExecutionsRead>,
    execution: &Execution,
) -> Result<Option<QueueSummary>, ServiceError> {
    if execution.summary.lifecycle.state != ExecutionState::Pending || !visit.can(Permission::QueuesRead) {
        return Ok(None);
    }
    visit.services().queues.glance(visit.tenant.id, &execution.summary.queue).await.map(Some)
}

fn output(execution: &Execution) -> Option<LongText> {
    let output = execution.output.as_ref().filter(|output| !output.text.is_empty())?;
    Some(LongText::new("output", &output.text))
}

fn standing(found: &AgentJob, queue: Option<&QueueSummary>, now: Timestamp) -> Standing {
    let summary = &found.execution.summary;
    let attempt = summary.lifecycle.attempt;
    let after = took(summary, now);
    let plainly = |text: String| Standing { text, next: None };
    match summary.lifecycle.state {
        ExecutionState::Pending => waiting(summary, queue, now),
        ExecutionState::Running => {
            let worker = summary.worker.as_ref().map_or_else(String::new, |worker| format!(" on {worker}"));
            plainly(format!("Attempt {attempt} of {} has been running for {after}{worker}.", most(found)))
        }
        ExecutionState::Succeeded => plainly(format!("It succeeded after {after}.")),
        ExecutionState::Failed if summary.started_at.is_none() => plainly("It failed before it started.".to_owned()),
        ExecutionState::Failed => plainly(format!("It failed after {after}, in attempt {attempt} of {}.", most(found))),
        ExecutionState::Cancelled if summary.started_at.is_none() => {
            plainly("It was cancelled before it started.".to_owned())
        }
        ExecutionState::Cancelled => plainly(format!("It was cancelled after {after}.")),
    }
}

fn waiting(summary: &ExecutionSummary, queue: Option<&QueueSummary>, now: Timestamp) -> Standing {
    let is_later = summary.run_at.is_some_and(|at| at > now);
    let is_held = queue.is_some_and(|queue| queue.limits.paused);
    let others = queue.map_or(0, |queue| queue.pending.saturating_sub(1));
    let name = &summary.queue;
    let due = if is_later { "It is due" } else { "It was due" };
    let text = match (is_held, is_later, summary.lifecycle.attempt) {
        (true, _, _) => format!("It waits in the queue {name}, which is paused. {due}"),
        (false, true, 0) => due.to_owned(),
        (false, true, attempt) => format!("Attempt {attempt} is over. The next one is due"),
        (false, false, _) if others == 0 => format!("It waits in the queue {name}. {due}"),
        (false, false, _) => {
            let noun = if others == 1 { "other" } else { "others" };
            format!("It waits in the queue {name}, with {} {noun}. {due}", count(others))
        }
    };
    Standing { text, next: Some(Ago { at: summary.run_at, now }) }
}

/// How often it is tried at most.
fn most(found: &AgentJob) -> u16 {
    let of_job = found.job.as_ref().map(|job| job.spec.retry_policy.max_attempts);
    let most = found.execution.max_attempts.or(of_job).unwrap_or_default();
    // The job's policy may have changed since.
    most.max(found.execution.summary.lifecycle.attempt)
}

fn facts(
    visit: &Visit<perm::ExecutionsRead>,
    found: &AgentJob,
    callback: Result<Option<Callback>, Missing>,
    is_orphan: bool,
) -> Facts {
    let execution = &found.execution;
    let summary = &execution.summary;
    let first_start = summary.started_at.filter(|_| summary.lifecycle.attempt == 1);
    Facts {
        job_id: summary.job_id.to_string(),
        job: summary.job_name.clone(),
        may_see_job: !is_orphan && visit.can(Permission::JobsRead),
        is_orphan,
        trigger: summary.trigger.as_str(),
        by: summary.triggered_by.clone(),
        due: At(Some(summary.scheduled_for)),
        accepted: At(Some(summary.created_at)),
        started: At(summary.started_at),
        ended: At(summary.completed_at),
        took: took(summary, visit.now()),
        waited: first_start.map(|at| Took(Some(at.since(summary.scheduled_for)))),
        attempts: format!("{} of {}", summary.lifecycle.attempt, most(found)),
        queue: summary.queue.clone(),
        may_see_queue: visit.can(Permission::QueuesRead),
        priority: summary.priority,
        worker: summary.worker.clone(),
        concurrency_key: summary.concurrency_key.clone().map(String::from),
        items: summary.items_processed.map(|items| count(items.unsigned_abs())),
        retry_of: summary.retry_parent_id.map(|id| id.to_string()),
        retried_as: execution.events.iter().filter_map(Event::retried_as).map(|id| id.to_string()).collect(),
        callback: callback.map(|callback| {
            callback.filter(|callback| callback.asked.url.is_some()).map(|callback| told(&callback, execution))
        }),
    }
}

fn told(callback: &Callback, execution: &Execution) -> Told {
    let tries = |kind| execution.events.iter().filter(|event| event.kind == kind).count();
    let (delivered, failed) = (tries(EventKind::CallbackDelivered), tries(EventKind::CallbackFailed));
    let text = match (delivered, callback.due_at, failed) {
        (1.., _, _) => "delivered".to_owned(),
        (0, None, _) => "due at its end".to_owned(),
        (0, Some(_), 0) => "on its way".to_owned(),
        (0, Some(_), failed) => format!("not delivered in {failed} attempts so far"),
    };
    Told { text, delivery: callback.delivery_id.map(|id| id.to_string()) }
}
