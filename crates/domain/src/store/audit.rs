//! The audit log.

use std::ops::Range;

use async_trait::async_trait;

use super::{Enqueued, StoreError};
use crate::audit::{AuditEntry, AuditTarget};
use crate::execution::NewExecution;
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

/// What the audit log is to tell of executions that one call asks for, once any of them is accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AcceptanceNote {
    /// The entry. What it is about after the call is filled in; the rest of its target too, when it has none.
    pub entry: AuditEntry,
    /// Which of the batch the call asks for.
    pub asked: Range<usize>,
}

impl AcceptanceNote {
    /// The entry, now that it is known what became of the batch; `None` when nothing that was asked for was accepted.
    /// Several executions are told as the first and the last of them: ids sort by creation.
    pub fn entry(&self, batch: &[NewExecution], answers: &[Enqueued]) -> Option<AuditEntry> {
        let asked = || batch.iter().zip(answers).take(self.asked.end).skip(self.asked.start);
        let accepted = || asked().filter(|(_, answer)| **answer == Enqueued::Accepted).map(|(new, _)| new.id);
        let (first, last) = (accepted().min()?, accepted().max()?);
        let after = if first == last { first.to_string() } else { format!("{first}..{last}") };
        let about = || AuditTarget { kind: "execution".to_owned(), ..AuditTarget::default() };
        let target = self.entry.target.clone().unwrap_or_else(about);
        Some(AuditEntry { target: Some(AuditTarget { after: Some(after), ..target }), ..self.entry.clone() })
    }
}

/// The audit log. Entries are never changed, and deleted only by [`prune_audit`](Self::prune_audit); a database refuses
/// anything else by itself.
#[async_trait]
pub trait AuditStore: Send + Sync {
    /// Adds entries, all or none. One that is there already, by its id, stays as it is.
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
