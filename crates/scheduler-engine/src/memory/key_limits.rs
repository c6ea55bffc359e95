//! The limits of concurrency keys.

use async_trait::async_trait;
use horarium_domain::TenantId;
use horarium_domain::concurrency::{ConcurrencyKey, KeyLimits};
use horarium_domain::store::{KeyLimitStore, StoreError};

use super::MemoryStore;
use super::record::KeyLimitsRecord;

#[async_trait]
impl KeyLimitStore for MemoryStore {
    async fn set_key_limits(&self, tenant: TenantId, limits: KeyLimits) -> Result<(), StoreError> {
        let mut state = self.state();
        if !state.tenants.contains_key(&tenant) {
            return Err(StoreError::NotFound("tenant"));
        }
        let key = (tenant, limits.key.clone());
        if limits.is_none() {
            state.key_limits.remove(&key);
        } else {
            let bucket = state.key_limits.get(&key).map(|stored| stored.bucket).unwrap_or_default();
            state.key_limits.insert(key, KeyLimitsRecord { limits, bucket });
        }
        Ok(())
    }

    async fn key_limits(&self, tenant: TenantId, key: &ConcurrencyKey) -> Result<KeyLimits, StoreError> {
        let state = self.state();
        let stored = state.key_limits.get(&(tenant, key.clone()));
        Ok(stored.map_or_else(|| KeyLimits::none(key.clone()), |record| record.limits.clone()))
    }

    async fn limited_keys(
        &self,
        tenant: TenantId,
        after: Option<&ConcurrencyKey>,
        limit: usize,
    ) -> Result<Vec<KeyLimits>, StoreError> {
        let state = self.state();
        let limits = state.key_limits.iter().filter(|((owner, _), _)| *owner == tenant);
        let page = limits.filter(|((_, key), _)| after.is_none_or(|after| key > after)).take(limit);
        Ok(page.map(|(_, record)| record.limits.clone()).collect())
    }
}
