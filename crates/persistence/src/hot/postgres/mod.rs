//! The hot path on PostgreSQL: statements prepared once for each connection, whole batches as arrays, and as few round
//! trips as the order of things allows (statements that do not need each other's answers go out together).
//!
//! Any number of nodes run it at once. What keeps them apart: a claim passes over rows that another one holds
//! (`skip locked`), a result must name the fence that its claim was given, a slot is fired by whoever still finds it in
//! its row, and limits are counted by whoever holds the row that states them.

use std::sync::Mutex;

use async_trait::async_trait;
use deadpool_postgres::Pool;
use horarium_domain::audit::AuditEntry;
use horarium_domain::callback::{HandedOver, Handover, NewCallback};
use horarium_domain::execution::NewExecution;
use horarium_domain::fair_share::Shares;
use horarium_domain::store::{
    AcceptanceNote, CancelOutcome, ClaimRequest, Claimed, Decide, Drift, DueSlot, Enqueued, ExecutionQueue,
    ExpiredLease, FireOutcome, Firing, Lease, Promoted, Released, Settled, Settlement, Signal, StoreError,
};
use horarium_domain::{ExecutionId, TenantId, Timestamp};
use uuid::Uuid;

use self::signals::Tell;
use super::HotStore;
use super::due::Schedules;
use super::gates::Group;
use crate::postgres::Server;

mod aftermath;
mod audit;
mod callbacks;
mod cancel;
mod claim;
mod counters;
mod days;
mod due;
mod enqueue;
mod fire;
mod gated;
mod held;
mod insert;
mod lanes;
#[cfg(test)]
mod plans;
mod promote;
mod prune;
mod reconcile;
mod release;
mod renew;
mod replan;
#[cfg(test)]
mod routing;
mod session;
mod settle;
mod signals;
mod sweep;
mod turn;
mod vacuum;
mod values;

pub(crate) use days::HOLD_DAYS;

/// The hot path of one PostgreSQL database.
pub(crate) struct PostgresHot {
    pool: Pool,
    /// Held so that it ends with the store.
    _replanner: replan::Replanner,
    /// As well.
    _vacuum: vacuum::Vacuum,
    listener: tokio::sync::Mutex<signals::Listener>,
    /// The tenant that the last claim served last; the next one begins after it.
    last_served: Mutex<TenantId>,
    /// Where claims go on while there is a backlog.
    lanes: lanes::Lanes,
    /// What each of the tenants, and of their queues with weights, had of late.
    share: Mutex<Shares>,
    /// Which claims weigh what is under a limit.
    turn: turn::Turn,
    /// The group that the last gated round ended at, when there were more.
    groups_from: Mutex<Option<Group>>,
    schedules: Schedules,
}

impl PostgresHot {
    /// On connections of `pool`, which is to fix their planner settings; signals come through a connection of its own,
    /// opened on `server` when somebody first waits for one. Must be called within a Tokio runtime.
    pub(crate) fn new(pool: Pool, server: Server) -> Self {
        Self {
            _replanner: replan::Replanner::start(pool.clone()),
            _vacuum: vacuum::Vacuum::start(pool.clone()),
            pool,
            listener: tokio::sync::Mutex::new(signals::Listener::new(server)),
            last_served: Mutex::new(TenantId::from_uuid(Uuid::nil())),
            lanes: lanes::Lanes::default(),
            share: Mutex::default(),
            turn: turn::Turn::new(),
            groups_from: Mutex::new(None),
            schedules: Schedules::default(),
        }
    }
}

#[async_trait]
impl ExecutionQueue for PostgresHot {
    async fn enqueue_noted(
        &self,
        batch: Vec<NewExecution>,
        notes: Vec<AcceptanceNote>,
    ) -> Result<Vec<Enqueued>, StoreError> {
        self.enqueue_batch(&batch, &notes, Tell::Nobody).await
    }

    async fn enqueue_and_tell(
        &self,
        batch: Vec<NewExecution>,
        notes: Vec<AcceptanceNote>,
    ) -> Result<Vec<Enqueued>, StoreError> {
        self.enqueue_batch(&batch, &notes, Tell::OtherNodes).await
    }

    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError> {
        self.claim_batch(request).await
    }

    async fn settle(&self, batch: Vec<Settlement>) -> Result<Vec<Settled>, StoreError> {
        self.settle_batch(&batch).await
    }

    async fn renew(&self, leases: &[Lease], lease_until: Timestamp) -> Result<Vec<Lease>, StoreError> {
        self.renew_leases(leases, lease_until).await
    }

    async fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<ExpiredLease>, StoreError> {
        self.expired_leases(now, limit).await
    }

    async fn promote(&self, now: Timestamp, limit: usize) -> Result<Promoted, StoreError> {
        self.promote_due(now, limit).await
    }

    async fn cancel(
        &self,
        tenant: TenantId,
        id: ExecutionId,
        by: &str,
        now: Timestamp,
    ) -> Result<CancelOutcome, StoreError> {
        self.cancel_one(tenant, id, by, now).await
    }

    async fn note_progress(&self, batch: &[(Lease, u8)]) -> Result<(), StoreError> {
        self.note_progress_of(batch).await
    }

    async fn publish(&self, signal: Signal) -> Result<(), StoreError> {
        self.notify(signal).await
    }

    async fn next_signal(&self) -> Result<Signal, StoreError> {
        Ok(self.listener.lock().await.next().await)
    }
}

#[async_trait]
impl HotStore for PostgresHot {
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueSlot>, StoreError> {
        self.due_at(now, limit).await
    }

    async fn fire_due(
        &self,
        now: Timestamp,
        limit: usize,
        decide: Decide,
    ) -> Result<Vec<(Firing, FireOutcome)>, StoreError> {
        self.fire_what_is_due(now, limit, &decide).await
    }

    async fn next_slot_at(&self) -> Result<Option<Timestamp>, StoreError> {
        self.soonest_slot().await
    }

    async fn fire(&self, batch: Vec<Firing>) -> Result<Vec<FireOutcome>, StoreError> {
        self.fire_batch(&batch).await
    }

    async fn enqueue_with_callback(
        &self,
        execution: NewExecution,
        callback: NewCallback,
        note: Option<AcceptanceNote>,
    ) -> Result<Enqueued, StoreError> {
        self.enqueue_called_back(&execution, &callback, note.as_ref()).await
    }

    async fn append_audit(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError> {
        if entries.is_empty() {
            return Ok(());
        }
        self.append_entries(&entries).await
    }

    async fn hand_over(&self, batch: Vec<Handover>, postponed_to: Timestamp) -> Result<Vec<HandedOver>, StoreError> {
        self.hand_over_batch(&batch, postponed_to).await
    }

    async fn prepare_history(&self, now: Timestamp) -> Result<u64, StoreError> {
        self.prepare_days(now).await
    }

    async fn release_history(&self, tenant: TenantId, before: Timestamp) -> Result<Released, StoreError> {
        self.release(tenant, before).await
    }

    async fn prune_executions(&self, tenant: TenantId, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        self.prune(tenant, before, limit).await
    }

    async fn delete_execution(&self, tenant: TenantId, id: ExecutionId) -> Result<(), StoreError> {
        self.delete_one(tenant, id).await
    }

    async fn reconcile_counters(&self, tenant: TenantId) -> Result<Vec<Drift>, StoreError> {
        self.reconcile(tenant).await
    }

    async fn sweep_gates(&self) -> Result<u64, StoreError> {
        self.sweep().await
    }
}
