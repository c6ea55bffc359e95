//! Checking a token.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use horarium_domain::Timestamp;
use jsonwebtoken::DecodingKey;
use jsonwebtoken::crypto;

use super::algorithm::JwtAlgorithm;
use super::checked::CheckedSignatures;
use super::claims::Claims;
use super::config::{JwtConfig, JwtConfigError, JwtKeys, read_public_key};
use super::header::Header;
use super::jwks::{JwksCache, JwksError};
use crate::error::AuthError;
use crate::principal::Principal;

/// The longest token that is read, in bytes. Longer ones do not fit the usual header limits anyway.
const MAX_TOKEN_LENGTH: usize = 8192;

/// Turns tokens into callers, by the configured keys and rules.
///
/// The signature is checked by jsonwebtoken; the claims are checked here, because that crate compares them with the
/// system's clock, and this server takes the time from the one clock that it is given.
#[derive(Debug)]
pub struct JwtVerifier {
    keys: Keys,
    issuers: Vec<String>,
    audiences: Vec<String>,
    leeway: Duration,
    checked: CheckedSignatures,
}

#[derive(Debug)]
enum Keys {
    One { algorithm: JwtAlgorithm, key: DecodingKey },
    Set(JwksCache),
}

impl JwtVerifier {
    /// Takes the configuration, and refuses keys that could not check any token.
    pub fn new(config: JwtConfig) -> Result<Self, JwtConfigError> {
        let keys = match config.keys {
            JwtKeys::Hs256Secret(secret) => {
                Keys::One { algorithm: JwtAlgorithm::Hs256, key: DecodingKey::from_secret(secret.as_bytes()) }
            }
            JwtKeys::PublicKeyPem { algorithm, pem } => Keys::One { algorithm, key: read_public_key(algorithm, &pem)? },
            JwtKeys::Jwks(config) if config.algorithms.is_empty() => return Err(JwtConfigError::NoAlgorithm),
            JwtKeys::Jwks(config) if config.algorithms.contains(&JwtAlgorithm::Hs256) => {
                return Err(JwtConfigError::SymmetricAlgorithm);
            }
            JwtKeys::Jwks(config) => Keys::Set(JwksCache::new(config)),
        };
        let checked = CheckedSignatures::new();
        Ok(Self { keys, issuers: config.issuers, audiences: config.audiences, leeway: config.leeway, checked })
    }

    /// Checks a token at `now`.
    ///
    /// It waits only when the key set has to be fetched.
    ///
    /// # Errors
    /// Any [`AuthError`] of a token; [`AuthError::KeysUnavailable`] while a key set has never been had.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<Principal, AuthError> {
        self.verify_until(token, now).await.map(|(principal, _)| principal)
    }

    /// The same, and when the token expires (`exp`).
    ///
    /// # Errors
    /// As [`verify`](Self::verify).
    pub async fn verify_until(&self, token: &str, now: Timestamp) -> Result<(Principal, Timestamp), AuthError> {
        let payload = self.signed(token, MAX_TOKEN_LENGTH, now).await?;
        let (claims, expires_at) = self.accepted(&payload, now)?;
        Ok((claims.into_principal()?, expires_at))
    }

    /// The payload of a token of at most so many bytes, whose signature, time, issuer and audience are good.
    pub(crate) async fn verify_payload(
        &self,
        token: &str,
        max_length: usize,
        now: Timestamp,
    ) -> Result<Vec<u8>, AuthError> {
        let payload = self.signed(token, max_length, now).await?;
        self.accepted(&payload, now)?;
        Ok(payload)
    }

    /// The payload of a token whose signature is good.
    async fn signed(&self, token: &str, max_length: usize, now: Timestamp) -> Result<Vec<u8>, AuthError> {
        if token.len() > max_length {
            return Err(AuthError::TokenTooLong);
        }
        let (message, signature) = token.rsplit_once('.').ok_or(AuthError::MalformedToken)?;
        // Three parts and no more: five would be an encrypted token.
        let (header, payload) = message.split_once('.').ok_or(AuthError::MalformedToken)?;
        let header = Header::parse(&decode(header)?)?;
        let payload = decode(payload)?;
        self.check_signature(&header, token, message, signature, now).await?;
        Ok(payload)
    }

    /// Claims whose time, issuer and audience are good, and when they expire.
    fn accepted(&self, payload: &[u8], now: Timestamp) -> Result<(Claims, Timestamp), AuthError> {
        let claims = Claims::parse(payload)?;
        let expires_at = claims.check_time(now, self.leeway)?;
        claims.check_issuer(&self.issuers)?;
        claims.check_audience(&self.audiences)?;
        Ok((claims, expires_at))
    }

    /// Fetches the key set now, and returns how many of its keys can be used. Without a key set it does nothing and
    /// returns 1. Called at the start, it shows a wrong address before the first caller does.
    pub async fn refresh_keys(&self, now: Timestamp) -> Result<usize, JwksError> {
        match &self.keys {
            Keys::One { .. } => Ok(1),
            Keys::Set(cache) => cache.refresh(now).await,
        }
    }

    async fn check_signature(
        &self,
        header: &Header,
        token: &str,
        message: &str,
        signature: &str,
        now: Timestamp,
    ) -> Result<(), AuthError> {
        let algorithm = header.algorithm()?;
        let is_signed_with =
            |key: &DecodingKey| crypto::verify(signature, message.as_bytes(), key, algorithm.to_library()) == Ok(true);
        let good = match &self.keys {
            // It costs no more to check than to remember.
            Keys::One { algorithm: JwtAlgorithm::Hs256, key } if algorithm == JwtAlgorithm::Hs256 => {
                is_signed_with(key)
            }
            Keys::One { algorithm: accepted, key } if algorithm == *accepted => {
                self.checked.is_good(token, None, || is_signed_with(key))
            }
            Keys::Set(cache) if cache.accepts(algorithm) => {
                let kid = header.kid.as_deref();
                let set = cache.key_set_for(kid, algorithm, now).await?;
                self.checked.is_good(token, Some(&set), || set.keys.candidates(kid, algorithm).any(is_signed_with))
            }
            Keys::One { .. } | Keys::Set(_) => return Err(AuthError::AlgorithmNotAccepted),
        };
        if good { Ok(()) } else { Err(AuthError::BadSignature) }
    }
}

fn decode(part: &str) -> Result<Vec<u8>, AuthError> {
    URL_SAFE_NO_PAD.decode(part).map_err(|_| AuthError::MalformedToken)
}
