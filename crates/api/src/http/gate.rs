//! Who is let through to a route, by how much they have sent of late and how often they have failed to show a
//! credential.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};
use horarium_domain::{TenantId, Timestamp};
use moka::sync::Cache;
use sha2::{Digest, Sha256};

use super::client_address::counted_as;
use super::rate_limit::{RateLimiter, RateLimits};
use super::{ApiError, Caller};

/// How many credentials are remembered as good, and for how long after they were last seen.
const KNOWN: u64 = 10_000;
const KNOWN_FOR: Duration = Duration::from_mins(10);

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

/// The limits of one node.
pub(crate) struct Gate {
    credentials: Option<RateLimiter<(TenantId, String)>>,
    tenants: Option<RateLimiter<TenantId>>,
    failures: Option<RateLimiter<IpAddr>>,
    /// Hashes of credentials that were good a while ago: their bearers are not locked out by a neighbour's failures.
    known: Cache<[u8; 32], ()>,
}

impl Gate {
    pub(crate) fn new(limits: RateLimits, failures_per_minute: Option<NonZeroU32>) -> Self {
        Self {
            credentials: limits.per_credential.map(|limit| RateLimiter::new(limit, SECOND)),
            tenants: limits.per_tenant.map(|limit| RateLimiter::new(limit, SECOND)),
            failures: failures_per_minute.map(|limit| RateLimiter::new(limit, MINUTE)),
            known: Cache::builder().max_capacity(KNOWN).time_to_idle(KNOWN_FOR).build(),
        }
    }

    /// Lets a caller pass whose credential and tenant have not sent too much of late.
    pub(crate) fn admit(&self, caller: &Caller, now: Timestamp) -> Result<(), ApiError> {
        let admitted = self.admit_sender(caller.tenant.id, &caller.principal.subject, now);
        admitted.map_err(|(wait, detail)| too_many(wait, detail))
    }

    /// The same by the caller's tenant and subject; the refusal says how long to wait, and who sent too much.
    pub(crate) fn admit_sender(
        &self,
        tenant: TenantId,
        subject: &str,
        now: Timestamp,
    ) -> Result<(), (Duration, &'static str)> {
        if let Some(limiter) = &self.credentials {
            limiter
                .admit((tenant, subject.to_owned()), now)
                .map_err(|wait| (wait, "Your credential sends more requests than it may; slow down."))?;
        }
        if let Some(limiter) = &self.tenants {
            limiter
                .admit(tenant, now)
                .map_err(|wait| (wait, "Your tenant sends more requests than it may; slow down."))?;
        }
        Ok(())
    }

    /// Refuses to even check a credential from an address that has shown too many bad ones, unless it was good before.
    pub(crate) fn may_try(&self, from: Option<IpAddr>, headers: &HeaderMap, now: Timestamp) -> Result<(), ApiError> {
        self.may_try_another(from, now).or_else(|wait| {
            if fingerprint(headers).is_some_and(|known| self.known.contains_key(&known)) {
                return Ok(());
            }
            Err(too_many(wait, "Too many credentials from your address were refused; wait before you try another."))
        })
    }

    /// The same where it is not a header that shows the credential: nothing is known of it beforehand.
    pub(crate) fn may_try_another(&self, from: Option<IpAddr>, now: Timestamp) -> Result<(), Duration> {
        let (Some(limiter), Some(from)) = (&self.failures, from) else { return Ok(()) };
        limiter.would_admit(&counted_as(from), now)
    }

    /// Notes that such a credential was none.
    pub(crate) fn failed_another(&self, from: Option<IpAddr>, now: Timestamp) {
        if let (Some(limiter), Some(from)) = (&self.failures, from) {
            // Beyond the limit there is nothing more to count.
            let _ = limiter.admit(counted_as(from), now);
        }
    }

    /// Notes that a credential was good.
    pub(crate) fn succeeded(&self, headers: &HeaderMap) {
        if let Some(fingerprint) = fingerprint(headers).filter(|_| self.failures.is_some()) {
            self.known.insert(fingerprint, ());
        }
    }

    /// Notes that a credential was none; a request that shows none at all guesses at nothing.
    pub(crate) fn failed(&self, from: Option<IpAddr>, headers: &HeaderMap, now: Timestamp) {
        let Some(fingerprint) = fingerprint(headers) else { return };
        // One that has expired or was revoked must not be used to pass the limit from now on.
        self.known.invalidate(&fingerprint);
        self.failed_another(from, now);
    }
}

fn too_many(wait: Duration, detail: &str) -> ApiError {
    let seconds = u32::try_from(wait.as_secs()).unwrap_or(u32::MAX).saturating_add(1);
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, detail).retry_after(seconds)
}

/// A hash of the credentials that a request shows; `None` when it shows none.
fn fingerprint(headers: &HeaderMap) -> Option<[u8; 32]> {
    let mut shown = headers.get_all(AUTHORIZATION).chain(headers.get_all("x-api-key")).peekable();
    shown.peek()?;
    let mut hash = Sha256::new();
    for value in shown {
        hash.update((value.len() as u64).to_be_bytes());
        hash.update(value.as_bytes());
    }
    Some(hash.finalize().into())
}
