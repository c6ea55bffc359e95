//! A day in the life of an organization: jobs of all kinds in all states, for the tests of every page and for pictures.

use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Agent, Manner, Outside, Site, Tenant};

/// How often the jobs that run well have run.
const RUNS: usize = 4;
/// How often the job that fails has failed: enough to be among those that fail repeatedly.
const FAILURES: usize = 5;

/// How far the job that compresses four files comes before the large one, in percent.
const PROGRESS: u8 = 75;

/// They, on a server of their own, and what the addresses of pages are made of.
pub(crate) struct Samples {
    pub(crate) site: Site,
    pub(crate) key: String,
    /// A job with a schedule and a history.
    pub(crate) job: String,
    pub(crate) succeeded: String,
    pub(crate) failed: String,
    pub(crate) running: String,
    /// An execution on several hosts, one of which is dead.
    pub(crate) broadcast: String,
    /// A queue that is paused.
    pub(crate) queue: String,
    /// The host of an agent.
    pub(crate) agent: String,
    /// They go on for as long as this.
    pub(crate) _agents: Vec<Agent>,
}

impl Samples {
    /// Makes them, through the API alone, and waits until all is as it is to be shown.
    pub(crate) async fn make() -> Self {
        let site = Site::start_with(|home| {
            let files = home.path("files");
            std::fs::create_dir(&files).unwrap();
            home.with("HORARIUM_FILE_ROOTS", files.display().to_string())
                .with("HORARIUM_BROADCAST_TIMEOUT_SECONDS", "1")
                .with("HORARIUM_LEASE_SECONDS", "5") // progress comes with the heartbeats, three in a lease
        })
        .await;
        let tenant = site.tenant("acme").await;
        let agents = agents(&tenant).await;
        let broadcast = tenant.broadcast("service.restart.do").await;
        let running = run_long(&tenant, &site.path("files")).await;
        let (job, succeeded) = run_well(&tenant).await;
        let failed = run_badly(&tenant).await;
        wait(&tenant).await;
        integrate(&tenant).await;
        tenant.reaches(&broadcast, "Failed").await;
        tenant.shows(&running, "progress", |progress| *progress == PROGRESS).await;
        let key = tenant.key;
        let (queue, agent) = ("reports".to_owned(), "web-1".to_owned());
        Self { site, key, job, succeeded, failed, running, broadcast, queue, agent, _agents: agents }
    }
}

async fn agents(tenant: &Tenant<'_>) -> Vec<Agent> {
    let mut agents = Vec::new();
    for (hostname, manner) in [
        ("web-1", Manner::Willing),
        ("web-2", Manner::Willing),
        ("web-3", Manner::Dead),
        ("db-1", Manner::Clumsy),
        ("db-2", Manner::Willing),
    ] {
        agents.push(Agent::start(tenant, hostname, manner).await);
    }
    tenant.post("/api/v1/agents/db-2/drain", json!({})).await;
    agents
}

/// Jobs whose executions succeed, one of them at first only at the second try; gives the last job and execution.
async fn run_well(tenant: &Tenant<'_>) -> (String, String) {
    let rates = json!({"scheduleType": "Interval", "intervalSeconds": 900, "tags": ["finance"]});
    let stock = json!({
        "scheduleType": "Cron", "scheduleExpression": "*/5 8-18 * * 1-5", "timezone": "America/New_York",
        "retryPolicy": {"maxAttempts": 3, "delaySeconds": 0}, "queue": "warehouse",
    });
    let ledger = json!({
        "description": "Writes the day's bookings for the tax office.",
        "scheduleType": "Cron", "scheduleExpression": "30 2 * * *", "timezone": "Europe/Berlin",
        "retryPolicy": {"maxAttempts": 4, "delaySeconds": 60}, "concurrencyPolicy": "Forbid",
        "tags": ["finance", "nightly"],
    });
    let mut last = (String::new(), String::new());
    for (name, outside, members) in [
        ("exchange-rates", Outside::Fine, rates),
        ("stock-sync", Outside::BrokenOnce, stock),
        ("ledger-export", Outside::Fine, ledger),
    ] {
        let job = tenant.job(name, outside, members).await;
        for _ in 0..RUNS {
            let execution = tenant.trigger(&job).await;
            tenant.reaches(&execution, "Succeeded").await;
            last = (job.clone(), execution);
        }
    }
    last
}

