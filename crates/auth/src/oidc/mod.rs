//! Signing in with an OpenID provider: the authorization code flow with PKCE (OpenID Connect Core 1.0 section 3.1,
//! RFC 7636, RFC 9207, RFC 9700).
//!
//! [`OidcClient::begin`] says where to send the browser. The provider sends it back with an [`OidcAnswer`], of which
//! [`OidcClient::complete`] makes a [`Principal`](crate::Principal). What ties the two together is a [`SignInAttempt`]:
//! random bits that the browser keeps. Nothing is stored for strangers, and any node completes what another began.
//!
//! As everywhere in this crate, the time and the entropy are arguments; what is asked of the provider over HTTP goes
//! through an [`IdentityProvider`].

mod address;
mod attempt;
mod client;
mod config;
mod discovery;
mod error;
mod id_token;
mod mapping;

pub use attempt::SignInAttempt;
pub use client::{IdentityProvider, OidcAnswer, OidcClient};
pub use config::{ClientSecret, OidcConfig, OidcConfigError};
pub use error::OidcError;
pub use mapping::ClaimMapping;
