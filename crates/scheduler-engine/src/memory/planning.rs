//! Turning due slots into executions.

use std::sync::Arc;

use async_trait::async_trait;
use horarium_domain::job::ConcurrencyPolicy;
use horarium_domain::store::{
    CancelOutcome, Decide, DueSlot, Enqueued, FireOutcome, Firing, PlanningStore, SkippedSlots, StoreError,
};
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};

use super::MemoryStore;
use super::state::State;

#[async_trait]
impl PlanningStore for MemoryStore {
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueSlot>, StoreError> {
        Ok(self.state().due(now, limit))
    }

    async fn fire_due(
        &self,
        now: Timestamp,
        limit: usize,
        decide: Decide,
    ) -> Result<Vec<(Firing, FireOutcome)>, StoreError> {
        let mut state = self.state();
        let firings = state.due(now, limit).into_iter().map(|due| decide(due));
        let fired = firings.map(|firing| (firing.clone(), state.fire(firing)));
        Ok(fired.collect())
    }

    async fn next_slot_at(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.state().slots().map(|(slot, _)| slot).min())
    }

    async fn fire(&self, batch: Vec<Firing>) -> Result<Vec<FireOutcome>, StoreError> {
        let mut state = self.state();
        Ok(batch.into_iter().map(|firing| state.fire(firing)).collect())
    }
}

impl State {
    fn due(&self, now: Timestamp, limit: usize) -> Vec<DueSlot> {
        let mut due: Vec<_> = self.slots().filter(|(slot, _)| *slot <= now).collect();
        due.sort_unstable();
        let slots = due.into_iter().take(limit).filter_map(|(slot, id)| {
            let job = &self.jobs.get(&id)?.job;
            Some(DueSlot {
                tenant_id: job.tenant_id,
                job_id: id,
                slot,
                schedule: Arc::new(job.spec.schedule.clone()),
                misfire_policy: job.spec.misfire_policy,
                concurrency: job.spec.concurrency_policy,
                queue: job.spec.queue.clone(),
                priority: job.spec.priority,
            })
        });
        slots.collect()
    }

    /// The next slots of the jobs of active tenants.
    fn slots(&self) -> impl Iterator<Item = (Timestamp, JobId)> {
        let jobs = self
            .jobs
            .iter()
            .filter(|(_, record)| self.tenants.get(&record.job.tenant_id).is_some_and(|tenant| tenant.is_active));
        jobs.filter_map(|(id, record)| record.next_run_at.map(|slot| (slot, *id)))
    }

    fn fire(&mut self, firing: Firing) -> FireOutcome {
        let Firing { tenant_id, job_id, slot, next, executions, mut skipped, concurrency, now } = firing;
        if !self.job(tenant_id, job_id).is_ok_and(|record| record.next_run_at == Some(slot)) {
            return FireOutcome::Superseded;
        }
        let cancelled = match concurrency {
            // Only for something that takes their place: a firing that skips its slots does not end what runs.
            ConcurrencyPolicy::Replace if !executions.is_empty() => self.cancel_live(tenant_id, job_id, now),
            ConcurrencyPolicy::Replace | ConcurrencyPolicy::Forbid | ConcurrencyPolicy::Allow => Vec::new(),
        };
        let mut accepted = 0;
        for execution in executions {
            let slot = execution.scheduled_for;
            let forbidden = concurrency == ConcurrencyPolicy::Forbid && !self.live(tenant_id, job_id).is_empty();
            let outcome = if forbidden { None } else { Some(self.accept(execution)) };
            let reason = match outcome {
                Some(Enqueued::Accepted) => {
                    accepted += 1;
                    continue;
                }
                None => "an earlier execution is still live (concurrency policy Forbid)".to_owned(),
                Some(Enqueued::QueueFull { max_length }) => {
                    format!("the queue is full: it may hold {max_length} waiting executions")
                }
                Some(Enqueued::Duplicate(live)) => format!("the live execution {live} has the same unique key"),
                Some(Enqueued::NoSuchJob) => "the job is deleted".to_owned(),
            };
            note_skipped(&mut skipped, slot, reason, now);
        }
        if let Some(record) = self.jobs.get_mut(&job_id) {
            record.next_run_at = next;
            record.skipped.append(&mut skipped);
        }
        FireOutcome::Fired { accepted, cancelled }
    }

    /// The live executions of a job.
    fn live(&self, tenant: TenantId, job: JobId) -> Vec<ExecutionId> {
        let lanes = self.lanes.of_job(tenant, job);
        let ids = lanes.flat_map(|lane| {
            let ready = lane.ready.iter().map(|(_, id)| id);
            ready.chain(&lane.later).chain(&lane.running)
        });
        ids.copied().collect()
    }

    /// Cancels a job's live executions; answers those that ran.
    fn cancel_live(&mut self, tenant: TenantId, job: JobId, now: Timestamp) -> Vec<ExecutionId> {
        let mut live = self.live(tenant, job);
        live.retain(|id| matches!(self.cancel(tenant, *id, "schedule", now), Ok(CancelOutcome::WasRunning)));
        live
    }
}

/// Notes a slot as skipped, together with the one before it if that was skipped for the same reason.
fn note_skipped(skipped: &mut Vec<SkippedSlots>, slot: Timestamp, reason: String, now: Timestamp) {
    match skipped.last_mut() {
        Some(last) if last.reason == reason => {
            last.last = slot;
            last.count += 1;
        }
        _ => skipped.push(SkippedSlots { first: slot, last: slot, count: 1, reason, recorded_at: now }),
    }
}
