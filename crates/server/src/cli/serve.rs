//! `horarium serve`.

use std::net::{SocketAddr, TcpListener};
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::{Server, ServerHandle};
use actix_web::{App, HttpResponse, HttpServer, web};
use clap::Args;
use horarium_api::{About, ApiConfig, ApiParts, ApiState, RefusalPage};
use horarium_auth::{JwtVerifier, Role, SharedSecret, TokenClaims, mint};
use horarium_domain::tenant::{TenantRef, TenantSlug};
use horarium_domain::{Clock, SystemClock};
use horarium_scheduler_engine::service::{HealthThresholds, SecretService, Services};
use horarium_scheduler_engine::{Core, Engine};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::signals::{FORCED, Signals};
use super::{Failure, output};
use crate::config::{Config, Environment, JwksLocation, Loaded, SettingFlags, load};
use crate::entropy::SystemEntropy;
use crate::readiness::NodeReadiness;
use crate::{compose, dashboard, first_run, secrets, telemetry};

/// How long requests that are being answered may go on once the server is told to stop.
const HTTP_GRACE_SECONDS: u64 = 5;

/// How often what histograms gathered is folded together; they would grow without it.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// Starts the server.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  horarium serve
  horarium serve --listen 0.0.0.0:8080 --data-dir /var/lib/horarium
  horarium serve --config /etc/horarium.toml
  HORARIUM_DATABASE_URL=postgres://me:secret@db/horarium horarium serve

SIGTERM or Ctrl-C stops it in order: it claims nothing more, lets what runs finish for a
while, and hands back the rest. A second one, a second later or more, stops it at once; what
ran is taken over when its lease is up.")]
pub(super) struct Serve {
    #[command(flatten)]
    settings: SettingFlags,
}

impl Serve {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        let Loaded { config, warnings, .. } = load(&self.settings, &Environment::of_process())?;
        telemetry::start_logging(&config);
        for warning in warnings {
            warn!("{warning}");
        }
        let mut signals = Signals::listen()?;
        let running = tokio::select! {
            started = Node::start(config) => started?,
            // Nothing runs yet that would have to be handed back.
            name = signals.next() => {
                info!(signal = name, "told to stop before the start was over");
                return Ok(ExitCode::SUCCESS);
            }
        };

        let name = signals.next().await;
        info!(signal = name, "stopping; once more stops at once");
        tokio::select! {
            () = running.stop() => Ok(ExitCode::SUCCESS),
            name = signals.once_more() => {
                warn!(signal = name, "stopped at once: what ran is taken over when its lease is up");
                // Returning would wait for what blocks, such as a statement of the database.
                std::process::exit(FORCED)
            }
        }
    }
}

/// A node that serves.
struct Node {
    services: Services,
    engine: Engine,
    http: Vec<ServerHandle>,
    /// Makes it answer that it is not ready.
    leaving: CancellationToken,
    /// How long it then goes on, for load balancers to notice.
    delay: Duration,
    /// Ends the streams of events, so that stopping need not wait for their readers.
    end_of_streams: CancellationToken,
}

