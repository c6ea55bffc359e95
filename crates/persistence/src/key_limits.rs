//! The limits of concurrency keys.

use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use horarium_domain::TenantId;
use horarium_domain::concurrency::{ConcurrencyKey, KeyLimits};
use horarium_domain::store::{KeyLimitStore, StoreError};

use crate::conn::on;
use crate::decode::Row;
use crate::error::About;
use crate::gates;
use crate::schema::{key, key_limits};
use crate::store::SqlStore;

#[derive(Queryable, Selectable)]
#[diesel(table_name = key_limits)]
struct LimitsRow {
    key: String,
    max_concurrency: Option<i32>,
    rate_limit_per_second: Option<i32>,
}

impl LimitsRow {
    fn into_limits(self, tenant: TenantId) -> Result<KeyLimits, StoreError> {
        let row = Row::new("key_limits", format_args!("{tenant}, {}", self.key));
        let limit = |column, value: Option<i32>| row.value(column, value.map(u32::try_from).transpose());
        Ok(KeyLimits {
            max_concurrency: limit("max_concurrency", self.max_concurrency)?,
            rate_limit_per_second: limit("rate_limit_per_second", self.rate_limit_per_second)?,
            key: row.value("key", ConcurrencyKey::try_from(self.key.clone()))?,
        })
    }
}

#[async_trait]
impl KeyLimitStore for SqlStore {
    async fn set_key_limits(&self, tenant: TenantId, limits: KeyLimits) -> Result<(), StoreError> {
        let limit = |value: Option<u32>| value.map(|value| i32::try_from(value).unwrap_or(i32::MAX));
        self.write(async |conn| {
            if limits.is_none() {
                let row = key_limits::table.find((key(tenant), limits.key.as_str()));
                on!(conn, c => diesel::delete(row).execute(c).await).about("key_limits")?;
                return gates::key_freed(conn, tenant, &limits.key).await;
            }
            let values = (
                key_limits::max_concurrency.eq(limit(limits.max_concurrency)),
                key_limits::rate_limit_per_second.eq(limit(limits.rate_limit_per_second)),
            );
            let id = (key_limits::tenant_id.eq(key(tenant)), key_limits::key.eq(limits.key.as_str()));
            on!(conn, c => {
                diesel::insert_into(key_limits::table)
                    .values((id, values))
                    .on_conflict((key_limits::tenant_id, key_limits::key))
                    .do_update()
                    .set(values)
                    .execute(c)
                    .await
            })
            .about("key_limits")?;
            gates::key_limited(conn, tenant, &limits.key).await
        })
        .await
    }

    async fn key_limits(&self, tenant: TenantId, of: &ConcurrencyKey) -> Result<KeyLimits, StoreError> {
        let row: Option<LimitsRow> = self
            .read(async |conn| {
                on!(conn, c => {
                    let row = key_limits::table.find((key(tenant), of.as_str()));
                    row.select(LimitsRow::as_select()).first(c).await.optional()
                })
                .about("key_limits")
            })
            .await?;
        row.map_or_else(|| Ok(KeyLimits::none(of.clone())), |row| row.into_limits(tenant))
    }

    async fn limited_keys(
        &self,
        tenant: TenantId,
        after: Option<&ConcurrencyKey>,
        limit: usize,
    ) -> Result<Vec<KeyLimits>, StoreError> {
        let rows: Vec<LimitsRow> = self
            .read(async |conn| {
                on!(conn, c => {
                    key_limits::table
                        .filter(key_limits::tenant_id.eq(key(tenant)))
                        // No key is empty.
                        .filter(key_limits::key.gt(after.map_or("", ConcurrencyKey::as_str)))
                        .order(key_limits::key)
                        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
                        .select(LimitsRow::as_select())
                        .load(c)
                        .await
                })
                .about("key_limits")
            })
            .await?;
        rows.into_iter().map(|row| row.into_limits(tenant)).collect()
    }
}
