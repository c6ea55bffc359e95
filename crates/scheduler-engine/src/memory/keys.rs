//! API keys.

use async_trait::async_trait;
use horarium_domain::api_key::ApiKeyRecord;
use horarium_domain::page::{Page, PageRequest};
use horarium_domain::store::{ApiKeyStore, Conflict, StoreError};
use horarium_domain::{ApiKeyId, TenantId, Timestamp};

use super::MemoryStore;
use super::jobs::page_of;

const NOT_FOUND: StoreError = StoreError::NotFound("API key");

#[async_trait]
impl ApiKeyStore for MemoryStore {
    async fn create_key(&self, key: ApiKeyRecord) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.api_keys.contains_key(&key.id) {
            return Err(StoreError::Conflict(Conflict::NameTaken));
        }
        state.api_keys.insert(key.id, key);
        Ok(())
    }

    async fn key(&self, id: ApiKeyId) -> Result<ApiKeyRecord, StoreError> {
        self.state().api_keys.get(&id).cloned().ok_or(NOT_FOUND)
    }

    async fn keys(&self, tenant: TenantId, page: PageRequest) -> Result<Page<ApiKeyRecord>, StoreError> {
        let state = self.state();
        let keys: Vec<_> = state.api_keys.values().rev().filter(|key| key.tenant_id == tenant).collect();
        Ok(Page::of(page_of(&keys, page).copied().cloned().collect(), keys.len() as u64))
    }

    async fn update_key(&self, key: ApiKeyRecord) -> Result<(), StoreError> {
        let mut state = self.state();
        let stored = state.api_keys.get_mut(&key.id).filter(|stored| stored.tenant_id == key.tenant_id);
        let stored = stored.ok_or(NOT_FOUND)?;
        stored.secret_hash = key.secret_hash;
        stored.expires_at = key.expires_at;
        stored.revoked_at = stored.revoked_at.or(key.revoked_at);
        Ok(())
    }

    async fn touch_keys(&self, used: &[(ApiKeyId, Timestamp)]) -> Result<(), StoreError> {
        let mut state = self.state();
        for (id, at) in used {
            if let Some(key) = state.api_keys.get_mut(id) {
                key.last_used_at = key.last_used_at.max(Some(*at));
            }
        }
        Ok(())
    }

    async fn delete_expired_keys(&self, tenant: TenantId, before: Timestamp) -> Result<u64, StoreError> {
        let mut state = self.state();
        let count = state.api_keys.len();
        state.api_keys.retain(|_, key| {
            let is_over = [key.expires_at, key.revoked_at].into_iter().flatten().any(|at| at < before);
            key.tenant_id != tenant || !is_over
        });
        Ok((count - state.api_keys.len()) as u64)
    }
}
