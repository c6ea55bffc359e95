//! Making tokens, for `horarium token` and the first start.

use std::time::Duration;

use horarium_domain::Timestamp;
use horarium_domain::tenant::TenantRef;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde::{Serialize, Serializer};

use super::config::SharedSecret;
use crate::role::Role;

/// What a new token says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TokenClaims {
    /// Who it is for.
    #[serde(rename = "sub")]
    pub subject: String,
    /// The tenant it is good for.
    #[serde(rename = "tenant_id", serialize_with = "as_text")]
    pub tenant: TenantRef,
    /// What its bearer is.
    #[serde(serialize_with = "as_names")]
    pub roles: Vec<Role>,
    /// Shown as "triggered by".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Shown as "triggered by" when there is no name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The only realm that a request with this token may name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub realm: Option<String>,
    /// Set it when the server checks issuers.
    #[serde(rename = "iss", skip_serializing_if = "Option::is_none")]
    pub issuer: Option<String>,
    /// Set it when the server checks audiences.
    #[serde(rename = "aud", skip_serializing_if = "Option::is_none")]
    pub audience: Option<String>,
}

impl TokenClaims {
    /// The claims that every token has.
    pub fn new(subject: impl Into<String>, tenant: TenantRef, roles: Vec<Role>) -> Self {
        Self {
            subject: subject.into(),
            tenant,
            roles,
            name: None,
            email: None,
            realm: None,
            issuer: None,
            audience: None,
        }
    }
}

/// The token could not be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the token could not be signed: {0}")]
pub struct MintError(String);

#[derive(Serialize)]
struct Payload<'a> {
    #[serde(flatten)]
    claims: &'a TokenClaims,
    iat: i64,
    exp: i64,
}

/// Makes an HS256 token that holds from `now` for `ttl` (whole seconds, rounded down).
pub fn mint(secret: &SharedSecret, claims: &TokenClaims, now: Timestamp, ttl: Duration) -> Result<String, MintError> {
    let payload = Payload { claims, iat: now.as_seconds(), exp: (now + ttl).as_seconds() };
    encode(&Header::new(Algorithm::HS256), &payload, &EncodingKey::from_secret(secret.as_bytes()))
        .map_err(|error| MintError(error.to_string()))
}

fn as_text<S: Serializer>(tenant: &TenantRef, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(tenant)
}

fn as_names<S: Serializer>(roles: &[Role], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(roles.iter().map(|role| role.name()))
}
