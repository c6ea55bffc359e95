//! API keys. How a key is written, made and checked is the affair of whoever authenticates; here are its records.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use horarium_domain::api_key::{ApiKeyRecord, SecretHash};
use horarium_domain::page::{Page, PageRequest};
use horarium_domain::store::StoreError;
use horarium_domain::{ApiKeyId, TenantId, Timestamp};
use moka::future::Cache;

use super::{Actor, FieldErrors, ServiceError, limits};
use crate::core::Core;

/// How long a key's record is remembered; a revocation on another node shows this much later at most.
const REMEMBERED_FOR: Duration = Duration::from_secs(5);

/// How many records are remembered.
const REMEMBERED: u64 = 10_000;

/// A key's last use is written at most this often.
const TOUCH_EVERY: Duration = Duration::from_mins(1);

/// How long uses gather before they are written together.
const TOUCH_DELAY: Duration = Duration::from_secs(1);

/// A key to be made, before any check.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// From [`KeyService::new_id`].
    pub id: ApiKeyId,
    /// 1 to 200 characters.
    pub name: String,
    /// Scope names, checked by the caller.
    pub scopes: Vec<String>,
    /// The hash of the secret that the caller shows once.
    pub secret_hash: SecretHash,
    /// From this instant on it is refused: RFC 3339 with an offset.
    pub expires_at: Option<String>,
}

/// The use cases around API keys.
#[derive(Debug, Clone)]
pub struct KeyService {
    core: Arc<Core>,
    remembered: Cache<ApiKeyId, Option<Arc<ApiKeyRecord>>>,
    uses: Arc<Uses>,
}

/// When keys were used, until that is written.
#[derive(Debug, Default)]
struct Uses {
    pending: Mutex<HashMap<ApiKeyId, Timestamp>>,
    write_scheduled: AtomicBool,
}

impl KeyService {
    pub(super) fn new(core: Arc<Core>) -> Self {
        let remembered = Cache::builder().max_capacity(REMEMBERED).time_to_live(REMEMBERED_FOR).build();
        Self { core, remembered, uses: Arc::default() }
    }

    /// A fresh id, to make the key's text with.
    pub fn new_id(&self) -> ApiKeyId {
        self.core.ids.api_key(self.core.now())
    }

    /// Stores a new key.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`].
    pub async fn create(&self, actor: &Actor, key: NewKey) -> Result<ApiKeyRecord, ServiceError> {
        let now = self.core.now();
        let mut errors = FieldErrors::default();
        let name = limits::line(&mut errors, "name", &key.name, limits::NAME_CHARS);
        let expires_at = key.expires_at.and_then(|text| limits::instant(&mut errors, "expiresAt", &text));
        if expires_at.is_some_and(|at| at <= now) {
            errors.add("expiresAt", "must lie in the future");
        }
        let Some(name) = name.filter(|_| errors.is_empty()) else { return Err(errors.into()) };
        let record = ApiKeyRecord {
            id: key.id,
            tenant_id: actor.tenant,
            name,
            scopes: key.scopes,
            secret_hash: key.secret_hash,
            created_at: now,
            created_by: actor.name().to_owned(),
            expires_at,
            last_used_at: None,
            revoked_at: None,
        };
        self.core.store.create_key(record.clone()).await?;
        self.remembered.invalidate(&record.id).await;
        Ok(record)
    }

    /// One page of a tenant's keys, newest first, revoked and expired ones included.
    pub async fn list(&self, tenant: TenantId, page: PageRequest) -> Result<Page<ApiKeyRecord>, ServiceError> {
        Ok(self.core.store.keys(tenant, page).await?)
    }

    /// One key of a tenant.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn get(&self, tenant: TenantId, id: ApiKeyId) -> Result<ApiKeyRecord, ServiceError> {
        let record = self.core.store.key(id).await?;
        if record.tenant_id == tenant { Ok(record) } else { Err(ServiceError::NotFound("API key")) }
    }

    /// Revokes a key for good; one that is revoked already stays so.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn revoke(&self, actor: &Actor, id: ApiKeyId) -> Result<ApiKeyRecord, ServiceError> {
        let mut record = self.get(actor.tenant, id).await?;
        if record.revoked_at.is_none() {
            record.revoked_at = Some(self.core.now());
            self.update(&record).await?;
        }
        Ok(record)
    }

    /// Gives a key another secret; the former one is refused from now on, on other nodes within 5 s.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Conflict`] when the key is revoked.
    pub async fn rotate(
        &self,
        actor: &Actor,
        id: ApiKeyId,
        secret_hash: SecretHash,
    ) -> Result<ApiKeyRecord, ServiceError> {
        let mut record = self.get(actor.tenant, id).await?;
        if record.revoked_at.is_some() {
            return Err(ServiceError::Conflict("the key is revoked; make a new one".to_owned()));
        }
        record.secret_hash = secret_hash;
        self.update(&record).await?;
        Ok(record)
    }

    /// The record of a key that somebody shows, over all tenants: for authentication alone. Remembered for 5 s.
    pub async fn lookup(&self, id: ApiKeyId) -> Result<Option<Arc<ApiKeyRecord>>, ServiceError> {
        let store = Arc::clone(&self.core.store);
        let read = async move {
            match store.key(id).await {
                Ok(record) => Ok(Some(Arc::new(record))),
                // Remembered as well: a flood of made-up ids is not to reach the database more than once each.
                Err(StoreError::NotFound(_)) => Ok(None),
                Err(error) => Err(error),
            }
        };
        let found = self.remembered.try_get_with(id, read).await;
        found.map_err(|error| StoreError::clone(&error).into())
    }

    /// Notes that a key was accepted. Cheap: uses are gathered and written together, a minute apart for each key.
    pub fn touch(&self, record: &ApiKeyRecord) {
        let now = self.core.now();
        if record.last_used_at.is_some_and(|last| now.since(last) < TOUCH_EVERY) {
            return;
        }
        self.pending().insert(record.id, now);
        if !self.uses.write_scheduled.swap(true, Ordering::AcqRel) {
            let service = self.clone();
            tokio::spawn(async move {
                tokio::time::sleep(TOUCH_DELAY).await;
                service.write_uses().await;
            });
        }
    }

    /// Writes the uses that have gathered; called by itself a second after the first of them.
    pub async fn write_uses(&self) {
        self.uses.write_scheduled.store(false, Ordering::Release);
        let used: Vec<_> = std::mem::take(&mut *self.pending()).into_iter().collect();
        if used.is_empty() {
            return;
        }
        if let Err(error) = self.core.store.touch_keys(&used).await {
            tracing::warn!(%error, keys = used.len(), "the last use of API keys could not be written; it is not kept");
            return;
        }
        for (id, _) in used {
            self.remembered.invalidate(&id).await;
        }
    }

    async fn update(&self, record: &ApiKeyRecord) -> Result<(), ServiceError> {
        self.core.store.update_key(record.clone()).await?;
        self.remembered.invalidate(&record.id).await;
        Ok(())
    }

    fn pending(&self) -> std::sync::MutexGuard<'_, HashMap<ApiKeyId, Timestamp>> {
        self.uses.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
