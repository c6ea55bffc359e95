//! Who a request comes from.

use async_trait::async_trait;
use horarium_auth::{
    AuthError, AuthStatus, CredentialKind, EnterTenantError, Principal, SessionToken, TenantDirectory, TenantHeaders,
    enter_tenant, session_principal,
};
use horarium_domain::session::{Session, SessionHolder};
use horarium_domain::tenant::{Tenant, TenantRef};
use horarium_scheduler_engine::ServiceError;
use horarium_scheduler_engine::service::TenantService;

use crate::state::Dashboard;
use crate::web::{PageError, Visitor};

/// What a browser's cookie is good for.
#[derive(Debug)]
pub(crate) enum Admission {
    /// Somebody is signed in.
    Visitor(Box<Visitor>),
    /// Somebody was; the text says why no longer.
    Ended(String),
    /// Nobody is.
    Nobody,
}

/// Finds out who shows this cookie. When it is a use of the session, it does not idle out for a while.
///
/// # Errors
/// When the store or an issuer's keys cannot be asked.
pub(crate) async fn admit(dashboard: &Dashboard, shown: &str, is_use: bool) -> Result<Admission, PageError> {
    let Ok(token) = shown.parse::<SessionToken>() else { return Ok(Admission::Nobody) };
    let services = &dashboard.services;
    let Some(session) = services.sessions.find(token.hash()).await? else {
        return Ok(Admission::Ended("You were signed out, because the session was over.".to_owned()));
    };
    let ended = async |why: String| {
        services.sessions.close(session.hash).await?;
        Ok(Admission::Ended(why))
    };
    let principal = match principal(dashboard, &session).await {
        Ok(principal) => principal,
        Err(PageError::Auth(refusal)) => return ended(format!("You were signed out. {refusal}")).await,
        Err(other) => return Err(other),
    };
    match enter(dashboard, &principal, session.acting_in.map(TenantRef::Id)).await {
        Ok(tenant) => {
            if is_use {
                services.sessions.prolong(&session, dashboard.config.sessions).await?;
            }
            Ok(Admission::Visitor(Box::new(Visitor { session, token, principal, tenant })))
        }
        Err(PageError::Auth(refusal)) if refusal.status() != AuthStatus::Unavailable => {
            ended(format!("You were signed out. {refusal}")).await
        }
        Err(other) => Err(other),
    }
}

/// Who a session is of, and what it may do now.
async fn principal(dashboard: &Dashboard, session: &Session) -> Result<Principal, PageError> {
    let key = match &session.holder {
        SessionHolder::ApiKey { id, .. } => dashboard.services.keys.lookup(*id).await?,
        SessionHolder::Claims(_) => None,
    };
    Ok(session_principal(session, key.as_deref(), dashboard.core.now())?)
}

/// The tenant that somebody acts in: the one he chose, by the rules that hold for the API's tenant headers, or his own.
///
/// # Errors
/// [`PageError::Auth`] when he may not be there, or it does not exist.
pub(crate) async fn enter(
    dashboard: &Dashboard,
    principal: &Principal,
    chosen: Option<TenantRef>,
) -> Result<Tenant, PageError> {
    let chosen = chosen.map(|tenant| tenant.to_string());
    let named = TenantHeaders { tenant_id: chosen.as_deref(), ..TenantHeaders::default() };
    let directory = Directory {
        tenants: &dashboard.services.tenants,
        // A key was made in its tenant. If that is gone, the key must not bring it back.
        may_create: matches!(principal.credential, CredentialKind::Jwt),
    };
    enter_tenant(principal, &named, &directory).await.map_err(|error| match error {
        // It speaks of a header, of which people know nothing.
        EnterTenantError::Denied(AuthError::TenantMismatch(_)) => AuthError::UnknownTenant.into(),
        EnterTenantError::Denied(refusal) => refusal.into(),
        EnterTenantError::Directory(error) => error.into(),
    })
}

/// The tenants, as `horarium-auth` wants to ask for them.
struct Directory<'a> {
    tenants: &'a TenantService,
    may_create: bool,
}

#[async_trait]
impl TenantDirectory for Directory<'_> {
    type Error = ServiceError;

    async fn find_or_create(&self, named: &TenantRef) -> Result<Option<Tenant>, ServiceError> {
        if self.may_create { self.tenants.ensure(named).await } else { self.tenants.resolve(named).await }
    }

    async fn find(&self, named: &TenantRef) -> Result<Option<Tenant>, ServiceError> {
        self.tenants.resolve(named).await
    }
}
