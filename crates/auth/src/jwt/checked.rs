//! Signatures that were found good: a public key's is checked once, not with each request of its bearer.
//!
//! Only that is remembered. What the token says, and whether its time is over, is judged anew each time, and so is the
//! signature once the key set has been fetched anew: a key that was withdrawn takes its tokens along.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;
use sha2::{Digest, Sha256};

use super::jwks::Fetched;

/// How many tokens are remembered, and for how long after they were last seen.
const KNOWN: u64 = 10_000;
const KNOWN_FOR: Duration = Duration::from_mins(10);

/// The hashes of tokens with good signatures, each with the key set that told; `None` where there is one key for ever.
pub(super) struct CheckedSignatures(Cache<[u8; 32], Option<Arc<Fetched>>>);

impl CheckedSignatures {
    pub(super) fn new() -> Self {
        Self(Cache::builder().max_capacity(KNOWN).time_to_idle(KNOWN_FOR).build())
    }

    /// Whether the token's signature is good, by what is remembered or else by `check`.
    pub(super) fn is_good(&self, token: &str, set: Option<&Arc<Fetched>>, check: impl FnOnce() -> bool) -> bool {
        let hash: [u8; 32] = Sha256::digest(token).into();
        let same = |told: &Option<Arc<Fetched>>| told.as_ref().map(Arc::as_ptr) == set.map(Arc::as_ptr);
        if self.0.get(&hash).is_some_and(|told| same(&told)) {
            return true;
        }
        let good = check();
        if good {
            self.0.insert(hash, set.cloned());
        }
        good
    }
}

impl fmt::Debug for CheckedSignatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CheckedSignatures")
    }
}
