//! Records of requests with an `Idempotency-Key`.

use async_trait::async_trait;
use horarium_domain::store::{IdempotencyStore, Reservation, StoreError, StoredAnswer};
use horarium_domain::{TenantId, Timestamp};

use super::MemoryStore;

pub(super) struct IdempotencyRecord {
    fingerprint: [u8; 32],
    created_at: Timestamp,
    /// `None` while the request is being answered.
    answer: Option<StoredAnswer>,
}

#[async_trait]
impl IdempotencyStore for MemoryStore {
    async fn reserve_key(
        &self,
        tenant: TenantId,
        key: &str,
        fingerprint: [u8; 32],
        now: Timestamp,
        stale_before: Timestamp,
        expired_before: Timestamp,
    ) -> Result<Reservation, StoreError> {
        let mut state = self.state();
        let key = (tenant, key.to_owned());
        let counts = |record: &&IdempotencyRecord| {
            record.created_at >= expired_before && (record.answer.is_some() || record.created_at >= stale_before)
        };
        Ok(match state.idempotency.get(&key).filter(counts) {
            Some(record) if record.fingerprint != fingerprint => Reservation::Mismatch,
            Some(IdempotencyRecord { answer: Some(answer), .. }) => Reservation::Answered(answer.clone()),
            Some(_) => Reservation::InProgress,
            None => {
                let record = IdempotencyRecord { fingerprint, created_at: now, answer: None };
                state.idempotency.insert(key, record);
                Reservation::Fresh
            }
        })
    }

    async fn complete_key(&self, tenant: TenantId, key: &str, answer: StoredAnswer) -> Result<(), StoreError> {
        if let Some(record) = self.state().idempotency.get_mut(&(tenant, key.to_owned())) {
            record.answer = Some(answer);
        }
        Ok(())
    }

    async fn release_key(&self, tenant: TenantId, key: &str) -> Result<(), StoreError> {
        let mut state = self.state();
        let key = (tenant, key.to_owned());
        if state.idempotency.get(&key).is_some_and(|record| record.answer.is_none()) {
            state.idempotency.remove(&key);
        }
        Ok(())
    }

    async fn delete_idempotency_records(&self, tenant: TenantId, before: Timestamp) -> Result<u64, StoreError> {
        let mut state = self.state();
        let count = state.idempotency.len();
        state.idempotency.retain(|(owner, _), record| *owner != tenant || record.created_at >= before);
        Ok((count - state.idempotency.len()) as u64)
    }
}
