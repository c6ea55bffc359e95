//! What is kept of jobs and executions.

use horarium_domain::Timestamp;
use horarium_domain::concurrency::KeyLimits;
use horarium_domain::execution::{Event, Execution, ExecutionState, ExecutionSummary, Lifecycle, NewExecution, Output};
use horarium_domain::job::{Job, JobSummary, LastRun};
use horarium_domain::queue::QueueLimits;
use horarium_domain::store::{ExecutionEnd, SkippedSlots};
use horarium_domain::tenant::TenantLimits;

/// A job and what is known of it.
pub(super) struct JobRecord {
    pub(super) job: Job,
    pub(super) next_run_at: Option<Timestamp>,
    pub(super) last_run: Option<LastRun>,
    pub(super) consecutive_failures: u32,
    /// In the order in which they were recorded.
    pub(super) skipped: Vec<SkippedSlots>,
}

impl JobRecord {
    pub(super) fn new(job: Job, next_run_at: Option<Timestamp>) -> Self {
        Self { job, next_run_at, last_run: None, consecutive_failures: 0, skipped: Vec::new() }
    }

    pub(super) fn summary(&self) -> JobSummary {
        JobSummary {
            job: self.job.clone(),
            next_run_at: self.next_run_at,
            last_run: self.last_run,
            consecutive_failures: self.consecutive_failures,
        }
    }
}

/// An execution and where it stands.
pub(super) struct ExecutionRecord {
    /// As it was accepted.
    pub(super) accepted: NewExecution,
    pub(super) attempt: u16,
    pub(super) lost: u16,
    /// Counts claims.
    pub(super) fence: i32,
    pub(super) stage: Stage,
    /// When an attempt was last taken back for another one.
    pub(super) requeued_at: Option<Timestamp>,
    /// In the order in which they were recorded.
    pub(super) events: Vec<Event>,
}

/// Where an execution stands, with what there is to know of it there.
pub(super) enum Stage {
    /// It may be claimed when it is `ready`, which it is made at `run_at`.
    Waiting { run_at: Timestamp, ready: bool },
    /// A worker has it.
    Running(RunningAttempt),
    /// It is over.
    Over(End),
}

pub(super) struct RunningAttempt {
    pub(super) worker: String,
    pub(super) started_at: Timestamp,
    pub(super) lease_until: Timestamp,
    pub(super) progress: Option<u8>,
}

pub(super) struct End {
    /// A terminal one.
    pub(super) state: ExecutionState,
    /// When the last attempt started; `None` when it ended without one.
    pub(super) started_at: Option<Timestamp>,
    pub(super) completed_at: Timestamp,
    pub(super) worker: Option<String>,
    pub(super) output: Option<Output>,
    pub(super) error: Option<String>,
    pub(super) items_processed: Option<i64>,
    /// Whether it failed although part of the work is done.
    pub(super) partial: bool,
}

impl End {
    /// How long the last attempt ran, in milliseconds.
    pub(super) fn duration_ms(&self) -> Option<i64> {
        self.started_at.map(|started_at| self.completed_at.since(started_at).as_millis() as i64)
    }
}

impl ExecutionRecord {
    pub(super) fn new(accepted: NewExecution) -> Self {
        let (run_at, ready) = (accepted.run_at, accepted.run_at <= accepted.created_at);
        let stage = Stage::Waiting { run_at, ready };
        Self { accepted, attempt: 0, lost: 0, fence: 0, stage, requeued_at: None, events: Vec::new() }
    }

    pub(super) fn state(&self) -> ExecutionState {
        match &self.stage {
            Stage::Waiting { .. } => ExecutionState::Pending,
            Stage::Running(_) => ExecutionState::Running,
            Stage::Over(end) => end.state,
        }
    }

    /// How it ended; `None` while it lives.
    pub(super) fn ended_as(&self) -> Option<ExecutionEnd> {
        let Stage::Over(end) = &self.stage else { return None };
        match end.state {
            ExecutionState::Succeeded => Some(ExecutionEnd::Succeeded),
            ExecutionState::Failed if end.partial => Some(ExecutionEnd::PartlyFailed),
            ExecutionState::Failed => Some(ExecutionEnd::Failed),
            ExecutionState::Cancelled => Some(ExecutionEnd::Cancelled),
            ExecutionState::Pending | ExecutionState::Running => None,
        }
    }

