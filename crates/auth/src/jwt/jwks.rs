//! The issuer's key set: fetched, kept, and fetched again when a token names a key that is not in it.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use futures_util::lock::{Mutex, MutexGuard};
use horarium_domain::Timestamp;

use super::algorithm::JwtAlgorithm;
use super::config::JwksConfig;
use super::key_set::KeySet;
use crate::error::AuthError;

/// The largest document that is read; a source should not hand over more.
const MAX_DOCUMENT_BYTES: usize = 1 << 20;

/// Why the key set could not be had: for the operator, not for callers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the JSON Web Key Set is not available: {0}")]
pub struct JwksError(String);

impl JwksError {
    /// With the reason, such as the file and the operating system's error.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

/// Where the key set comes from. The server brings one that fetches a URL, with a timeout.
#[async_trait]
pub trait JwksSource: Send + Sync {
    /// The document as it is now.
    async fn fetch(&self) -> Result<Vec<u8>, JwksError>;
}

/// A key set in a file, read anew at every refresh, so that replacing the file rotates the keys.
#[derive(Debug, Clone)]
pub struct FileJwks {
    path: PathBuf,
}

impl FileJwks {
    /// Reads from this path.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }
}

#[async_trait]
impl JwksSource for FileJwks {
    /// Reads at once rather than on another thread: the file is small and local, and read every few minutes.
    async fn fetch(&self) -> Result<Vec<u8>, JwksError> {
        std::fs::read(&self.path).map_err(|error| JwksError::new(format!("{}: {error}", self.path.display())))
    }
}

/// The key set in use.
pub(super) struct JwksCache {
    config: JwksConfig,
    // Held for a pointer's copy, never over I/O.
    current: RwLock<Option<Arc<Fetched>>>,
    // Held over a fetch, so that there is one at a time and those who need its outcome wait for it.
    last_attempt: Mutex<Option<Attempt>>,
}

/// A key set and when it was fetched.
pub(super) struct Fetched {
    pub(super) keys: KeySet,
    at: Timestamp,
}

struct Attempt {
    at: Timestamp,
    failure: Option<JwksError>,
}

impl JwksCache {
    pub(super) const fn new(config: JwksConfig) -> Self {
        Self { config, current: RwLock::new(None), last_attempt: Mutex::new(None) }
    }

    pub(super) fn accepts(&self, algorithm: JwtAlgorithm) -> bool {
        self.config.algorithms.contains(&algorithm)
    }

    /// A key set that holds at least one key that may have signed a token with this header.
    pub(super) async fn key_set_for(
        &self,
        kid: Option<&str>,
        algorithm: JwtAlgorithm,
        now: Timestamp,
    ) -> Result<Arc<Fetched>, AuthError> {
        let has_key = |fetched: &Arc<Fetched>| fetched.keys.candidates(kid, algorithm).next().is_some();
        let known = self.current();
        let refreshed = match &known {
            Some(fetched) if has_key(fetched) => {
                if now.since(fetched.at) <= self.config.max_age {
                    return Ok(Arc::clone(fetched));
                }
                // An aged set still serves while someone else fetches the next one.
                match self.last_attempt.try_lock() {
                    Some(attempt) => self.refresh_unless_recent(attempt, known.as_ref(), now).await,
                    None => Ok(()),
                }
            }
            _ => self.refresh_unless_recent(self.last_attempt.lock().await, known.as_ref(), now).await,
        };

        match (self.current(), refreshed) {
            (Some(newest), _) if has_key(&newest) => Ok(newest),
            // Only a server that never had a key set cannot tell; an unknown key beside a known set is the caller's.
            (None, Err(error)) => Err(AuthError::KeysUnavailable(error)),
            _ => Err(AuthError::UnknownSigningKey),
        }
    }

    /// Fetches the set now, whatever its age. Returns how many of its keys can be used.
    pub(super) async fn refresh(&self, now: Timestamp) -> Result<usize, JwksError> {
        let mut attempt = self.last_attempt.lock().await;
        self.fetch(&mut attempt, now).await
    }

    async fn refresh_unless_recent(
        &self,
        mut attempt: MutexGuard<'_, Option<Attempt>>,
        seen: Option<&Arc<Fetched>>,
        now: Timestamp,
    ) -> Result<(), JwksError> {
        let replaced_meanwhile = match (seen, self.current()) {
            (Some(seen), Some(current)) => !Arc::ptr_eq(seen, &current),
            (None, current) => current.is_some(),
            (Some(_), None) => false,
        };
        if replaced_meanwhile {
            return Ok(());
        }
        if let Some(last) = attempt.as_ref()
            && now.since(last.at) < self.config.min_refresh_interval
        {
            return last.failure.clone().map_or(Ok(()), Err);
        }
        self.fetch(&mut attempt, now).await.map(|_| ())
    }

    async fn fetch(&self, attempt: &mut Option<Attempt>, now: Timestamp) -> Result<usize, JwksError> {
        // Noted before the fetch: a caller who hangs up in the middle of it must not buy another one.
        let interrupted = JwksError::new("the last fetch was given up before it ended");
        *attempt = Some(Attempt { at: now, failure: Some(interrupted) });
        let outcome = self.fetch_document().await;
        *attempt = Some(Attempt { at: now, failure: outcome.as_ref().err().cloned() });
        // A failure leaves the last good set in place: an issuer that is down must not lock everybody out.
        let keys = outcome?;
        let usable = keys.len();
        let fetched = Some(Arc::new(Fetched { keys, at: now }));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = fetched;
        Ok(usable)
    }

    async fn fetch_document(&self) -> Result<KeySet, JwksError> {
        let document = self.config.source.fetch().await?;
        if document.len() > MAX_DOCUMENT_BYTES {
            return Err(JwksError::new(format!("the document is larger than {MAX_DOCUMENT_BYTES} bytes")));
        }
        KeySet::parse(&document, &self.config.algorithms)
    }

    fn current(&self) -> Option<Arc<Fetched>> {
        self.current.read().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl fmt::Debug for JwksCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksCache")
            .field("config", &self.config)
            .field("keys", &self.current().as_deref().map(|fetched| &fetched.keys))
            .finish_non_exhaustive()
    }
}
