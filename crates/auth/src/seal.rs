//! Secrets at rest: AES-256-GCM under keys that the operator configures or the server makes.
//!
//! A sealed secret is `sealed:v1:<key id>:<nonce, ciphertext and tag in base64url>`. Its place is the associated data,
//! so it opens nowhere else. The nonce is 96 random bits: a key is good for far more secrets (2³²) than jobs are ever
//! saved. A key is derived from its text by HKDF-SHA-256, so that any text with enough chance in it will do.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use horarium_domain::Entropy;
use horarium_domain::secret::{SEALED_PREFIX, SecretError, SecretPlace, SecretSealer};
use sha2::{Digest, Sha256};

/// The fewest bytes that a key's text must have.
const MIN_BYTES: usize = 32;

const DERIVATION_SALT: &[u8] = b"horarium secrets at rest v1";
const DERIVATION_INFO: &[u8] = b"aes-256-gcm";
const ID_LABEL: &[u8] = b"horarium sealing key id v1";

/// A key's text that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealingKeyError {
    /// It could be guessed.
    #[error("a key needs at least {MIN_BYTES} bytes, such as 'openssl rand -hex 32' prints; this one has {0}")]
    TooShort(usize),
    /// The cryptography failed, which should not happen.
    #[error("the key cannot be derived")]
    Failed,
    /// There is no key at all.
    #[error("there is no key in it")]
    None,
}

/// A key that secrets are sealed with. Its `Debug` form tells only its id.
pub struct SealingKey {
    id: String,
    key: LessSafeKey,
}

impl fmt::Debug for SealingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SealingKey").field(&self.id).finish()
    }
}

impl SealingKey {
    /// The key of this text.
    pub fn new(text: &str) -> Result<Self, SealingKeyError> {
        let text = text.as_bytes();
        if text.len() < MIN_BYTES {
            return Err(SealingKeyError::TooShort(text.len()));
        }
        let derived = Salt::new(HKDF_SHA256, DERIVATION_SALT).extract(text);
        let output = derived.expand(&[DERIVATION_INFO], &AES_256_GCM).map_err(|_| SealingKeyError::Failed)?;
        let digest = Sha256::new().chain_update(ID_LABEL).chain_update(text).finalize();
        let id = format!("{:08x}", u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]));
        Ok(Self { id, key: LessSafeKey::new(UnboundKey::from(output)) })
    }

    /// Its id: stands in everything that it sealed, and tells nothing of the key.
    pub fn id(&self) -> &str {
        &self.id
    }
}

/// The keys of a node: the first seals, and all of them open.
pub struct SecretKeys {
    first: SealingKey,
    others: Vec<SealingKey>,
    entropy: Arc<dyn Entropy>,
}

impl fmt::Debug for SecretKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.ids()).finish()
    }
}

impl SecretKeys {
    /// The keys in a text, separated by commas or white space; the first is the one to seal with.
    pub fn parse(text: &str, entropy: Arc<dyn Entropy>) -> Result<Self, SealingKeyError> {
        let words = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|word| !word.is_empty());
        let mut keys = words.map(SealingKey::new).collect::<Result<Vec<_>, _>>()?.into_iter();
        let first = keys.next().ok_or(SealingKeyError::None)?;
        Ok(Self { first, others: keys.collect(), entropy })
    }

    /// The keys' ids, the one that seals first.
    pub fn ids(&self) -> impl Iterator<Item = &str> {
        std::iter::once(&self.first).chain(&self.others).map(SealingKey::id)
    }

    fn nonce(&self) -> [u8; NONCE_LEN] {
        let mut nonce = [0; NONCE_LEN];
        nonce.copy_from_slice(&self.entropy.secret()[..NONCE_LEN]);
        nonce
    }
}

impl SecretSealer for SecretKeys {
    fn seal(&self, place: SecretPlace<'_>, secret: &str) -> Result<String, SecretError> {
        let nonce = self.nonce();
        let mut sealed = secret.as_bytes().to_vec();
        self.first
            .key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), associated(place), &mut sealed)
            .map_err(|_| SecretError::Failed)?;
        let text = URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat());
        Ok(format!("{SEALED_PREFIX}{}:{text}", self.first.id))
    }

    fn open(&self, place: SecretPlace<'_>, stored: &str) -> Result<String, SecretError> {
        let Some(rest) = stored.strip_prefix(SEALED_PREFIX) else { return Ok(stored.to_owned()) };
        let (id, text) = rest.split_once(':').ok_or(SecretError::Refused)?;
        let key = std::iter::once(&self.first).chain(&self.others).find(|key| key.id == id);
        let key = key.ok_or_else(|| SecretError::UnknownKey { key: id.to_owned() })?;
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| SecretError::Refused)?;
        let (nonce, sealed) = bytes.split_first_chunk::<NONCE_LEN>().ok_or(SecretError::Refused)?;
        let mut sealed = sealed.to_vec();
        let opened = key
            .key
            .open_in_place(Nonce::assume_unique_for_key(*nonce), associated(place), &mut sealed)
            .map_err(|_| SecretError::Refused)?;
        String::from_utf8(opened.to_vec()).map_err(|_| SecretError::Refused)
    }

    fn is_current(&self, stored: &str) -> bool {
        let id = stored.strip_prefix(SEALED_PREFIX).and_then(|rest| rest.split_once(':')).map(|(id, _)| id);
        id == Some(self.first.id.as_str())
    }
}

/// The place as bytes. The ids have a fixed length, so no two places have the same bytes.
fn associated(place: SecretPlace<'_>) -> Aad<Vec<u8>> {
    let tenant = place.tenant.as_uuid();
    Aad::from([tenant.as_bytes().as_slice(), place.owner.as_bytes(), place.field.as_bytes()].concat())
}
