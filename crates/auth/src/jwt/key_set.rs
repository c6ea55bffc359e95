//! A parsed JSON Web Key Set (RFC 7517).

use std::fmt;

use jsonwebtoken::DecodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyAlgorithm, KeyOperations, PublicKeyUse};
use serde::Deserialize;
use serde_json::Value;

use super::algorithm::JwtAlgorithm;
use super::jwks::JwksError;

/// The most keys of one document that are kept; real ones hold two or three.
const MAX_KEYS: usize = 64;

/// The keys of a document that can be used, each with the one algorithm it can be used with.
#[derive(Default)]
pub(super) struct KeySet(Vec<Entry>);

struct Entry {
    kid: Option<String>,
    algorithm: JwtAlgorithm,
    key: DecodingKey,
}

#[derive(Deserialize)]
struct Document {
    keys: Vec<Value>,
}

impl KeySet {
    /// Reads a document. Keys of another kind, for another use or for an algorithm that is not in `accepted` are left
    /// out, as RFC 7517 section 5 wants it; so are symmetric keys, which have no place in a published document.
    pub(super) fn parse(document: &[u8], accepted: &[JwtAlgorithm]) -> Result<Self, JwksError> {
        let document: Document = serde_json::from_slice(document)
            .map_err(|error| JwksError::new(format!("the document is not a JSON Web Key Set: {error}")))?;
        let entries = document
            .keys
            .into_iter()
            .filter_map(|key| serde_json::from_value::<Jwk>(key).ok())
            .filter_map(|jwk| Entry::from_jwk(&jwk))
            .filter(|entry| accepted.contains(&entry.algorithm))
            .take(MAX_KEYS)
            .collect();
        Ok(Self(entries))
    }

    /// The keys that may have signed a token with this header. A token that names no key may be signed by any.
    pub(super) fn candidates(&self, kid: Option<&str>, algorithm: JwtAlgorithm) -> impl Iterator<Item = &DecodingKey> {
        self.0
            .iter()
            .filter(move |entry| entry.algorithm == algorithm && (kid.is_none() || entry.kid.as_deref() == kid))
            .map(|entry| &entry.key)
    }

    /// How many keys can be used.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl Entry {
    fn from_jwk(jwk: &Jwk) -> Option<Self> {
        let algorithm = match &jwk.algorithm {
            AlgorithmParameters::RSA(_) => JwtAlgorithm::Rs256,
            AlgorithmParameters::EllipticCurve(key) if key.curve == EllipticCurve::P256 => JwtAlgorithm::Es256,
            AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => JwtAlgorithm::EdDsa,
            _ => return None,
        };
        let common = &jwk.common;
        let for_this_algorithm =
            common.key_algorithm.is_none_or(|alg| alg == KeyAlgorithm::from(algorithm.to_library()));
        let for_signatures = common.public_key_use.as_ref().is_none_or(|usage| *usage == PublicKeyUse::Signature);
        let for_verifying = common.key_operations.as_ref().is_none_or(|ops| ops.contains(&KeyOperations::Verify));
        if !(for_this_algorithm && for_signatures && for_verifying) {
            return None;
        }
        let key = DecodingKey::from_jwk(jwk).ok()?;
        Some(Self { kid: common.key_id.clone(), algorithm, key })
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|entry| (&entry.kid, entry.algorithm))).finish()
    }
}
