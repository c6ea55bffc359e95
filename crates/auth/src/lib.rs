//! Who is calling, and what they may do.
//!
//! A request carries a JWT or an API key ([`Credential`]). It is checked ([`JwtVerifier`], [`api_key::authenticate`])
//! and becomes a [`Principal`]: a subject, the tenant its credential names, and a set of [`Permission`]s.
//! [`enter_tenant`] then decides which tenant the request acts in; a handler asks [`Principal::require`] for the
//! permission it needs. Everything that can go wrong is an [`AuthError`], which knows its HTTP status and what may be
//! told to the caller.
//!
//! This crate speaks no HTTP and no SQL, reads no clock and draws no random number: the time and the entropy are
//! arguments, key sets come through [`JwksSource`], tenants through [`TenantDirectory`], and what an OpenID provider says
//! ([`oidc`]) through [`oidc::IdentityProvider`].
//!
//! ```
//! use std::time::Duration;
//!
//! use horarium_auth::{
//!     Credential, JwtConfig, JwtKeys, JwtVerifier, Permission, Role, SharedSecret, TokenClaims, mint,
//! };
//! use horarium_domain::Timestamp;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let now = Timestamp::from_seconds(1_752_158_000);
//! let secret = SharedSecret::new("an example's secret is at least 32 bytes long")?;
//! let claims = TokenClaims::new("ada", "org-123".parse()?, vec![Role::Manager]);
//! let token = mint(&secret, &claims, now, Duration::from_mins(15))?;
//!
//! let verifier = JwtVerifier::new(JwtConfig::new(JwtKeys::Hs256Secret(secret)))?;
//! let header = format!("Bearer {token}");
//! let Credential::Bearer(token) = Credential::from_headers(Some(&header), None)? else { unreachable!() };
//! let caller = verifier.verify(token, now).await?;
//! caller.require(Permission::ExecutionsTrigger)?;
//! assert_eq!(caller.require(Permission::JobsWrite).unwrap_err().status().code(), 403);
//! # Ok(())
//! # }
//! ```

pub mod api_key;
mod credential;
mod error;
mod jwt;
pub mod oidc;
mod permission;
mod principal;
mod role;
pub mod scope;
mod seal;
mod session;
mod tenant;

pub use credential::Credential;
pub use error::{AuthError, AuthStatus};
pub use jwt::{
    FileJwks, JwksConfig, JwksError, JwksSource, JwtAlgorithm, JwtConfig, JwtConfigError, JwtKeys, JwtVerifier,
    MintError, SharedSecret, TokenClaims, UnknownAlgorithm, mint,
};
pub use permission::{Permission, PermissionSet};
pub use principal::{CredentialKind, Principal};
pub use role::Role;
pub use seal::{SealingKey, SealingKeyError, SecretKeys};
pub use session::{SessionToken, session_principal};
pub use tenant::{EnterTenantError, TenantDirectory, TenantHeaders, TenantSelection, enter_tenant};
