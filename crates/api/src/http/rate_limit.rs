//! How many requests a tenant may send: so that one that runs wild does not take the service away from the others.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use horarium_domain::{TenantId, Timestamp};

/// From how many tenants on those that are idle are forgotten.
const TIDY_FROM: usize = 1024;

/// So many requests per second for each tenant, and as many at once after a pause. Counted on this node alone.
///
/// It is the generic cell rate algorithm: of each tenant one instant is kept, the one at which its requests so far
/// would have been sent evenly.
#[derive(Debug)]
pub(crate) struct RateLimiter {
    interval: Duration,
    // Held for a few instructions, never over an await.
    even: Mutex<HashMap<TenantId, Timestamp>>,
}

impl RateLimiter {
    /// What may be saved up by a pause: one second's worth.
    const BURST: Duration = Duration::from_secs(1);

    pub(crate) fn new(per_second: NonZeroU32) -> Self {
        Self { interval: Self::BURST / per_second.get(), even: Mutex::default() }
    }

    /// Counts a request, or answers how long it would have to wait.
    pub(crate) fn admit(&self, tenant: TenantId, now: Timestamp) -> Result<(), Duration> {
        let mut even = self.even.lock().unwrap_or_else(PoisonError::into_inner);
        if even.len() >= TIDY_FROM {
            even.retain(|_, at| *at > now);
        }
        let next = even.get(&tenant).copied().unwrap_or(now).max(now) + self.interval;
        let ahead = next.since(now);
        if ahead > Self::BURST {
            return Err(ahead.saturating_sub(Self::BURST));
        }
        even.insert(tenant, next);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn tenant(number: u128) -> TenantId {
        TenantId::from_uuid(Uuid::from_u128(number))
    }

    fn admitted(limiter: &RateLimiter, tenant: TenantId, now: Timestamp) -> usize {
        (0..100).take_while(|_| limiter.admit(tenant, now).is_ok()).count()
    }

    #[test]
    fn a_seconds_worth_goes_at_once_and_the_rest_at_the_rate() {
        let limiter = RateLimiter::new(NonZeroU32::new(10).unwrap());
        assert_eq!(admitted(&limiter, tenant(1), NOW), 10);
        assert_eq!(limiter.admit(tenant(1), NOW), Err(Duration::from_millis(100)));
        assert_eq!(admitted(&limiter, tenant(1), NOW + Duration::from_millis(250)), 2);
        assert_eq!(admitted(&limiter, tenant(1), NOW + Duration::from_mins(5)), 10);
    }

    #[test]
    fn one_tenants_requests_are_not_counted_against_another() {
        let limiter = RateLimiter::new(NonZeroU32::new(2).unwrap());
        assert_eq!(admitted(&limiter, tenant(1), NOW), 2);
        assert_eq!(admitted(&limiter, tenant(2), NOW), 2);
    }

    #[test]
    fn tenants_that_are_idle_are_forgotten() {
        let limiter = RateLimiter::new(NonZeroU32::new(2).unwrap());
        for number in 0..=TIDY_FROM as u128 {
            limiter.admit(tenant(number), NOW + Duration::from_secs(number as u64)).unwrap();
        }
        assert!(limiter.even.lock().unwrap().len() < 10);
    }
}
