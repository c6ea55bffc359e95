//! Which tokens are accepted, as the operator configures it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::DecodingKey;

use super::algorithm::JwtAlgorithm;
use super::jwks::JwksSource;

/// Which tokens are accepted.
#[derive(Debug, Clone)]
pub struct JwtConfig {
    /// The keys, and with them the algorithms.
    pub keys: JwtKeys,
    /// The accepted values of `iss`; when empty, `iss` is not looked at.
    pub issuers: Vec<String>,
    /// The accepted values of `aud`; when empty, `aud` is not looked at.
    pub audiences: Vec<String>,
    /// How far the clocks of the issuer and of this server may be apart.
    pub leeway: Duration,
}

impl JwtConfig {
    /// Accepts tokens of any issuer and audience that are signed with these keys, with a leeway of 30 s.
    pub const fn new(keys: JwtKeys) -> Self {
        Self { keys, issuers: Vec::new(), audiences: Vec::new(), leeway: Duration::from_secs(30) }
    }
}

/// The keys that tokens are checked with. Each kind fixes the algorithms it is used with.
#[derive(Debug, Clone)]
pub enum JwtKeys {
    /// A secret that the issuer and this server share; HS256.
    Hs256Secret(SharedSecret),
    /// One public key in PEM (SubjectPublicKeyInfo, or PKCS#1 for RSA).
    PublicKeyPem {
        /// RS256, ES256 or EdDSA.
        algorithm: JwtAlgorithm,
        /// The file's text.
        pem: String,
    },
    /// The issuer's published key set.
    Jwks(JwksConfig),
}

/// A key set that is fetched, kept, and fetched again when it changes.
#[derive(Clone)]
pub struct JwksConfig {
    /// Where it comes from.
    pub source: Arc<dyn JwksSource>,
    /// The algorithms that are accepted: any of RS256, ES256, EdDSA.
    pub algorithms: Vec<JwtAlgorithm>,
    /// The least time between two fetches, however many unknown keys callers name.
    pub min_refresh_interval: Duration,
    /// After this time the set is fetched again even if no unknown key turns up, so that a withdrawn key is noticed.
    pub max_age: Duration,
}

impl JwksConfig {
    /// Fetches at most every 10 s, and at least every 10 minutes while tokens are being checked.
    pub fn new(source: Arc<dyn JwksSource>, algorithms: Vec<JwtAlgorithm>) -> Self {
        Self { source, algorithms, min_refresh_interval: Duration::from_secs(10), max_age: Duration::from_mins(10) }
    }
}

impl fmt::Debug for JwksConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("JwksConfig")
            .field("algorithms", &self.algorithms)
            .field("min_refresh_interval", &self.min_refresh_interval)
            .field("max_age", &self.max_age)
            .finish_non_exhaustive()
    }
}

/// A secret for HS256, of at least 32 bytes: RFC 7518 section 3.2 wants a key no shorter than the hash.
#[derive(Clone)]
pub struct SharedSecret(Vec<u8>);

impl SharedSecret {
    /// The fewest bytes that a secret may have.
    pub const MIN_LENGTH: usize = 32;

    /// Takes a secret's bytes as they are.
    ///
    /// # Errors
    /// [`JwtConfigError::SecretTooShort`]; [`JwtConfigError::SecretIsPem`] when the text is a key file, since a public
    /// key is no secret.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Result<Self, JwtConfigError> {
        let bytes = bytes.into();
        if bytes.trim_ascii_start().starts_with(b"-----BEGIN") {
            return Err(JwtConfigError::SecretIsPem);
        }
        if bytes.len() < Self::MIN_LENGTH {
            return Err(JwtConfigError::SecretTooShort(bytes.len()));
        }
        Ok(Self(bytes))
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret([redacted])")
    }
}

/// Tokens cannot be checked with this configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwtConfigError {
    /// A short secret can be guessed from any one token.
    #[error("the JWT secret has {0} bytes, and needs at least 32; make one with 'openssl rand -base64 48'")]
    SecretTooShort(usize),
    /// A key file was given as a secret.
    #[error("the JWT secret is a PEM key; configure it as a public key file instead")]
    SecretIsPem,
    /// The key file cannot be used with the algorithm.
    #[error("the JWT public key is not a PEM public key for {algorithm}: {reason}")]
    UnusableKey {
        /// The algorithm it was configured for.
        algorithm: JwtAlgorithm,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// HS256 was configured for public keys.
    #[error("HS256 needs a shared secret; public keys and key sets take RS256, ES256 or EdDSA")]
    SymmetricAlgorithm,
    /// A key set was configured without an algorithm.
    #[error("name at least one algorithm for the key set: RS256, ES256 or EdDSA")]
    NoAlgorithm,
}

/// The smallest RSA key that is accepted, as the length of its DER encoding: a modulus of 2048 bits is 256 bytes.
const MIN_RSA_DER_LENGTH: usize = 256;
/// An uncompressed point on P-256.
const P256_POINT_LENGTH: usize = 65;
const ED25519_KEY_LENGTH: usize = 32;

/// Reads a public key, and makes sure now that it fits the algorithm rather than fail every token later.
pub(super) fn read_public_key(algorithm: JwtAlgorithm, pem: &str) -> Result<DecodingKey, JwtConfigError> {
    let unusable = |reason| JwtConfigError::UnusableKey { algorithm, reason };
    if pem.contains("PRIVATE KEY") {
        return Err(unusable("the file holds a private key; this server needs only the public one"));
    }
    let (key, fits): (_, fn(usize) -> bool) = match algorithm {
        JwtAlgorithm::Hs256 => return Err(JwtConfigError::SymmetricAlgorithm),
        JwtAlgorithm::Rs256 => (DecodingKey::from_rsa_pem(pem.as_bytes()), |length| length >= MIN_RSA_DER_LENGTH),
        JwtAlgorithm::Es256 => (DecodingKey::from_ec_pem(pem.as_bytes()), |length| length == P256_POINT_LENGTH),
        JwtAlgorithm::EdDsa => (DecodingKey::from_ed_pem(pem.as_bytes()), |length| length == ED25519_KEY_LENGTH),
    };
    let key = key.map_err(|_| unusable("it cannot be read as one"))?;
    match key.try_get_as_bytes() {
        Ok(bytes) if fits(bytes.len()) => Ok(key),
        _ => Err(unusable("it has the wrong size or curve")),
    }
}
