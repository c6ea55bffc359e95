//! Adding entries to the audit log: of calls, and of what they had accepted.

use horarium_domain::audit::AuditEntry;
use horarium_domain::store::StoreError;
use rusqlite::{Connection, params};

use super::values::{Checked, Key, Ts};
use crate::audit::status_code;
use crate::text::storable;

const APPEND: &str = "
    insert into audit_log (id, tenant_id, at, actor_kind, actor_id, actor_name, actor_email, action, method, route,
        target_kind, target_before, target_after, version_before, version_after, status, address, user_agent, request_id)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
    on conflict (id) do nothing";

/// Adds entries; those that are there already stay as they are.
pub(super) fn append(connection: &Connection, entries: &[AuditEntry]) -> Result<(), StoreError> {
    for entry in entries {
        let (actor, target) = (&entry.actor, entry.target.as_ref());
        let row = params![
            Key::from(entry.id),
            Key::from(entry.tenant_id),
            Ts(entry.at),
            actor.kind.as_str(),
            storable(&actor.id),
            actor.name.as_deref().map(storable),
            actor.email.as_deref().map(storable),
            storable(&entry.action),
            storable(&entry.method),
            storable(&entry.route),
            target.map(|target| storable(&target.kind)),
            target.and_then(|target| target.before.as_deref()).map(storable),
            target.and_then(|target| target.after.as_deref()).map(storable),
            target.and_then(|target| target.version_before),
            target.and_then(|target| target.version_after),
            status_code(entry),
            entry.address.as_deref().map(storable),
            entry.user_agent.as_deref().map(storable),
            storable(&entry.request_id),
        ];
        connection.prepare_cached(APPEND).checked()?.execute(row).checked()?;
    }
    Ok(())
}