impl Node {
    async fn start(config: Config) -> Result<Self, Failure> {
        // First what fails most often, and before anything is written.
        let api_listener = bind("listen", config.listen)?;
        let metrics_listener = config.metrics_listen.map(|address| bind("metrics_listen", address)).transpose()?;
        let metrics = telemetry::start_metrics()?;
        secrets::make_private_folder("data_dir", &config.data_dir)?;
        let secret = config.signs_tokens().then(|| secrets::find_or_make(&config, &SystemEntropy)).transpose()?;
        secrets::find_or_make_keys(&config, &SystemEntropy)?;
        let verifier = compose::verifier(&config, secret.clone())?;
        if secret.is_some() && config.jwt_secret.is_none() && config.database_url.is_shared() {
            warn!("nodes that share a database need the same secret; set jwt_secret before you start a second one");
        }
        if config.secret_key.is_none() && config.database_url.is_shared() {
            warn!(
                "nodes that share a database need the same key for secrets; set secret_key before you start a second one"
            );
        }

        let (store, key_set) = tokio::join!(compose::connect(&config), fetch_key_set(&config, &verifier));
        key_set?;
        let store = store?;
        for name in store.migrate().await? {
            info!(migration = name, "the schema was brought up to date");
        }
        let (core, services) = compose::services(&config, store)?;
        let default_tenant = TenantRef::Slug(TenantSlug::default());
        let is_first_start = services.tenants.resolve(&default_tenant).await?.is_none();
        services.tenants.ensure_default().await?;

        let started_at = core.now();
        let node = core.ids.node(started_at);
        let engine = Engine::start(
            Arc::clone(&core),
            compose::executors(&config, &core, &services)?,
            compose::engine(&config, node),
        );
        let (leaving, end_of_streams) = (CancellationToken::new(), CancellationToken::new());
        let parts = ApiParts {
            readiness: Arc::new(NodeReadiness::new(Arc::clone(&core.store), engine.health(), leaving.clone())),
            core: Arc::clone(&core),
            services: services.clone(),
            tokens: Arc::new(verifier),
            metrics: Some(metrics.clone()),
            config: ApiConfig {
                request_timeout: config.request_timeout_seconds,
                body_grace: config.client_timeout_seconds,
                rate_limits: config.rate_limit,
                failures_per_minute: u32::try_from(config.failed_logins_per_minute).ok().and_then(NonZeroU32::new),
                trusted_proxies: config.trusted_proxies.clone(),
                max_body_bytes: config.max_body_bytes,
                submit_wait: config.submit_wait_seconds,
                integration_health: HealthThresholds {
                    error_failures: i64::try_from(config.integrations_error_failures).unwrap_or(i64::MAX),
                    error_age: config.integrations_error_age_seconds,
                    ..HealthThresholds::default()
                },
                metrics_token: config.metrics_token.as_ref().map(|token| token.reveal().to_owned()),
                ..ApiConfig::default()
            },
            about: About { version: env!("CARGO_PKG_VERSION"), node, node_name: config.node_name.clone(), started_at },
            shutdown: end_of_streams.clone(),
        };
        let listening = api_listener.local_addr()?;
        let mut http = vec![start(api_server(ApiState::new(parts), api_listener, &config)?)];
        if let Some(listener) = metrics_listener {
            http.push(start(metrics_server(metrics.clone(), listener)?));
        }
        tokio::spawn(keep_up(metrics));
        tokio::spawn(look_at_secrets(services.secrets.clone()));
        tell(listening, secret.as_ref(), is_first_start, &config, &core)?;
        Ok(Self { services, engine, http, leaving, delay: config.shutdown_delay_seconds, end_of_streams })
    }

    /// Stops in order; nothing that was accepted is lost.
    async fn stop(self) {
        self.leaving.cancel();
        if !self.delay.is_zero() {
            info!(seconds = self.delay.as_secs(), "not ready any more; going on until load balancers know");
            tokio::time::sleep(self.delay).await;
        }
        self.end_of_streams.cancel();
        let http = async {
            for server in self.http {
                server.stop(true).await;
            }
        };
        tokio::join!(http, self.engine.shutdown());
        self.services.keys.write_uses().await;
        info!("stopped");
    }
}

/// Prints where the server listens and how to get in.
fn tell(
    listening: SocketAddr,
    secret: Option<&SharedSecret>,
    is_first_start: bool,
    config: &Config,
    core: &Core,
) -> Result<(), Failure> {
    output::line(&match secret {
        Some(secret) if is_first_start => {
            let roles = vec![Role::SystemAdmin];
            let mut claims = TokenClaims::new("first-start", TenantRef::Slug(TenantSlug::default()), roles);
            claims.issuer = config.jwt_issuer.first().cloned();
            claims.audience = config.jwt_audience.first().cloned();
            let ttl = Duration::from_secs(first_run::TOKEN_DAYS * 86_400);
            first_run::welcome(listening, &mint(secret, &claims, core.now(), ttl)?)
        }
        None if is_first_start => first_run::welcome_without_token(listening),
        secret => first_run::greeting(listening, secret.is_some()),
    });
    Ok(())
}

