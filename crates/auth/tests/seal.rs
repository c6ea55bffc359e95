//! Secrets at rest: what is sealed opens in its place, with its key, unaltered, and in no other case.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use horarium_auth::{SealingKeyError, SecretKeys};
use horarium_domain::secret::{SecretError, SecretPlace, SecretSealer, is_sealed};
use horarium_domain::{Entropy, TenantId};
use uuid::Uuid;

const OLD_KEY: &str = "old-key-of-an-example-with-enough-bytes";
const NEW_KEY: &str = "new-key-of-an-example-with-enough-bytes";

/// Another "random" secret with every call.
struct Counting(AtomicU8);

impl Entropy for Counting {
    fn unit(&self) -> f64 {
        0.5
    }

    fn secret(&self) -> [u8; 32] {
        [self.0.fetch_add(1, Ordering::Relaxed); 32]
    }
}

fn keys(text: &str) -> SecretKeys {
    SecretKeys::parse(text, Arc::new(Counting(AtomicU8::new(0)))).unwrap()
}

fn place(tenant: u128, owner: u128, field: &str) -> SecretPlace<'_> {
    SecretPlace { tenant: TenantId::from_uuid(Uuid::from_u128(tenant)), owner: Uuid::from_u128(owner), field }
}

#[test]
fn a_sealed_secret_opens_in_its_place_and_shows_nothing_of_itself() {
    let keys = keys(NEW_KEY);
    for secret in ["", "Bearer 1", "ä€😀", "sealed:v1:ffffffff:looks-like-one"] {
        let sealed = keys.seal(place(1, 2, "body"), secret).unwrap();
        assert!(is_sealed(&sealed) && keys.is_current(&sealed));
        assert!(secret.is_empty() || !sealed.contains(secret));
        assert_eq!(keys.open(place(1, 2, "body"), &sealed).unwrap(), secret);
    }
}

#[test]
fn the_same_secret_is_sealed_differently_each_time() {
    let keys = keys(NEW_KEY);
    let here = place(1, 2, "body");
    assert_ne!(keys.seal(here, "same").unwrap(), keys.seal(here, "same").unwrap());
}

#[test]
fn a_sealed_secret_opens_nowhere_else() {
    let keys = keys(NEW_KEY);
    let sealed = keys.seal(place(1, 2, "header:authorization"), "Bearer 1").unwrap();
    for elsewhere in [place(9, 2, "header:authorization"), place(1, 9, "header:authorization"), place(1, 2, "body")] {
        assert_eq!(keys.open(elsewhere, &sealed), Err(SecretError::Refused), "{elsewhere:?}");
    }
}

#[test]
fn what_was_altered_does_not_open() {
    let keys = keys(NEW_KEY);
    let here = place(1, 2, "body");
    let sealed = keys.seal(here, "Bearer 1").unwrap();
    let payload = sealed.rfind(':').unwrap() + 1;
    for at in payload..sealed.len() {
        let other = if sealed.as_bytes()[at] == b'A' { "B" } else { "A" };
        let altered = format!("{}{other}{}", &sealed[..at], &sealed[at + 1..]);
        assert_eq!(keys.open(here, &altered), Err(SecretError::Refused), "{altered}");
    }
    for cut in [&sealed[..payload], &sealed[..payload + 4], "sealed:v1:", "sealed:v1:nothing"] {
        assert_eq!(keys.open(here, cut), Err(SecretError::Refused), "{cut}");
    }
}

#[test]
fn while_keys_rotate_the_first_seals_and_all_open() {
    let here = place(1, 2, "body");
    let sealed = keys(OLD_KEY).seal(here, "Bearer 1").unwrap();
    let both = keys(&format!("{NEW_KEY},{OLD_KEY}"));
    assert_eq!(both.open(here, &sealed).unwrap(), "Bearer 1");
    assert!(!both.is_current(&sealed));

    let again = both.seal(here, "Bearer 1").unwrap();
    assert!(both.is_current(&again));
    assert_eq!(keys(NEW_KEY).open(here, &again).unwrap(), "Bearer 1");
    let Err(SecretError::UnknownKey { key }) = keys(OLD_KEY).open(here, &again) else { panic!("opened") };
    assert!(again.contains(&key));
}

#[test]
fn what_was_stored_before_secrets_were_sealed_is_still_read() {
    let keys = keys(NEW_KEY);
    assert_eq!(keys.open(place(1, 2, "body"), "Bearer 1").unwrap(), "Bearer 1");
    assert!(!keys.is_current("Bearer 1"));
}

#[test]
fn a_key_that_could_be_guessed_is_refused() {
    let entropy = || Arc::new(Counting(AtomicU8::new(0)));
    assert_eq!(SecretKeys::parse("short", entropy()).unwrap_err(), SealingKeyError::TooShort(5));
    assert_eq!(SecretKeys::parse(&format!("{NEW_KEY} short"), entropy()).unwrap_err(), SealingKeyError::TooShort(5));
    assert_eq!(SecretKeys::parse(" ,\n", entropy()).unwrap_err(), SealingKeyError::None);
    assert!(!format!("{:?}", keys(NEW_KEY)).contains("key-of"));
}
