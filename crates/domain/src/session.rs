//! Sessions: people who signed in to the dashboard, as they are remembered between two requests.
//!
//! The domain only knows the record. What the browser holds is the business of `horarium-auth`; the store holds a hash
//! of it, so that nobody who reads the store can go on with somebody's session.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::api_key::SecretHash;
use crate::{ApiKeyId, TenantId, Timestamp};

/// The SHA-256 of what a browser shows. That holds 256 random bits, so a plain hash is enough: there is nothing to guess.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionHash([u8; 32]);

impl SessionHash {
    /// Wraps a SHA-256 digest.
    pub const fn from_bytes(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest, to store or to look up.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SessionHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionHash([redacted])")
    }
}

/// What a token said of its bearer when the session began. Roles that mean nothing here are left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SessionClaims {
    /// The token's `sub`.
    pub subject: String,
    /// The names of its roles.
    pub roles: Vec<String>,
    /// Its `name`, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Its `email`, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Its `realm`, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
}

/// Who a session is of, and what its rights follow from.
#[derive(Debug, Clone)]
pub enum SessionHolder {
    /// The holder of an API key. What it may do is looked up with each request.
    ApiKey {
        /// The key.
        id: ApiKeyId,
        /// The hash of the secret that was shown: the session ends when the key is given another one.
        secret_hash: SecretHash,
    },
    /// The bearer of a signed token, or whoever an OpenID provider vouched for. Its roles hold until the session ends.
    Claims(SessionClaims),
}

/// Somebody who signed in.
#[derive(Debug, Clone)]
pub struct Session {
    /// The hash of what the browser shows.
    pub hash: SessionHash,
    /// The tenant that the credential named; the session goes with it.
    pub tenant_id: TenantId,
    /// The tenant that somebody who may act in any chose to act in, if another than `tenant_id`.
    pub acting_in: Option<TenantId>,
    /// Who signed in.
    pub holder: SessionHolder,
    /// When.
    pub opened_at: Timestamp,
    /// When it ends unless it is used before; never later than `expires_at`.
    pub idle_at: Timestamp,
    /// When it ends at the latest.
    pub expires_at: Timestamp,
}

impl Session {
    /// Whether it is over at `now`.
    pub fn is_over(&self, now: Timestamp) -> bool {
        now >= self.idle_at || now >= self.expires_at
    }
}
