//! How many requests a credential, a tenant and an address may send: so that one that runs wild does not take the
//! service away from the others, and keys cannot be guessed in bulk.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use horarium_domain::Timestamp;

/// From how many keys on those that are idle are forgotten, at the earliest.
const TIDY_FROM: usize = 1024;

/// How many requests per second a credential and a tenant may send to this node, and as many at once after a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Each credential: a token's subject in a tenant, or an API key.
    pub per_credential: Option<NonZeroU32>,
    /// Each tenant, over all of its credentials.
    pub per_tenant: Option<NonZeroU32>,
}

/// A text that states no limits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it must be 'off', or requests per second, such as 'credential=100, tenant=1000'")]
pub struct InvalidRateLimits;

impl RateLimits {
    /// No limits.
    pub const OFF: Self = Self { per_credential: None, per_tenant: None };
}

impl FromStr for RateLimits {
    type Err = InvalidRateLimits;

    /// Reads `off`, or limits separated by commas: `credential=<n>`, `tenant=<n>`; a number alone is for each
    /// credential. What is not named is not limited.
    fn from_str(text: &str) -> Result<Self, InvalidRateLimits> {
        let mut limits = Self::OFF;
        if matches!(text.trim().to_ascii_lowercase().as_str(), "off" | "") {
            return Ok(limits);
        }
        for word in text.split(',') {
            let (what, number) = word.split_once('=').unwrap_or(("credential", word));
            let limit = number.trim().trim_end_matches("/s").parse().map_err(|_| InvalidRateLimits)?;
            match what.trim() {
                "credential" => limits.per_credential = Some(limit),
                "tenant" => limits.per_tenant = Some(limit),
                _ => return Err(InvalidRateLimits),
            }
        }
        Ok(limits)
    }
}

impl fmt::Display for RateLimits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let limits = [("credential", self.per_credential), ("tenant", self.per_tenant)];
        let words: Vec<_> = limits.iter().filter_map(|(what, limit)| Some(format!("{what}={}", (*limit)?))).collect();
        f.write_str(if words.is_empty() { "off" } else { "" })?;
        f.write_str(&words.join(", "))
    }
}

/// So many events in each window for each key, and as many at once after a pause. Counted on this node alone.
///
/// It is the generic cell rate algorithm: of each key one instant is kept, the one at which its events so far would
/// have come evenly.
#[derive(Debug)]
pub(crate) struct RateLimiter<K> {
    interval: Duration,
    window: Duration,
    // Held for an instant, never over an await.
    counted: Mutex<Counted<K>>,
}

#[derive(Debug)]
struct Counted<K> {
    /// When the events of each key so far would have come evenly.
    even: HashMap<K, Timestamp>,
    /// How many keys there are when those that are idle are forgotten next.
    tidy_from: usize,
}

impl<K: Eq + Hash> RateLimiter<K> {
    pub(crate) fn new(limit: NonZeroU32, window: Duration) -> Self {
        let counted = Counted { even: HashMap::new(), tidy_from: TIDY_FROM };
        Self { interval: window / limit.get(), window, counted: Mutex::new(counted) }
    }

    /// Counts an event, or answers how long it would have to wait.
    pub(crate) fn admit(&self, key: K, now: Timestamp) -> Result<(), Duration> {
        let Counted { even, tidy_from } = &mut *self.lock();
        if even.len() >= *tidy_from {
            even.retain(|_, at| *at > now);
            // As many again may come before the next look: where many are busy, not every event goes through them all.
            *tidy_from = TIDY_FROM.max(2 * even.len());
        }
        let next = self.next(even.get(&key).copied(), now)?;
        even.insert(key, next);
        Ok(())
    }

    /// Whether an event would be admitted; it is not counted.
    pub(crate) fn would_admit(&self, key: &K, now: Timestamp) -> Result<(), Duration> {
        self.next(self.lock().even.get(key).copied(), now).map(drop)
    }

    fn next(&self, even: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Duration> {
        let next = even.unwrap_or(now).max(now) + self.interval;
        let ahead = next.since(now);
        if ahead > self.window { Err(ahead.saturating_sub(self.window)) } else { Ok(next) }
    }

    fn lock(&self) -> MutexGuard<'_, Counted<K>> {
        self.counted.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn limiter(per_second: u32) -> RateLimiter<u32> {
        RateLimiter::new(NonZeroU32::new(per_second).unwrap(), Duration::from_secs(1))
    }

    fn admitted(limiter: &RateLimiter<u32>, key: u32, now: Timestamp) -> usize {
        (0..100).take_while(|_| limiter.admit(key, now).is_ok()).count()
    }

    #[test]
    fn a_seconds_worth_goes_at_once_and_the_rest_at_the_rate() {
        let limiter = limiter(10);
        assert_eq!(admitted(&limiter, 1, NOW), 10);
        assert_eq!(limiter.would_admit(&1, NOW), Err(Duration::from_millis(100)));
        assert_eq!(limiter.admit(1, NOW), Err(Duration::from_millis(100)));
        assert_eq!(admitted(&limiter, 1, NOW + Duration::from_millis(250)), 2);
        assert_eq!(admitted(&limiter, 1, NOW + Duration::from_mins(5)), 10);
    }

    #[test]
    fn what_one_sends_is_not_counted_against_another() {
        let limiter = limiter(2);
        assert_eq!(admitted(&limiter, 1, NOW), 2);
        assert_eq!(admitted(&limiter, 2, NOW), 2);
    }

    #[test]
    fn those_that_are_idle_are_forgotten() {
        let limiter = limiter(2);
        for number in 0..=u32::try_from(TIDY_FROM).unwrap() {
            limiter.admit(number, NOW + Duration::from_secs(number.into())).unwrap();
        }
        assert!(limiter.lock().even.len() < 10);
    }

    #[test]
    fn those_that_are_busy_are_not_gone_through_for_each_event() {
        let limiter = limiter(2);
        let busy = u32::try_from(3 * TIDY_FROM).unwrap();
        for number in 0..busy {
            limiter.admit(number, NOW).unwrap();
        }
        assert!(limiter.lock().tidy_from > 3 * TIDY_FROM);
        // Once they are idle, what is kept for them goes, too.
        for number in 0..busy {
            limiter.admit(busy + number, NOW + Duration::from_mins(1)).unwrap();
        }
        assert!(limiter.lock().even.len() <= 3 * TIDY_FROM);
    }

    #[test]
    fn limits_are_read_as_they_are_written() {
        let limits = |credential, tenant| {
            Ok(RateLimits { per_credential: NonZeroU32::new(credential), per_tenant: NonZeroU32::new(tenant) })
        };
        assert_eq!("off".parse(), Ok(RateLimits::OFF));
        assert_eq!("50".parse(), limits(50, 0));
        assert_eq!("tenant=1000, credential=100/s".parse(), limits(100, 1000));
        for text in ["0", "user=1", "credential", "credential=0", "credential=1,,"] {
            assert_eq!(text.parse::<RateLimits>(), Err(InvalidRateLimits), "{text}");
        }
        for text in ["off", "credential=100, tenant=1000", "tenant=5"] {
            assert_eq!(text.parse::<RateLimits>().unwrap().to_string(), text);
        }
    }
}
