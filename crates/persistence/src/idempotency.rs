//! Requests with an `Idempotency-Key`.

use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use horarium_domain::store::{IdempotencyStore, Reservation, Reserved, StoreError, StoredAnswer};
use horarium_domain::{RequestSeed, TenantId, Timestamp};

use crate::conn::on;
use crate::decode::Row;
use crate::error::{About, Fault};
use crate::schema::{at, idempotency_records as records, key as id};
use crate::store::SqlStore;
use crate::text::storable;

#[derive(Queryable, Selectable)]
#[diesel(table_name = records)]
struct RecordRow {
    fingerprint: Vec<u8>,
    created_at: Timestamp,
    status: Option<i16>,
    location: Option<String>,
    etag: Option<String>,
    content_type: Option<String>,
    body: Option<Vec<u8>>,
    seed: Option<RequestSeed>,
}

impl RecordRow {
    fn into_answer(self, place: &Row) -> Result<Option<StoredAnswer>, StoreError> {
        match (self.status, self.content_type, self.body) {
            (None, _, _) => Ok(None),
            (Some(status), Some(content_type), Some(body)) => Ok(Some(StoredAnswer {
                status: place.value("status", u16::try_from(status))?,
                location: self.location,
                etag: self.etag,
                content_type,
                body,
            })),
            _ => Err(place.inconsistent("an answer without its content type or body")),
        }
    }
}

/// A reservation that nothing was answered to yet.
macro_rules! reservation {
    ($tenant:expr, $key:expr, $at:expr) => {
        records::table
            .filter(records::tenant_id.eq(id($tenant)))
            .filter(records::key.eq($key))
            .filter(records::created_at.eq(at($at)))
            .filter(records::status.is_null())
    };
}

#[async_trait]
impl IdempotencyStore for SqlStore {
    async fn reserve_key(
        &self,
        tenant: TenantId,
        key: &str,
        fingerprint: [u8; 32],
        fresh: Reserved,
        stale_before: Timestamp,
        expired_before: Timestamp,
    ) -> Result<Reservation, StoreError> {
        let key = storable(key);
        self.write(async |conn| {
            let row = |reserved: Reserved| {
                (
                    records::tenant_id.eq(id(tenant)),
                    records::key.eq(&*key),
                    records::fingerprint.eq(fingerprint.as_slice()),
                    records::created_at.eq(at(reserved.at)),
                    records::seed.eq(id(reserved.seed)),
                )
            };
            let inserted = on!(conn, c => {
                diesel::insert_into(records::table).values(row(fresh)).on_conflict_do_nothing().execute(c).await
            })
            .about("idempotency_records")?;
            if inserted == 1 {
                return Ok(Reservation::Fresh(fresh));
            }
            let stored = records::table.filter(records::tenant_id.eq(id(tenant))).filter(records::key.eq(&*key));
            let found: Option<RecordRow> = on!(conn, c => {
                stored.select(RecordRow::as_select()).first(c).await.optional()
            })
            .about("idempotency_records")?;
            let found = found.ok_or_else(|| Fault::Again("the record was released meanwhile".to_owned()))?;
            let expired = found.created_at < expired_before;
            let abandoned = found.status.is_none() && found.created_at < stale_before;
            if abandoned || expired {
                // Of several who find it so, one takes it; the others look again.
                let as_seen = stored.filter(records::created_at.eq(at(found.created_at)));
                let taken = on!(conn, c => {
                    diesel::delete(as_seen).execute(c).await
                })
                .about("idempotency_records")?;
                if taken == 0 {
                    return Err(Fault::Again("the record was taken over meanwhile".to_owned()));
                }
                let begun = found.seed.filter(|_| !expired && found.fingerprint == fingerprint);
                let reserved = Reserved { seed: begun.unwrap_or(fresh.seed), ..fresh };
                on!(conn, c => diesel::insert_into(records::table).values(row(reserved)).execute(c).await)
                    .about("idempotency_records")?;
                return Ok(Reservation::Fresh(reserved));
            }
            if found.fingerprint != fingerprint {
                return Ok(Reservation::Mismatch);
            }
            let answer = found.into_answer(&Row::new("idempotency_records", format_args!("{tenant}, {key}")))?;
            Ok(answer.map_or(Reservation::InProgress, Reservation::Answered))
        })
        .await
    }

    async fn complete_key(
        &self,
        tenant: TenantId,
        key: &str,
        reserved_at: Timestamp,
        answer: StoredAnswer,
    ) -> Result<(), StoreError> {
        let key = storable(key);
        let status = i16::try_from(answer.status).unwrap_or(i16::MAX);
        self.write(async |conn| {
            let change = (
                records::status.eq(status),
                records::location.eq(answer.location.as_deref()),
                records::etag.eq(answer.etag.as_deref()),
                records::content_type.eq(&answer.content_type),
                records::body.eq(&answer.body),
            );
            let held = reservation!(tenant, &*key, reserved_at);
            on!(conn, c => diesel::update(held).set(change).execute(c).await).about("idempotency_records")?;
            Ok(())
        })
        .await
    }

    async fn release_key(&self, tenant: TenantId, key: &str, reserved_at: Timestamp) -> Result<(), StoreError> {
        let key = storable(key);
        self.write(async |conn| {
            let held = reservation!(tenant, &*key, reserved_at);
            on!(conn, c => diesel::delete(held).execute(c).await).about("idempotency_records")?;
            Ok(())
        })
        .await
    }

    async fn abandon_key(
        &self,
        tenant: TenantId,
        key: &str,
        reserved_at: Timestamp,
        since: Timestamp,
    ) -> Result<(), StoreError> {
        let key = storable(key);
        self.write(async |conn| {
            let held = reservation!(tenant, &*key, reserved_at);
            let change = records::created_at.eq(at(since));
            on!(conn, c => diesel::update(held).set(change).execute(c).await).about("idempotency_records")?;
            Ok(())
        })
        .await
    }

    async fn delete_idempotency_records(&self, tenant: TenantId, before: Timestamp) -> Result<u64, StoreError> {
        let deleted = self
            .write(async |conn| {
                let old =
                    records::table.filter(records::tenant_id.eq(id(tenant))).filter(records::created_at.lt(at(before)));
                on!(conn, c => diesel::delete(old).execute(c).await).about("idempotency_records")
            })
            .await?;
        Ok(deleted as u64)
    }
}
