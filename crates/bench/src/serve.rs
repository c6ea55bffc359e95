//! The API over a node whose jobs do nothing: the whole of the server's HTTP surface, in a process of its own.

use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpServer;
use async_trait::async_trait;
use horarium_api::{About, ApiConfig, ApiParts, ApiState, Check, Readiness};
use horarium_auth::{JwtConfig, JwtKeys, JwtVerifier, Role, SharedSecret, TokenClaims, mint};
use horarium_scheduler_engine::service::{Services, TenantPolicy};
use horarium_scheduler_engine::{Executor, Outcome, Run};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::Failure;
use crate::lab::clock::now_ns;
use crate::node::{Node, Settings, TENANT};

/// What the tokens of this process are signed with: it listens on the loopback alone, and not for long.
const SECRET: &str = "known to everybody who reads this benchmark";

/// How long a connection may be silent.
const KEEP_ALIVE: Duration = Duration::from_mins(10);

struct NoOp;

#[async_trait]
impl Executor for NoOp {
    async fn execute(&self, _: Run) -> Outcome {
        Outcome::succeeded()
    }
}

struct AlwaysReady;

#[async_trait]
impl Readiness for AlwaysReady {
    async fn check(&self) -> Vec<Check> {
        Vec::new()
    }
}

/// Serves until it is killed. Prints where, a token, and the id of the job that does nothing.
pub(crate) async fn run(settings: &Settings) -> Result<(), Failure> {
    let node = Node::open(settings).await?;
    let core = Arc::clone(&node.core);
    let _engine = node.work(settings, NoOp);
    let (secret, now) = (SharedSecret::new(SECRET)?, core.now());
    let claims = TokenClaims::new("bench", TENANT.parse()?, vec![Role::SystemAdmin]);
    let token = mint(&secret, &claims, now, Duration::from_hours(24))?;
    let state = ApiState::new(ApiParts {
        services: Services::new(&core, TenantPolicy::without_jobs()),
        tokens: Arc::new(JwtVerifier::new(JwtConfig::new(JwtKeys::Hs256Secret(secret)))?),
        readiness: Arc::new(AlwaysReady),
        metrics: None,
        config: ApiConfig::default(),
        about: About {
            version: env!("CARGO_PKG_VERSION"),
            node: core.ids.node(now),
            node_name: "bench".to_owned(),
            started_at: now,
        },
        shutdown: CancellationToken::new(),
        core,
    });
    // Measures open their connections and then wait until the machine is quiet.
    let server = HttpServer::new(move || horarium_api::app(&state))
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(KEEP_ALIVE)
        .bind("127.0.0.1:0")?;
    let address = server.addrs().first().ok_or("the server listens nowhere")?.to_string();
    println!("{}", json!({ "ready": now_ns(), "address": address, "token": token, "job": node.job.id.as_uuid() }));
    Ok(server.run().await?)
}
