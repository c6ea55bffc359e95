//! The audit log: who changed what.

use std::sync::Arc;

use horarium_domain::audit::AuditEntry;
use horarium_domain::store::{AuditFilter, StoreError};
use horarium_domain::{AuditId, TenantId};

use super::ServiceError;
use crate::core::Core;
use crate::group_commit::GroupCommit;

/// One batch at a time: entries wait for nothing but each other, and those that wait share the next commit.
const WRITERS: usize = 1;

/// The use cases around the audit log.
#[derive(Debug, Clone)]
pub struct AuditService {
    core: Arc<Core>,
    writer: Arc<GroupCommit<AuditEntry, ()>>,
}

/// One page of the audit log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    /// Its entries, newest first.
    pub items: Vec<AuditEntry>,
    /// Where the next page begins; `None` when nothing follows this one.
    pub next: Option<AuditId>,
}

impl AuditService {
    pub(super) fn new(core: Arc<Core>) -> Self {
        let store = Arc::clone(&core.store);
        let writer = GroupCommit::start(WRITERS, "horarium_audit_batch_size", move |batch: Vec<AuditEntry>| {
            let store = Arc::clone(&store);
            Box::pin(async move {
                let answers = vec![(); batch.len()];
                store.append_audit(batch).await?;
                Ok::<_, StoreError>(answers)
            })
        });
        Self { core, writer: Arc::new(writer) }
    }

    /// Writes an entry, together with whatever else is being written; answers after the commit.
    pub async fn record(&self, entry: AuditEntry) -> Result<(), ServiceError> {
        Ok(self.writer.submit(entry).await?)
    }

    /// One page of a tenant's entries, newest first: those older than `before`, at most `limit`.
    pub async fn list(
        &self,
        tenant: TenantId,
        filter: &AuditFilter,
        before: Option<AuditId>,
        limit: usize,
    ) -> Result<AuditPage, ServiceError> {
        let mut items = self.core.store.audit(tenant, filter, before, limit + 1).await?;
        let more = items.len() > limit;
        items.truncate(limit);
        let next = items.last().filter(|_| more).map(|entry| entry.id);
        Ok(AuditPage { items, next })
    }
}
