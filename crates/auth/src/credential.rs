//! The credential of a request, before anyone has checked it.

use std::fmt;

use crate::error::AuthError;

/// What a request shows. It is not trusted yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Credential<'a> {
    /// The token of `Authorization: Bearer …`.
    Bearer(&'a str),
    /// The value of `X-API-Key`.
    ApiKey(&'a str),
}

impl<'a> Credential<'a> {
    /// Finds the credential in the values of `Authorization` and `X-API-Key`.
    ///
    /// A request that carries both is refused: which of the two counts would be a guess, and intermediaries would
    /// guess differently.
    pub fn from_headers(authorization: Option<&'a str>, x_api_key: Option<&'a str>) -> Result<Self, AuthError> {
        match (authorization, x_api_key) {
            (None, None) => Err(AuthError::MissingCredential),
            (Some(_), Some(_)) => Err(AuthError::TwoCredentials),
            (None, Some(key)) => Ok(Self::ApiKey(key.trim())),
            (Some(authorization), None) => {
                let (scheme, token) = authorization.trim().split_once(' ').ok_or(AuthError::UnsupportedScheme)?;
                if scheme.eq_ignore_ascii_case("bearer") {
                    Ok(Self::Bearer(token.trim()))
                } else {
                    Err(AuthError::UnsupportedScheme)
                }
            }
        }
    }
}

impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bearer(_) => "Bearer([redacted])",
            Self::ApiKey(_) => "ApiKey([redacted])",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bearer_token_is_found_whatever_the_case_of_the_scheme() {
        for header in ["Bearer abc", "bearer abc", "BEARER   abc "] {
            assert_eq!(Credential::from_headers(Some(header), None), Ok(Credential::Bearer("abc")));
        }
    }

    #[test]
    fn other_schemes_and_bare_values_are_refused() {
        for header in ["Basic YTpi", "abc", "Bearer", "", "Bearer:abc"] {
            assert_eq!(Credential::from_headers(Some(header), None), Err(AuthError::UnsupportedScheme), "{header}");
        }
    }

    #[test]
    fn no_credential_and_two_credentials_are_told_apart() {
        assert_eq!(Credential::from_headers(None, None), Err(AuthError::MissingCredential));
        assert_eq!(Credential::from_headers(Some("Bearer a"), Some("hrm_b_c")), Err(AuthError::TwoCredentials));
    }

    #[test]
    fn a_credential_is_never_printed() {
        let shown = format!("{:?} {:?}", Credential::Bearer("s3cret"), Credential::ApiKey("s3cret"));
        assert!(!shown.contains("s3cret"));
    }
}
