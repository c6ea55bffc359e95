//! The dashboard, mounted beside the API: what the two share.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpRequest;
use async_trait::async_trait;
use horarium_api::ApiState;
use horarium_auth::Principal;
use horarium_dashboard::{Dashboard, DashboardConfig, DashboardParts, Host, HostCheck};
use horarium_domain::TenantId;
use horarium_domain::audit::AuditTarget;
use horarium_scheduler_engine::Actor;
use horarium_scheduler_engine::service::SessionLimits;

use crate::cli::Failure;
use crate::config::Config;
use crate::oidc;

/// The dashboard over the API's state, if it is wanted.
///
/// # Errors
/// When nobody could sign in with the provider that is configured.
pub(crate) fn mounted(config: &Config, api: &ApiState) -> Result<Option<Dashboard>, Failure> {
    if !config.dashboard {
        return Ok(None);
    }
    Ok(Some(Dashboard::new(DashboardParts {
        core: Arc::clone(&api.core),
        services: api.services.clone(),
        tokens: Arc::clone(&api.tokens),
        provider: oidc::provider(config)?,
        host: Arc::new(Beside(api.clone())),
        shutdown: api.shutdown.clone(),
        config: DashboardConfig {
            sessions: SessionLimits { idle: config.dashboard_idle_seconds, absolute: config.dashboard_session_seconds },
            public_url: config.public_url.as_ref().map(|url| url.0.clone()),
            provider_name: config.oidc_name.clone(),
            integration_health: api.config.integration_health,
            event_beat: api.config.event_heartbeat,
            event_stream_lifetime: api.config.event_stream_lifetime,
            max_form_bytes: config.max_body_bytes,
            version: api.about.version,
            node_name: api.about.node_name.clone(),
        },
    })))
}

/// The API, as the dashboard asks it.
struct Beside(ApiState);

#[async_trait]
impl Host for Beside {
    fn request_id(&self, request: &HttpRequest) -> String {
        self.0.request_id(request)
    }

    fn may_try(&self, request: &HttpRequest) -> Result<(), Duration> {
        self.0.may_try(request)
    }

    fn refused(&self, request: &HttpRequest) {
        self.0.refused(request);
    }

    fn admit(&self, tenant: TenantId, who: &Principal) -> Result<(), (Duration, &'static str)> {
        self.0.admit(tenant, who)
    }

    fn is_of(&self, request: &HttpRequest, tenant: TenantId, who: &Principal) {
        self.0.is_of(request, tenant, who);
    }

    fn asks_for(&self, request: &HttpRequest, action: &'static str, target: Option<AuditTarget>) {
        self.0.asks_for(request, action, target);
    }

    fn submitting(&self, request: &HttpRequest, actor: &Actor) -> Actor {
        self.0.submitting(request, actor)
    }

    fn submitting_for(&self, request: &HttpRequest, actor: &Actor, target: AuditTarget) -> Actor {
        self.0.submitting_for(request, actor, target)
    }

    fn did_to(&self, request: &HttpRequest, target: AuditTarget) {
        self.0.did_to(request, target);
    }

    async fn checks(&self) -> Vec<HostCheck> {
        let checks = self.0.readiness.check().await;
        checks.into_iter().map(|check| HostCheck { name: check.name, problem: check.problem }).collect()
    }
}
