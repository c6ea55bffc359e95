//! Records of requests with an `Idempotency-Key`.

use async_trait::async_trait;
use horarium_domain::store::{IdempotencyStore, Reservation, Reserved, StoreError, StoredAnswer};
use horarium_domain::{TenantId, Timestamp};

use super::MemoryStore;
use super::state::State;

pub(super) struct IdempotencyRecord {
    fingerprint: [u8; 32],
    reserved: Reserved,
    /// `None` while the request is being answered.
    answer: Option<StoredAnswer>,
}

impl State {
    /// A reservation that nothing was answered to yet.
    fn reservation(&mut self, tenant: TenantId, key: &str, reserved_at: Timestamp) -> Option<&mut IdempotencyRecord> {
        let record = self.idempotency.get_mut(&(tenant, key.to_owned()))?;
        (record.answer.is_none() && record.reserved.at == reserved_at).then_some(record)
    }
}

#[async_trait]
impl IdempotencyStore for MemoryStore {
    async fn reserve_key(
        &self,
        tenant: TenantId,
        key: &str,
        fingerprint: [u8; 32],
        fresh: Reserved,
        stale_before: Timestamp,
        expired_before: Timestamp,
    ) -> Result<Reservation, StoreError> {
        let mut state = self.state();
        let key = (tenant, key.to_owned());
        let found = state.idempotency.get(&key).filter(|record| record.reserved.at >= expired_before);
        let counts = |record: &&IdempotencyRecord| record.answer.is_some() || record.reserved.at >= stale_before;
        Ok(match found.filter(counts) {
            Some(record) if record.fingerprint != fingerprint => Reservation::Mismatch,
            Some(IdempotencyRecord { answer: Some(answer), .. }) => Reservation::Answered(answer.clone()),
            Some(_) => Reservation::InProgress,
            None => {
                let begun = found.filter(|abandoned| abandoned.fingerprint == fingerprint);
                let reserved = Reserved { seed: begun.map_or(fresh.seed, |record| record.reserved.seed), ..fresh };
                state.idempotency.insert(key, IdempotencyRecord { fingerprint, reserved, answer: None });
                Reservation::Fresh(reserved)
            }
        })
    }

    async fn complete_key(
        &self,
        tenant: TenantId,
        key: &str,
        reserved_at: Timestamp,
        answer: StoredAnswer,
    ) -> Result<(), StoreError> {
        if let Some(record) = self.state().reservation(tenant, key, reserved_at) {
            record.answer = Some(answer);
        }
        Ok(())
    }

    async fn release_key(&self, tenant: TenantId, key: &str, reserved_at: Timestamp) -> Result<(), StoreError> {
        let mut state = self.state();
        if state.reservation(tenant, key, reserved_at).is_some() {
            state.idempotency.remove(&(tenant, key.to_owned()));
        }
        Ok(())
    }

    async fn abandon_key(
        &self,
        tenant: TenantId,
        key: &str,
        reserved_at: Timestamp,
        since: Timestamp,
    ) -> Result<(), StoreError> {
        if let Some(record) = self.state().reservation(tenant, key, reserved_at) {
            record.reserved.at = since;
        }
        Ok(())
    }

    async fn delete_idempotency_records(&self, tenant: TenantId, before: Timestamp) -> Result<u64, StoreError> {
        let mut state = self.state();
        let count = state.idempotency.len();
        state.idempotency.retain(|(owner, _), record| *owner != tenant || record.reserved.at >= before);
        Ok((count - state.idempotency.len()) as u64)
    }
}
