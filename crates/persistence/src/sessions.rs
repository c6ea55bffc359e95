//! Sessions of the dashboard.

use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use horarium_domain::api_key::SecretHash;
use horarium_domain::session::{Session, SessionHash, SessionHolder};
use horarium_domain::store::{SessionStore, StoreError};
use horarium_domain::{ApiKeyId, TenantId, Timestamp};
use serde_json::Value;

use crate::conn::on;
use crate::decode::Row;
use crate::error::About;
use crate::schema::{Json, Key, at, dashboard_sessions, key};
use crate::store::SqlStore;

#[derive(Queryable, Selectable)]
#[diesel(table_name = dashboard_sessions)]
struct SessionRow {
    tenant_id: TenantId,
    acting_in: Option<TenantId>,
    key_id: Option<ApiKeyId>,
    key_secret_hash: Option<Vec<u8>>,
    claims: Option<Value>,
    opened_at: Timestamp,
    idle_at: Timestamp,
    expires_at: Timestamp,
}

impl SessionRow {
    fn into_session(self, hash: SessionHash) -> Result<Session, StoreError> {
        // The hash is as good as nothing to whoever reads the log, and a tenant tells enough to find the row.
        let row = Row::new("dashboard_sessions", self.tenant_id);
        let holder = match (self.key_id, self.key_secret_hash, self.claims) {
            (Some(id), Some(stored), None) => {
                let secret_hash = row.value("key_secret_hash", SecretHash::try_from(stored.as_slice()))?;
                SessionHolder::ApiKey { id, secret_hash }
            }
            (None, None, Some(claims)) => SessionHolder::Claims(row.value("claims", serde_json::from_value(claims))?),
            (_, _, _) => return Err(row.inconsistent("it is neither of a key nor of a token")),
        };
        Ok(Session {
            hash,
            tenant_id: self.tenant_id,
            acting_in: self.acting_in,
            holder,
            opened_at: self.opened_at,
            idle_at: self.idle_at,
            expires_at: self.expires_at,
        })
    }
}

#[async_trait]
impl SessionStore for SqlStore {
    async fn open_session(&self, session: Session) -> Result<(), StoreError> {
        let (key_id, key_secret_hash, claims) = match session.holder {
            SessionHolder::ApiKey { id, secret_hash } => (Some(id), Some(secret_hash.as_bytes().to_vec()), None),
            SessionHolder::Claims(claims) => {
                let json = serde_json::to_value(claims).map_err(|error| StoreError::Internal(error.to_string()))?;
                (None, None, Some(json))
            }
        };
        self.write(async |conn| {
            let row = (
                dashboard_sessions::hash.eq(session.hash.as_bytes().as_slice()),
                dashboard_sessions::tenant_id.eq(key(session.tenant_id)),
                dashboard_sessions::acting_in.eq(session.acting_in.map(Key::from)),
                dashboard_sessions::key_id.eq(key_id.map(Key::from)),
                dashboard_sessions::key_secret_hash.eq(key_secret_hash.as_deref()),
                dashboard_sessions::claims.eq(claims.clone().map(Json::from)),
                dashboard_sessions::opened_at.eq(at(session.opened_at)),
                dashboard_sessions::idle_at.eq(at(session.idle_at)),
                dashboard_sessions::expires_at.eq(at(session.expires_at)),
            );
            on!(conn, c => diesel::insert_into(dashboard_sessions::table).values(row).execute(c).await)
                .about("dashboard_sessions")?;
            Ok(())
        })
        .await
    }

    async fn session(&self, hash: SessionHash) -> Result<Session, StoreError> {
        let row: Option<SessionRow> = self
            .read(async |conn| {
                let query = dashboard_sessions::table.filter(dashboard_sessions::hash.eq(hash.as_bytes().as_slice()));
                on!(conn, c => query.select(SessionRow::as_select()).first(c).await.optional())
                    .about("dashboard_sessions")
            })
            .await?;
        row.ok_or(StoreError::NotFound("session"))?.into_session(hash)
    }

    async fn prolong_session(&self, hash: SessionHash, idle_at: Timestamp) -> Result<(), StoreError> {
        self.write(async |conn| {
            let earlier = dashboard_sessions::table
                .filter(dashboard_sessions::hash.eq(hash.as_bytes().as_slice()))
                .filter(dashboard_sessions::idle_at.lt(at(idle_at)));
            let change = dashboard_sessions::idle_at.eq(at(idle_at));
            on!(conn, c => diesel::update(earlier).set(change).execute(c).await).about("dashboard_sessions")?;
            Ok(())
        })
        .await
    }

    async fn send_session(&self, hash: SessionHash, acting_in: Option<TenantId>) -> Result<(), StoreError> {
        let changed = self
            .write(async |conn| {
                let one = dashboard_sessions::table.filter(dashboard_sessions::hash.eq(hash.as_bytes().as_slice()));
                let change = dashboard_sessions::acting_in.eq(acting_in.map(Key::from));
                on!(conn, c => diesel::update(one).set(change).execute(c).await).about("dashboard_sessions")
            })
            .await?;
        if changed == 0 { Err(StoreError::NotFound("session")) } else { Ok(()) }
    }

    async fn close_session(&self, hash: SessionHash) -> Result<(), StoreError> {
        self.write(async |conn| {
            let one = dashboard_sessions::table.filter(dashboard_sessions::hash.eq(hash.as_bytes().as_slice()));
            on!(conn, c => diesel::delete(one).execute(c).await).about("dashboard_sessions")?;
            Ok(())
        })
        .await
    }

    async fn prune_sessions(&self, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let deleted = self
            .write(async |conn| {
                let over = dashboard_sessions::table
                    .filter(dashboard_sessions::idle_at.lt(at(before)))
                    .select(dashboard_sessions::hash)
                    .limit(limit);
                let over: Vec<Vec<u8>> = on!(conn, c => over.load(c).await).about("dashboard_sessions")?;
                let theirs = dashboard_sessions::table.filter(dashboard_sessions::hash.eq_any(over));
                on!(conn, c => diesel::delete(theirs).execute(c).await).about("dashboard_sessions")
            })
            .await?;
        Ok(deleted as u64)
    }
}
