//! Callbacks and the secrets that they are signed with. What also accepts executions is done by the hot path.

use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use horarium_domain::callback::{Callback, DueCallback, HandedOver, Handover, NewCallback, SigningSecret};
use horarium_domain::execution::NewExecution;
use horarium_domain::store::{AcceptanceNote, CallbackStore, Enqueued, StoreError};
use horarium_domain::{ExecutionId, TenantId, Timestamp};
use serde_json::Value;

use crate::conn::{Conn, on};
use crate::error::{About, Fault};
use crate::schema::{at, callbacks, key, signing_secrets, tenants};
use crate::store::SqlStore;

#[derive(Queryable, Selectable)]
#[diesel(table_name = callbacks)]
struct CallbackRow {
    execution_id: ExecutionId,
    url: Option<String>,
    reference: Option<Value>,
    due_at: Option<Timestamp>,
    delivery_id: Option<ExecutionId>,
}

#[async_trait]
impl CallbackStore for SqlStore {
    async fn enqueue_with_callback(
        &self,
        execution: NewExecution,
        callback: NewCallback,
        note: Option<AcceptanceNote>,
    ) -> Result<Enqueued, StoreError> {
        self.hot.enqueue_with_callback(execution, callback, note).await
    }

    async fn callback(&self, tenant: TenantId, execution: ExecutionId) -> Result<Option<Callback>, StoreError> {
        let row: Option<CallbackRow> = self
            .read(async |conn| {
                let query = callbacks::table
                    .filter(callbacks::execution_id.eq(key(execution)))
                    .filter(callbacks::tenant_id.eq(key(tenant)));
                on!(conn, c => query.select(CallbackRow::as_select()).first(c).await.optional()).about("callbacks")
            })
            .await?;
        Ok(row.map(|row| Callback {
            execution_id: row.execution_id,
            asked: NewCallback { url: row.url, reference: row.reference },
            due_at: row.due_at,
            delivery_id: row.delivery_id,
        }))
    }

    async fn due_callbacks(&self, now: Timestamp, limit: usize) -> Result<Vec<DueCallback>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<(ExecutionId, TenantId, Option<Timestamp>)> = self
            .read(async |conn| {
                let query = callbacks::table
                    .filter(callbacks::due_at.le(at(now)))
                    .filter(callbacks::delivery_id.is_null())
                    .order(callbacks::due_at.asc())
                    .limit(limit)
                    .select((callbacks::execution_id, callbacks::tenant_id, callbacks::due_at));
                on!(conn, c => query.load(c).await).about("callbacks")
            })
            .await?;
        let due = |(execution_id, tenant_id, due_at): (_, _, Option<Timestamp>)| {
            due_at.map(|due_at| DueCallback { execution_id, tenant_id, due_at })
        };
        Ok(rows.into_iter().filter_map(due).collect())
    }

    async fn hand_over(&self, batch: Vec<Handover>, postponed_to: Timestamp) -> Result<Vec<HandedOver>, StoreError> {
        self.hot.hand_over(batch, postponed_to).await
    }

    async fn signing_secret(&self, tenant: TenantId) -> Result<Option<SigningSecret>, StoreError> {
        self.read(async |conn| find(conn, tenant).await).await
    }

    async fn keep_signing_secret(&self, tenant: TenantId, secret: SigningSecret) -> Result<SigningSecret, StoreError> {
        self.write(async |conn| {
            require_tenant(conn, tenant).await?;
            let row = (
                signing_secrets::tenant_id.eq(key(tenant)),
                signing_secrets::sealed.eq(&secret.sealed),
                signing_secrets::created_at.eq(at(secret.created_at)),
            );
            on!(conn, c => {
                diesel::insert_into(signing_secrets::table).values(row).on_conflict_do_nothing().execute(c).await
            })
            .about("signing_secrets")?;
            let kept = find(conn, tenant).await?;
            kept.ok_or_else(|| Fault::Again("the secret was removed meanwhile".to_owned()))
        })
        .await
    }

    async fn replace_signing_secret(
        &self,
        tenant: TenantId,
        secret: SigningSecret,
        only: Option<SigningSecret>,
    ) -> Result<bool, StoreError> {
        self.write(async |conn| {
            require_tenant(conn, tenant).await?;
            if let Some(only) = &only {
                let place = signing_secrets::table
                    .filter(signing_secrets::tenant_id.eq(key(tenant)))
                    .filter(signing_secrets::sealed.eq(&only.sealed));
                let values =
                    (signing_secrets::sealed.eq(&secret.sealed), signing_secrets::created_at.eq(at(secret.created_at)));
                let changed =
                    on!(conn, c => diesel::update(place).set(values).execute(c).await).about("signing_secrets")?;
                return Ok(changed > 0);
            }
            let values =
                (signing_secrets::sealed.eq(&secret.sealed), signing_secrets::created_at.eq(at(secret.created_at)));
            on!(conn, c => {
                diesel::insert_into(signing_secrets::table)
                    .values((signing_secrets::tenant_id.eq(key(tenant)), values))
                    .on_conflict(signing_secrets::tenant_id)
                    .do_update()
                    .set(values)
                    .execute(c)
                    .await
            })
            .about("signing_secrets")?;
            Ok(true)
        })
        .await
    }
}

async fn find(conn: &mut Conn, tenant: TenantId) -> Result<Option<SigningSecret>, Fault> {
    let query = signing_secrets::table
        .filter(signing_secrets::tenant_id.eq(key(tenant)))
        .select((signing_secrets::sealed, signing_secrets::created_at));
    let row: Option<(String, Timestamp)> = on!(conn, c => query.first(c).await.optional()).about("signing_secrets")?;
    Ok(row.map(|(sealed, created_at)| SigningSecret { sealed, created_at }))
}

async fn require_tenant(conn: &mut Conn, tenant: TenantId) -> Result<(), Fault> {
    let query = tenants::table.filter(tenants::id.eq(key(tenant))).select(tenants::is_active);
    let found: Option<bool> = on!(conn, c => query.first(c).await.optional()).about("tenants")?;
    found.map(drop).ok_or(Fault::Final(StoreError::NotFound("tenant")))
}
