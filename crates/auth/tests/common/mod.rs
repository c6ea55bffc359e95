//! An issuer for the tests: it signs whatever header and claims a test asks for, also those that no library would.

#![allow(dead_code, reason = "each test file uses the part that it needs")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "these helpers only run in tests")]
#![allow(clippy::needless_pass_by_value, reason = "a test reads best with its json!(…) written in place")]

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use horarium_auth::{JwksError, JwksSource, JwtAlgorithm, JwtConfig, JwtKeys, JwtVerifier, SharedSecret};
use horarium_domain::Timestamp;
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey};
use serde_json::{Value, json};

pub(crate) const SECRET: &[u8] = b"a shared secret of forty-eight bytes, no more!!!";
pub(crate) const RSA_PUBLIC: &str = include_str!("../keys/rsa.public.pem");
pub(crate) const P256_PUBLIC: &str = include_str!("../keys/p256.public.pem");
pub(crate) const P384_PUBLIC: &str = include_str!("../keys/p384.public.pem");
pub(crate) const ED25519_PUBLIC: &str = include_str!("../keys/ed25519.public.pem");
pub(crate) const WEAK_RSA_PUBLIC: &str = include_str!("../keys/weak-rsa.public.pem");
pub(crate) const RSA_PRIVATE: &str = include_str!("../keys/rsa.private.pem");
const OTHER_RSA_PRIVATE: &str = include_str!("../keys/other-rsa.private.pem");
const P256_PRIVATE: &str = include_str!("../keys/p256.private.pem");
const ED25519_PRIVATE: &str = include_str!("../keys/ed25519.private.pem");

/// The instant at which the tests take place.
pub(crate) fn now() -> Timestamp {
    "2025-07-10T14:50:00Z".parse().unwrap()
}

/// `now`, moved by seconds.
pub(crate) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_seconds(now().as_seconds() + seconds)
}

/// Claims of a good token: an hour left, tenant `org-1`, role `read`.
pub(crate) fn claims() -> Value {
    json!({ "sub": "user-1", "tenant_id": "org-1", "roles": ["read"], "exp": at(3600).as_seconds() })
}

/// The good claims with some replaced, or taken away where the new value is `null`.
pub(crate) fn claims_with(changes: Value) -> Value {
    let mut claims = claims();
    for (name, value) in changes.as_object().unwrap() {
        if value.is_null() {
            claims.as_object_mut().unwrap().remove(name);
        } else {
            claims[name] = value.clone();
        }
    }
    claims
}

#[derive(Clone, Copy)]
pub(crate) enum Key {
    Secret,
    Rsa,
    OtherRsa,
    P256,
    Ed25519,
}

impl Key {
    pub(crate) fn algorithm(self) -> Algorithm {
        match self {
            Self::Secret => Algorithm::HS256,
            Self::Rsa | Self::OtherRsa => Algorithm::RS256,
            Self::P256 => Algorithm::ES256,
            Self::Ed25519 => Algorithm::EdDSA,
        }
    }

    fn encoding(self) -> EncodingKey {
        match self {
            Self::Secret => EncodingKey::from_secret(SECRET),
            Self::Rsa => EncodingKey::from_rsa_pem(RSA_PRIVATE.as_bytes()).unwrap(),
            Self::OtherRsa => EncodingKey::from_rsa_pem(OTHER_RSA_PRIVATE.as_bytes()).unwrap(),
            Self::P256 => EncodingKey::from_ec_pem(P256_PRIVATE.as_bytes()).unwrap(),
            Self::Ed25519 => EncodingKey::from_ed_pem(ED25519_PRIVATE.as_bytes()).unwrap(),
        }
    }

    /// Its public half as an entry of a key set.
    pub(crate) fn jwk(self, kid: &str) -> Value {
        let mut jwk =
            serde_json::to_value(Jwk::from_encoding_key(&self.encoding(), self.algorithm()).unwrap()).unwrap();
        jwk["kid"] = json!(kid);
        jwk["use"] = json!("sig");
        jwk
    }

    /// A token with the header that belongs to the key.
    pub(crate) fn sign(self, claims: &Value) -> String {
        let alg = serde_json::to_value(self.algorithm()).unwrap();
        self.sign_parts(&json!({ "alg": alg, "typ": "JWT" }).to_string(), &claims.to_string())
    }

    /// A token that names its key.
    pub(crate) fn sign_as(self, kid: &str, claims: &Value) -> String {
        let alg = serde_json::to_value(self.algorithm()).unwrap();
        self.sign_parts(&json!({ "alg": alg, "kid": kid }).to_string(), &claims.to_string())
    }

    /// A token of exactly this header and payload, whatever they say.
    pub(crate) fn sign_parts(self, header: &str, payload: &str) -> String {
        sign_with(&self.encoding(), self.algorithm(), header, payload)
    }
}

pub(crate) fn sign_with(key: &EncodingKey, algorithm: Algorithm, header: &str, payload: &str) -> String {
    let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload));
    let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, algorithm).unwrap();
    format!("{message}.{signature}")
}

pub(crate) fn hs256_config() -> JwtConfig {
    JwtConfig::new(JwtKeys::Hs256Secret(SharedSecret::new(SECRET).unwrap()))
}

/// Accepts HS256 tokens of any issuer.
pub(crate) fn hs256() -> JwtVerifier {
    JwtVerifier::new(hs256_config()).unwrap()
}

/// Accepts tokens of one public key.
pub(crate) fn public_key(algorithm: JwtAlgorithm, pem: &str) -> JwtVerifier {
    JwtVerifier::new(JwtConfig::new(JwtKeys::PublicKeyPem { algorithm, pem: pem.to_owned() })).unwrap()
}

/// An issuer's address: it serves the given answers one by one, the last one for ever, and counts the fetches.
pub(crate) struct Issuer {
    answers: Mutex<VecDeque<Result<String, JwksError>>>,
    fetches: Mutex<usize>,
}

impl Issuer {
    pub(crate) fn serving(answers: impl IntoIterator<Item = Result<Vec<Value>, &'static str>>) -> Arc<Self> {
        let answers = answers
            .into_iter()
            .map(|answer| answer.map(|keys| json!({ "keys": keys }).to_string()).map_err(JwksError::new))
            .collect();
        Arc::new(Self { answers: Mutex::new(answers), fetches: Mutex::new(0) })
    }

    pub(crate) fn serving_text(document: &str) -> Arc<Self> {
        let answers = Mutex::new(VecDeque::from([Ok(document.to_owned())]));
        Arc::new(Self { answers, fetches: Mutex::new(0) })
    }

    pub(crate) fn fetches(&self) -> usize {
        *self.fetches.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl JwksSource for Issuer {
    async fn fetch(&self) -> Result<Vec<u8>, JwksError> {
        // As over a network: the answer does not come at once, and others may ask meanwhile.
        tokio::task::yield_now().await;
        *self.fetches.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = if answers.len() > 1 { answers.pop_front() } else { answers.front().cloned() };
        answer.unwrap_or_else(|| panic!("the issuer has no answer")).map(String::into_bytes)
    }
}
