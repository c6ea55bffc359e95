//! Tenants, their API keys, their queues and their concurrency keys.

use async_trait::async_trait;

use super::StoreError;
use crate::api_key::ApiKeyRecord;
use crate::concurrency::{ConcurrencyKey, KeyLimits};
use crate::job::{Job, QueueName};
use crate::page::{Page, PageRequest};
use crate::queue::{QueueLimits, QueueSummary};
use crate::tenant::{Tenant, TenantLimits, TenantRef};
use crate::{ApiKeyId, TenantId, Timestamp};

/// The tenants.
#[async_trait]
pub trait TenantStore: Send + Sync {
    /// Adds a tenant with the jobs that every tenant has.
    ///
    /// # Errors
    /// [`Conflict::NameTaken`](super::Conflict::NameTaken) when its id or slug exists.
    async fn create_tenant(&self, tenant: Tenant, jobs: Vec<(Job, Option<Timestamp>)>) -> Result<(), StoreError>;

    /// A tenant by its id or slug.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn tenant(&self, tenant: &TenantRef) -> Result<Tenant, StoreError>;

    /// One page of all tenants, by slug.
    async fn tenants(&self, page: PageRequest) -> Result<Page<Tenant>, StoreError>;

    /// Changes a tenant's name and whether it is active; the rest stays as it is.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn update_tenant(&self, tenant: Tenant) -> Result<(), StoreError>;

    /// Removes a tenant and everything that is its.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`Conflict::ExecutionRunning`](super::Conflict::ExecutionRunning).
    async fn delete_tenant(&self, id: TenantId) -> Result<(), StoreError>;

    /// Sets all limits of a tenant and its weight. Claims follow them from then on, for what waits already, too.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn set_tenant_limits(&self, id: TenantId, limits: TenantLimits) -> Result<(), StoreError>;

    /// A tenant's limits and weight.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn tenant_limits(&self, id: TenantId) -> Result<TenantLimits, StoreError>;
}

/// The API keys of the tenants. Secrets are never stored, only their hashes.
#[async_trait]
pub trait ApiKeyStore: Send + Sync {
    /// Adds a key.
    async fn create_key(&self, key: ApiKeyRecord) -> Result<(), StoreError>;

    /// A key by its id, over all tenants: for authentication alone.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn key(&self, id: ApiKeyId) -> Result<ApiKeyRecord, StoreError>;

    /// One page of a tenant's keys, newest first.
    async fn keys(&self, tenant: TenantId, page: PageRequest) -> Result<Page<ApiKeyRecord>, StoreError>;

    /// Writes a key's changed hash, expiry or revocation. A revocation that is stored stays, whatever the record says:
    /// who rotates a key must not undo what somebody else did meanwhile.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn update_key(&self, key: ApiKeyRecord) -> Result<(), StoreError>;

    /// Notes when keys were last used. Nodes report late and in any order: an earlier use than the stored one changes
    /// nothing, and unknown keys are ignored.
    async fn touch_keys(&self, used: &[(ApiKeyId, Timestamp)]) -> Result<(), StoreError>;

    /// Deletes a tenant's keys that expired or were revoked before `before`; answers how many.
    async fn delete_expired_keys(&self, tenant: TenantId, before: Timestamp) -> Result<u64, StoreError>;
}

/// The queues of the tenants.
#[async_trait]
pub trait QueueStore: Send + Sync {
    /// Sets a queue's limits. Executions that wait in it follow them from then on.
    async fn set_queue(&self, tenant: TenantId, limits: QueueLimits) -> Result<(), StoreError>;

    /// Pauses or resumes a queue, whose other limits stay as they are.
    async fn pause_queue(&self, tenant: TenantId, name: &QueueName, paused: bool) -> Result<(), StoreError>;

    /// Up to `limit` of the tenant's queues that have limits or hold something, by name, from the one that follows
    /// `after` on.
    async fn queues(
        &self,
        tenant: TenantId,
        after: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<QueueSummary>, StoreError>;

    /// One queue; without limits and empty when nothing is known of it.
    async fn queue(&self, tenant: TenantId, name: &QueueName, now: Timestamp) -> Result<QueueSummary, StoreError>;

    /// All tenants together, for the metrics: (waiting, running, when the oldest waiting one became due).
    async fn queue_totals(&self, now: Timestamp) -> Result<(u64, u64, Option<Timestamp>), StoreError>;
}

/// The limits of concurrency keys.
#[async_trait]
pub trait KeyLimitStore: Send + Sync {
    /// Sets all limits of a key. Executions that wait with it follow them from then on.
    async fn set_key_limits(&self, tenant: TenantId, limits: KeyLimits) -> Result<(), StoreError>;

    /// The limits of a key; none when nobody set any.
    async fn key_limits(&self, tenant: TenantId, key: &ConcurrencyKey) -> Result<KeyLimits, StoreError>;

    /// Up to `limit` of the tenant's keys that have limits, in the order of their characters, from the one that follows
    /// `after` on.
    async fn limited_keys(
        &self,
        tenant: TenantId,
        after: Option<&ConcurrencyKey>,
        limit: usize,
    ) -> Result<Vec<KeyLimits>, StoreError>;
}
