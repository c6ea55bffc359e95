//! The hot path: accepting, claiming and settling executions and firing schedules, thousands of times a second.
//!
//! It is written twice, each time in its database's own best SQL and by hand, because the shape of each statement is
//! what its speed and its freedom from deadlocks come from. What does not depend on the database is written once:
//! [`rollup`] says what a batch of ends adds to the counters, [`gates`] which candidates the limits of queues and jobs
//! let through, [`text`] what the databases can keep.
//!
//! # Order of locks
//!
//! Every transaction takes what it needs of these in this order, and several rows of one table in the order of their
//! key, so that no two can wait for each other in a circle:
//!
//! `job_slots` → `queues`, `jobs` (only by those who count against a limit) → `execution_queue` → `executions` →
//! `job_counters` → `job_durations` → `rollups`
//!
//! Claiming never waits: it passes over what somebody else holds (`skip locked`). A deadlock that happens all the same
//! (with an ordinary write, say) is answered by running the whole method again.

use async_trait::async_trait;
use horarium_domain::store::{Drift, ExecutionQueue, PlanningStore, StoreError};
use horarium_domain::{TenantId, Timestamp};

mod gates;
mod postgres;
mod rollup;
mod sqlite;
mod text;

pub(crate) use postgres::PostgresHot;
pub(crate) use sqlite::SqliteHot;

/// What a database's hot path offers: two whole ports, and that part of
/// [`MaintenanceStore`](horarium_domain::store::MaintenanceStore) which rewrites the queue, the history or its counters.
#[async_trait]
pub(crate) trait HotStore: ExecutionQueue + PlanningStore {
    /// See [`MaintenanceStore::prune_executions`](horarium_domain::store::MaintenanceStore::prune_executions).
    async fn prune_executions(&self, tenant: TenantId, before: Timestamp, limit: usize) -> Result<u64, StoreError>;

    /// See [`MaintenanceStore::reconcile_counters`](horarium_domain::store::MaintenanceStore::reconcile_counters).
    async fn reconcile_counters(&self, tenant: TenantId) -> Result<Vec<Drift>, StoreError>;

    /// See [`MaintenanceStore::sweep_gates`](horarium_domain::store::MaintenanceStore::sweep_gates).
    async fn sweep_gates(&self) -> Result<u64, StoreError>;
}
