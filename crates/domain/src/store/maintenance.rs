//! What keeps a store healthy: retention, reconciliation, idempotency records, readiness.

use async_trait::async_trait;

use super::StoreError;
use crate::{ExecutionId, RequestSeed, TenantId, Timestamp};

/// A counter that differed from the history it counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drift {
    /// Which counter of what.
    pub counter: String,
    /// What it said.
    pub stored: i64,
    /// What the history says; the counter's value from now on.
    pub counted: i64,
}

/// What became of a history whose end was told to [`release_history`](MaintenanceStore::release_history).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Released {
    /// How many of the tenant's executions went at once.
    pub executions: u64,
    /// What ended before this and is still there is left to [`prune_executions`](MaintenanceStore::prune_executions).
    pub singly_before: Timestamp,
}

/// The first answer to a request with an `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredAnswer {
    /// HTTP status.
    pub status: u16,
    /// The `Location` header, if there was one.
    pub location: Option<String>,
    /// The `ETag` header, if there was one.
    pub etag: Option<String>,
    /// The media type of the body.
    pub content_type: String,
    /// The body.
    pub body: Vec<u8>,
}

/// A key that is held for a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reserved {
    /// Since when. It tells the holder from one who takes the key over.
    pub at: Timestamp,
    /// What the ids of the request's executions follow from.
    pub seed: RequestSeed,
}

/// What is known of an `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reservation {
    /// Nothing, or nothing but that the same request was begun and never answered: it is reserved for the caller, who
    /// must complete, release or abandon it.
    Fresh(Reserved),
    /// The same request was answered before.
    Answered(StoredAnswer),
    /// The same request is being answered right now.
    InProgress,
    /// The key was used for another request.
    Mismatch,
}

/// Records of requests with an `Idempotency-Key`.
#[async_trait]
pub trait IdempotencyStore: Send + Sync {
    /// Reserves a key for a request, told by its fingerprint, as `fresh` says. A reservation from before
    /// `stale_before` that was never completed (its caller died) and any record from before `expired_before` count as
    /// nothing; but who takes over the former for the same request keeps its seed.
    async fn reserve_key(
        &self,
        tenant: TenantId,
        key: &str,
        fingerprint: [u8; 32],
        fresh: Reserved,
        stale_before: Timestamp,
        expired_before: Timestamp,
    ) -> Result<Reservation, StoreError>;

    /// Keeps the answer for later callers. Without the reservation, told by its time, there is nothing to answer, and
    /// nothing happens.
    async fn complete_key(
        &self,
        tenant: TenantId,
        key: &str,
        reserved_at: Timestamp,
        answer: StoredAnswer,
    ) -> Result<(), StoreError>;

    /// Forgets a reservation, told by its time, whose request was refused. What was answered stays.
    async fn release_key(&self, tenant: TenantId, key: &str, reserved_at: Timestamp) -> Result<(), StoreError>;

    /// Makes a reservation, told by its time, one from `since`: for a request of which nobody knows whether it was carried
    /// out. What was answered stays.
    async fn abandon_key(
        &self,
        tenant: TenantId,
        key: &str,
        reserved_at: Timestamp,
        since: Timestamp,
    ) -> Result<(), StoreError>;

    /// Deletes a tenant's records made before `before`; answers how many.
    async fn delete_idempotency_records(&self, tenant: TenantId, before: Timestamp) -> Result<u64, StoreError>;
}

/// Housekeeping.
#[async_trait]
pub trait MaintenanceStore: Send + Sync {
    /// Makes room for the history of the days that begin at `now`; answers how much it made. Nothing is refused where it
    /// was not done, but what has no room of its own is deleted one by one.
    async fn prepare_history(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// Takes note that a tenant keeps nothing that ended before `before`. A store that keeps the history by days drops
    /// those that no tenant keeps any more, whoever's executions they hold, and takes them out of the job counters; what
    /// lives, or ended later, stays. A tenant of which this was never said keeps everything.
    async fn release_history(&self, tenant: TenantId, before: Timestamp) -> Result<Released, StoreError>;

    /// Deletes up to `limit` of a tenant's executions that ended before `before`, and takes them out of the job
    /// counters; answers how many. Rollups are kept: they are the long memory.
    async fn prune_executions(&self, tenant: TenantId, before: Timestamp, limit: usize) -> Result<u64, StoreError>;

    /// Deletes a tenant's execution that is over, in the same way.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`Conflict::ExecutionRunning`](super::Conflict::ExecutionRunning) when it is not over.
    async fn delete_execution(&self, tenant: TenantId, id: ExecutionId) -> Result<(), StoreError>;

    /// Deletes rollup buckets, skipped slots and the like that no view reaches back to; answers how many rows.
    async fn prune_rollups(&self, now: Timestamp) -> Result<u64, StoreError>;

    /// Recounts a tenant's job counters from its history, corrects those that differ, and reports them.
    async fn reconcile_counters(&self, tenant: TenantId) -> Result<Vec<Drift>, StoreError>;

    /// Brings executions whose limits changed while they were being enqueued back under those limits.
    async fn sweep_gates(&self) -> Result<u64, StoreError>;

    /// Whether the database answers and its schema is the one this program needs; the error says what is wrong.
    async fn check(&self) -> Result<(), StoreError>;

    /// The database's own clock, to tell the skew of this machine's; `None` where there is no other clock.
    async fn database_time(&self) -> Result<Option<Timestamp>, StoreError>;
}
