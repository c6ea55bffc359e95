//! The hot path: accepting, claiming and settling executions and firing schedules, thousands of times a second.
//!
//! It is written twice, each time in its database's own best SQL and by hand, because the shape of each statement is
//! what its speed and its freedom from deadlocks come from. What does not depend on the database is written once:
//! [`rollup`] says what a batch of ends adds to the counters, [`gates`] which candidates the limits
//! let through, [`aftermath`] what few ends leave behind besides, [`slots`] and [`taken`] what is recorded of executions
//! that are skipped or cancelled, [`drift`] where the counters and the history differ, [`due`] what a stored definition
//! says of a slot.
//!
//! # Order of locks
//!
//! Every transaction takes what it needs of these in this order, and several rows of one table in the order of their
//! key, so that no two can wait for each other in a circle:
//!
//! `job_slots` → `tenant_limits`, `queues`, `jobs`, `key_limits` (only by those who count against a limit) →
//! `execution_queue` → `executions` → `job_counters` → `job_durations` → `rollups`
//!
//! Before all of these, an advisory lock on PostgreSQL: whoever makes or drops a day of the history holds it alone, and
//! those who delete executions one by one share it.
//!
//! Entries of the audit log come last, in the order of their ids: an id that somebody else is writing is waited for.
//!
//! Callbacks stand outside of it: one that is not due is touched by whoever ends its execution alone, and one that is
//! due only by whoever hands it over, before anything else.
//!
//! Claiming never waits: it passes over what somebody else holds (`skip locked`). A deadlock that happens all the same
//! (with an ordinary write, say) is answered by running the whole method again.

use async_trait::async_trait;
use horarium_domain::audit::AuditEntry;
use horarium_domain::callback::{HandedOver, Handover, NewCallback};
use horarium_domain::execution::NewExecution;
use horarium_domain::store::{
    AcceptanceNote, Decide, Drift, DueSlot, Enqueued, ExecutionQueue, FireOutcome, Firing, Released, StoreError,
};
use horarium_domain::{ExecutionId, TenantId, Timestamp};

mod aftermath;
mod drift;
mod due;
mod gates;
mod postgres;
mod rollup;
mod slots;
mod sqlite;
mod taken;

pub(crate) use aftermath::{SKEW, first_in_time};
pub(crate) use postgres::{HOLD_DAYS, PostgresHot};
pub(crate) use sqlite::SqliteHot;

/// What a database's hot path offers: the queue, what of the planner's and the housekeeper's ports rewrites the queue,
/// the history or its counters, and the audit log's entries, since those of accepted executions are written with them.
#[async_trait]
pub(crate) trait HotStore: ExecutionQueue {
    /// See [`PlanningStore::due`](horarium_domain::store::PlanningStore::due).
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueSlot>, StoreError>;

    /// See [`PlanningStore::fire_due`](horarium_domain::store::PlanningStore::fire_due).
    async fn fire_due(
        &self,
        now: Timestamp,
        limit: usize,
        decide: Decide,
    ) -> Result<Vec<(Firing, FireOutcome)>, StoreError>;

    /// See [`PlanningStore::next_slot_at`](horarium_domain::store::PlanningStore::next_slot_at).
    async fn next_slot_at(&self) -> Result<Option<Timestamp>, StoreError>;

    /// See [`PlanningStore::fire`](horarium_domain::store::PlanningStore::fire).
    async fn fire(&self, batch: Vec<Firing>) -> Result<Vec<FireOutcome>, StoreError>;

    /// See [`CallbackStore::enqueue_with_callback`](horarium_domain::store::CallbackStore::enqueue_with_callback).
    async fn enqueue_with_callback(
        &self,
        execution: NewExecution,
        callback: NewCallback,
        note: Option<AcceptanceNote>,
    ) -> Result<Enqueued, StoreError>;

    /// See [`AuditStore::append_audit`](horarium_domain::store::AuditStore::append_audit).
    async fn append_audit(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError>;

    /// See [`CallbackStore::hand_over`](horarium_domain::store::CallbackStore::hand_over).
    async fn hand_over(&self, batch: Vec<Handover>, postponed_to: Timestamp) -> Result<Vec<HandedOver>, StoreError>;

    /// See [`MaintenanceStore::prepare_history`](horarium_domain::store::MaintenanceStore::prepare_history).
    async fn prepare_history(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// See [`MaintenanceStore::release_history`](horarium_domain::store::MaintenanceStore::release_history).
    async fn release_history(&self, tenant: TenantId, before: Timestamp) -> Result<Released, StoreError>;

    /// See [`MaintenanceStore::prune_executions`](horarium_domain::store::MaintenanceStore::prune_executions).
    async fn prune_executions(&self, tenant: TenantId, before: Timestamp, limit: usize) -> Result<u64, StoreError>;

    /// See [`MaintenanceStore::delete_execution`](horarium_domain::store::MaintenanceStore::delete_execution).
    async fn delete_execution(&self, tenant: TenantId, id: ExecutionId) -> Result<(), StoreError>;

    /// See [`MaintenanceStore::reconcile_counters`](horarium_domain::store::MaintenanceStore::reconcile_counters).
    async fn reconcile_counters(&self, tenant: TenantId) -> Result<Vec<Drift>, StoreError>;

    /// See [`MaintenanceStore::sweep_gates`](horarium_domain::store::MaintenanceStore::sweep_gates).
    async fn sweep_gates(&self) -> Result<u64, StoreError>;
}
