//! A server of the API on a port of its own.

use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use actix_web::HttpServer;
use actix_web::dev::ServerHandle;
use actix_web::web::ServiceConfig;
use async_trait::async_trait;
use horarium_api::{About, ApiConfig, ApiParts, ApiState, Check, Readiness, app};
use horarium_auth::{JwtConfig, JwtKeys, JwtVerifier, Role, SharedSecret, TokenClaims, mint};
use horarium_domain::store::SharedStore;
use horarium_domain::{Clock, NodeId, Timestamp};
use horarium_scheduler_engine::memory::MemoryStore;
use horarium_scheduler_engine::service::{Services, TenantPolicy};
use horarium_scheduler_engine::{Core, SystemEntropy};
use metrics_exporter_prometheus::PrometheusBuilder;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::Client;

/// What tokens are signed with.
const SECRET: &str = "a secret for tests that is long enough";

/// The present, until a test moves it: 2025-07-10T14:50:00Z.
const BEGINNING: Timestamp = Timestamp::from_seconds(1_752_159_000);

/// A clock that stands still until it is moved.
struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.load(Ordering::Relaxed))
    }
}

/// Says what the test wants it to.
#[derive(Default)]
struct TestReadiness(Mutex<Option<String>>);

#[async_trait]
impl Readiness for TestReadiness {
    async fn check(&self) -> Vec<Check> {
        let problem = self.0.lock().unwrap().clone();
        vec![Check { name: "database", problem }, Check { name: "engine", problem: None }]
    }
}

fn signed(claims: &TokenClaims) -> String {
    mint(&SharedSecret::new(SECRET).unwrap(), claims, BEGINNING, Duration::from_hours(1)).unwrap()
}

/// A running application. It stops when it is dropped.
pub(crate) struct TestApp {
    pub(crate) core: Arc<Core>,
    clock: Arc<TestClock>,
    readiness: Arc<TestReadiness>,
    base: String,
    http: reqwest::Client,
    server: ServerHandle,
    shutdown: CancellationToken,
    tokens: Mutex<HashMap<(String, &'static str), String>>,
}

impl TestApp {
    /// Starts one with the default configuration.
    pub(crate) async fn start() -> Self {
        Self::with(ApiConfig::default()).await
    }

    /// Starts one, with its store in memory.
    pub(crate) async fn with(config: ApiConfig) -> Self {
        Self::on(Arc::new(MemoryStore::new()), config).await
    }

    /// Starts one on a store.
    pub(crate) async fn on(store: SharedStore, config: ApiConfig) -> Self {
        Self::beside(|_| {}, store, config).await
    }

    /// Starts one beside something else that its server mounts.
    pub(crate) async fn beside(mount: fn(&mut ServiceConfig), store: SharedStore, config: ApiConfig) -> Self {
        let clock = Arc::new(TestClock(AtomicI64::new(BEGINNING.as_micros())));
        let readiness = Arc::new(TestReadiness::default());
        let core = Core::new(store, Arc::clone(&clock) as Arc<dyn Clock>, Arc::new(SystemEntropy));
        let shutdown = CancellationToken::new();
        let secret = SharedSecret::new(SECRET).unwrap();
        let state = ApiState::new(ApiParts {
            services: Services::new(&core, TenantPolicy::without_jobs()),
            core: Arc::clone(&core),
            tokens: Arc::new(JwtVerifier::new(JwtConfig::new(JwtKeys::Hs256Secret(secret))).unwrap()),
            readiness: Arc::clone(&readiness) as Arc<dyn Readiness>,
            metrics: Some(PrometheusBuilder::new().build_recorder().handle()),
            config,
            about: About {
                version: "1.2.3",
                node: NodeId::from_uuid(Uuid::from_u128(7)),
                node_name: "test-node".to_owned(),
                started_at: BEGINNING - Duration::from_secs(90),
            },
            shutdown: shutdown.clone(),
        });
        let server = HttpServer::new(move || app(&state).configure(mount))
            .workers(1)
            .h1_allow_half_closed(false)
            .disable_signals()
            .bind("127.0.0.1:0")
            .unwrap();
        let base = format!("http://{}", server.addrs()[0]);
        let server = server.run();
        let handle = server.handle();
        tokio::spawn(server);
        // Lets the server's task begin before the first request is made.
        tokio::task::yield_now().await;
        // A proxy of the machine's has no business between a test and its own server.
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            // For each part of an answer: a stream of events lasts as long as its listener likes, who may do a lot before
            // he reads on.
            .read_timeout(Duration::from_mins(2))
            .build()
            .unwrap();
        Self { core, clock, readiness, base, http, server: handle, shutdown, tokens: Mutex::default() }
    }

    /// Nobody in particular.
    pub(crate) fn anonymous(&self) -> Client {
        Client::new(self.http.clone(), self.base.clone())
    }

    /// Someone with this role in the tenant `org-1`.
    pub(crate) fn as_role(&self, role: Role) -> Client {
        self.as_role_in(role, "org-1")
    }

    /// Someone with this role in a tenant.
    pub(crate) fn as_role_in(&self, role: Role, tenant: &str) -> Client {
        self.with_bearer(&self.token(role, tenant))
    }

    /// Someone with a token that says this, good for an hour from the beginning.
    pub(crate) fn with_token(&self, claims: &TokenClaims) -> Client {
        self.with_bearer(&signed(claims))
    }

    /// Someone with this token.
    pub(crate) fn with_bearer(&self, token: &str) -> Client {
        self.anonymous().with_header("authorization", &format!("Bearer {token}"))
    }

    /// A machine with this key.
    pub(crate) fn with_key(&self, key: &str) -> Client {
        self.anonymous().with_header("x-api-key", key)
    }

    /// A token, good for an hour from the beginning.
    pub(crate) fn token(&self, role: Role, tenant: &str) -> String {
        let mut tokens = self.tokens.lock().unwrap();
        let make = || {
            let mut claims = TokenClaims::new(format!("user-{role}"), tenant.parse().unwrap(), vec![role]);
            claims.name = Some(format!("{role} of {tenant}"));
            signed(&claims)
        };
        tokens.entry((tenant.to_owned(), role.name())).or_insert_with(make).clone()
    }

    /// Moves the clock on.
    pub(crate) fn advance(&self, by: Duration) {
        let micros = i64::try_from(by.as_micros()).unwrap();
        self.clock.0.fetch_add(micros, Ordering::Relaxed);
    }

    /// The present.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Makes the database unwell.
    pub(crate) fn break_database(&self, problem: &str) {
        *self.readiness.0.lock().unwrap() = Some(problem.to_owned());
    }

    /// Asks the event streams to end.
    pub(crate) fn shut_down_streams(&self) {
        self.shutdown.cancel();
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> &str {
        self.base.trim_start_matches("http://")
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.shutdown.cancel();
        // Stopping is told at once; nobody waits for its end.
        drop(self.server.stop(false));
    }
}
