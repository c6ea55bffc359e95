//! Why a caller was turned away, and what may be said about it.

use crate::jwt::JwksError;
use crate::permission::Permission;

/// The kind of answer an [`AuthError`] asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthStatus {
    /// 401: the credential is missing or no good.
    Unauthorized,
    /// 403: the credential is good, and does not allow this.
    Forbidden,
    /// 503: the credential could not be checked; the caller is not to blame.
    Unavailable,
}

impl AuthStatus {
    /// The HTTP status code.
    pub const fn code(self) -> u16 {
        match self {
            Self::Unauthorized => 401,
            Self::Forbidden => 403,
            Self::Unavailable => 503,
        }
    }
}

/// Why a request was refused.
///
/// Its `Display` text is meant for the caller: it holds nothing of the credential, of other tenants or of the inside.
/// What an operator wants to know besides, such as why a key set could not be fetched, is the error's `source`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The request carries no credential.
    #[error("This needs a credential: send 'Authorization: Bearer <token>' or 'X-API-Key: <key>'.")]
    MissingCredential,
    /// The request carries a token and a key.
    #[error("Send either 'Authorization' or 'X-API-Key', not both.")]
    TwoCredentials,
    /// The `Authorization` header does not hold a bearer token.
    #[error("The Authorization header must be 'Bearer <token>'.")]
    UnsupportedScheme,

    /// The token is longer than any sensible one; it was not read.
    #[error("The token is longer than 8192 bytes.")]
    TokenTooLong,
    /// The token is no JWT, or its header or claims are no JSON object of the expected kind.
    #[error("The token is not a well-formed JWT.")]
    MalformedToken,
    /// The token is signed in a way that is not configured, or not at all.
    #[error("The token's signature algorithm is not accepted here.")]
    AlgorithmNotAccepted,
    /// The token's header demands an extension (`crit`) that is not understood.
    #[error("The token demands extensions that are not supported.")]
    CriticalExtension,
    /// The token is of another kind (`typ`), such as a logout token.
    #[error("The token is not an access token.")]
    WrongTokenType,
    /// None of the configured keys is the one that the token names.
    #[error("The token is signed with an unknown key.")]
    UnknownSigningKey,
    /// The signature does not fit the token.
    #[error("The token's signature is not valid.")]
    BadSignature,
    /// The token's `exp` has passed.
    #[error("The token has expired.")]
    TokenExpired,
    /// The token's `nbf` has not come yet.
    #[error("The token is not valid yet.")]
    TokenNotYetValid,
    /// The token was issued by someone else.
    #[error("The token's issuer is not accepted here.")]
    WrongIssuer,
    /// The token was issued for someone else.
    #[error("The token is meant for another audience.")]
    WrongAudience,
    /// The token lacks a claim that it must have.
    #[error("The token has no '{0}' claim.")]
    MissingClaim(&'static str),
    /// A claim of the token has a value that it cannot have.
    #[error("The token's '{0}' claim is not valid.")]
    InvalidClaim(&'static str),
    /// The key set that tokens are checked with could not be had.
    #[error("The token cannot be checked at the moment; try again later.")]
    KeysUnavailable(#[source] JwksError),

    /// The API key is malformed, unknown, or has another secret. Which of these is not told.
    #[error("The API key is not valid.")]
    InvalidApiKey,
    /// The API key's expiry has come.
    #[error("The API key has expired.")]
    ApiKeyExpired,
    /// The API key was revoked.
    #[error("The API key has been revoked.")]
    ApiKeyRevoked,

    /// The caller lacks a permission.
    #[error("This needs the permission '{0}', which your credential does not give.")]
    PermissionDenied(Permission),
    /// A tenant header names a tenant that the caller has no access to, or nothing that could be a tenant.
    #[error("The header '{0}' does not name the tenant of your credential.")]
    TenantMismatch(&'static str),
    /// The header `realmname` differs from the token's `realm`.
    #[error("The header 'realmname' does not name the realm of your token.")]
    RealmMismatch,
    /// The tenant that the request would act in does not exist.
    #[error("The tenant of this request does not exist.")]
    UnknownTenant,
    /// The tenant that the request would act in is switched off.
    #[error("The tenant of this request is not active.")]
    InactiveTenant,
}

impl AuthError {
    /// The answer it asks for.
    pub const fn status(&self) -> AuthStatus {
        match self {
            Self::MissingCredential
            | Self::TwoCredentials
            | Self::UnsupportedScheme
            | Self::TokenTooLong
            | Self::MalformedToken
            | Self::AlgorithmNotAccepted
            | Self::CriticalExtension
            | Self::WrongTokenType
            | Self::UnknownSigningKey
            | Self::BadSignature
            | Self::TokenExpired
            | Self::TokenNotYetValid
            | Self::WrongIssuer
            | Self::WrongAudience
            | Self::MissingClaim(_)
            | Self::InvalidClaim(_)
            | Self::InvalidApiKey
            | Self::ApiKeyExpired
            | Self::ApiKeyRevoked => AuthStatus::Unauthorized,
            Self::PermissionDenied(_)
            | Self::TenantMismatch(_)
            | Self::RealmMismatch
            | Self::UnknownTenant
            | Self::InactiveTenant => AuthStatus::Forbidden,
            Self::KeysUnavailable(_) => AuthStatus::Unavailable,
        }
    }

    /// The value of the `WWW-Authenticate` header (RFC 6750 section 3), for the answers that carry one: every 401,
    /// and the 403 for a missing permission.
    pub fn www_authenticate(&self) -> Option<String> {
        match self {
            // A caller who did not know that a credential is needed is told just that, without an error code.
            Self::MissingCredential => Some(r#"Bearer realm="horarium""#.to_owned()),
            Self::PermissionDenied(permission) => Some(format!(
                r#"Bearer realm="horarium", error="insufficient_scope", error_description="{self}", scope="{permission}""#
            )),
            _ if self.status() == AuthStatus::Unauthorized => {
                let code = match self {
                    Self::TwoCredentials | Self::UnsupportedScheme => "invalid_request",
                    _ => "invalid_token",
                };
                Some(format!(r#"Bearer realm="horarium", error="{code}", error_description="{self}""#))
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_401_says_how_to_authenticate() {
        assert_eq!(AuthError::MissingCredential.www_authenticate().unwrap(), r#"Bearer realm="horarium""#);
        assert_eq!(
            AuthError::TokenExpired.www_authenticate().unwrap(),
            r#"Bearer realm="horarium", error="invalid_token", error_description="The token has expired.""#
        );
        assert_eq!(AuthError::TokenExpired.status().code(), 401);
    }

    #[test]
    fn a_403_for_a_permission_names_it_and_one_for_a_tenant_carries_no_challenge() {
        let denied = AuthError::PermissionDenied(Permission::JobsWrite);
        assert_eq!(denied.status().code(), 403);
        assert!(denied.www_authenticate().unwrap().ends_with(r#"scope="jobs:write""#));
        assert_eq!(AuthError::TenantMismatch("x-tenantid").www_authenticate(), None);
    }

    #[test]
    fn the_challenge_is_a_legal_header_value() {
        // RFC 6750: error_description is made of %x20-21 / %x23-5B / %x5D-7E, that is without '"' and '\'.
        for error in [AuthError::MissingClaim("tenant_id"), AuthError::InvalidApiKey, AuthError::TwoCredentials] {
            let text = error.to_string();
            assert!(text.chars().all(|c| matches!(c, ' '..='~') && c != '"' && c != '\\'), "{text}");
        }
    }

    #[test]
    fn a_caller_does_not_learn_why_keys_are_missing() {
        let error = AuthError::KeysUnavailable(JwksError::new("connect 10.0.0.1: refused"));
        assert_eq!(error.status().code(), 503);
        assert!(!error.to_string().contains("10.0.0.1"));
        assert!(std::error::Error::source(&error).unwrap().to_string().contains("10.0.0.1"));
    }
}