    pub(super) fn lifecycle(&self) -> Lifecycle {
        Lifecycle { state: self.state(), attempt: self.attempt, lost: self.lost }
    }

    /// When the attempt started that runs or was the last to run; `None` while it waits.
    pub(super) fn started_at(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Waiting { .. } => None,
            Stage::Running(attempt) => Some(attempt.started_at),
            Stage::Over(end) => end.started_at,
        }
    }

    /// When it last changed after it was accepted, if it did.
    pub(super) fn changed_at(&self) -> Option<Timestamp> {
        match &self.stage {
            Stage::Waiting { .. } => self.requeued_at,
            Stage::Running(attempt) => Some(attempt.started_at),
            Stage::Over(end) => Some(end.completed_at),
        }
    }

    pub(super) fn summary(&self, job_name: &str) -> ExecutionSummary {
        let accepted = &self.accepted;
        let waiting = ExecutionSummary {
            id: accepted.id,
            tenant_id: accepted.tenant_id,
            job_id: accepted.job_id,
            job_name: job_name.to_owned(),
            lifecycle: self.lifecycle(),
            trigger: accepted.trigger,
            triggered_by: accepted.triggered_by.clone(),
            queue: accepted.queue.clone(),
            priority: accepted.priority,
            concurrency_key: accepted.concurrency_key.clone(),
            scheduled_for: accepted.scheduled_for,
            created_at: accepted.created_at,
            run_at: None,
            started_at: self.started_at(),
            completed_at: None,
            worker: None,
            retry_parent_id: accepted.retry_parent_id,
            items_processed: None,
            progress: None,
            partial: false,
        };
        match &self.stage {
            Stage::Waiting { run_at, .. } => ExecutionSummary { run_at: Some(*run_at), ..waiting },
            Stage::Running(attempt) => {
                ExecutionSummary { worker: Some(attempt.worker.clone()), progress: attempt.progress, ..waiting }
            }
            Stage::Over(end) => ExecutionSummary {
                completed_at: Some(end.completed_at),
                worker: end.worker.clone(),
                items_processed: end.items_processed,
                partial: end.partial,
                ..waiting
            },
        }
    }

    pub(super) fn detail(&self, job_name: &str) -> Execution {
        let (output, error) = match &self.stage {
            Stage::Over(end) => (end.output.clone(), end.error.clone()),
            Stage::Waiting { .. } | Stage::Running(_) => (None, None),
        };
        Execution {
            summary: self.summary(job_name),
            payload: self.accepted.payload.clone(),
            max_attempts: self.accepted.max_attempts,
            output,
            error,
            events: self.events.clone(),
        }
    }
}

/// A queue that somebody configured.
pub(super) struct QueueRecord {
    pub(super) limits: QueueLimits,
    pub(super) bucket: Bucket,
}

/// A tenant that somebody limited or gave a weight.
pub(super) struct TenantLimitsRecord {
    pub(super) limits: TenantLimits,
    pub(super) bucket: Bucket,
}

/// A concurrency key that somebody limited.
pub(super) struct KeyLimitsRecord {
    pub(super) limits: KeyLimits,
    pub(super) bucket: Bucket,
}

/// A rate limit's token bucket: how many may start, as of when. Full until it is first used.
#[derive(Clone, Copy, Default)]
pub(super) struct Bucket(Option<(f64, Timestamp)>);

impl Bucket {
    /// How many may start now, parts included; `None` for any number. The bucket holds one second's worth.
    pub(super) fn tokens_at(self, per_second: Option<u32>, now: Timestamp) -> Option<f64> {
        let rate = f64::from(per_second?);
        Some(self.0.map_or(rate, |(tokens, as_of)| (tokens + now.since(as_of).as_secs_f64() * rate).min(rate)))
    }

    /// Takes out what starts now.
    pub(super) fn take_token(&mut self, per_second: Option<u32>, now: Timestamp) {
        if let Some(tokens) = self.tokens_at(per_second, now) {
            // A claimer whose clock is behind must not make the time since count twice.
            let as_of = self.0.map_or(now, |(_, as_of)| as_of.max(now));
            self.0 = Some((tokens - 1.0, as_of));
        }
    }
}
