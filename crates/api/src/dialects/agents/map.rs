//! From executions and their hosts' parts to the dialect's items.

use std::collections::BTreeMap;
use std::time::Duration;

use horarium_domain::Timestamp;
use horarium_domain::agent::{AgentTask, TaskState};
use horarium_domain::execution::{ExecutionState, Output};
use horarium_domain::secret::Document;
use horarium_scheduler_engine::service::AgentJob;
use serde_json::{Value, json};

use super::dto::{HostResponse, HostState, JobItem};
use super::status::AgentJobStatus;
use super::timeline;

impl From<AgentJob> for JobItem {
    fn from(job: AgentJob) -> Self {
        let summary = &job.execution.summary;
        let status = AgentJobStatus::of(summary);
        let is_broadcast = job.request.as_ref().is_some_and(|request| request.target.is_broadcast());
        let single = if is_broadcast { None } else { job.tasks.first() };
        let (responses, agent_states) =
            if is_broadcast { (responses(&job.tasks), agent_states(&job.tasks)) } else { Default::default() };
        Self {
            id: summary.id.as_uuid(),
            status,
            created: summary.created_at,
            operation: operation(&job),
            result: match &job.request {
                Some(_) => single.and_then(|task| task.result.clone()),
                None => job.execution.output.as_ref().map(document),
            },
            changed: changed(&job, status),
            error: error(&job),
            hostname: match &job.request {
                Some(_) => single.and_then(|task| task.hostname().map(str::to_owned)),
                None => summary.worker.clone(),
            },
            updated_at: updated_at(&job),
            responses,
            agent_states,
            timeline: timeline::of(&job),
        }
    }
}

/// What it does. A job that is not for agents shows its type, and what the execution works on.
fn operation(job: &AgentJob) -> Value {
    let payload = job.execution.payload.clone().map(|payload| Document::Payload.masked(payload));
    match (&job.request, &job.job) {
        (Some(request), _) => {
            json!({ "type": request.operation, "data": Document::AgentData.masked(request.data.clone()) })
        }
        (None, Some(of)) => {
            let kind = of.spec.configuration.job_type().as_str();
            json!({ "type": kind, "data": payload, "job": of.spec.name })
        }
        (None, None) => json!({ "type": "unknown", "data": payload }),
    }
}

/// An output as what it most probably is.
fn document(output: &Output) -> Value {
    serde_json::from_str(&output.text).unwrap_or_else(|_| Value::from(output.text.as_str()))
}

fn changed(job: &AgentJob, status: AgentJobStatus) -> Option<bool> {
    match status {
        AgentJobStatus::Completed if job.request.is_some() => {
            Some(job.tasks.iter().any(|task| task.changed.unwrap_or(false)))
        }
        AgentJobStatus::Completed
        | AgentJobStatus::Submitted
        | AgentJobStatus::Processing
        | AgentJobStatus::Failed
        | AgentJobStatus::PartialFailure => None,
    }
}

fn error(job: &AgentJob) -> Option<String> {
    match job.execution.summary.lifecycle.state {
        ExecutionState::Cancelled => Some("cancelled".to_owned()),
        ExecutionState::Failed => job.execution.error.clone(),
        ExecutionState::Pending | ExecutionState::Running | ExecutionState::Succeeded => None,
    }
}

fn updated_at(job: &AgentJob) -> Timestamp {
    let summary = &job.execution.summary;
    let of_tasks = job.tasks.iter().flat_map(|task| [task.leased_at, task.ended_at]);
    let of_events = job.execution.events.iter().map(|event| Some(event.at));
    let all = [summary.started_at, summary.completed_at].into_iter().chain(of_tasks).chain(of_events).flatten();
    all.max().unwrap_or(summary.created_at).max(summary.created_at)
}

/// A host's standing in the dialect's words.
const fn word(state: TaskState) -> &'static str {
    match state {
        TaskState::Pending => "submitted",
        TaskState::Leased => "processing",
        TaskState::Completed => "completed",
        TaskState::Failed | TaskState::TimedOut | TaskState::Cancelled => "failed",
        TaskState::Skipped => "skipped",
    }
}

/// What a host failed of.
pub(super) fn problem(task: &AgentTask) -> Option<String> {
    match task.state {
        TaskState::Cancelled => Some(task.error.clone().unwrap_or_else(|| "cancelled".to_owned())),
        TaskState::Failed | TaskState::TimedOut | TaskState::Skipped => task.error.clone(),
        TaskState::Pending | TaskState::Leased | TaskState::Completed => None,
    }
}

fn responses(tasks: &[AgentTask]) -> BTreeMap<String, HostResponse> {
    let over = tasks.iter().filter(|task| !task.state.is_open());
    let response = |task: &AgentTask| {
        let hostname = task.hostname()?.to_owned();
        let completed = task.state == TaskState::Completed;
        let response = HostResponse {
            status: word(task.state),
            data: task.result.clone(),
            changed: completed.then(|| task.changed.unwrap_or(false)),
            error: problem(task),
            hostname: hostname.clone(),
        };
        Some((hostname, response))
    };
    over.filter_map(response).collect()
}

fn agent_states(tasks: &[AgentTask]) -> BTreeMap<String, HostState> {
    let state = |task: &AgentTask| {
        let state = HostState { status: word(task.state), error: problem(task), duration: took(task).map(in_seconds) };
        Some((task.hostname()?.to_owned(), state))
    };
    tasks.iter().filter_map(state).collect()
}

/// How long a host took: as it says, or as it looks from here.
fn took(task: &AgentTask) -> Option<Duration> {
    if task.state.is_open() {
        return None;
    }
    let told = task.duration_ms.and_then(|ms| u64::try_from(ms).ok()).map(Duration::from_millis);
    told.or_else(|| Some(task.ended_at?.since(task.leased_at?)))
}

/// Such as `1.25s`.
fn in_seconds(took: Duration) -> String {
    let text = format!("{:.3}", took.as_secs_f64());
    format!("{}s", text.trim_end_matches('0').trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_says_no_more_than_there_is() {
        let of = |ms| in_seconds(Duration::from_millis(ms));
        assert_eq!([of(0), of(7), of(1250), of(60_000)], ["0s", "0.007s", "1.25s", "60s"]);
    }
}
