//! Sealed secrets beside those of jobs and of signing: looking through all of them, and sealing them anew.

use async_trait::async_trait;
use serde_json::Value;
use uuid::Uuid;

use super::StoreError;
use crate::TenantId;

/// What holds secrets, beside jobs and tenants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SecretHolder {
    /// Executions, in their payload. The owner of the secrets is their job.
    Execution,
    /// Agents' tasks, in the data of their operation. The owner is their execution.
    AgentTask,
    /// Callbacks; it is their URL. The owner is their execution.
    Callback,
}

impl SecretHolder {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Execution, Self::AgentTask, Self::Callback];
}

/// Secrets as they are stored.
#[derive(Clone, PartialEq)]
pub struct StoredSecrets {
    /// The execution's or the task's; of a callback, its execution's.
    pub id: Uuid,
    /// Whose.
    pub tenant_id: TenantId,
    /// Whose place they were sealed for.
    pub owner: Uuid,
    /// The payload, the data, or the URL as a text.
    pub document: Value,
}

/// The sealed secrets of all tenants. For whoever runs the server: it reads through the whole history.
#[async_trait]
pub trait SecretStore: Send + Sync {
    /// Up to `limit` of a kind after the one that `after` names by its tenant and its id, in an order that stays the
    /// same: executions and tasks in which something is sealed, and callbacks with a URL.
    async fn secrets_after(
        &self,
        holder: SecretHolder,
        after: Option<(TenantId, Uuid)>,
        limit: usize,
    ) -> Result<Vec<StoredSecrets>, StoreError>;

    /// Puts another document in the place of the stored one. If it was deleted meanwhile, nothing happens.
    async fn replace_secrets(
        &self,
        holder: SecretHolder,
        tenant: TenantId,
        id: Uuid,
        document: &Value,
    ) -> Result<(), StoreError>;
}
