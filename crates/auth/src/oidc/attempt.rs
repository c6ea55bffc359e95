//! What ties the way to the provider and the way back together.

use std::fmt;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::error::OidcError;

/// 32 bytes in base64 without padding.
const LENGTH: usize = 43;

/// One try to sign in: 256 random bits, which the browser that began it keeps in a cookie. `state`, `nonce` and the code
/// verifier follow from them; none of these tells anything of the others.
#[derive(Clone)]
pub struct SignInAttempt([u8; 32]);

impl SignInAttempt {
    /// Makes one out of 32 bytes from a cryptographically secure source. They are its whole strength.
    pub const fn generate(entropy: [u8; 32]) -> Self {
        Self(entropy)
    }

    /// The attempt as the browser keeps it. Never log it.
    pub fn reveal(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    /// What the provider sends back: that the answer belongs to this browser.
    pub(super) fn state(&self) -> String {
        self.derive("state")
    }

    /// What the ID token repeats: that it was made for this attempt.
    pub(super) fn nonce(&self) -> String {
        self.derive("nonce")
    }

    /// What is shown with the code: that it comes from whoever began (RFC 7636 section 4.1).
    pub(super) fn code_verifier(&self) -> String {
        self.derive("code verifier")
    }

    /// What the provider is told of the verifier beforehand (S256).
    pub(super) fn code_challenge(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.code_verifier()))
    }

    /// Whether an answer belongs to it; compared in constant time.
    pub(super) fn made_state(&self, shown: &str) -> bool {
        self.state().as_bytes().ct_eq(shown.as_bytes()).into()
    }

    /// Whether a token was made for it; compared in constant time.
    pub(super) fn made_nonce(&self, shown: &str) -> bool {
        self.nonce().as_bytes().ct_eq(shown.as_bytes()).into()
    }

    fn derive(&self, what: &str) -> String {
        let hash = Sha256::new().chain_update(b"horarium sign-in: ").chain_update(what).chain_update(b"\0");
        URL_SAFE_NO_PAD.encode(hash.chain_update(self.0).finalize())
    }
}

impl FromStr for SignInAttempt {
    type Err = OidcError;

    fn from_str(text: &str) -> Result<Self, OidcError> {
        let decoded = (text.len() == LENGTH).then(|| URL_SAFE_NO_PAD.decode(text).ok()).flatten();
        decoded.and_then(|bytes| bytes.try_into().ok()).map(Self).ok_or(OidcError::NotBegunHere)
    }
}

impl fmt::Debug for SignInAttempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignInAttempt([redacted])")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_from_an_attempt_is_its_own_and_long_enough() {
        let attempt = SignInAttempt::generate([7; 32]);
        let parts =
            [attempt.reveal(), attempt.state(), attempt.nonce(), attempt.code_verifier(), attempt.code_challenge()];
        for (index, part) in parts.iter().enumerate() {
            assert_eq!(part.len(), LENGTH);
            assert!(parts[index + 1..].iter().all(|other| other != part));
        }
        assert!(attempt.made_state(&attempt.state()) && attempt.made_nonce(&attempt.nonce()));
        assert!(!SignInAttempt::generate([8; 32]).made_state(&attempt.state()));
    }

    #[test]
    fn what_the_browser_keeps_is_read_back_and_nothing_else_is() {
        let attempt = SignInAttempt::generate([7; 32]);
        assert_eq!(attempt.reveal().parse::<SignInAttempt>().unwrap().state(), attempt.state());
        for strange in [String::new(), "x".to_owned(), "A".repeat(44), "!".repeat(43)] {
            assert!(strange.parse::<SignInAttempt>().is_err(), "{strange}");
        }
        assert_eq!(format!("{attempt:?}"), "SignInAttempt([redacted])");
    }
}
