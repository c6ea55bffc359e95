//! The claims of a token whose signature is good.

use std::time::Duration;

use horarium_domain::Timestamp;
use horarium_domain::tenant::TenantRef;
use serde::Deserialize;
use serde_json::Value;

use crate::error::AuthError;
use crate::permission::PermissionSet;
use crate::principal::{CredentialKind, Principal};
use crate::role::Role;

/// The claims that may name the tenant, the first one that is there.
pub(crate) const TENANT_CLAIMS: [&str; 5] = ["tenant_id", "tenantId", "organization_id", "organizationId", "org_id"];

/// The claims that are read; any others are passed over. A claim that occurs twice is an error of the parser.
///
/// Values are taken as they come and judged one by one, so that a caller hears which of them is wrong.
#[derive(Deserialize)]
pub(super) struct Claims {
    sub: Option<Value>,
    exp: Option<Value>,
    nbf: Option<Value>,
    iss: Option<Value>,
    aud: Option<Value>,
    tenant_id: Option<Value>,
    #[serde(rename = "tenantId")]
    tenant_id_camel: Option<Value>,
    organization_id: Option<Value>,
    #[serde(rename = "organizationId")]
    organization_id_camel: Option<Value>,
    org_id: Option<Value>,
    roles: Option<Value>,
    role: Option<Value>,
    realm: Option<Value>,
    email: Option<Value>,
    name: Option<Value>,
}

impl Claims {
    pub(super) fn parse(json: &[u8]) -> Result<Self, AuthError> {
        serde_json::from_slice(json).map_err(|_| AuthError::MalformedToken)
    }

    /// Checks that `now` lies within the token's life, and answers its end. `exp` is required; both ends are widened by
    /// `leeway`.
    pub(super) fn check_time(&self, now: Timestamp, leeway: Duration) -> Result<Timestamp, AuthError> {
        let expires_at = instant(self.exp.as_ref(), "exp")?.ok_or(AuthError::MissingClaim("exp"))?;
        if now >= expires_at + leeway {
            return Err(AuthError::TokenExpired);
        }
        match instant(self.nbf.as_ref(), "nbf")? {
            Some(not_before) if now + leeway < not_before => Err(AuthError::TokenNotYetValid),
            _ => Ok(expires_at),
        }
    }

    /// Checks `iss` against the accepted ones, if any are configured.
    pub(super) fn check_issuer(&self, accepted: &[String]) -> Result<(), AuthError> {
        if accepted.is_empty() {
            return Ok(());
        }
        match self.iss.as_ref() {
            None => Err(AuthError::MissingClaim("iss")),
            Some(Value::String(issuer)) if accepted.contains(issuer) => Ok(()),
            Some(_) => Err(AuthError::WrongIssuer),
        }
    }

    /// Checks that `aud`, one string or several, holds an accepted one, if any are configured.
    pub(super) fn check_audience(&self, accepted: &[String]) -> Result<(), AuthError> {
        if accepted.is_empty() {
            return Ok(());
        }
        let audience = self.aud.as_ref().ok_or(AuthError::MissingClaim("aud"))?;
        if strings(audience).any(|name| accepted.iter().any(|accepted| accepted == name)) {
            Ok(())
        } else {
            Err(AuthError::WrongAudience)
        }
    }

    /// The caller that the token speaks of.
    pub(super) fn into_principal(self) -> Result<Principal, AuthError> {
        let tenant = self.tenant()?;
        let subject = match self.sub.as_ref() {
            None => return Err(AuthError::MissingClaim("sub")),
            Some(claim) => printable(claim).ok_or(AuthError::InvalidClaim("sub"))?,
        };
        let realm = match self.realm.as_ref() {
            None => None,
            // Unlike a name, a realm restricts; one that cannot be read must not be taken for none.
            Some(claim) => Some(printable(claim).ok_or(AuthError::InvalidClaim("realm"))?),
        };
        let roles = self.roles();
        Ok(Principal {
            subject,
            tenant,
            permissions: roles.iter().fold(PermissionSet::EMPTY, |set, role| set.union(role.permissions())),
            roles,
            email: self.email.as_ref().and_then(printable),
            name: self.name.as_ref().and_then(printable),
            realm,
            credential: CredentialKind::Jwt,
        })
    }

    /// The first of the tenant claims that is there; the others may be another system's.
    fn tenant(&self) -> Result<TenantRef, AuthError> {
        let claims =
            [&self.tenant_id, &self.tenant_id_camel, &self.organization_id, &self.organization_id_camel, &self.org_id];
        let (name, value) = TENANT_CLAIMS
            .into_iter()
            .zip(claims)
            .find_map(|(name, claim)| claim.as_ref().map(|value| (name, value)))
            .ok_or(AuthError::MissingClaim("tenant_id"))?;
        value.as_str().and_then(|text| text.trim().parse().ok()).ok_or(AuthError::InvalidClaim(name))
    }

    /// Every role that `roles` and `role` name and that exists here, without repetition.
    fn roles(&self) -> Vec<Role> {
        let mut roles: Vec<_> =
            [&self.roles, &self.role].into_iter().flatten().flat_map(strings).filter_map(Role::from_name).collect();
        roles.sort_unstable();
        roles.dedup();
        roles
    }
}

/// A string, or the strings of an array; anything else holds none.
pub(crate) fn strings(value: &Value) -> impl Iterator<Item = &str> {
    let (one, several) = match value {
        Value::String(text) => (Some(text.as_str()), [].as_slice()),
        Value::Array(items) => (None, items.as_slice()),
        _ => (None, [].as_slice()),
    };
    one.into_iter().chain(several.iter().filter_map(Value::as_str))
}

/// A text that can be stored and shown: not blank, and without control characters.
pub(crate) fn printable(value: &Value) -> Option<String> {
    let text = value.as_str()?.trim();
    (!text.is_empty() && !text.chars().any(char::is_control)).then(|| text.to_owned())
}

/// A NumericDate: seconds since the Unix epoch, fractions allowed (RFC 7519 section 2).
pub(crate) fn instant(value: Option<&Value>, name: &'static str) -> Result<Option<Timestamp>, AuthError> {
    let Some(value) = value else { return Ok(None) };
    if let Some(seconds) = value.as_i64() {
        return Ok(Some(Timestamp::from_seconds(seconds)));
    }
    // Beyond the range of `i64` the cast saturates, and `from_micros` clamps to the year 9999.
    let seconds = value.as_f64().ok_or(AuthError::InvalidClaim(name))?;
    Ok(Some(Timestamp::from_micros((seconds * 1e6) as i64)))
}
