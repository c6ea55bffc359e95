//! The hot path.

use async_trait::async_trait;
use horarium_domain::execution::NewExecution;
use horarium_domain::store::{
    AcceptanceNote, CancelOutcome, ClaimRequest, Claimed, Decision, Enqueued, ExecutionQueue, ExpiredLease, Lease,
    Promoted, Settled, Settlement, Signal, StoreError,
};
use horarium_domain::{ExecutionId, TenantId, Timestamp};

use super::MemoryStore;
use super::record::Stage;

#[async_trait]
impl ExecutionQueue for MemoryStore {
    async fn enqueue_noted(
        &self,
        batch: Vec<NewExecution>,
        notes: Vec<AcceptanceNote>,
    ) -> Result<Vec<Enqueued>, StoreError> {
        self.hot(|store| {
            let mut state = store.state();
            let answers = state.accept_all(batch.clone());
            state.append_audit(notes.iter().filter_map(|note| note.entry(&batch, &answers)));
            Ok(answers)
        })
        .await
    }

    async fn enqueue_and_tell(
        &self,
        batch: Vec<NewExecution>,
        notes: Vec<AcceptanceNote>,
    ) -> Result<Vec<Enqueued>, StoreError> {
        self.enqueue_noted(batch, notes).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        self.hot(|store| Ok(store.state().claim(request))).await
    }

    async fn settle(&self, batch: Vec<Settlement>) -> Result<Vec<Settled>, StoreError> {
        let impossible = batch.iter().find_map(|settlement| match settlement.decision {
            Decision::Finish { state, .. } if !state.is_terminal() => Some(state),
            _ => None,
        });
        if let Some(state) = impossible {
            return Err(StoreError::Internal(format!("an execution cannot end {state}")));
        }
        self.hot(|store| {
            let mut state = store.state();
            Ok(batch.into_iter().map(|settlement| state.settle(settlement)).collect())
        })
        .await
    }

    async fn renew(&self, leases: &[Lease], lease_until: Timestamp) -> Result<Vec<Lease>, StoreError> {
        self.hot(|store| {
            let mut state = store.state();
            let held: Vec<_> = leases.iter().copied().filter(|lease| state.held(*lease).is_some()).collect();
            for lease in &held {
                state.change(lease.execution_id, |record| {
                    if let Stage::Running(attempt) = &mut record.stage {
                        attempt.lease_until = lease_until;
                    }
                });
            }
            Ok(held)
        })
        .await
    }

    async fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<ExpiredLease>, StoreError> {
        let state = self.state();
        let expired = state.lanes.by_lease().take_while(|(lease_until, _)| *lease_until < now).take(limit);
        let leases = expired.filter_map(|(_, id)| {
            let record = state.executions.get(&id)?;
            let lease = Lease { execution_id: id, fence: record.fence };
            let (_, attempt) = state.held(lease)?;
            Some(ExpiredLease {
                lease,
                tenant_id: record.accepted.tenant_id,
                job_id: record.accepted.job_id,
                lifecycle: record.lifecycle(),
                worker: attempt.worker.clone(),
                started_at: attempt.started_at,
            })
        });
        Ok(leases.collect())
    }

    async fn promote(&self, now: Timestamp, limit: usize) -> Result<Promoted, StoreError> {
        let mut state = self.state();
        let due: Vec<_> = state.lanes.by_due_time().take_while(|(run_at, _)| *run_at <= now).take(limit).collect();
        for (run_at, id) in &due {
            state.change(*id, |record| record.stage = Stage::Waiting { run_at: *run_at, ready: true });
        }
        let next_at = state.lanes.by_due_time().next().map(|(run_at, _)| run_at);
        Ok(Promoted { count: due.len(), next_at })
    }

    async fn cancel(
        &self,
        tenant: TenantId,
        id: ExecutionId,
        by: &str,
        now: Timestamp,
    ) -> Result<CancelOutcome, StoreError> {
        self.state().cancel(tenant, id, by, now)
    }

    async fn note_progress(&self, batch: &[(Lease, u8)]) -> Result<(), StoreError> {
        let mut state = self.state();
        for (lease, percent) in batch {
            if state.held(*lease).is_some() {
                state.change(lease.execution_id, |record| {
                    if let Stage::Running(attempt) = &mut record.stage {
                        attempt.progress = Some(*percent);
                    }
                });
            }
        }
        Ok(())
    }

    /// Nobody else is there to hear it.
    async fn publish(&self, _signal: Signal) -> Result<(), StoreError> {
        Ok(())
    }

    async fn next_signal(&self) -> Result<Signal, StoreError> {
        std::future::pending().await
    }
}
