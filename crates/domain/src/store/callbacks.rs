//! Callbacks: recorded with an execution, due with its end, handed over to a delivery.

use async_trait::async_trait;

use super::{AcceptanceNote, Enqueued, StoreError};
use crate::callback::{Callback, DueCallback, HandedOver, Handover, NewCallback, SigningSecret};
use crate::execution::NewExecution;
use crate::{ExecutionId, TenantId, Timestamp};

/// The callbacks of all tenants, and the secrets that they are signed with.
///
/// A callback with a URL becomes due in the very transaction that ends its execution, however it ends; so none is lost,
/// whichever process dies when.
#[async_trait]
pub trait CallbackStore: Send + Sync {
    /// Accepts an execution as [`ExecutionQueue::enqueue_noted`](super::ExecutionQueue::enqueue_noted) does, and records
    /// what is to be told about it. If it is not accepted (a duplicate, a full queue, no job), nothing is recorded; the
    /// same id submitted again leaves the first record as it is.
    async fn enqueue_with_callback(
        &self,
        execution: NewExecution,
        callback: NewCallback,
        note: Option<AcceptanceNote>,
    ) -> Result<Enqueued, StoreError>;

    /// What is to be told about a tenant's execution, if anything was asked for.
    async fn callback(&self, tenant: TenantId, execution: ExecutionId) -> Result<Option<Callback>, StoreError>;

    /// Callbacks that are due at `now` and that nothing delivers yet, the longest due first.
    async fn due_callbacks(&self, now: Timestamp, limit: usize) -> Result<Vec<DueCallback>, StoreError>;

    /// Accepts deliveries and notes each with its callback, in one transaction; the answers are in the order of the
    /// batch, which names each callback once. A delivery with the same unique key that is still live counts as the one
    /// accepted. A callback whose delivery is refused becomes due again at `postponed_to`.
    async fn hand_over(&self, batch: Vec<Handover>, postponed_to: Timestamp) -> Result<Vec<HandedOver>, StoreError>;

    /// The secret that a tenant's callbacks are signed with, if it has one yet.
    async fn signing_secret(&self, tenant: TenantId) -> Result<Option<SigningSecret>, StoreError>;

    /// Keeps a tenant's first secret; answers the one that holds, which is another caller's if that was faster.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such tenant.
    async fn keep_signing_secret(&self, tenant: TenantId, secret: SigningSecret) -> Result<SigningSecret, StoreError>;

    /// Puts a secret in the place of whichever a tenant had; or, when `only` is given, of that one alone. Answers
    /// whether it did.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when there is no such tenant.
    async fn replace_signing_secret(
        &self,
        tenant: TenantId,
        secret: SigningSecret,
        only: Option<SigningSecret>,
    ) -> Result<bool, StoreError>;
}
