//! Why somebody could not sign in with the provider.

use crate::error::AuthError;

/// The most characters of a code of the provider's that are repeated.
const CODE_CHARS: usize = 64;

/// Why somebody could not sign in with the provider. `Display` is for that person and tells nothing of the inside;
/// [`OidcError::reason`] is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OidcError {
    /// The provider could not be asked, or its answer makes no sense.
    #[error("The identity provider cannot be reached, or does not answer as it should. Try again in a moment.")]
    Provider(String),
    /// The answer belongs to no attempt of this browser.
    #[error("This sign-in was not begun in this browser, or too long ago. Begin again.")]
    NotBegunHere,
    /// The person declined.
    #[error("You declined to sign in.")]
    Declined,
    /// The provider refused, with this code (RFC 6749 section 4.1.2.1).
    #[error("The identity provider refused: {0}.")]
    Refused(String),
    /// The provider did not take its own code back, as when it is shown twice.
    #[error("The identity provider did not complete the sign-in. Begin again.")]
    NotRedeemed(String),
    /// The ID token is not to be believed.
    #[error("What the identity provider says of you cannot be accepted. {0}")]
    Token(AuthError),
    /// The ID token does not name an organization.
    #[error("The identity provider does not tell your organization: there is no usable claim '{0}' in the ID token.")]
    NoTenant(String),
    /// The ID token gives no role that means anything here; these are those that it does give.
    #[error("The identity provider knows you, but gives you no role here. {}", given(.0))]
    NoRole(Vec<String>),
}

impl OidcError {
    /// A code of the provider's, as far as it is one.
    pub(super) fn refused(code: &str) -> Self {
        let code = sound(code);
        if code == "access_denied" { Self::Declined } else { Self::Refused(code) }
    }

    /// What happened inside, for the log.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Provider(reason) | Self::NotRedeemed(reason) => Some(reason),
            Self::NotBegunHere
            | Self::Declined
            | Self::Refused(_)
            | Self::Token(_)
            | Self::NoTenant(_)
            | Self::NoRole(_) => None,
        }
    }
}

impl From<AuthError> for OidcError {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::KeysUnavailable(reason) => Self::Provider(reason.to_string()),
            other => Self::Token(other),
        }
    }
}

/// The code if it looks like one; whoever made up the address may have written anything.
pub(super) fn sound(code: &str) -> String {
    let is_code = code.len() <= CODE_CHARS && code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    if is_code && !code.is_empty() { code.to_owned() } else { "for an unknown reason".to_owned() }
}

fn given(roles: &[String]) -> String {
    match roles {
        [] => "It names no role or group of yours.".to_owned(),
        roles => format!("Those that it names are: {}.", roles.join(", ")),
    }
}
