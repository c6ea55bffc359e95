//! Requests with an `Idempotency-Key`.

use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use horarium_domain::store::{IdempotencyStore, Reservation, StoreError, StoredAnswer};
use horarium_domain::{TenantId, Timestamp};

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

#[async_trait]
impl IdempotencyStore for SqlStore {
    async fn reserve_key(
        &self,
        tenant: TenantId,
        key: &str,
        fingerprint: [u8; 32],
        now: Timestamp,
        stale_before: Timestamp,
        expired_before: Timestamp,
    ) -> Result<Reservation, StoreError> {
        let key = storable(key);
        self.write(async |conn| {
            let fresh = (
                records::tenant_id.eq(id(tenant)),
                records::key.eq(&*key),
                records::fingerprint.eq(fingerprint.as_slice()),
                records::created_at.eq(at(now)),
            );
            let inserted = on!(conn, c => {
                diesel::insert_into(records::table).values(fresh).on_conflict_do_nothing().execute(c).await
            })
            .about("idempotency_records")?;
            if inserted == 1 {
                return Ok(Reservation::Fresh);
            }
            let stored = records::table.filter(records::tenant_id.eq(id(tenant))).filter(records::key.eq(&*key));
            let found: Option<RecordRow> = on!(conn, c => {
                stored.select(RecordRow::as_select()).first(c).await.optional()
            })
            .about("idempotency_records")?;
            let found = found.ok_or_else(|| Fault::Again("the record was released meanwhile".to_owned()))?;
            let abandoned = found.status.is_none() && found.created_at < stale_before;
            if abandoned || found.created_at < expired_before {
                // Of several who find it so, one takes it; the others look again.
                let as_seen = stored.filter(records::created_at.eq(at(found.created_at)));
                let taken = on!(conn, c => {
                    diesel::delete(as_seen).execute(c).await
                })
                .about("idempotency_records")?;
                if taken == 0 {
                    return Err(Fault::Again("the record was taken over meanwhile".to_owned()));
                }
                on!(conn, c => diesel::insert_into(records::table).values(fresh).execute(c).await)
                    .about("idempotency_records")?;
                return Ok(Reservation::Fresh);
            }
            if found.fingerprint != fingerprint {
                return Ok(Reservation::Mismatch);
            }
            let answer = found.into_answer(&Row::new("idempotency_records", format_args!("{tenant}, {key}")))?;
            Ok(answer.map_or(Reservation::InProgress, Reservation::Answered))
        })
        .await
    }

    async fn complete_key(&self, tenant: TenantId, key: &str, answer: StoredAnswer) -> Result<(), StoreError> {
        let key = storable(key);
        let status = i16::try_from(answer.status).unwrap_or(i16::MAX);
        self.write(async |conn| {
            let reserved = records::table
                .filter(records::tenant_id.eq(id(tenant)))
                .filter(records::key.eq(&*key))
                .filter(records::status.is_null());
            let change = (
                records::status.eq(status),
                records::location.eq(answer.location.as_deref()),
                records::etag.eq(answer.etag.as_deref()),
                records::content_type.eq(&answer.content_type),
                records::body.eq(&answer.body),
            );
            on!(conn, c => diesel::update(reserved).set(change).execute(c).await).about("idempotency_records")?;
            Ok(())
        })
        .await
    }

    async fn release_key(&self, tenant: TenantId, key: &str) -> Result<(), StoreError> {
        let key = storable(key);
        self.write(async |conn| {
            let reserved = records::table
                .filter(records::tenant_id.eq(id(tenant)))
                .filter(records::key.eq(&*key))
                .filter(records::status.is_null());
            on!(conn, c => diesel::delete(reserved).execute(c).await).about("idempotency_records")?;
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
