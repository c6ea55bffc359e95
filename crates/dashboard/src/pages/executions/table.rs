//! Executions as lines of a table.

use askama::Template;
use askama::filters::HtmlSafe;
use horarium_domain::Timestamp;
use horarium_domain::execution::{ExecutionState, ExecutionSummary, Trigger};

use crate::view::{Ago, Badge, Tone, Took};

/// A table of executions.
#[derive(Template)]
#[template(path = "executions/table.html")]
pub(crate) struct ExecutionTable {
    lines: Vec<Line>,
    /// The job that all are of; without one, each names its own.
    job: Option<String>,
    /// Whether each can be ticked, for the form `selected`.
    has_ticks: bool,
}

impl HtmlSafe for ExecutionTable {}

struct Line {
    id: String,
    /// The end of its id, which is what tells it from others.
    short: String,
    job: String,
    badge: Badge,
    progress: Option<u8>,
    /// What the instant beside it is.
    event: &'static str,
    at: Ago,
    took: Took,
    /// Where there was more than one.
    attempts: Option<u16>,
    trigger: &'static str,
    /// Who, if not a schedule.
    by: Option<String>,
    queue: String,
    worker: Option<String>,
}

impl ExecutionTable {
    /// A table of these, as seen from `now`.
    pub(crate) fn of(executions: &[ExecutionSummary], now: Timestamp) -> Self {
        let lines = executions.iter().map(|execution| line(execution, now)).collect();
        Self { lines, job: None, has_ticks: false }
    }

    /// The same of one job.
    #[must_use]
    pub(crate) fn of_job(self, job: &str) -> Self {
        Self { job: Some(job.to_owned()), ..self }
    }

    /// The same, each line with a box to tick for the form `selected`.
    #[must_use]
    pub(super) fn with_ticks(self, has_ticks: bool) -> Self {
        Self { has_ticks, ..self }
    }

    /// Whether there is nothing in it.
    pub(crate) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

/// An execution's state; one that waits says what for.
pub(super) fn badge(summary: &ExecutionSummary, now: Timestamp) -> Badge {
    match summary.lifecycle.state {
        ExecutionState::Pending if summary.lifecycle.attempt > 0 => Badge::new(Tone::Warn, "waiting", "Retrying"),
        ExecutionState::Pending if summary.run_at.is_some_and(|at| at > now) => {
            Badge::new(Tone::Calm, "waiting", "Scheduled")
        }
        state => Badge::execution(state, summary.partial),
    }
}

/// How long its latest attempt took, or has been taking.
pub(crate) fn took(summary: &ExecutionSummary, now: Timestamp) -> Took {
    let until = match summary.lifecycle.state {
        ExecutionState::Pending => None,
        ExecutionState::Running => Some(now),
        ExecutionState::Succeeded | ExecutionState::Failed | ExecutionState::Cancelled => summary.completed_at,
    };
    Took(until.zip(summary.started_at).map(|(until, started)| until.since(started)))
}

fn line(summary: &ExecutionSummary, now: Timestamp) -> Line {
    let id = summary.id.to_string();
    let (event, at) = match summary.lifecycle.state {
        ExecutionState::Pending if summary.lifecycle.attempt > 0 => ("again ", summary.run_at),
        ExecutionState::Pending => ("due ", summary.run_at),
        ExecutionState::Running | ExecutionState::Succeeded | ExecutionState::Failed | ExecutionState::Cancelled => {
            ("", summary.started_at)
        }
    };
    Line {
        short: id.rsplit('-').next().unwrap_or_default().to_owned(),
        id,
        job: summary.job_name.clone(),
        badge: badge(summary, now),
        progress: summary.progress.filter(|_| summary.lifecycle.state == ExecutionState::Running),
        event,
        at: Ago { at, now },
        took: took(summary, now),
        attempts: Some(summary.lifecycle.attempt).filter(|attempts| *attempts > 1),
        trigger: summary.trigger.as_str(),
        by: (summary.trigger != Trigger::Schedule).then(|| summary.triggered_by.clone()),
        queue: summary.queue.clone(),
        worker: summary.worker.clone(),
    }
}
