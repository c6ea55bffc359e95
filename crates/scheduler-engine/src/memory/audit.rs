//! The audit log.

use async_trait::async_trait;
use horarium_domain::audit::AuditEntry;
use horarium_domain::id::first_uuid_at;
use horarium_domain::store::{AuditFilter, AuditStore, StoreError};
use horarium_domain::{AuditId, TenantId, Timestamp};

use super::MemoryStore;
use super::state::State;

#[async_trait]
impl AuditStore for MemoryStore {
    async fn append_audit(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError> {
        self.state().append_audit(entries);
        Ok(())
    }

    async fn audit(
        &self,
        tenant: TenantId,
        filter: &AuditFilter,
        before: Option<AuditId>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let state = self.state();
        let entries = state.audit.values().rev();
        Ok(entries
            .filter(|entry| entry.tenant_id == tenant && before.is_none_or(|before| entry.id < before))
            .filter(|entry| shows(filter, entry))
            .take(limit)
            .cloned()
            .collect())
    }

    async fn prune_audit(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let mut state = self.state();
        let old: Vec<AuditId> =
            state.audit.values().filter(|entry| entry.at < before).map(|entry| entry.id).take(limit).collect();
        for id in &old {
            state.audit.remove(id);
        }
        Ok(old.len() as u64)
    }
}

impl State {
    /// Adds entries; those that are there already stay as they are.
    pub(super) fn append_audit(&mut self, entries: impl IntoIterator<Item = AuditEntry>) {
        for entry in entries {
            self.audit.entry(entry.id).or_insert(entry);
        }
    }
}

fn shows(filter: &AuditFilter, entry: &AuditEntry) -> bool {
    let AuditFilter { actor, action, target, since, until } = filter;
    let id = entry.id.as_uuid();
    let is_about = |sought: &String| {
        let sides = entry.target.as_ref().map(|target| [&target.before, &target.after]);
        sides.into_iter().flatten().any(|side| side.as_ref() == Some(sought))
    };
    actor.as_ref().is_none_or(|actor| entry.actor.id == *actor)
        && action.as_ref().is_none_or(|action| entry.action == *action)
        && target.as_ref().is_none_or(is_about)
        && since.is_none_or(|since| id >= first_uuid_at(since))
        && until.is_none_or(|until| id < first_uuid_at(until))
}
