//! How the provider is reached, and what it is believed.

use std::fmt;

use super::address;
use super::mapping::ClaimMapping;
use crate::jwt::{JwtAlgorithm, JwtConfigError};

/// The scope that makes a request one of OpenID Connect.
const OPENID: &str = "openid";

/// How the provider is reached, and what it is believed.
#[derive(Debug, Clone)]
pub struct OidcConfig {
    /// Who it is, exactly as it says itself.
    pub issuer: String,
    /// Who we are to it.
    pub client_id: String,
    /// How we prove that; a public client has none.
    pub client_secret: Option<ClientSecret>,
    /// Where it sends browsers back to, as it was told beforehand.
    pub redirect_uri: String,
    /// What is asked for, `openid` among it.
    pub scopes: Vec<String>,
    /// The algorithms of ID tokens that are accepted: any of RS256, ES256, EdDSA.
    pub algorithms: Vec<JwtAlgorithm>,
    /// What its claims mean here.
    pub mapping: ClaimMapping,
}

/// What proves to the provider who we are.
#[derive(Clone)]
pub struct ClientSecret(String);

impl ClientSecret {
    /// Takes the text as it is.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    pub(super) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ClientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClientSecret([redacted])")
    }
}

/// Nobody can sign in with this configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OidcConfigError {
    /// The issuer's address can be listened to.
    #[error("the issuer '{0}' must be an https:// address; http:// is for this machine alone")]
    UnsafeIssuer(String),
    /// Without `openid` there is no ID token.
    #[error("the scopes must hold 'openid'")]
    NoOpenId,
    /// The algorithms cannot be used.
    #[error(transparent)]
    Algorithms(#[from] JwtConfigError),
}

impl OidcConfig {
    pub(super) fn check(&self) -> Result<(), OidcConfigError> {
        if !address::is_safe(&self.issuer) {
            return Err(OidcConfigError::UnsafeIssuer(self.issuer.clone()));
        }
        if !self.scopes.iter().any(|scope| scope == OPENID) {
            return Err(OidcConfigError::NoOpenId);
        }
        if self.algorithms.is_empty() {
            return Err(JwtConfigError::NoAlgorithm.into());
        }
        if self.algorithms.contains(&JwtAlgorithm::Hs256) {
            return Err(JwtConfigError::SymmetricAlgorithm.into());
        }
        Ok(())
    }
}
