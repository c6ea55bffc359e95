//! Executions as they are stored and read.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::concurrency::ConcurrencyKey;
use crate::execution::{Event, EventKind, ExecutionState, Lifecycle};
use crate::{ExecutionId, JobId, TenantId, Timestamp};

/// Why an execution came into being.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Trigger {
    /// A slot of the job's schedule came due.
    Schedule,
    /// Somebody triggered the job by hand.
    Manual,
    /// Somebody retried a failed execution.
    Retry,
    /// A program submitted it (bulk, integrations, toolkit).
    Api,
    /// The jobs it depends on ended as asked.
    Dependency,
    /// It is a step of a workflow.
    Workflow,
}

impl Trigger {
    /// Every trigger.
    pub const ALL: [Self; 6] = [Self::Schedule, Self::Manual, Self::Retry, Self::Api, Self::Dependency, Self::Workflow];

    /// The trigger's name, as the databases store it and the scheduler dialect writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Schedule => "Schedule",
            Self::Manual => "Manual",
            Self::Retry => "Retry",
            Self::Api => "Api",
            Self::Dependency => "Dependency",
            Self::Workflow => "Workflow",
        }
    }
}

/// An execution about to be accepted.
#[derive(Debug, Clone, PartialEq)]
pub struct NewExecution {
    /// A fresh UUIDv7.
    pub id: ExecutionId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Of which job.
    pub job_id: JobId,
    /// Why.
    pub trigger: Trigger,
    /// Who: a person's or a key's name, or "schedule".
    pub triggered_by: String,
    /// What it is to work on, beside the job's configuration.
    pub payload: Option<Value>,
    /// Where it waits; the job's queue.
    pub queue: String,
    /// -100..=100; the higher goes first within its tenant.
    pub priority: i16,
    /// When it is due: the slot for a scheduled one. It becomes claimable then.
    pub scheduled_for: Timestamp,
    /// When it may first be claimed: `scheduled_for` plus the job's jitter.
    pub run_at: Timestamp,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// The failed execution that this one retries.
    pub retry_parent_id: Option<ExecutionId>,
    /// While an execution of this job with this key is Pending or Running, no second one is accepted.
    pub unique_key: Option<String>,
    /// What it has in common with others, of any job and queue, that limits of that key hold together.
    pub concurrency_key: Option<ConcurrencyKey>,
    /// All tries, the first one included, in place of what the job's retry policy says.
    pub max_attempts: Option<u16>,
}

/// What a handler gave back, cut to the configured size.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Output {
    /// The text; a JSON document or a response body as it came.
    pub text: String,
    /// Whether the end is missing.
    pub truncated: bool,
}

/// An execution as lists show it: all but the large values.
#[derive(Debug, Clone, PartialEq)]
pub struct ExecutionSummary {
    /// Its id.
    pub id: ExecutionId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Of which job.
    pub job_id: JobId,
    /// That job's present name.
    pub job_name: String,
    /// State, attempts started, attempts lost.
    pub lifecycle: Lifecycle,
    /// Why it came into being.
    pub trigger: Trigger,
    /// Who caused it.
    pub triggered_by: String,
    /// Where it waits or waited.
    pub queue: String,
    /// Its priority.
    pub priority: i16,
    /// Its concurrency key.
    pub concurrency_key: Option<ConcurrencyKey>,
    /// When it was due.
    pub scheduled_for: Timestamp,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When a Pending one may be claimed next; `None` once it is Running or over.
    pub run_at: Option<Timestamp>,
    /// When its latest attempt started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Option<Timestamp>,
    /// Who runs or ran its latest attempt.
    pub worker: Option<String>,
    /// The failed execution that it retries.
    pub retry_parent_id: Option<ExecutionId>,
    /// How many items its handler said it processed.
    pub items_processed: Option<i64>,
    /// How far its handler said it is, in percent.
    pub progress: Option<u8>,
    /// Whether it is Failed although part of the work is done: some hosts of a broadcast succeeded.
    pub partial: bool,
}

impl ExecutionSummary {
    /// Attempts after the first.
    pub fn retry_count(&self) -> u16 {
        self.lifecycle.attempt.saturating_sub(1)
    }
}

/// An execution in full.
#[derive(Debug, Clone, PartialEq)]
pub struct Execution {
    /// What lists show.
    pub summary: ExecutionSummary,
    /// What it works on.
    pub payload: Option<Value>,
    /// All tries, the first one included, where they are not the job's retry policy's to say.
    pub max_attempts: Option<u16>,
    /// What its handler gave back.
    pub output: Option<Output>,
    /// Why it failed.
    pub error: Option<String>,
    /// What happened to it beside the ordinary, oldest first.
    pub events: Vec<Event>,
}

/// How one attempt ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AttemptOutcome {
    /// Still going.
    Running,
    /// Well.
    Succeeded,
    /// Not well.
    Failed,
    /// It ran longer than the job allows.
    TimedOut,
    /// Its worker was lost.
    Lost,
    /// It was taken back.
    Snoozed,
    /// Somebody cancelled the execution meanwhile.
    Cancelled,
}

/// One try of an execution by one worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attempt {
    /// Counted from 1.
    pub number: u16,
    /// Who tried.
    pub worker: Option<String>,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How it ended.
    pub outcome: AttemptOutcome,
    /// What went wrong.
    pub error: Option<String>,
}

impl Execution {
    /// The attempts, oldest first: those that ended out of the ordinary are told by events, the latest one by the
    /// execution's own columns.
    pub fn attempts(&self) -> Vec<Attempt> {
        let summary = &self.summary;
        let mut attempts: Vec<Attempt> = self
            .events
            .iter()
            .filter_map(|event| {
                let outcome = match event.kind {
                    EventKind::AttemptFailed => AttemptOutcome::Failed,
                    EventKind::AttemptTimedOut => AttemptOutcome::TimedOut,
                    EventKind::AttemptLost => AttemptOutcome::Lost,
                    EventKind::Snoozed => AttemptOutcome::Snoozed,
                    // What agents try is part of an attempt that waits for them.
                    EventKind::HandedOn
                    | EventKind::Cancelled
                    | EventKind::Retried
                    | EventKind::CallbackDelivered
                    | EventKind::CallbackFailed => return None,
                };
                Some(Attempt {
                    number: event.attempt,
                    worker: Some(event.source.clone()),
                    started_at: event.attempt_started_at,
                    ended_at: Some(event.at),
                    outcome,
                    error: event.error.clone(),
                })
            })
            .collect();
        let number = summary.lifecycle.attempt;
        let told = attempts.last().is_some_and(|last| last.number == number && last.started_at == summary.started_at);
        let outcome = match summary.lifecycle.state {
            ExecutionState::Pending => None,
            ExecutionState::Running => Some(AttemptOutcome::Running),
            ExecutionState::Succeeded => Some(AttemptOutcome::Succeeded),
            ExecutionState::Failed => (!told).then_some(AttemptOutcome::Failed),
            // One that was cancelled while it waited has no attempt of its own that ended so.
            ExecutionState::Cancelled => (!told && summary.started_at.is_some()).then_some(AttemptOutcome::Cancelled),
        };
        if let Some(outcome) = outcome {
            attempts.push(Attempt {
                number,
                worker: summary.worker.clone(),
                started_at: summary.started_at,
                ended_at: summary.completed_at,
                outcome,
                error: self.error.clone(),
            });
        }
        attempts
    }
}
