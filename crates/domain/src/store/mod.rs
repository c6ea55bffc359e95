//! The ports: what Horarium asks of a database.
//!
//! Every method is one atomic transaction, so no transaction ever crosses a layer. Every method that concerns one
//! tenant's things takes that tenant, and what belongs to another one does not exist for it. Times come from the
//! caller; a store never reads a clock of its own. `horarium-store-conformance` holds the suite that each
//! implementation passes.

mod agents;
mod audit;
mod callbacks;
mod executions;
mod groups;
mod jobs;
mod maintenance;
mod planning;
mod queue;
mod secrets;
mod sessions;
mod tenants;

use std::sync::Arc;

pub use agents::{AgentStore, Excuse, Heartbeat, Registration, Reported, SweptTasks, TaskRequest, WaitingTasks};
pub use audit::{AcceptanceNote, AuditFilter, AuditStore};
pub use callbacks::CallbackStore;
pub use executions::{
    Counted, CursorPage, ExecutionEnd, ExecutionFilter, ExecutionStore, Recent, RollupWindow, SkippedSlots,
    StateCounts, TimelineData,
};
pub use groups::{GroupFilter, GroupStore};
pub use jobs::{JobChange, JobFilter, JobSort, JobStore};
pub use maintenance::{Drift, IdempotencyStore, MaintenanceStore, Released, Reservation, Reserved, StoredAnswer};
pub use planning::{Decide, DueSlot, FireOutcome, Firing, PlanningStore};
pub use queue::{
    CancelOutcome, ClaimRequest, Claimed, Decision, Enqueued, ExecutionQueue, ExpiredLease, Lease, Promoted, Settled,
    Settlement, Signal,
};
pub use secrets::{SecretHolder, SecretStore, StoredSecrets};
pub use sessions::SessionStore;
pub use tenants::{ApiKeyStore, KeyLimitStore, QueueStore, TenantStore};

/// Everything that a database offers Horarium.
pub trait Store:
    ExecutionQueue
    + PlanningStore
    + JobStore
    + ExecutionStore
    + GroupStore
    + TenantStore
    + ApiKeyStore
    + QueueStore
    + KeyLimitStore
    + IdempotencyStore
    + MaintenanceStore
    + CallbackStore
    + AuditStore
    + AgentStore
    + SecretStore
    + SessionStore
{
}

impl<T> Store for T where
    T: ExecutionQueue
        + PlanningStore
        + JobStore
        + ExecutionStore
        + GroupStore
        + TenantStore
        + ApiKeyStore
        + QueueStore
        + KeyLimitStore
        + IdempotencyStore
        + MaintenanceStore
        + CallbackStore
        + AuditStore
        + AgentStore
        + SecretStore
        + SessionStore
{
}

/// A store that is shared by everything that needs one.
pub type SharedStore = Arc<dyn Store>;

/// Why a store did not do what it was asked.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// It is not there, or it is another tenant's.
    #[error("{0} not found")]
    NotFound(&'static str),
    /// It is there already, or it changed since the caller read it.
    #[error("conflict: {0}")]
    Conflict(Conflict),
    /// The database cannot be reached or is too busy; the same call may succeed later.
    #[error("the database is unavailable: {0}")]
    Unavailable(String),
    /// A stored row makes no sense. It is left as it is, and named.
    #[error("inconsistent row in {table} ({key}): {detail}")]
    Inconsistent {
        /// The table.
        table: &'static str,
        /// The row's key.
        key: String,
        /// What is wrong with it.
        detail: String,
    },
    /// Anything else: a defect of Horarium or of the database.
    #[error("the database refused the statement: {0}")]
    Internal(String),
}

/// What a change collided with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Conflict {
    /// The name, slug or key is taken.
    #[error("the name is taken")]
    NameTaken,
    /// The definition changed since the caller read it.
    #[error("it changed meanwhile")]
    VersionChanged,
    /// An execution of it is running.
    #[error("an execution is running")]
    ExecutionRunning,
}
