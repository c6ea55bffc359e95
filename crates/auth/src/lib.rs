//! Who is calling, and what they may do.
//!
//! A request carries a JWT or an API key ([`Credential`]). It is checked ([`JwtVerifier`], [`api_key::authenticate`])
//! and becomes a [`Principal`]: a subject, the tenant its credential names, and a set of [`Permission`]s.
//! [`enter_tenant`] then decides which tenant the request acts in; a handler asks [`Principal::require`] for the
//! permission it needs. Everything that can go wrong is an [`AuthError`], which knows its HTTP status and what may be
//! told to the caller.
//!
//! This crate speaks no HTTP and no SQL, reads no clock and draws no random number: the time and the entropy are
//! arguments, key sets come through [`JwksSource`], tenants through [`TenantDirectory`].

pub mod api_key;
mod credential;
mod error;
mod jwt;
mod permission;
mod principal;
mod role;
pub mod scope;
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
pub use tenant::{EnterTenantError, TenantDirectory, TenantHeaders, TenantSelection, enter_tenant};
