//! The audit log.

use async_trait::async_trait;

use super::StoreError;
use crate::audit::AuditEntry;
use crate::{AuditId, TenantId, Timestamp};

/// Which entries a list of the audit log shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditFilter {
    /// Only those of the actor with this id.
    pub actor: Option<String>,
    /// Only this action.
    pub action: Option<String>,
    /// Only those about the thing of this id or name, before or after the call.
    pub target: Option<String>,
    /// Only those from this millisecond on.
    pub since: Option<Timestamp>,
    /// Only those before this millisecond.
    pub until: Option<Timestamp>,
}

/// The audit log. Entries are never changed, and deleted only by [`prune_audit`](Self::prune_audit); a database refuses
/// anything else by itself.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Adds entries, all or none.
    async fn append_audit(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError>;

    /// At most `limit` of a tenant's entries that are older than `before`, newest first.
    async fn audit(
        &self,
        tenant: TenantId,
        filter: &AuditFilter,
        before: Option<AuditId>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, StoreError>;

    /// Deletes at most `limit` entries of any tenant from before `before`, the oldest first; answers how many.
    async fn prune_audit(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError>;
}
