//! A day in the life of an organization: jobs of all kinds in all states, for the tests of every page and for pictures.

mod habits;
mod past;

use std::time::Duration;

use horarium_domain::{Clock, SystemClock};
use past::Past;
use serde_json::{Value, json};

use crate::support::{Agent, Manner, Outside, Site, Tenant};

/// How far the pictures are that are being made, in percent.
const PROGRESS: u8 = 60;

/// How many mails wait.
const MAILS: u32 = 1240;

const fn minutes(minutes: u64) -> Duration {
    Duration::from_mins(minutes)
}

/// They, on a server of their own, and what the addresses of pages are made of.
pub(crate) struct Samples {
    pub(crate) site: Site,
    pub(crate) key: String,
    /// A job with a schedule and a history.
    pub(crate) job: String,
    pub(crate) succeeded: String,
    pub(crate) failed: String,
    pub(crate) running: String,
    /// An execution on several hosts, one of which is dead, and one failed at it.
    pub(crate) broadcast: String,
    /// A queue that is paused.
    pub(crate) queue: String,
    /// The host of an agent.
    pub(crate) agent: String,
    /// They go on for as long as this.
    pub(crate) _agents: Vec<Agent>,
}

impl Samples {
    /// Makes them, the past in the database and the rest through the API, and waits until all is as it is to be shown.
    pub(crate) async fn make() -> Self {
        let mut wrote = None;
        let site = Site::start_after(async |home, outside: &str| {
            let database = home.path("acme.db");
            let past = Past::write(&database, outside).await;
            let running = past.still_runs("thumbnails", Duration::from_secs(41), Some(PROGRESS)).await;
            past.still_runs("search-index", minutes(3), None).await;
            past.waits("order-emails", MAILS, minutes(52), minutes(8)).await;
            let (succeeded, failed) = (past.latest("nightly-report"), past.latest("sync-orders"));
            wrote = Some((past.job("nightly-report"), succeeded, failed, running));
            home.with("HORARIUM_DATABASE_URL", format!("sqlite://{}", database.display()))
                .with("HORARIUM_BROADCAST_TIMEOUT_SECONDS", "1")
        })
        .await;
        let (job, succeeded, failed, running) = wrote.unwrap();
        let tenant = site.tenant("acme").await;
        let agents = agents(&tenant).await;
        let broadcast = tenant.broadcast("service.restart.do").await;
        tenant.wait().await;
        tenant.integrate().await;
        tenant.keep_keys().await;
        tenant.reaches(&broadcast, "Failed").await;
        let key = tenant.key;
        Self {
            site,
            key,
            job: job.to_string(),
            succeeded: succeeded.to_string(),
            failed: failed.to_string(),
            running: running.to_string(),
            broadcast,
            queue: "mail".to_owned(),
            agent: "web-1".to_owned(),
            _agents: agents,
        }
    }
}

async fn agents(tenant: &Tenant<'_>) -> Vec<Agent> {
    let mut agents = Vec::new();
    for (hostname, manner) in [
        ("web-1", Manner::Willing),
        ("web-2", Manner::Willing),
        ("web-3", Manner::Dead),
        ("cache-1", Manner::Willing),
        ("db-1", Manner::Clumsy),
        ("db-2", Manner::Willing),
    ] {
        agents.push(Agent::start(tenant, hostname, manner).await);
    }
    tenant.post("/api/v1/agents/db-2/drain", json!({})).await;
    agents
}

impl Tenant<'_> {
    /// What waits: for the one that runs to be over, for a time to come; and one that was cancelled.
    async fn wait(&self) {
        self.put("/api/v1/queues/reports", json!({"maxConcurrency": 1, "maxLength": 500, "rateLimitPerSecond": 5}))
            .await;
        let quarter = self.job(
            "quarterly-report",
            Outside::Slow,
            json!({
                "queue": "reports", "tags": ["finance"], "description": "What the supervisory board is shown.",
            }),
        );
        let quarter = quarter.await;
        for _ in 0..4 {
            self.trigger(&quarter).await;
        }
        let cancelled = self.trigger(&quarter).await;
        self.post(&format!("/api/v1/scheduler/executions/{cancelled}/cancel"), json!({})).await;
        let next_week = SystemClock.now().floor_to(Duration::from_hours(1)) + Duration::from_hours(9 * 24);
        let campaign = json!({
            "scheduleType": "OneTime", "runAt": next_week.to_string(), "tags": ["shop"],
            "description": "Prices of the winter sale.",
        });
        self.job("price-campaign", Outside::Fine, campaign).await;
    }

    /// Integrations, as /settings/integrations counts them: one that is done, one that failed.
    async fn integrate(&self) {
        for (kind, outside, ends) in [
            ("whatsapp", Outside::Fine, "Succeeded"),
            ("meta_spend", Outside::Broken, "Failed"),
            ("google_ads", Outside::Fine, "Succeeded"),
        ] {
            self.job(kind, outside, json!({"group": "integration", "retryPolicy": {"maxAttempts": 1}})).await;
            let submitted: Value = self.post("/api/integrations/jobs", json!({"kind": kind, "payload": {}})).await;
            self.reaches(submitted["id"].as_str().unwrap(), ends).await;
        }
    }

    /// Keys of programs: one that expires, one that was revoked.
    async fn keep_keys(&self) {
        let deploys = json!({"name": "ci", "scopes": ["jobs:read", "jobs:write"], "expiresAt": "2099-12-31T00:00:00Z"});
        self.post("/api/v1/keys", deploys).await;
        let old = self.post("/api/v1/keys", json!({"name": "old importer", "scopes": ["jobs:read"]})).await;
        self.delete(&format!("/api/v1/keys/{}", old["id"].as_str().unwrap())).await;
    }
}