/// A job that fails again and again; gives its last execution.
async fn run_badly(tenant: &Tenant<'_>) -> String {
    let schedule = json!({"scheduleType": "Cron", "scheduleExpression": "0 9 * * 1", "tags": ["customers"]});
    let job = tenant.job("invoice-mailer", Outside::Broken, schedule).await;
    let mut execution = String::new();
    for _ in 0..FAILURES {
        execution = tenant.trigger(&job).await;
        tenant.reaches(&execution, "Failed").await;
    }
    execution
}

/// What runs now: a call that is not answered, and files being compressed, of which the last is large; gives the latter.
async fn run_long(tenant: &Tenant<'_>, files: &Path) -> String {
    for (number, bytes) in [(1, 100), (2, 100), (3, 100), (4, 8 << 30)] {
        let file = std::fs::File::create(files.join(format!("access-{number}.log"))).unwrap();
        file.set_len(bytes).unwrap(); // takes no room on the disk
    }
    let index = tenant.job("search-index", Outside::Slow, json!({"timeoutSeconds": 3600})).await;
    let index = tenant.trigger(&index).await;
    let compress = tenant
        .post(
            "/api/v1/scheduler/jobs",
            json!({
                "name": "log-rotation", "jobType": "FileOperation", "tags": ["nightly"],
                "jobConfiguration": {"operation": "compress", "sourcePath": files.join("*.log")},
                "scheduleType": "Cron", "scheduleExpression": "@daily", "timezone": "Europe/Berlin",
            }),
        )
        .await;
    let compress = tenant.trigger(compress["id"].as_str().unwrap()).await;
    tenant.reaches(&index, "Running").await;
    compress
}

/// What does not run: in a queue that is paused, at a time to come, of a job that is on hold, cancelled.
async fn wait(tenant: &Tenant<'_>) {
    tenant.put("/api/v1/queues/reports", json!({"paused": true, "maxConcurrency": 2, "maxLength": 500})).await;
    let report = tenant.job("quarterly-report", Outside::Fine, json!({"queue": "reports"})).await;
    for _ in 0..3 {
        tenant.trigger(&report).await;
    }
    let cancelled = tenant.trigger(&report).await;
    tenant.post(&format!("/api/v1/scheduler/executions/{cancelled}/cancel"), json!({})).await;
    tenant
        .job("price-campaign", Outside::Fine, json!({"scheduleType": "OneTime", "runAt": "2099-12-01T07:00:00Z"}))
        .await;
    let held = json!({"scheduleType": "Interval", "intervalSeconds": 3600, "queue": "warehouse"});
    let held = tenant.job("newsletter", Outside::Fine, held).await;
    tenant.post(&format!("/api/v1/scheduler/jobs/{held}/pause"), json!({})).await;
}

/// Integrations, as /settings/integrations counts them: one that is done, one that failed.
async fn integrate(tenant: &Tenant<'_>) {
    for (kind, outside, ends) in [("whatsapp", Outside::Fine, "Succeeded"), ("meta_spend", Outside::Broken, "Failed")] {
        tenant.job(kind, outside, json!({"group": "integration", "retryPolicy": {"maxAttempts": 1}})).await;
        let submitted: Value = tenant.post("/api/integrations/jobs", json!({"kind": kind, "payload": {}})).await;
        tenant.reaches(submitted["id"].as_str().unwrap(), ends).await;
    }
}
