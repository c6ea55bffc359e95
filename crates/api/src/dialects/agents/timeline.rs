//! What happened to a job, in order.

use horarium_domain::Timestamp;
use horarium_domain::agent::{AgentTask, TaskState};
use horarium_domain::execution::{Event, EventKind, Execution, ExecutionState};
use horarium_scheduler_engine::service::AgentJob;

use super::dto::TimelineEvent;
use super::map::problem;

/// What happened, oldest first: to the job as a whole, and on each host.
pub(super) fn of(job: &AgentJob) -> Vec<TimelineEvent> {
    let summary = &job.execution.summary;
    let mut events = vec![TimelineEvent {
        timestamp: summary.created_at,
        event: "submitted",
        hostname: Some(summary.triggered_by.clone()),
        message: "Job submitted".to_owned(),
        error: None,
    }];
    if job.tasks.is_empty() {
        events.extend(of_attempt(job));
    }
    events.extend(job.execution.events.iter().filter(|event| event.kind == EventKind::HandedOn).flat_map(of_lease));
    events.extend(job.tasks.iter().flat_map(of_host));
    events.extend(job.execution.events.iter().filter_map(|event| of_event(&job.execution, event)));
    // Stable: what happened at the same instant stays in the order in which it happens.
    events.sort_by_key(|event| event.timestamp);
    events
}

/// A job whose work is not told by hosts: the server did it, or could give it to nobody.
fn of_attempt(job: &AgentJob) -> Vec<TimelineEvent> {
    let summary = &job.execution.summary;
    let hostname = summary.worker.clone();
    let started = summary.started_at.map(|timestamp| TimelineEvent {
        timestamp,
        event: "started",
        hostname: hostname.clone(),
        message: "Job started".to_owned(),
        error: None,
    });
    let (event, message) = match summary.lifecycle.state {
        // Being cancelled is told by an event of its own.
        ExecutionState::Pending | ExecutionState::Running | ExecutionState::Cancelled => ("", ""),
        ExecutionState::Succeeded => ("completed", "Job completed"),
        ExecutionState::Failed => ("failed", "Job failed"),
    };
    let ended = summary.completed_at.filter(|_| !event.is_empty()).map(|timestamp| TimelineEvent {
        timestamp,
        event,
        hostname,
        message: message.to_owned(),
        error: job.execution.error.clone(),
    });
    started.into_iter().chain(ended).collect()
}

fn of_host(task: &AgentTask) -> Vec<TimelineEvent> {
    let host = task.hostname().unwrap_or("unknown host");
    let told = |timestamp, event, message: String, error| TimelineEvent {
        timestamp,
        event,
        hostname: task.hostname().map(str::to_owned),
        message,
        error,
    };
    let mut events = Vec::new();
    if let (Some(at), Some(hostname)) = (task.leased_at, task.hostname()) {
        events.extend(begun(at, hostname, task.attempt));
    }
    let end = match task.state {
        TaskState::Pending | TaskState::Leased => None,
        TaskState::Completed => Some(("completed", format!("Job completed on {host}"))),
        TaskState::Failed => Some(("failed", format!("Job failed on {host}"))),
        TaskState::TimedOut => Some(("failed", format!("No answer from {host}"))),
        TaskState::Skipped => Some(("skipped", format!("Job skipped on {host}"))),
        TaskState::Cancelled => Some(("cancelled", format!("Job stopped on {host}"))),
    };
    if let (Some((event, message)), Some(at)) = (end, task.ended_at) {
        events.push(told(at, event, message, problem(task)));
    }
    events
}

/// A lease that ended without an answer: what the host had begun, and that another is asked.
fn of_lease(event: &Event) -> Vec<TimelineEvent> {
    let mut events =
        event.attempt_started_at.map_or_else(Vec::new, |at| begun(at, &event.source, event.attempt).into());
    events.push(TimelineEvent {
        timestamp: event.at,
        event: "retried",
        hostname: Some(event.source.clone()),
        message: event.message.clone(),
        error: event.error.clone(),
    });
    events
}

/// A host has taken the work, for the first time or again: whether by another or the same, it may then be done twice.
fn begun(timestamp: Timestamp, host: &str, attempt: u16) -> [TimelineEvent; 2] {
    let which = if attempt > 1 { format!(", attempt {attempt}") } else { String::new() };
    [
        ("acknowledged", format!("Job acknowledged by {host}{which}")),
        ("started", format!("Job started on {host}{which}")),
    ]
    .map(|(event, message)| TimelineEvent {
        timestamp,
        event,
        hostname: Some(host.to_owned()),
        message,
        error: None,
    })
}

fn of_event(execution: &Execution, event: &Event) -> Option<TimelineEvent> {
    let word = match event.kind {
        EventKind::AttemptFailed | EventKind::AttemptTimedOut => "failed",
        EventKind::AttemptLost if is_last(execution, event) => "failed",
        // Another worker goes on with it; hosts that are at work notice nothing.
        EventKind::AttemptLost | EventKind::Retried => "retried",
        EventKind::Cancelled => "cancelled",
        // The attempt was taken back, or somebody was told of the end: for the job nothing has happened.
        // Or it is told with the host's lease.
        EventKind::HandedOn | EventKind::Snoozed | EventKind::CallbackDelivered | EventKind::CallbackFailed => {
            return None;
        }
    };
    Some(TimelineEvent {
        timestamp: event.at,
        event: word,
        hostname: Some(event.source.clone()),
        message: event.message.clone(),
        error: event.error.clone(),
    })
}

/// Whether the execution failed with the attempt that an event is about: none came after it.
fn is_last(execution: &Execution, event: &Event) -> bool {
    let lifecycle = execution.summary.lifecycle;
    lifecycle.state == ExecutionState::Failed && lifecycle.attempt == event.attempt
}
