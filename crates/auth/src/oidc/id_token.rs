//! The claims of an ID token beyond those that every token has (OpenID Connect Core 1.0 section 3.1.3.7).

use std::time::Duration;

use horarium_domain::Timestamp;
use serde_json::{Map, Value};

use super::attempt::SignInAttempt;
use crate::error::AuthError;
use crate::jwt::{instant, strings};

/// How long ago an ID token may have been made. It comes straight from the provider, in answer to the code.
const MAX_AGE: Duration = Duration::from_mins(10);

/// How far the clocks of the provider and of this server may be apart.
const LEEWAY: Duration = Duration::from_secs(30);

/// Reads claims, and checks that they were made now, for this attempt, and for us. Who made them, and until when they
/// hold, was checked with the signature.
pub(super) fn read(
    payload: &[u8],
    client_id: &str,
    attempt: &SignInAttempt,
    now: Timestamp,
) -> Result<Map<String, Value>, AuthError> {
    let claims: Map<String, Value> = serde_json::from_slice(payload).map_err(|_| AuthError::MalformedToken)?;
    let made_at = instant(claims.get("iat"), "iat")?.ok_or(AuthError::MissingClaim("iat"))?;
    if made_at > now + LEEWAY || now.since(made_at) > MAX_AGE {
        return Err(AuthError::InvalidClaim("iat"));
    }
    let nonce = claims.get("nonce").ok_or(AuthError::MissingClaim("nonce"))?;
    if !nonce.as_str().is_some_and(|nonce| attempt.made_nonce(nonce)) {
        return Err(AuthError::InvalidClaim("nonce"));
    }
    // A token for several is ours only if it says that it was made for us.
    let is_for_several = claims.get("aud").is_some_and(|audience| strings(audience).count() > 1);
    match claims.get("azp") {
        None if is_for_several => Err(AuthError::MissingClaim("azp")),
        Some(party) if party.as_str() != Some(client_id) => Err(AuthError::InvalidClaim("azp")),
        None | Some(_) => Ok(claims),
    }
}
