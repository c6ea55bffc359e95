//! API keys: a machine's credential, as it is stored.
//!
//! The domain only knows the record. How a key is written (`hrm_<id>_<secret>`), made and checked is the business of
//! `horarium-auth`, which is the only place where the secret itself is ever seen.

use std::fmt;

use crate::{ApiKeyId, TenantId, Timestamp};

/// The SHA-256 of a key's secret. The secret holds 256 random bits, so a plain hash is enough: there is nothing to guess.
///
/// It has no `PartialEq` on purpose; `horarium-auth` compares it in constant time.
#[derive(Clone)]
pub struct SecretHash([u8; 32]);

/// A stored hash was not 32 bytes long.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the hash of an API key's secret has 32 bytes, not {0}")]
pub struct SecretHashLengthError(usize);

impl SecretHash {
    /// Wraps a SHA-256 digest.
    pub const fn from_bytes(digest: [u8; 32]) -> Self {
        Self(digest)
    }

    /// The digest, to store or to compare in constant time.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl TryFrom<&[u8]> for SecretHash {
    type Error = SecretHashLengthError;

    fn try_from(stored: &[u8]) -> Result<Self, Self::Error> {
        stored.try_into().map(Self).map_err(|_| SecretHashLengthError(stored.len()))
    }
}

impl fmt::Debug for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretHash([redacted])")
    }
}

/// One API key of one tenant. The secret is not here and cannot be recovered.
#[derive(Debug, Clone)]
pub struct ApiKeyRecord {
    /// The public part of the key; rotating a key keeps it.
    pub id: ApiKeyId,
    /// The tenant that the key acts in, and the only one.
    pub tenant_id: TenantId,
    /// What its owner calls it; shown as "triggered by".
    pub name: String,
    /// What it may do, by scope name (`jobs:read`, `*`); `horarium-auth` knows the names.
    pub scopes: Vec<String>,
    /// The SHA-256 of the secret.
    pub secret_hash: SecretHash,
    /// When it was made.
    pub created_at: Timestamp,
    /// The subject of the credential that made it.
    pub created_by: String,
    /// From this instant on it is refused; `None` means that it does not expire.
    pub expires_at: Option<Timestamp>,
    /// When it was last accepted; may lag by a minute, since not every use is written.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// Whether a key is good for anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ApiKeyState {
    /// It is accepted.
    Active,
    /// Its `expires_at` has come.
    Expired,
    /// Someone revoked it; this outlasts expiry, because it is the graver of the two.
    Revoked,
}

impl ApiKeyRecord {
    /// The state of the key at `now`.
    pub fn state(&self, now: Timestamp) -> ApiKeyState {
        if self.revoked_at.is_some() {
            ApiKeyState::Revoked
        } else if self.expires_at.is_some_and(|at| now >= at) {
            ApiKeyState::Expired
        } else {
            ApiKeyState::Active
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> ApiKeyRecord {
        ApiKeyRecord {
            id: ApiKeyId::from_uuid(uuid::Uuid::from_u128(1)),
            tenant_id: TenantId::from_uuid(uuid::Uuid::from_u128(2)),
            name: "ci".into(),
            scopes: vec!["jobs:read".into()],
            secret_hash: SecretHash::from_bytes([0xAB; 32]),
            created_at: Timestamp::UNIX_EPOCH,
            created_by: "alice".into(),
            expires_at: Some(Timestamp::from_seconds(100)),
            last_used_at: None,
            revoked_at: None,
        }
    }

    #[test]
    fn a_key_is_refused_from_the_very_instant_it_expires() {
        assert_eq!(key().state(Timestamp::from_micros(99_999_999)), ApiKeyState::Active);
        assert_eq!(key().state(Timestamp::from_seconds(100)), ApiKeyState::Expired);
    }

    #[test]
    fn a_revoked_key_stays_revoked_after_it_has_expired() {
        let revoked = ApiKeyRecord { revoked_at: Some(Timestamp::UNIX_EPOCH), ..key() };
        assert_eq!(revoked.state(Timestamp::from_seconds(500)), ApiKeyState::Revoked);
    }

    #[test]
    fn the_hash_is_not_printed() {
        let shown = format!("{:?}", key());
        assert!(shown.contains("[redacted]") && !shown.contains("171"), "{shown}");
    }

    #[test]
    fn a_stored_hash_of_another_length_is_refused() {
        assert_eq!(SecretHash::try_from(&[1_u8; 31][..]).unwrap_err(), SecretHashLengthError(31));
    }
}
