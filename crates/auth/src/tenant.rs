//! Which tenant a request acts in.
//!
//! A credential names its tenant, by UUID or by slug. A request may repeat it in `x-tenantid` or `X-Organization-Id`,
//! again by UUID or by slug. The two spellings can only be compared once the credential's tenant has been looked up,
//! so the decision takes the tenant as stored, and never looks up what a header names on behalf of a caller who may
//! not go there: nobody learns from an answer, or from its timing, which other tenants exist.

use async_trait::async_trait;
use horarium_domain::tenant::{Tenant, TenantRef};

use crate::error::AuthError;
use crate::permission::Permission;
use crate::principal::Principal;

/// The headers by which a request may name its tenant and realm, as sent. None of them ever widens access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TenantHeaders<'a> {
    /// `x-tenantid`: a UUID or a slug.
    pub tenant_id: Option<&'a str>,
    /// `X-Organization-Id`: a UUID or a slug.
    pub organization_id: Option<&'a str>,
    /// `realmname`, compared exactly with the token's `realm` if it has one.
    pub realm_name: Option<&'a str>,
}

/// The outcome of [`TenantHeaders::select`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TenantSelection {
    /// The request acts in the tenant of its credential.
    Home,
    /// A super_admin asks to act in this tenant. Look it up (never create it), then ask [`TenantHeaders::confirm`].
    Other(TenantRef),
}

impl TenantHeaders<'_> {
    /// Decides whether the request acts in its credential's tenant, `home` (`None`: it does not exist), or in another.
    ///
    /// # Errors
    /// [`AuthError::RealmMismatch`], [`AuthError::TenantMismatch`], or [`AuthError::UnknownTenant`] when the
    /// credential's tenant is the one to act in and does not exist.
    pub fn select(&self, principal: &Principal, home: Option<&Tenant>) -> Result<TenantSelection, AuthError> {
        self.check_realm(principal)?;
        let mut other = None;
        for (header, named) in self.named() {
            let named = named?;
            let is_home = home.is_some_and(|home| home.is_named_by(&named));
            if !is_home && !principal.can(Permission::AnyTenant) {
                return Err(AuthError::TenantMismatch(header));
            }
            if !is_home {
                other.get_or_insert(named);
            }
        }
        match (other, home) {
            (Some(other), _) => Ok(TenantSelection::Other(other)),
            (None, Some(_)) => Ok(TenantSelection::Home),
            (None, None) => Err(AuthError::UnknownTenant),
        }
    }

    /// Checks that every tenant header names `tenant`: a super_admin who sends two must mean one tenant by both.
    pub fn confirm(&self, tenant: &Tenant) -> Result<(), AuthError> {
        for (header, named) in self.named() {
            if !tenant.is_named_by(&named?) {
                return Err(AuthError::TenantMismatch(header));
            }
        }
        Ok(())
    }

    fn check_realm(&self, principal: &Principal) -> Result<(), AuthError> {
        match (self.realm_name, principal.realm.as_deref()) {
            (Some(named), Some(realm)) if named.trim() != realm => Err(AuthError::RealmMismatch),
            _ => Ok(()),
        }
    }

    fn named(&self) -> impl Iterator<Item = (&'static str, Result<TenantRef, AuthError>)> {
        [("x-tenantid", self.tenant_id), ("X-Organization-Id", self.organization_id)].into_iter().filter_map(
            |(header, value)| {
                value.map(|text| (header, text.trim().parse().map_err(|_| AuthError::TenantMismatch(header))))
            },
        )
    }
}

/// Where tenants are looked up. The server implements it over its store, with a cache.
#[async_trait]
pub trait TenantDirectory: Send + Sync {
    /// What a look-up may fail with.
    type Error: Send;

    /// The tenant that a valid credential names. It may be made here, if it is new and the server is so configured.
    async fn find_or_create(&self, named: &TenantRef) -> Result<Option<Tenant>, Self::Error>;

    /// The tenant of this name, if it exists; nothing is made.
    async fn find(&self, named: &TenantRef) -> Result<Option<Tenant>, Self::Error>;
}

/// A request was not let into a tenant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnterTenantError<E> {
    /// It may not.
    #[error(transparent)]
    Denied(#[from] AuthError),
    /// The directory could not be asked.
    #[error("the tenant could not be looked up")]
    Directory(E),
}

/// The tenant that a request acts in.
///
/// A tenant that is not active lets nobody in but a super_admin, who must be able to look after it.
pub async fn enter_tenant<D>(
    principal: &Principal,
    headers: &TenantHeaders<'_>,
    directory: &D,
) -> Result<Tenant, EnterTenantError<D::Error>>
where
    D: TenantDirectory + ?Sized,
{
    let home = directory.find_or_create(&principal.tenant).await.map_err(EnterTenantError::Directory)?;
    let tenant = match headers.select(principal, home.as_ref())? {
        TenantSelection::Home => home.ok_or(AuthError::UnknownTenant)?,
        TenantSelection::Other(named) => {
            let found = directory.find(&named).await.map_err(EnterTenantError::Directory)?;
            let tenant = found.ok_or(AuthError::UnknownTenant)?;
            headers.confirm(&tenant)?;
            tenant
        }
    };
    if tenant.is_active || principal.can(Permission::AnyTenant) {
        Ok(tenant)
    } else {
        Err(AuthError::InactiveTenant.into())
    }
}
