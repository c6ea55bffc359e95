//! What the routes work with. The server makes one and hands it to [`app`](crate::app()).

use std::fmt;
use std::num::NonZeroU32;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use horarium_auth::JwtVerifier;
use horarium_domain::{NodeId, Timestamp};
use horarium_scheduler_engine::Core;
use horarium_scheduler_engine::service::{HealthThresholds, Services};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;

use crate::http::{Gate, RateLimits, TrustedProxies};

/// Bounds and switches of the HTTP surface.
#[derive(Clone)]
pub struct ApiConfig {
    /// The largest body that is read, in bytes; 1 MiB unless said otherwise.
    pub max_body_bytes: usize,
    /// The same for bulk submissions; 16 MiB unless said otherwise.
    pub max_bulk_body_bytes: usize,
    /// How long a route may take to begin its answer; 30 s unless said otherwise.
    pub request_timeout: Duration,
    /// How long a submission without a webhook waits for its job's end, and a test of the queue for its answer; 20 s
    /// unless said otherwise. It may be longer than `request_timeout`.
    pub submit_wait: Duration,
    /// From where on the health of integrations is no longer good.
    pub integration_health: HealthThresholds,
    /// How long a body may take to come, beside a second for each KiB; 10 s unless said otherwise.
    pub body_grace: Duration,
    /// How many requests credentials and tenants may send to this node; unlimited unless said otherwise.
    pub rate_limits: RateLimits,
    /// How many credentials of one address may be refused each minute before no others are looked at; unlimited unless
    /// said otherwise.
    pub failures_per_minute: Option<NonZeroU32>,
    /// The proxies that are believed when they say who the client is; none unless said otherwise.
    pub trusted_proxies: TrustedProxies,
    /// A bearer token that may read `/metrics` and nothing else.
    pub metrics_token: Option<String>,
    /// How often an event stream shows that it is alive; 15 s unless said otherwise.
    pub event_heartbeat: Duration,
    /// How long an event stream lasts before its listener must show its credential again; an hour unless said
    /// otherwise.
    pub event_stream_lifetime: Duration,
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self {
            max_body_bytes: 1024 * 1024,
            max_bulk_body_bytes: 16 * 1024 * 1024,
            request_timeout: Duration::from_secs(30),
            submit_wait: Duration::from_secs(20),
            integration_health: HealthThresholds::default(),
            body_grace: Duration::from_secs(10),
            rate_limits: RateLimits::OFF,
            failures_per_minute: None,
            trusted_proxies: TrustedProxies::default(),
            metrics_token: None,
            event_heartbeat: Duration::from_secs(15),
            event_stream_lifetime: Duration::from_hours(1),
        }
    }
}

impl fmt::Debug for ApiConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiConfig")
            .field("max_body_bytes", &self.max_body_bytes)
            .field("max_bulk_body_bytes", &self.max_bulk_body_bytes)
            .field("request_timeout", &self.request_timeout)
            .field("submit_wait", &self.submit_wait)
            .field("integration_health", &self.integration_health)
            .field("body_grace", &self.body_grace)
            .field("rate_limits", &self.rate_limits)
            .field("failures_per_minute", &self.failures_per_minute)
            .field("trusted_proxies", &self.trusted_proxies)
            .field("metrics_token", &self.metrics_token.as_ref().map(|_| "[redacted]"))
            .field("event_heartbeat", &self.event_heartbeat)
            .field("event_stream_lifetime", &self.event_stream_lifetime)
            .finish()
    }
}

/// What `/health` says of the process.
#[derive(Debug, Clone)]
pub struct About {
    /// The program's version.
    pub version: &'static str,
    /// This process.
    pub node: NodeId,
    /// Its name, as executions show it.
    pub node_name: String,
    /// When it started.
    pub started_at: Timestamp,
}

/// One thing that must be well for jobs to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What, such as `database`.
    pub name: &'static str,
    /// What is wrong with it; `None` when it is well. Everybody may read it, so it holds no secret and no address.
    pub problem: Option<String>,
}

/// Whether jobs can run here: the server knows its store and its loops.
#[async_trait]
pub trait Readiness: Send + Sync {
    /// All checks, the good ones included.
    async fn check(&self) -> Vec<Check>;
}

/// The parts of an [`ApiState`].
pub struct ApiParts {
    /// Clock, ids, chance and live events.
    pub core: Arc<Core>,
    /// The use cases.
    pub services: Services,
    /// Checks tokens.
    pub tokens: Arc<JwtVerifier>,
    /// Whether jobs can run.
    pub readiness: Arc<dyn Readiness>,
    /// Writes the metrics down; without it there is no `/metrics`.
    pub metrics: Option<PrometheusHandle>,
    /// Bounds and switches.
    pub config: ApiConfig,
    /// What `/health` says of the process.
    pub about: About,
    /// Ends the event streams, so that a graceful stop need not wait for them.
    pub shutdown: CancellationToken,
}

/// The state of the API; a clone shares it.
#[derive(Clone)]
pub struct ApiState(Arc<Shared>);

struct Shared {
    parts: ApiParts,
    gate: Gate,
}

impl ApiState {
    /// Ties the parts together.
    pub fn new(parts: ApiParts) -> Self {
        let gate = Gate::new(parts.config.rate_limits, parts.config.failures_per_minute);
        Self(Arc::new(Shared { parts, gate }))
    }

    /// What keeps one caller from taking the service away from the others.
    pub(crate) fn gate(&self) -> &Gate {
        &self.0.gate
    }
}

impl Deref for ApiState {
    type Target = ApiParts;

    fn deref(&self) -> &ApiParts {
        &self.0.parts
    }
}

impl fmt::Debug for ApiState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiState").field("config", &self.config).field("about", &self.about).finish_non_exhaustive()
    }
}
