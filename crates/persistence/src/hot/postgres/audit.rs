//! Adding entries to the audit log: of calls, and of what they had accepted.

use horarium_domain::audit::AuditEntry;
use horarium_domain::store::StoreError;
use tokio_postgres::Statement;
use uuid::Uuid;

use super::PostgresHot;
use super::session::{self, Session};
use super::values::Ts;
use crate::audit::status_code;
use crate::error::Fault;
use crate::text::storable;

pub(super) const APPEND: &str = "
    insert into audit_log (id, tenant_id, at, actor_kind, actor_id, actor_name, actor_email, action, method, route,
        target_kind, target_before, target_after, version_before, version_after, status, address, user_agent, request_id)
    select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::text[], $5::text[], $6::text[], $7::text[],
        $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[], $14::int8[], $15::int8[],
        $16::int2[], $17::text[], $18::text[], $19::text[])
    on conflict do nothing";

impl PostgresHot {
    pub(super) async fn append_entries(&self, entries: &[AuditEntry]) -> Result<(), StoreError> {
        session::run(&self.pool, async |session: &Session| {
            let statement = session.statement(APPEND).await?;
            append(session, &statement, entries).await
        })
        .await
    }
}

/// Adds entries by the prepared [`APPEND`]; those that are there already stay as they are. They are written in the order of their ids, so that two
/// batches that wait for each other's entries do so in one order.
pub(super) async fn append(session: &Session, statement: &Statement, entries: &[AuditEntry]) -> Result<(), Fault> {
    if entries.is_empty() {
        return Ok(());
    }
    let mut rows: Vec<_> = entries.iter().map(|entry| (entry, &entry.actor, entry.target.as_ref())).collect();
    rows.sort_unstable_by_key(|(entry, ..)| entry.id);
    let ids: Vec<Uuid> = rows.iter().map(|(entry, ..)| entry.id.as_uuid()).collect();
    let tenants: Vec<Uuid> = rows.iter().map(|(entry, ..)| entry.tenant_id.as_uuid()).collect();
    let at: Vec<Ts> = rows.iter().map(|(entry, ..)| Ts(entry.at)).collect();
    let actor_kinds: Vec<&str> = rows.iter().map(|(_, actor, _)| actor.kind.as_str()).collect();
    let actor_ids: Vec<_> = rows.iter().map(|(_, actor, _)| storable(&actor.id)).collect();
    let actor_names: Vec<_> = rows.iter().map(|(_, actor, _)| actor.name.as_deref().map(storable)).collect();
    let actor_emails: Vec<_> = rows.iter().map(|(_, actor, _)| actor.email.as_deref().map(storable)).collect();
    let actions: Vec<_> = rows.iter().map(|(entry, ..)| storable(&entry.action)).collect();
    let methods: Vec<_> = rows.iter().map(|(entry, ..)| storable(&entry.method)).collect();
    let routes: Vec<_> = rows.iter().map(|(entry, ..)| storable(&entry.route)).collect();
    let kinds: Vec<_> = rows.iter().map(|(.., target)| target.map(|target| storable(&target.kind))).collect();
    let before: Vec<_> =
        rows.iter().map(|(.., target)| target.and_then(|t| t.before.as_deref()).map(storable)).collect();
    let after: Vec<_> = rows.iter().map(|(.., target)| target.and_then(|t| t.after.as_deref()).map(storable)).collect();
    let versions_before: Vec<_> = rows.iter().map(|(.., target)| target.and_then(|t| t.version_before)).collect();
    let versions_after: Vec<_> = rows.iter().map(|(.., target)| target.and_then(|t| t.version_after)).collect();
    let statuses: Vec<i16> = rows.iter().map(|(entry, ..)| status_code(entry)).collect();
    let addresses: Vec<_> = rows.iter().map(|(entry, ..)| entry.address.as_deref().map(storable)).collect();
    let user_agents: Vec<_> = rows.iter().map(|(entry, ..)| entry.user_agent.as_deref().map(storable)).collect();
    let request_ids: Vec<_> = rows.iter().map(|(entry, ..)| storable(&entry.request_id)).collect();
    session
        .run(
            statement,
            &[
                &ids,
                &tenants,
                &at,
                &actor_kinds,
                &actor_ids,
                &actor_names,
                &actor_emails,
                &actions,
                &methods,
                &routes,
                &kinds,
                &before,
                &after,
                &versions_before,
                &versions_after,
                &statuses,
                &addresses,
                &user_agents,
                &request_ids,
            ],
        )
        .await?;
    Ok(())
}
