//! What the pages work with. The server makes one and hands it to [`configure`](crate::configure).

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use horarium_auth::JwtVerifier;
use horarium_auth::oidc::OidcClient;
use horarium_scheduler_engine::Core;
use horarium_scheduler_engine::service::{HealthThresholds, Services, SessionLimits};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::host::Host;

/// Bounds and switches of the dashboard.
#[derive(Debug, Clone)]
pub struct DashboardConfig {
    /// How long people stay signed in.
    pub sessions: SessionLimits,
    /// The address at which browsers reach the server; without it, what each request says of itself is believed.
    pub public_url: Option<Url>,
    /// What the OpenID provider is called, if there is one.
    pub provider_name: String,
    /// From where on integrations are not well.
    pub integration_health: HealthThresholds,
    /// How often a stream of events shows that it is alive, and looks whether whoever follows it is still signed in.
    pub event_beat: Duration,
    /// How long such a stream lasts, to be opened again.
    pub event_stream_lifetime: Duration,
    /// The most bytes of a form.
    pub max_form_bytes: usize,
    /// The program's version.
    pub version: &'static str,
    /// This node's name.
    pub node_name: String,
}

/// The parts of a [`Dashboard`].
pub struct DashboardParts {
    /// The clock, and chance.
    pub core: Arc<Core>,
    /// The use cases.
    pub services: Services,
    /// Checks tokens.
    pub tokens: Arc<JwtVerifier>,
    /// Signs people in with an OpenID provider, if there is one.
    pub provider: Option<Arc<OidcClient>>,
    /// The program around it.
    pub host: Arc<dyn Host>,
    /// Ends the streams of events.
    pub shutdown: CancellationToken,
    /// Bounds and switches.
    pub config: DashboardConfig,
}

/// The state of the dashboard; a clone shares it.
#[derive(Clone)]
pub struct Dashboard(Arc<DashboardParts>);

impl Dashboard {
    /// Ties the parts together.
    pub fn new(parts: DashboardParts) -> Self {
        Self(Arc::new(parts))
    }
}

impl Deref for Dashboard {
    type Target = DashboardParts;

    fn deref(&self) -> &DashboardParts {
        &self.0
    }
}

impl fmt::Debug for Dashboard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dashboard").field("config", &self.config).finish_non_exhaustive()
    }
}
