//! From the ends of the hosts to the end of the execution.

use super::{AgentTask, Target, TaskState};

/// How an execution that agents worked on ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every host that has the operation completed it.
    Succeeded,
    /// No host completed it.
    Failed {
        /// Why.
        error: String,
        /// Whether another attempt may help a host that failed.
        retryable: bool,
    },
    /// Some hosts completed it and others did not.
    PartlyFailed {
        /// Why.
        error: String,
        /// Whether another attempt may help a host that failed.
        retryable: bool,
    },
}

/// How many hosts an error names.
const NAMED: usize = 5;

/// What the ends of an execution's tasks make of it; `None` while one is open, and when there are none.
///
/// A host that does not have the operation counts neither way, unless none has it.
pub fn verdict(tasks: &[AgentTask]) -> Option<Verdict> {
    if tasks.is_empty() || tasks.iter().any(|task| task.state.is_open()) {
        return None;
    }
    let completed = tasks.iter().filter(|task| task.state == TaskState::Completed).count();
    let failed: Vec<&AgentTask> = tasks.iter().filter(|task| is_failure(task.state)).collect();
    if failed.is_empty() {
        return Some(match completed {
            0 => Verdict::Failed { error: nobody_can(tasks), retryable: false },
            _ => Verdict::Succeeded,
        });
    }
    let retryable = failed.iter().any(|task| task.retryable);
    let error = explain(&failed, tasks.len());
    Some(match completed {
        0 => Verdict::Failed { error, retryable },
        _ => Verdict::PartlyFailed { error, retryable },
    })
}

/// What an execution fails of whose target nobody matches.
pub fn no_agent(target: &Target) -> String {
    format!("no agent matches the target '{target}'")
}

const fn is_failure(state: TaskState) -> bool {
    match state {
        TaskState::Failed | TaskState::TimedOut | TaskState::Cancelled => true,
        TaskState::Pending | TaskState::Leased | TaskState::Completed | TaskState::Skipped => false,
    }
}

fn nobody_can(tasks: &[AgentTask]) -> String {
    match tasks {
        [task] => reason(task).to_owned(),
        [first, ..] => format!("no agent has the operation '{}'", first.operation),
        [] => String::new(),
    }
}

fn explain(failed: &[&AgentTask], all: usize) -> String {
    if let ([task], 1) = (failed, all) {
        return reason(task).to_owned();
    }
    let named: Vec<String> = failed
        .iter()
        .take(NAMED)
        .map(|task| format!("{}: {}", task.hostname().unwrap_or("unknown host"), reason(task)))
        .collect();
    let more = match failed.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!("{} of {all} hosts failed: {}{more}", failed.len(), named.join("; "))
}

fn reason(task: &AgentTask) -> &str {
    match (&task.error, task.state) {
        (Some(error), _) => error,
        (None, TaskState::TimedOut) => AgentTask::TIMEOUT,
        (None, TaskState::Cancelled) => "cancelled",
        (None, TaskState::Skipped) => "the agent does not have the operation",
        (None, TaskState::Pending | TaskState::Leased | TaskState::Completed | TaskState::Failed) => "failed",
    }
}
