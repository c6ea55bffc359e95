//! Requests with an `Idempotency-Key`: the first answer is given again.

use std::sync::Arc;
use std::time::Duration;

use horarium_domain::TenantId;
use horarium_domain::store::{Reservation, Reserved, StoredAnswer};

use super::ServiceError;
use crate::core::Core;

/// How long an answer is kept.
const KEPT_FOR: Duration = Duration::from_hours(24);

/// How long after its time was over a request that was never answered counts as dead.
const GRACE: Duration = Duration::from_mins(1);

/// Characters of a key.
const MAX_KEY_CHARS: usize = 255;

/// The use cases around idempotent requests: [`begin`](Self::begin) before the work, which is done by an
/// [`Actor::in_request`](super::Actor::in_request); then [`complete`](Self::complete) with the answer,
/// [`release`](Self::release) when nothing was done, or [`abandon`](Self::abandon) when that is not known.
#[derive(Debug, Clone)]
pub struct IdempotencyService {
    core: Arc<Core>,
}

impl IdempotencyService {
    pub(super) const fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Reserves a key for a request. The fingerprint tells requests apart: a SHA-256 over the caller, method, path and
    /// body. After [`Reservation::Fresh`] the caller does the work, within `time`; the others say what to answer without
    /// it.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] under `Idempotency-Key` when the key is not 1 to 255 visible ASCII characters.
    pub async fn begin(
        &self,
        tenant: TenantId,
        key: &str,
        fingerprint: [u8; 32],
        time: Duration,
    ) -> Result<Reservation, ServiceError> {
        if !(1..=MAX_KEY_CHARS).contains(&key.len()) || !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(ServiceError::invalid("Idempotency-Key", "must be 1 to 255 visible ASCII characters"));
        }
        let now = self.core.now();
        let fresh = Reserved { at: now, seed: self.core.ids.request_seed(now) };
        let stale_before = now - (time + GRACE);
        Ok(self.core.store.reserve_key(tenant, key, fingerprint, fresh, stale_before, now - KEPT_FOR).await?)
    }

    /// Keeps the answer for whoever sends the same request again within 24 hours.
    pub async fn complete(
        &self,
        tenant: TenantId,
        key: &str,
        reserved: Reserved,
        answer: StoredAnswer,
    ) -> Result<(), ServiceError> {
        Ok(self.core.store.complete_key(tenant, key, reserved.at, answer).await?)
    }

    /// Forgets a reservation, so that the key is as good as new.
    pub async fn release(&self, tenant: TenantId, key: &str, reserved: Reserved) -> Result<(), ServiceError> {
        Ok(self.core.store.release_key(tenant, key, reserved.at).await?)
    }

    /// Gives a reservation up, so that the same request can be sent again at once, and asks for nothing twice.
    pub async fn abandon(&self, tenant: TenantId, key: &str, reserved: Reserved) -> Result<(), ServiceError> {
        // Long dead, and long not expired.
        let since = self.core.now() - KEPT_FOR / 2;
        Ok(self.core.store.abandon_key(tenant, key, reserved.at, since).await?)
    }
}