fn bind(setting: &str, address: SocketAddr) -> Result<TcpListener, Failure> {
    let listener = TcpListener::bind(address).map_err(|error| {
        let advice = match error.kind() {
            std::io::ErrorKind::AddrInUse => "another program listens there; stop it, or set another address",
            std::io::ErrorKind::PermissionDenied => "ports below 1024 are for root; set another one",
            std::io::ErrorKind::AddrNotAvailable => "this machine has no such address; 0.0.0.0 stands for all it has",
            _ => "set another address",
        };
        Failure::new(format!("the setting '{setting}' cannot be '{address}': {error} ({advice})"))
    })?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

fn api_server(state: ApiState, listener: TcpListener, config: &Config) -> Result<Server, Failure> {
    let dashboard = dashboard::mounted(config, &state)?;
    let app = move || {
        horarium_api::app(&state).configure(|cfg| {
            if let Some(dashboard) = &dashboard {
                let pages = dashboard.clone();
                cfg.app_data(RefusalPage::new(move |status, detail, request_id| {
                    horarium_dashboard::refusal_page(&pages, status, detail, request_id)
                }));
                horarium_dashboard::configure(cfg, dashboard);
            }
        })
    };
    let server = HttpServer::new(app)
        .workers(config.http_workers)
        .max_connections(config.max_connections.div_ceil(config.http_workers))
        .client_request_timeout(config.client_timeout_seconds)
        .keep_alive(config.keep_alive_seconds)
        // Whoever has closed its side waits for no answer: its call ends, above all an agent's call for work.
        .h1_allow_half_closed(false)
        .disable_signals()
        .shutdown_timeout(HTTP_GRACE_SECONDS)
        .listen(listener)?;
    Ok(server.run())
}

fn metrics_server(metrics: PrometheusHandle, listener: TcpListener) -> Result<Server, Failure> {
    let server = HttpServer::new(move || {
        let metrics = metrics.clone();
        App::new().route(
            "/metrics",
            web::get().to(move || {
                let text = metrics.render();
                async move { HttpResponse::Ok().content_type("text/plain; version=0.0.4; charset=utf-8").body(text) }
            }),
        )
    });
    Ok(server.workers(1).disable_signals().shutdown_timeout(HTTP_GRACE_SECONDS).listen(listener)?.run())
}

fn start(server: Server) -> ServerHandle {
    let handle = server.handle();
    tokio::spawn(async move {
        if let Err(error) = server.await {
            tracing::error!(%error, "serving HTTP failed");
        }
    });
    handle
}

async fn keep_up(metrics: PrometheusHandle) {
    loop {
        tokio::time::sleep(METRICS_UPKEEP).await;
        metrics.run_upkeep();
    }
}

/// Says clearly, and at the start rather than when the first job fails, that there are secrets that do not open here.
async fn look_at_secrets(secrets: SecretService) {
    match secrets.examine_jobs().await {
        Ok(found) if found.unopened > 0 => tracing::error!(
            jobs = found.unopened,
            missing_keys = ?found.missing_keys,
            "there are jobs whose secrets this node cannot open, so it cannot run them: set the same secret_key on all \
             nodes, with the old key in it until 'horarium secrets rotate' is through"
        ),
        Ok(found) if found.outdated > 0 => info!(
            jobs = found.outdated,
            "there are jobs whose secrets are not sealed with the newest key; 'horarium secrets rotate' seals them"
        ),
        Ok(_) => {}
        Err(error) => warn!(%error, "the secrets in the database could not be looked at"),
    }
}

/// Fetches the issuer's keys before the first caller needs them, so that a wrong address is told now. An issuer that is
/// away must not keep the server from starting; a file that is not there will not come by itself.
async fn fetch_key_set(config: &Config, verifier: &JwtVerifier) -> Result<(), Failure> {
    let Some(location) = &config.jwks else { return Ok(()) };
    match (verifier.refresh_keys(SystemClock.now()).await, location) {
        (Ok(0), _) => warn!("the issuer's key set holds no key for the algorithms in jwt_algorithms"),
        (Ok(usable), _) => info!(usable, "fetched the issuer's key set"),
        (Err(error), JwksLocation::Url(_)) => warn!(%error, "tokens cannot be checked until this is mended"),
        (Err(error), JwksLocation::File(path)) => {
            return Err(Failure::new(format!("the setting 'jwks' cannot be '{}': {error}", path.display())));
        }
    }
    Ok(())
}
