//! API keys: `hrm_<id>_<secret>`.
//!
//! `id` is the key's UUID in 32 hexadecimal digits: it finds the record. `secret` is 32 random bytes in base64url
//! without padding: it proves that the caller holds the key. The secret may contain underscores, the id cannot, so a
//! key is taken apart at its first two. `hrm_` lets secret scanners recognise a key that was committed by mistake.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use horarium_domain::ApiKeyId;
use horarium_domain::Timestamp;
use horarium_domain::api_key::{ApiKeyRecord, ApiKeyState, SecretHash};
use horarium_domain::tenant::TenantRef;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::error::AuthError;
use crate::principal::{CredentialKind, Principal};
use crate::scope;

const PREFIX: &str = "hrm";
/// A UUID without hyphens.
const ID_LENGTH: usize = 32;
/// 32 bytes in base64 without padding.
const SECRET_LENGTH: usize = 43;

/// A whole key, secret included: one that was just made, or one that a caller shows.
#[derive(Clone)]
pub struct ApiKey {
    id: ApiKeyId,
    secret: [u8; 32],
}

impl ApiKey {
    /// Makes a key out of 32 bytes from a cryptographically secure source. They are the key's whole strength.
    pub const fn generate(id: ApiKeyId, entropy: [u8; 32]) -> Self {
        Self { id, secret: entropy }
    }

    /// The public part, by which the record is found.
    pub const fn id(&self) -> ApiKeyId {
        self.id
    }

    /// What to store in place of the secret.
    pub fn secret_hash(&self) -> SecretHash {
        SecretHash::from_bytes(Sha256::digest(self.secret).into())
    }

    /// The key as its owner must keep it. Show it once and never store or log it.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}_{}_{}", self.id.as_uuid().simple(), URL_SAFE_NO_PAD.encode(self.secret))
    }
}

impl FromStr for ApiKey {
    type Err = AuthError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.splitn(3, '_');
        let (Some(PREFIX), Some(id), Some(secret)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(AuthError::InvalidApiKey);
        };
        if id.len() != ID_LENGTH || secret.len() != SECRET_LENGTH {
            return Err(AuthError::InvalidApiKey);
        }
        let id = id.parse().map_err(|_| AuthError::InvalidApiKey)?;
        let secret = URL_SAFE_NO_PAD.decode(secret).map_err(|_| AuthError::InvalidApiKey)?;
        let secret = secret.try_into().map_err(|_| AuthError::InvalidApiKey)?;
        Ok(Self { id, secret })
    }
}

impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").field("id", &self.id).field("secret", &"[redacted]").finish()
    }
}

/// Checks a shown key against the record that its id found (`None`: no record), and makes the caller out of it.
///
/// A caller learns that a key is expired or revoked only by showing its right secret. An unknown id costs the same
/// time as a wrong secret.
///
/// # Errors
/// [`AuthError::InvalidApiKey`], [`AuthError::ApiKeyExpired`] or [`AuthError::ApiKeyRevoked`].
pub fn authenticate(shown: &ApiKey, record: Option<&ApiKeyRecord>, now: Timestamp) -> Result<Principal, AuthError> {
    let shown_hash = shown.secret_hash();
    let stored_hash = record.map_or(&[0; 32], |record| record.secret_hash.as_bytes());
    let secret_is_right = bool::from(shown_hash.as_bytes().ct_eq(stored_hash));
    let record = record.filter(|record| secret_is_right && record.id == shown.id).ok_or(AuthError::InvalidApiKey)?;
    match record.state(now) {
        ApiKeyState::Active => Ok(principal(record)),
        ApiKeyState::Expired => Err(AuthError::ApiKeyExpired),
        ApiKeyState::Revoked => Err(AuthError::ApiKeyRevoked),
    }
}

pub(crate) fn principal(record: &ApiKeyRecord) -> Principal {
    Principal {
        subject: format!("api-key:{}", record.id),
        tenant: TenantRef::Id(record.tenant_id),
        roles: Vec::new(),
        permissions: scope::union_of(&record.scopes),
        email: None,
        name: Some(record.name.clone()),
        realm: None,
        credential: CredentialKind::ApiKey(record.id),
    }
}
