//! What an attempt's or an execution's end leaves behind: the record, and the figures.

use horarium_domain::execution::{Event, EventKind, ExecutionState};
use horarium_domain::job::LastRun;
use horarium_domain::stats::{ROLLUP_WIDTHS, RollupBucket};
use horarium_domain::store::{CancelOutcome, Decision, Settled, Settlement, StoreError};
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};

use super::record::{End, Stage};
use super::state::{RollupKey, State};

impl State {
    pub(super) fn settle(&mut self, settlement: Settlement) -> Settled {
        let Settlement { lease, next, worker, started_at, ended_at, decision, event, only_if_expired_at, .. } =
            settlement;
        let Some((record, attempt)) = self.held(lease) else { return Settled::Stale };
        if only_if_expired_at.is_some_and(|at| attempt.lease_until > at) {
            return Settled::Stale;
        }
        let (tenant, job) = (record.accepted.tenant_id, record.accepted.job_id);
        self.change(lease.execution_id, |record| {
            record.attempt = next.attempt;
            record.lost = next.lost;
            record.events.extend(event);
        });
        self.count_attempt(tenant, job, started_at, ended_at);
        match decision {
            Decision::Requeue { run_at } => self.change(lease.execution_id, |record| {
                record.stage = Stage::Waiting { run_at, ready: run_at <= ended_at };
                record.requeued_at = Some(ended_at);
            }),
            Decision::Finish { state, output, error, items_processed, partial } => {
                let end = End {
                    state,
                    started_at: Some(started_at),
                    completed_at: ended_at,
                    worker: Some(worker),
                    output,
                    error,
                    items_processed,
                    partial,
                };
                self.finish(lease.execution_id, end);
            }
        }
        Settled::Applied
    }

    /// Cancels an execution in whatever state it is.
    pub(super) fn cancel(
        &mut self,
        tenant: TenantId,
        id: ExecutionId,
        by: &str,
        now: Timestamp,
    ) -> Result<CancelOutcome, StoreError> {
        let record = self.execution(tenant, id)?;
        let job = record.accepted.job_id;
        let (outcome, attempt, started_at, worker) = match &record.stage {
            Stage::Over(end) => return Ok(CancelOutcome::AlreadyTerminal(end.state)),
            Stage::Waiting { .. } => (CancelOutcome::WasPending, 0, None, None),
            Stage::Running(attempt) => {
                let worker = Some(attempt.worker.clone());
                (CancelOutcome::WasRunning, record.attempt, Some(attempt.started_at), worker)
            }
        };
        let event = Event {
            execution_id: id,
            at: now,
            kind: EventKind::Cancelled,
            attempt,
            attempt_started_at: started_at,
            source: by.to_owned(),
            message: format!("Cancelled by {by}"),
            error: None,
        };
        self.change(id, |record| record.events.push(event));
        if let Some(started_at) = started_at {
            self.count_attempt(tenant, job, started_at, now);
        }
        let end = End {
            state: ExecutionState::Cancelled,
            started_at,
            completed_at: now,
            worker,
            output: None,
            error: None,
            items_processed: None,
            partial: false,
        };
        self.finish(id, end);
        Ok(outcome)
    }

    /// Writes an execution's end, and what it means for its job and for the rollups.
    fn finish(&mut self, id: ExecutionId, end: End) {
        let Some(record) = self.executions.get(&id) else { return };
        let (tenant, job_id) = (record.accepted.tenant_id, record.accepted.job_id);
        if let Some(job) = self.jobs.get_mut(&job_id) {
            match end.state {
                ExecutionState::Succeeded => job.consecutive_failures = 0,
                ExecutionState::Failed => job.consecutive_failures += 1,
                ExecutionState::Pending | ExecutionState::Running | ExecutionState::Cancelled => {}
            }
            // Ends may be written in another order than they happened in.
            if job.last_run.is_none_or(|last| last.completed_at <= end.completed_at) {
                job.last_run = Some(LastRun {
                    started_at: end.started_at,
                    completed_at: end.completed_at,
                    state: end.state,
                    duration_ms: end.duration_ms(),
                });
            }
        }
        let duration_ms = end.duration_ms().unwrap_or_default();
        self.count(tenant, job_id, end.completed_at, |bucket| match end.state {
            ExecutionState::Succeeded => {
                bucket.succeeded += 1;
                bucket.duration_ms += duration_ms;
            }
            ExecutionState::Failed => {
                bucket.failed += 1;
                bucket.duration_ms += duration_ms;
            }
            ExecutionState::Cancelled => bucket.cancelled += 1,
            ExecutionState::Pending | ExecutionState::Running => {}
        });
        self.make_due(id, end.completed_at);
        self.change(id, |record| record.stage = Stage::Over(end));
    }

    fn count_attempt(&mut self, tenant: TenantId, job: JobId, started_at: Timestamp, stopped_at: Timestamp) {
        self.count(tenant, job, started_at, |bucket| bucket.started += 1);
        self.count(tenant, job, stopped_at, |bucket| bucket.stopped += 1);
    }

    fn count(&mut self, tenant: TenantId, job: JobId, at: Timestamp, add: impl Fn(&mut RollupBucket)) {
        let [fine, coarse] = ROLLUP_WIDTHS;
        for (job, width) in [(None, fine), (None, coarse), (Some(job), coarse)] {
            let key = RollupKey { tenant, job, width, start: at.floor_to(width) };
            add(self.rollups.entry(key).or_default());
        }
    }
}
