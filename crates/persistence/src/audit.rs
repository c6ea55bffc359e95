//! Reading and pruning the audit log. Entries are added by the hot path, together with what they tell of.

use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use horarium_domain::audit::{AuditActor, AuditActorKind, AuditEntry, AuditTarget};
use horarium_domain::id::first_uuid_at;
use horarium_domain::store::{AuditFilter, AuditStore, StoreError};
use horarium_domain::{AuditId, TenantId, Timestamp};

use crate::conn::on;
use crate::decode::Row;
use crate::error::About;
use crate::schema::{at, audit_horizon, audit_log, key};
use crate::store::SqlStore;
use crate::text::storable;

/// The status of an entry, as the database keeps it: 0 where the call was never answered.
pub(crate) fn status_code(entry: &AuditEntry) -> i16 {
    // Statuses have three digits.
    entry.status.map_or(0, |status| i16::try_from(status).unwrap_or(0))
}

#[derive(Debug, Queryable, Selectable)]
#[diesel(table_name = audit_log)]
struct AuditRow {
    id: AuditId,
    tenant_id: TenantId,
    at: Timestamp,
    actor_kind: String,
    actor_id: String,
    actor_name: Option<String>,
    actor_email: Option<String>,
    action: String,
    method: String,
    route: String,
    target_kind: Option<String>,
    target_before: Option<String>,
    target_after: Option<String>,
    version_before: Option<i64>,
    version_after: Option<i64>,
    status: i16,
    address: Option<String>,
    user_agent: Option<String>,
    request_id: String,
}

impl AuditRow {
    fn into_entry(self) -> Result<AuditEntry, StoreError> {
        let row = Row::new("audit_log", self.id);
        let target = self.target_kind.map(|kind| AuditTarget {
            kind,
            before: self.target_before,
            after: self.target_after,
            version_before: self.version_before,
            version_after: self.version_after,
        });
        let status = row.value("status", u16::try_from(self.status))?;
        Ok(AuditEntry {
            id: self.id,
            tenant_id: self.tenant_id,
            at: self.at,
            actor: AuditActor {
                kind: row.named("actor_kind", &self.actor_kind, &AuditActorKind::ALL, AuditActorKind::as_str)?,
                id: self.actor_id,
                name: self.actor_name,
                email: self.actor_email,
            },
            action: self.action,
            method: self.method,
            route: self.route,
            target,
            status: Some(status).filter(|status| *status != 0),
            address: self.address,
            user_agent: self.user_agent,
            request_id: self.request_id,
        })
    }
}

/// On which side of a call a target is looked for. Each side has its index.
#[derive(Clone, Copy)]
enum Side {
    Before,
    After,
}

impl SqlStore {
    async fn audit_rows(
        &self,
        tenant: TenantId,
        filter: &AuditFilter,
        target: Option<(Side, &str)>,
        before: Option<AuditId>,
        limit: i64,
    ) -> Result<Vec<AuditRow>, StoreError> {
        let floor = |at: Timestamp| key(AuditId::from_uuid(first_uuid_at(at)));
        self.read(async |conn| {
            on!(conn, c => {
                let mut query = audit_log::table
                    .filter(audit_log::tenant_id.eq(key(tenant)))
                    .order(audit_log::id.desc())
                    .limit(limit)
                    .select(AuditRow::as_select())
                    .into_boxed::<Db>();
                if let Some(before) = before {
                    query = query.filter(audit_log::id.lt(key(before)));
                }
                if let Some(since) = filter.since {
                    query = query.filter(audit_log::id.ge(floor(since)));
                }
                if let Some(until) = filter.until {
                    query = query.filter(audit_log::id.lt(floor(until)));
                }
                if let Some(actor) = &filter.actor {
                    query = query.filter(audit_log::actor_id.eq(storable(actor).into_owned()));
                }
                if let Some(action) = &filter.action {
                    query = query.filter(audit_log::action.eq(storable(action).into_owned()));
                }
                query = match target {
                    None => query,
                    Some((Side::Before, target)) => {
                        query.filter(audit_log::target_before.eq(storable(target).into_owned()))
                    }
                    Some((Side::After, target)) => {
                        query.filter(audit_log::target_after.eq(storable(target).into_owned()))
                    }
                };
                query.load(c).await
            })
            .about("audit_log")
        })
        .await
    }
}

#[async_trait]
impl AuditStore for SqlStore {
    async fn append_audit(&self, entries: Vec<AuditEntry>) -> Result<(), StoreError> {
        self.hot.append_audit(entries).await
    }

    async fn audit(
        &self,
        tenant: TenantId,
        filter: &AuditFilter,
        before: Option<AuditId>,
        limit: usize,
    ) -> Result<Vec<AuditEntry>, StoreError> {
        let limit_sql = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut rows = match &filter.target {
            None => self.audit_rows(tenant, filter, None, before, limit_sql).await?,
            Some(target) => {
                let mut rows = Vec::new();
                for side in [Side::Before, Side::After] {
                    rows.extend(self.audit_rows(tenant, filter, Some((side, target)), before, limit_sql).await?);
                }
                rows.sort_by_key(|row| std::cmp::Reverse(row.id));
                rows.dedup_by_key(|row| row.id);
                rows
            }
        };
        rows.truncate(limit);
        rows.into_iter().map(AuditRow::into_entry).collect()
    }

    async fn prune_audit(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let deleted = self
            .write(async |conn| {
                // The triggers let go of what lies behind the horizon, and of nothing else. It never moves back.
                let horizon = audit_horizon::table.filter(audit_horizon::kept_from.lt(at(before)));
                let moved = diesel::update(horizon).set(audit_horizon::kept_from.eq(at(before)));
                on!(conn, c => moved.execute(c).await).about("audit_horizon")?;
                let first_kept = key(AuditId::from_uuid(first_uuid_at(before)));
                let old = audit_log::table.filter(audit_log::id.lt(first_kept)).filter(audit_log::at.lt(at(before)));
                let oldest = old.order(audit_log::id).limit(limit).select(audit_log::id);
                let ids: Vec<AuditId> = on!(conn, c => oldest.load(c).await).about("audit_log")?;
                let Some(last) = ids.last() else { return Ok(0) };
                let gone = old.filter(audit_log::id.le(key(*last)));
                on!(conn, c => diesel::delete(gone).execute(c).await).about("audit_log")
            })
            .await?;
        Ok(deleted as u64)
    }
}
