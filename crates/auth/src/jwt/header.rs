//! The protected header of a token: what little of it is listened to.

use serde::Deserialize;
use serde::de::IgnoredAny;

use super::algorithm::JwtAlgorithm;
use crate::error::AuthError;

/// The parts of a header that matter. `jwk`, `jku`, `x5u` and `x5c` are not among them: a token must not bring the key
/// it is checked with (RFC 8725 section 3.10). A name that occurs twice is an error of the parser.
#[derive(Deserialize)]
pub(super) struct Header {
    alg: String,
    pub(super) kid: Option<String>,
    typ: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: bool,
}

/// `crit` counts whatever its value is: also an empty list or `null` is a header that claims to be special.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<bool, D::Error> {
    IgnoredAny::deserialize(deserializer).map(|_| true)
}

impl Header {
    /// Reads the decoded JSON, and refuses what no key could make good.
    pub(super) fn parse(json: &[u8]) -> Result<Self, AuthError> {
        let header: Self = serde_json::from_slice(json).map_err(|_| AuthError::MalformedToken)?;
        if header.crit {
            return Err(AuthError::CriticalExtension);
        }
        if !header.typ.as_deref().is_none_or(is_access_token_type) {
            return Err(AuthError::WrongTokenType);
        }
        Ok(header)
    }

    /// The algorithm, if it is one that exists here. Whether it is one that is configured is the verifier's question.
    pub(super) fn algorithm(&self) -> Result<JwtAlgorithm, AuthError> {
        self.alg.parse().map_err(|_| AuthError::AlgorithmNotAccepted)
    }
}

/// RFC 9068 types (`at+jwt`) and the plain one. Others name tokens of another purpose, such as `logout+jwt`.
fn is_access_token_type(typ: &str) -> bool {
    let typ = typ.to_ascii_lowercase();
    matches!(typ.strip_prefix("application/").unwrap_or(&typ), "jwt" | "at+jwt")
}
