//! The issuer's key set: fetched, kept, and fetched again when a token names a key that is not in it.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use async_trait::async_trait;
use futures_util::lock::Mutex;
use horarium_domain::Timestamp;
use jsonwebtoken::DecodingKey;

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

struct Fetched {
    keys: KeySet,
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

    /// The keys that may have signed a token with this header; never empty.
    pub(super) async fn candidates(
        &self,
        kid: Option<&str>,
        algorithm: JwtAlgorithm,
        now: Timestamp,
    ) -> Result<Vec<DecodingKey>, AuthError> {
        let known = self.current();
        let keys = find(known.as_deref(), kid, algorithm);
        let is_old = known.as_deref().is_some_and(|fetched| now.since(fetched.at) > self.config.max_age);
        if !keys.is_empty() && !is_old {
            return Ok(keys);
        }

        // An aged set still serves while someone else fetches the next one; an unknown key has to wait for it.
        let refreshed = if keys.is_empty() {
            let attempt = self.last_attempt.lock().await;
            self.refresh_unless_recent(attempt, known.as_ref(), now).await
        } else if let Some(attempt) = self.last_attempt.try_lock() {
            self.refresh_unless_recent(attempt, known.as_ref(), now).await
        } else {
            Ok(())
        };

        let newest = self.current();
        let keys = find(newest.as_deref(), kid, algorithm);
        match (keys.is_empty(), newest, refreshed) {
            (false, _, _) => Ok(keys),
            // Only a server that never had a key set cannot tell; an unknown key beside a known set is the caller's.
            (true, None, Err(error)) => Err(AuthError::KeysUnavailable(error)),
            (true, _, _) => Err(AuthError::UnknownSigningKey),
        }
    }

    /// Fetches the set now, whatever its age. Returns how many of its keys can be used.
    pub(super) async fn refresh(&self, now: Timestamp) -> Result<usize, JwksError> {
        let mut attempt = self.last_attempt.lock().await;
        self.fetch(&mut attempt, now).await
    }

    async fn refresh_unless_recent(
        &self,
        mut attempt: futures_util::lock::MutexGuard<'_, Option<Attempt>>,
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

fn find(fetched: Option<&Fetched>, kid: Option<&str>, algorithm: JwtAlgorithm) -> Vec<DecodingKey> {
    fetched.map(|fetched| fetched.keys.candidates(kid, algorithm).cloned().collect()).unwrap_or_default()
}

impl fmt::Debug for JwksCache {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksCache")
            .field("config", &self.config)
            .field("keys", &self.current().as_deref().map(|fetched| &fetched.keys))
            .finish_non_exhaustive()
    }
}
