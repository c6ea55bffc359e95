//! Horarium as a library, over one database: what the driver and the measures work with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use horarium_domain::execution::{NewExecution, Trigger};
use horarium_domain::job::{CodeExecution, Job, JobSpec, JobType};
use horarium_domain::store::{SharedStore, Signal, TenantStore};
use horarium_domain::tenant::{Tenant, TenantRef};
use horarium_domain::{Clock, IdGenerator, SystemClock, Timestamp};
use horarium_persistence::{DatabaseOptions, DatabaseUrl, SqlStore};
use horarium_scheduler_engine::{Core, Engine, EngineConfig, Executor, Registry, SystemEntropy};
use serde_json::json;

use crate::Failure;

/// Whose job it is, and its name.
pub(crate) const TENANT: &str = "bench";
pub(crate) const JOB: &str = "no-op";

/// How a node works unless it is told otherwise. Attempts that do nothing are over so soon that more at once cost nothing.
const CONCURRENCY: usize = 500;
const CLAIM_BATCH: usize = 500;
const CLAIMERS: usize = 2;
const COMPLETERS: usize = 2;
const HOT_CONNECTIONS: usize = 8;

/// Where the database is, and how a node works on it.
#[derive(Debug, Clone, Args)]
pub(crate) struct Settings {
    /// The PostgreSQL database.
    #[arg(long, env = "DATABASE_URL", hide_env_values = true)]
    pub(crate) database: Option<String>,
    /// The SQLite file, where there is no PostgreSQL database.
    #[arg(long, env = "SQLITE_PATH")]
    pub(crate) sqlite: Option<PathBuf>,
    /// How many attempts run at once.
    #[arg(long, env = "CONCURRENCY", default_value_t = CONCURRENCY)]
    pub(crate) concurrency: usize,
    /// How many executions are claimed at once.
    #[arg(long, env = "CLAIM_BATCH", default_value_t = CLAIM_BATCH)]
    pub(crate) claim_batch: usize,
    /// How many claims are under way at once.
    #[arg(long, env = "CLAIMERS", default_value_t = CLAIMERS)]
    pub(crate) claimers: usize,
    /// How many batches of ends are written at once.
    #[arg(long, env = "COMPLETERS", default_value_t = COMPLETERS)]
    pub(crate) completers: usize,
    /// Connections for accepting, claiming and settling.
    #[arg(long, env = "HOT_CONNECTIONS", default_value_t = HOT_CONNECTIONS)]
    pub(crate) hot_connections: usize,
    /// How many seconds ago everything counts as accepted.
    #[arg(long, default_value_t = 0)]
    pub(crate) accepted_ago: u64,
}

impl Settings {
    /// The defaults, for a PostgreSQL database.
    pub(crate) fn postgres(url: &str) -> Self {
        Self {
            database: Some(url.to_owned()),
            sqlite: None,
            concurrency: CONCURRENCY,
            claim_batch: CLAIM_BATCH,
            claimers: CLAIMERS,
            completers: COMPLETERS,
            hot_connections: HOT_CONNECTIONS,
            accepted_ago: 0,
        }
    }

    /// The defaults, as the environment of a driver.
    pub(crate) fn told() -> Vec<(String, String)> {
        let told = [
            ("CONCURRENCY", CONCURRENCY),
            ("CLAIM_BATCH", CLAIM_BATCH),
            ("CLAIMERS", CLAIMERS),
            ("COMPLETERS", COMPLETERS),
            ("HOT_CONNECTIONS", HOT_CONNECTIONS),
        ];
        told.into_iter().map(|(name, value)| (name.to_owned(), value.to_string())).collect()
    }

    fn url(&self) -> Result<DatabaseUrl, Failure> {
        match (&self.database, &self.sqlite) {
            (Some(url), _) => Ok(url.parse()?),
            (None, Some(path)) => Ok(DatabaseUrl::sqlite_file(path)),
            (None, None) => Err("say where the database is: DATABASE_URL or SQLITE_PATH".into()),
        }
    }

    /// Connects, whatever the schema.
    pub(crate) async fn connect(&self) -> Result<SqlStore, Failure> {
        let options = DatabaseOptions { hot_connections: self.hot_connections, ..DatabaseOptions::default() };
        Ok(SqlStore::connect(&self.url()?, &options).await?)
    }
}

