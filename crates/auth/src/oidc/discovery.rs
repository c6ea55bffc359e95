//! What the provider tells of itself (OpenID Connect Discovery 1.0).

use serde::Deserialize;

use super::address;
use super::error::OidcError;

/// What the provider tells of itself, as far as it matters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Metadata {
    issuer: String,
    pub(super) authorization_endpoint: String,
    pub(super) token_endpoint: String,
    pub(super) jwks_uri: String,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
    /// Where somebody signs out of it (OpenID Connect RP-Initiated Logout 1.0).
    pub(super) end_session_endpoint: Option<String>,
    /// Whether its answers name it (RFC 9207), so that one that does not is another's.
    #[serde(default, rename = "authorization_response_iss_parameter_supported")]
    pub(super) names_itself: bool,
}

impl Metadata {
    /// Where an issuer tells of itself.
    pub(super) fn address(issuer: &str) -> String {
        format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'))
    }

    /// Reads the document of this issuer.
    pub(super) fn parse(document: &[u8], issuer: &str) -> Result<Self, OidcError> {
        let metadata: Self = serde_json::from_slice(document)
            .map_err(|error| OidcError::Provider(format!("what the issuer tells of itself cannot be read: {error}")))?;
        if metadata.issuer != issuer {
            let told: String = metadata.issuer.chars().take(200).collect();
            return Err(OidcError::Provider(format!("the issuer calls itself '{told}', not '{issuer}'")));
        }
        let Self { authorization_endpoint, token_endpoint, jwks_uri, end_session_endpoint, .. } = &metadata;
        for endpoint in [authorization_endpoint, token_endpoint, jwks_uri].into_iter().chain(end_session_endpoint) {
            if !address::is_safe(endpoint) {
                let told: String = endpoint.chars().take(200).collect();
                return Err(OidcError::Provider(format!("the issuer names '{told}', which is not safe to use")));
            }
        }
        Ok(metadata)
    }

    /// Whether the client's secret goes into the form: into the header unless only that is understood.
    pub(super) fn wants_secret_in_form(&self) -> bool {
        let understands = |method: &str| {
            self.token_endpoint_auth_methods_supported
                .as_ref()
                .is_some_and(|all| all.iter().any(|known| known == method))
        };
        understands("client_secret_post") && !understands("client_secret_basic")
    }
}
