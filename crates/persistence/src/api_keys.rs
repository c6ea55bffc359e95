//! API keys.

use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use horarium_domain::api_key::{ApiKeyRecord, SecretHash};
use horarium_domain::page::{Page, PageRequest};
use horarium_domain::store::{ApiKeyStore, StoreError};
use horarium_domain::{ApiKeyId, TenantId, Timestamp};
use serde_json::Value;

use crate::conn::on;
use crate::decode::Row;
use crate::error::About;
use crate::schema::{At, Json, api_keys, at, key};
use crate::store::SqlStore;
use crate::text::storable;

#[derive(Queryable, Selectable)]
#[diesel(table_name = api_keys)]
struct KeyRow {
    id: ApiKeyId,
    tenant_id: TenantId,
    name: String,
    scopes: Value,
    secret_hash: Vec<u8>,
    created_by: String,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
    last_used_at: Option<Timestamp>,
    revoked_at: Option<Timestamp>,
}

impl KeyRow {
    fn into_record(self) -> Result<ApiKeyRecord, StoreError> {
        let row = Row::new("api_keys", self.id);
        Ok(ApiKeyRecord {
            id: self.id,
            tenant_id: self.tenant_id,
            name: self.name,
            scopes: row.value("scopes", serde_json::from_value(self.scopes))?,
            secret_hash: row.value("secret_hash", SecretHash::try_from(self.secret_hash.as_slice()))?,
            created_at: self.created_at,
            created_by: self.created_by,
            expires_at: self.expires_at,
            last_used_at: self.last_used_at,
            revoked_at: self.revoked_at,
        })
    }
}

#[async_trait]
impl ApiKeyStore for SqlStore {
    async fn create_key(&self, record: ApiKeyRecord) -> Result<(), StoreError> {
        self.write(async |conn| {
            let scopes: Value = record.scopes.iter().map(String::as_str).collect();
            let row = (
                api_keys::id.eq(key(record.id)),
                api_keys::tenant_id.eq(key(record.tenant_id)),
                api_keys::name.eq(storable(&record.name).into_owned()),
                api_keys::scopes.eq(Json::from(scopes)),
                api_keys::secret_hash.eq(record.secret_hash.as_bytes().as_slice()),
                api_keys::created_by.eq(storable(&record.created_by).into_owned()),
                api_keys::created_at.eq(at(record.created_at)),
                api_keys::expires_at.eq(record.expires_at.map(At::from)),
                api_keys::last_used_at.eq(record.last_used_at.map(At::from)),
                api_keys::revoked_at.eq(record.revoked_at.map(At::from)),
            );
            on!(conn, c => diesel::insert_into(api_keys::table).values(row).execute(c).await).about("api_keys")?;
            Ok(())
        })
        .await
    }

    async fn key(&self, id: ApiKeyId) -> Result<ApiKeyRecord, StoreError> {
        let row: Option<KeyRow> = self
            .read(async |conn| {
                let query = api_keys::table.filter(api_keys::id.eq(key(id)));
                on!(conn, c => query.select(KeyRow::as_select()).first(c).await.optional()).about("api_keys")
            })
            .await?;
        row.ok_or(StoreError::NotFound("API key"))?.into_record()
    }

    async fn keys(&self, tenant: TenantId, page: PageRequest) -> Result<Page<ApiKeyRecord>, StoreError> {
        let offset = i64::try_from(page.offset()).unwrap_or(i64::MAX);
        let (rows, total) = self
            .read(async |conn| {
                let of_tenant = api_keys::table.filter(api_keys::tenant_id.eq(key(tenant)));
                let total: i64 = on!(conn, c => of_tenant.count().get_result(c).await).about("api_keys")?;
                // Ids sort by creation.
                let query = of_tenant.order(api_keys::id.desc()).limit(i64::from(page.size)).offset(offset);
                let rows: Vec<KeyRow> =
                    on!(conn, c => query.select(KeyRow::as_select()).load(c).await).about("api_keys")?;
                Ok((rows, total))
            })
            .await?;
        let items = rows.into_iter().map(KeyRow::into_record).collect::<Result<_, _>>()?;
        Ok(Page::of(items, total.unsigned_abs()))
    }

    async fn update_key(&self, record: ApiKeyRecord) -> Result<(), StoreError> {
        let changed = self
            .write(async |conn| {
                let of_tenant = api_keys::table
                    .filter(api_keys::tenant_id.eq(key(record.tenant_id)))
                    .filter(api_keys::id.eq(key(record.id)));
                let change = (
                    api_keys::secret_hash.eq(record.secret_hash.as_bytes().as_slice()),
                    api_keys::expires_at.eq(record.expires_at.map(At::from)),
                );
                let changed =
                    on!(conn, c => diesel::update(of_tenant).set(change).execute(c).await).about("api_keys")?;
                // A revocation is only ever added: who rotates a key must not undo one that he has not seen.
                if let Some(revoked_at) = record.revoked_at {
                    let standing = of_tenant.filter(api_keys::revoked_at.is_null());
                    let revocation = api_keys::revoked_at.eq(at(revoked_at));
                    on!(conn, c => diesel::update(standing).set(revocation).execute(c).await).about("api_keys")?;
                }
                Ok(changed)
            })
            .await?;
        if changed == 0 { Err(StoreError::NotFound("API key")) } else { Ok(()) }
    }

    async fn touch_keys(&self, used: &[(ApiKeyId, Timestamp)]) -> Result<(), StoreError> {
        if used.is_empty() {
            return Ok(());
        }
        // In the order of the keys, so that two nodes never wait for each other in a circle.
        let mut used = used.to_vec();
        used.sort_unstable();
        self.write(async |conn| {
            for (id, used_at) in &used {
                let earlier = api_keys::table
                    .filter(api_keys::id.eq(key(*id)))
                    .filter(api_keys::last_used_at.is_null().or(api_keys::last_used_at.lt(at(*used_at))));
                let change = api_keys::last_used_at.eq(at(*used_at));
                on!(conn, c => diesel::update(earlier).set(change).execute(c).await).about("api_keys")?;
            }
            Ok(())
        })
        .await
    }

    async fn delete_expired_keys(&self, tenant: TenantId, before: Timestamp) -> Result<u64, StoreError> {
        let deleted = self
            .write(async |conn| {
                let useless = api_keys::table
                    .filter(api_keys::tenant_id.eq(key(tenant)))
                    .filter(api_keys::expires_at.lt(at(before)).or(api_keys::revoked_at.lt(at(before))));
                on!(conn, c => diesel::delete(useless).execute(c).await).about("api_keys")
            })
            .await?;
        Ok(deleted as u64)
    }
}
