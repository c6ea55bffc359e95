//! What keeps a store healthy: retention, reconciliation, idempotency records, readiness.

use async_trait::async_trait;

use super::StoreError;
use crate::{ExecutionId, TenantId, Timestamp};

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

/// What is known of an `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reservation {
    /// Nothing: it is reserved for the caller, who must complete or release it.
    Fresh,
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
    /// Reserves a key for a request, told by its fingerprint. A reservation that was neither completed nor released
    /// by `stale_before` (its caller died) and any record older than `expired_before` count as nothing.
    async fn reserve_key(
        &self,
        tenant: TenantId,
        key: &str,
        fingerprint: [u8; 32],
        now: Timestamp,
        stale_before: Timestamp,
        expired_before: Timestamp,
    ) -> Result<Reservation, StoreError>;

    /// Keeps the answer for later callers. Without a reservation there is nothing to answer, and nothing happens.
    async fn complete_key(&self, tenant: TenantId, key: &str, answer: StoredAnswer) -> Result<(), StoreError>;

    /// Forgets a reservation whose request failed in a way that may be tried again. What was answered stays.
    async fn release_key(&self, tenant: TenantId, key: &str) -> Result<(), StoreError>;

    /// Deletes a tenant's records made before `before`; answers how many.
    async fn delete_idempotency_records(&self, tenant: TenantId, before: Timestamp) -> Result<u64, StoreError>;
}

/// Housekeeping.
#[async_trait]
pub trait MaintenanceStore: Send + Sync {
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