/// A node with the job that does nothing.
pub(crate) struct Node {
    pub(crate) core: Arc<Core>,
    pub(crate) job: Job,
    /// How long ago everything counts as accepted.
    age: Duration,
}

impl Node {
    /// Makes the schema, a tenant and its job.
    pub(crate) async fn prepare(settings: &Settings) -> Result<Arc<Self>, Failure> {
        let store = settings.connect().await?;
        store.migrate().await?;
        let store: SharedStore = Arc::new(store);
        // As the nodes of a database that has been in use do ahead of time.
        store.prepare_history(SystemClock.now() - Duration::from_secs(settings.accepted_ago)).await?;
        let tenant = add_tenant(&store, TENANT).await?;
        let job = add_job(&store, &tenant, JOB).await?;
        Ok(Self::new(store, job, settings))
    }

    /// Of a database that was [prepared](Self::prepare).
    pub(crate) async fn open(settings: &Settings) -> Result<Arc<Self>, Failure> {
        let store: SharedStore = Arc::new(settings.connect().await?);
        let tenant = TenantStore::tenant(store.as_ref(), &TENANT.parse::<TenantRef>()?).await?;
        let job = store.job_by_name(tenant.id, JOB).await?.job;
        Ok(Self::new(store, job, settings))
    }

    fn new(store: SharedStore, job: Job, settings: &Settings) -> Arc<Self> {
        let core = Core::new(store, Arc::new(SystemClock), Arc::new(SystemEntropy));
        Arc::new(Self { core, job, age: Duration::from_secs(settings.accepted_ago) })
    }

    /// Starts the loops of a node that runs `executor`.
    pub(crate) fn work(&self, settings: &Settings, executor: impl Executor) -> Engine {
        let id = self.core.ids.node(self.core.now());
        let config = EngineConfig {
            concurrency: settings.concurrency,
            claim_batch: settings.claim_batch,
            claimers: settings.claimers,
            completers: settings.completers,
            ..EngineConfig::new(id, "bench")
        };
        Engine::start(Arc::clone(&self.core), Registry::new().with(JobType::CodeExecution, executor), config)
    }

    /// An execution to be accepted, by its number and the instant at which the call for it began; 0: nobody asks.
    pub(crate) fn execution(&self, number: u64, called_ns: u64) -> NewExecution {
        execution_of(&self.core, &self.job, json!({ "i": number, "t": called_ns }), self.core.now() - self.age)
    }

    /// Tells other nodes what they were not told yet, before this process ends.
    pub(crate) async fn told_others(&self) -> Result<(), Failure> {
        Ok(self.core.store.publish(Signal::Work).await?)
    }
}

/// An execution of a job, accepted at that time and due ever since.
pub(crate) fn execution_of(core: &Core, job: &Job, payload: serde_json::Value, at: Timestamp) -> NewExecution {
    NewExecution {
        id: core.ids.execution(at),
        tenant_id: job.tenant_id,
        job_id: job.id,
        trigger: Trigger::Api,
        triggered_by: "bench".to_owned(),
        payload: Some(payload),
        queue: job.spec.queue.as_str().to_owned(),
        priority: job.spec.priority,
        scheduled_for: at,
        run_at: at,
        created_at: at,
        retry_parent_id: None,
        unique_key: None,
        concurrency_key: None,
        max_attempts: None,
    }
}

/// Adds a tenant without jobs.
pub(crate) async fn add_tenant(store: &SharedStore, slug: &str) -> Result<Tenant, Failure> {
    let now = SystemClock.now();
    let tenant = Tenant {
        id: IdGenerator::new().tenant(now),
        slug: slug.parse()?,
        name: slug.to_owned(),
        is_active: true,
        created_at: now,
    };
    TenantStore::create_tenant(store.as_ref(), tenant.clone(), Vec::new()).await?;
    Ok(tenant)
}

/// Adds a job without a schedule, whose attempts do nothing.
pub(crate) async fn add_job(store: &SharedStore, tenant: &Tenant, name: &str) -> Result<Job, Failure> {
    let now = SystemClock.now();
    let job = Job::new(IdGenerator::new().job(now), tenant.id, JobSpec::new(name, CodeExecution::of(JOB)), now);
    store.create_job(job.clone(), None).await?;
    Ok(job)
}
