//! JSON Web Tokens: checking those that callers show, and making those of the command line.
//!
//! The rules are those of RFC 8725 (JWT best current practices). Above all, a token never decides how it is checked:
//! the algorithms and the keys are configured, and its header can only pick among them.

mod algorithm;
mod checked;
mod claims;
mod config;
mod header;
mod jwks;
mod key_set;
mod mint;
mod verifier;

pub(crate) use claims::{TENANT_CLAIMS, instant, printable, strings};

pub use algorithm::{JwtAlgorithm, UnknownAlgorithm};
pub use config::{JwksConfig, JwtConfig, JwtConfigError, JwtKeys, SharedSecret};
pub use jwks::{FileJwks, JwksError, JwksSource};
pub use mint::{MintError, TokenClaims, mint};
pub use verifier::JwtVerifier;
