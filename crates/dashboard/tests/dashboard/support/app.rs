//! A server of the dashboard on a port of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer};
use horarium_auth::api_key::ApiKey;
use horarium_auth::oidc::OidcClient;
use horarium_auth::{JwtConfig, JwtKeys, JwtVerifier, Role, SharedSecret, TokenClaims, mint};
use horarium_dashboard::{Dashboard, DashboardConfig, DashboardParts, Host};
use horarium_domain::store::SharedStore;
use horarium_domain::tenant::{Tenant, TenantRef};
use horarium_domain::{ApiKeyId, Clock, Entropy, Timestamp};
use horarium_scheduler_engine::memory::MemoryStore;
use horarium_scheduler_engine::service::{HealthThresholds, NewKey, Services, SessionLimits, TenantPolicy};
use horarium_scheduler_engine::{Actor, Core, SystemEntropy};
use tokio_util::sync::CancellationToken;

use super::Browser;
use super::host::TestHost;

/// What tokens are signed with.
const SECRET: &str = "a secret for tests that is long enough";

/// The present, until a test moves it: 2025-07-10T14:50:00Z.
pub(crate) const BEGINNING: Timestamp = Timestamp::from_seconds(1_752_159_000);

/// How long people stay signed in.
pub(crate) const LIMITS: SessionLimits =
    SessionLimits { idle: Duration::from_hours(1), absolute: Duration::from_hours(3) };

/// How often a stream of events shows that it is alive.
const BEAT: Duration = Duration::from_millis(50);

/// A clock that stands still until it is moved.
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// A token of somebody with a role in a tenant, good for two hours from the beginning.
pub(crate) fn token(role: Role, tenant: &str) -> String {
    let mut claims = TokenClaims::new(format!("user-{role}"), tenant.parse().unwrap(), vec![role]);
    claims.name = Some(format!("{role} of {tenant}"));
    mint(&SharedSecret::new(SECRET).unwrap(), &claims, BEGINNING, Duration::from_hours(2)).unwrap()
}

/// A running application. It stops when it is dropped.
pub(crate) struct TestApp {
    pub(crate) core: Arc<Core>,
    pub(crate) memory: Arc<MemoryStore>,
    pub(crate) services: Services,
    pub(crate) host: Arc<TestHost>,
    clock: Arc<TestClock>,
    base: String,
    server: ServerHandle,
}

impl TestApp {
    /// Starts one, with its store in memory.
    pub(crate) async fn start() -> Self {
        Self::at(None).await
    }

    /// Starts one that browsers reach at this address.
    pub(crate) async fn at(public_url: Option<&str>) -> Self {
        Self::with(public_url, None).await
    }

    /// Starts one in which people sign in with a provider.
    pub(crate) async fn with_provider(provider: OidcClient) -> Self {
        Self::with(None, Some(Arc::new(provider))).await
    }

    async fn with(public_url: Option<&str>, provider: Option<Arc<OidcClient>>) -> Self {
        let memory = Arc::new(MemoryStore::new());
        let store: SharedStore = Arc::clone(&memory) as SharedStore;
        let clock = Arc::new(TestClock(AtomicI64::new(BEGINNING.as_micros())));
        let core = Core::new(store, Arc::clone(&clock) as Arc<dyn Clock>, Arc::new(SystemEntropy));
        let services = Services::new(&core, TenantPolicy::without_jobs());
        let host = Arc::new(TestHost::default());
        let secret = SharedSecret::new(SECRET).unwrap();
        let dashboard = Dashboard::new(DashboardParts {
            core: Arc::clone(&core),
            services: services.clone(),
            tokens: Arc::new(JwtVerifier::new(JwtConfig::new(JwtKeys::Hs256Secret(secret))).unwrap()),
            provider,
            host: Arc::clone(&host) as Arc<dyn Host>,
            shutdown: CancellationToken::new(),
            config: DashboardConfig {
                sessions: LIMITS,
                public_url: public_url.map(|text| text.parse().unwrap()),
                provider_name: "Acme ID".to_owned(),
                integration_health: HealthThresholds::default(),
                event_beat: BEAT,
                event_stream_lifetime: Duration::from_mins(5),
                max_form_bytes: 64 * 1024,
                version: "1.2.3",
                node_name: "test-node".to_owned(),
            },
        });
        let server =
            HttpServer::new(move || App::new().configure(|cfg| horarium_dashboard::configure(cfg, &dashboard)))
                .workers(1)
                .disable_signals()
                .bind("127.0.0.1:0")
                .unwrap();
        let base = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        // Lets the server's task begin before the first request is made.
        tokio::task::yield_now().await;
        Self { core, memory, services, host, clock, base, server: handle }
    }

    /// A browser in which nobody is signed in.
    pub(crate) fn browser(&self) -> Browser {
        Browser::new(&self.base)
    }

    /// A browser in which somebody with this role in the tenant `org-1` is signed in.
    pub(crate) async fn signed_in(&self, role: Role) -> Browser {
        self.signed_in_to(role, "org-1").await
    }

    /// The same in another tenant.
    pub(crate) async fn signed_in_to(&self, role: Role, tenant: &str) -> Browser {
        let mut browser = self.browser();
        browser.sign_in(&token(role, tenant)).await.expect(303);
        browser
    }

    /// A key of `org-1` that may do these things.
    pub(crate) async fn key(&self, scopes: &[&str]) -> (ApiKeyId, String) {
        let key = ApiKey::generate(self.services.keys.new_id(), SystemEntropy.secret());
        let new = NewKey {
            id: key.id(),
            name: "laptop".to_owned(),
            scopes: scopes.iter().map(|scope| (*scope).to_owned()).collect(),
            secret_hash: key.secret_hash(),
            expires_at: None,
        };
        self.services.keys.create(&self.actor().await, new).await.unwrap();
        (key.id(), key.reveal())
    }

    /// A tenant, made on first sight.
    pub(crate) async fn tenant(&self, slug: &str) -> Tenant {
        self.services.tenants.ensure(&TenantRef::Slug(slug.parse().unwrap())).await.unwrap().unwrap()
    }

    /// Somebody of `org-1`.
    pub(crate) async fn actor(&self) -> Actor {
        Actor::new(self.tenant("org-1").await.id, "Ada")
    }

    /// Moves the clock on.
    pub(crate) fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap();
        self.clock.0.fetch_add(micros, Ordering::Relaxed);
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        // Stopping is told at once; nobody waits for its end.
        drop(self.server.stop(false));
    }
}
