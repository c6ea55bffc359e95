//! The ports whose work is done, wholly or in part, by the hot path.

use async_trait::async_trait;
use horarium_domain::execution::NewExecution;
use horarium_domain::store::{
    AcceptanceNote, CancelOutcome, ClaimRequest, Claimed, Decide, Drift, DueSlot, Enqueued, ExecutionQueue,
    ExpiredLease, FireOutcome, Firing, Lease, MaintenanceStore, PlanningStore, Promoted, Released, Settled, Settlement,
    Signal, StoreError,
};
use horarium_domain::{ExecutionId, TenantId, Timestamp};

use crate::store::SqlStore;

#[async_trait]
impl ExecutionQueue for SqlStore {
    async fn enqueue_noted(
        &self,
        batch: Vec<NewExecution>,
        notes: Vec<AcceptanceNote>,
    ) -> Result<Vec<Enqueued>, StoreError> {
        self.hot.enqueue_noted(batch, notes).await
    }

    async fn enqueue_and_tell(
        &self,
        batch: Vec<NewExecution>,
        notes: Vec<AcceptanceNote>,
    ) -> Result<Vec<Enqueued>, StoreError> {
        self.hot.enqueue_and_tell(batch, notes).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        self.hot.claim(request).await
    }

    async fn settle(&self, batch: Vec<Settlement>) -> Result<Vec<Settled>, StoreError> {
        self.hot.settle(batch).await
    }

    async fn renew(&self, leases: &[Lease], lease_until: Timestamp) -> Result<Vec<Lease>, StoreError> {
        self.hot.renew(leases, lease_until).await
    }

    async fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<ExpiredLease>, StoreError> {
        self.hot.expired(now, limit).await
    }

    async fn promote(&self, now: Timestamp, limit: usize) -> Result<Promoted, StoreError> {
        self.hot.promote(now, limit).await
    }

    async fn cancel(
        &self,
        tenant: TenantId,
        id: ExecutionId,
        by: &str,
        now: Timestamp,
    ) -> Result<CancelOutcome, StoreError> {
        self.hot.cancel(tenant, id, by, now).await
    }

    async fn note_progress(&self, batch: &[(Lease, u8)]) -> Result<(), StoreError> {
        self.hot.note_progress(batch).await
    }

    async fn publish(&self, signal: Signal) -> Result<(), StoreError> {
        self.hot.publish(signal).await
    }

    async fn next_signal(&self) -> Result<Signal, StoreError> {
        self.hot.next_signal().await
    }
}

#[async_trait]
impl PlanningStore for SqlStore {
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueSlot>, StoreError> {
        self.hot.due(now, limit).await
    }

    async fn fire_due(
        &self,
        now: Timestamp,
        limit: usize,
        decide: Decide,
    ) -> Result<Vec<(Firing, FireOutcome)>, StoreError> {
        self.hot.fire_due(now, limit, decide).await
    }

    async fn next_slot_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.hot.next_slot_at().await
    }

    async fn fire(&self, batch: Vec<Firing>) -> Result<Vec<FireOutcome>, StoreError> {
        self.hot.fire(batch).await
    }
}

#[async_trait]
impl MaintenanceStore for SqlStore {
    async fn prepare_history(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.hot.prepare_history(now).await
    }

    async fn release_history(&self, tenant: TenantId, before: Timestamp) -> Result<Released, StoreError> {
        self.hot.release_history(tenant, before).await
    }

    async fn prune_executions(&self, tenant: TenantId, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        self.hot.prune_executions(tenant, before, limit).await
    }

    async fn delete_execution(&self, tenant: TenantId, id: ExecutionId) -> Result<(), StoreError> {
        self.hot.delete_execution(tenant, id).await
    }

    async fn prune_rollups(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.delete_old_figures(now).await
    }

    async fn reconcile_counters(&self, tenant: TenantId) -> Result<Vec<Drift>, StoreError> {
        self.hot.reconcile_counters(tenant).await
    }

    async fn sweep_gates(&self) -> Result<u64, StoreError> {
        self.hot.sweep_gates().await
    }

    async fn check(&self) -> Result<(), StoreError> {
        self.check_schema().await
    }

    async fn database_time(&self) -> Result<Option<Timestamp>, StoreError> {
        self.clock().await
    }
}
