//! Who is calling, and in which tenant: decided once for each request, before its route is chosen.

use std::rc::Rc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, web};
use async_trait::async_trait;
use horarium_auth::{
    AuthError, Credential, CredentialKind, EnterTenantError, Principal, TenantDirectory, TenantHeaders, api_key,
    enter_tenant,
};
use horarium_domain::tenant::{Tenant, TenantRef};
use horarium_scheduler_engine::service::{Actor, ServiceError, TenantService};

use super::route::route;
use super::{ApiError, AuditNote};
use crate::state::ApiState;

/// Names the refusal of a key whose tenant is gone.
pub(crate) const TENANT_GONE: &str = "Tenant gone";

const X_API_KEY: HeaderName = HeaderName::from_static("x-api-key");
const X_TENANT_ID: HeaderName = HeaderName::from_static("x-tenantid");
const X_ORGANIZATION_ID: HeaderName = HeaderName::from_static("x-organization-id");
const REALM_NAME: HeaderName = HeaderName::from_static("realmname");

/// A caller whose credential is good, and the tenant that the request acts in.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// Who it is and what it may do.
    pub(crate) principal: Principal,
    /// Where it acts.
    pub(crate) tenant: Tenant,
    /// The same as the services want it.
    pub(crate) actor: Actor,
}

/// Which credentials a request may show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    /// A token or a key.
    Any,
    /// A key alone; a token beside it or in its place counts as nothing.
    KeyOnly,
}

/// The middleware: leaves a [`Caller`] for the route, or refuses.
///
/// A path that is no route needs no credential to be told so. Nor does OPTIONS, which only says what could be asked.
pub(crate) async fn authenticate<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    admit(req, next, Takes::Any).await
}

/// The same for a dialect that takes `X-API-Key` alone.
pub(crate) async fn authenticate_by_key<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    admit(req, next, Takes::KeyOnly).await
}

async fn admit<B: MessageBody + 'static>(
    req: ServiceRequest,
    next: Next<B>,
    takes: Takes,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let is_open = req.method() == Method::OPTIONS || route(&req).is_none();
    let Some(state) = req.app_data::<web::Data<ApiState>>().filter(|_| !is_open).cloned() else {
        return Ok(next.call(req).await?.map_into_left_body());
    };
    let note = req.extensions().get::<Rc<AuditNote>>().cloned();
    match let_in(&state, req.request(), takes, note.as_deref()).await {
        Ok(caller) => {
            if let Some(note) = note {
                note.is_of(caller.tenant.id, &caller.principal);
            }
            req.extensions_mut().insert(Rc::new(caller));
            Ok(next.call(req).await?.map_into_left_body())
        }
        Err(refusal) => Ok(req.error_response(refusal).map_into_right_body()),
    }
}

/// Identifies the caller, within the limits of how often that may be tried and of what may be sent.
async fn let_in(
    state: &ApiState,
    req: &HttpRequest,
    takes: Takes,
    note: Option<&AuditNote>,
) -> Result<Caller, ApiError> {
    let from = state.config.trusted_proxies.client(req.peer_addr(), req.headers());
    let (gate, now) = (state.gate(), state.core.now());
    gate.may_try(from, req.headers(), now)?;
    let principal = match credential(state, req.headers(), takes).await {
        Ok(principal) => principal,
        Err(refusal) => {
            if refusal.status() == StatusCode::UNAUTHORIZED {
                gate.failed(from, req.headers(), now);
                let address = from.map(tracing::field::display);
                tracing::info!(target: "horarium::access", address, path = req.path(), "let nobody in: {refusal}");
            }
            return Err(refusal);
        }
    };
    gate.succeeded(req.headers());
    let caller = match enter(state, req.headers(), &principal, takes).await {
        Ok((tenant, actor)) => Caller { principal, tenant, actor },
        Err(refusal) => {
            // It never got to the tenant that it asked for; its own is where its owners look.
            if let Some(note) = note.filter(|_| refusal.status() == StatusCode::FORBIDDEN)
                && let Ok(Some(home)) = state.services.tenants.resolve(&principal.tenant).await
            {
                note.is_of(home.id, &principal);
            }
            return Err(refusal);
        }
    };
    gate.admit(&caller, now)?;
    Ok(caller)
}

/// Who sends this request, for a route that asks by itself; within the same limits.
pub(crate) async fn identify(state: &ApiState, req: &HttpRequest) -> Result<Caller, ApiError> {
    let_in(state, req, Takes::Any, None).await
}

/// Whose credential these headers show.
async fn credential(state: &ApiState, headers: &HeaderMap, takes: Takes) -> Result<Principal, ApiError> {
    let authorization = match takes {
        Takes::Any => single(headers, &AUTHORIZATION, AuthError::UnsupportedScheme)?,
        Takes::KeyOnly => None,
    };
    let x_api_key = single(headers, &X_API_KEY, AuthError::InvalidApiKey)?;
    match Credential::from_headers(authorization, x_api_key)? {
        Credential::Bearer(token) => Ok(state.tokens.verify(token, state.core.now()).await?),
        Credential::ApiKey(text) => verify_key(state, text).await,
    }
}

/// The tenant that a request with these headers acts in.
async fn enter(
    state: &ApiState,
    headers: &HeaderMap,
    principal: &Principal,
    takes: Takes,
) -> Result<(Tenant, Actor), ApiError> {
    let named = TenantHeaders {
        tenant_id: single(headers, &X_TENANT_ID, AuthError::TenantMismatch("x-tenantid"))?,
        organization_id: single(headers, &X_ORGANIZATION_ID, AuthError::TenantMismatch("X-Organization-Id"))?,
        realm_name: single(headers, &REALM_NAME, AuthError::RealmMismatch)?,
    };
    let directory = Directory {
        tenants: &state.services.tenants,
        // A key was made in its tenant. If that is gone, the key is only remembered, and must not bring it back.
        may_create: matches!(principal.credential, CredentialKind::Jwt),
    };
    let tenant = enter_tenant(principal, &named, &directory).await.map_err(|error| match error {
        EnterTenantError::Denied(AuthError::UnknownTenant) if takes == Takes::KeyOnly => {
            ApiError::new(StatusCode::NOT_FOUND, "The key's tenant is gone.").titled(TENANT_GONE)
        }
        EnterTenantError::Denied(refusal) => ApiError::from(refusal),
        EnterTenantError::Directory(error) => ApiError::from(error),
    })?;
    let actor = Actor::new(tenant.id, principal.display_name());
    Ok((tenant, actor))
}

async fn verify_key(state: &ApiState, text: &str) -> Result<Principal, ApiError> {
    let shown: api_key::ApiKey = text.parse()?;
    let record = state.services.keys.lookup(shown.id()).await?;
    let principal = api_key::authenticate(&shown, record.as_deref(), state.core.now())?;
    if let Some(record) = &record {
        state.services.keys.touch(record);
    }
    Ok(principal)
}

/// A header's value as text. One that is repeated or is no text is refused: proxies and servers disagree on which of
/// several counts, and that disagreement is how tenants get crossed.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName, refusal: AuthError) -> Result<Option<&'a str>, AuthError> {
    let mut values = headers.get_all(name);
    match (values.next(), values.next()) {
        (None, _) => Ok(None),
        (Some(value), None) => value.to_str().map(Some).map_err(|_| refusal),
        (Some(_), Some(_)) => Err(refusal),
    }
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
