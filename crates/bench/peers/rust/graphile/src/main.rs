//! Graphile Worker for Rust, with a local queue and batched completion.

use std::time::Duration;

use graphile_worker::{
    IntoTaskHandlerResult, JobSpec, LocalQueueConfig, RefetchDelayConfig, TaskHandler, WorkerContext, WorkerOptions,
    WorkerUtils,
};
use peer_common::{Failure, Payload, Queue, database, drive, handle, ready, setting};
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgPool, PgPoolOptions};

const SCHEMA: &str = "graphile_worker";

#[derive(Clone, Serialize, Deserialize)]
struct Bench {
    i: u64,
    t: u64,
}

impl From<Payload> for Bench {
    fn from(Payload { i, t }: Payload) -> Self {
        Self { i, t }
    }
}

impl TaskHandler for Bench {
    const IDENTIFIER: &'static str = "bench";

    async fn run(self, _: WorkerContext) -> impl IntoTaskHandlerResult {
        handle(Payload { i: self.i, t: self.t });
        Ok::<(), String>(())
    }
}

struct Graphile {
    pool: PgPool,
    utils: WorkerUtils,
}

impl Queue for Graphile {
    async fn setup(&self) -> Result<(), Failure> {
        let options = WorkerOptions::default().schema(SCHEMA).pg_pool(self.pool.clone()).define_job::<Bench>();
        options.init().await.map(drop).map_err(|error| format!("{error:?}").into())
    }

    async fn add(&self, job: Payload) -> Result<(), Failure> {
        let added = self.utils.add_job(Bench::from(job), JobSpec::default()).await;
        added.map(drop).map_err(|error| format!("{error:?}").into())
    }

    async fn add_many(&self, jobs: Vec<Payload>) -> Result<(), Failure> {
        let spec = JobSpec::default();
        let jobs: Vec<(Bench, &JobSpec)> = jobs.into_iter().map(|job| (Bench::from(job), &spec)).collect();
        self.utils.add_jobs::<Bench>(&jobs).await.map(drop).map_err(|error| format!("{error:?}").into())
    }

    async fn work(self) -> Result<(), Failure> {
        // Without a delay the local queue asks without a pause when it is idle.
        let delay = RefetchDelayConfig::default()
            .with_duration(Duration::from_millis(setting("REFETCH_MS", 100)))
            .with_threshold(10)
            .with_max_abort_threshold(1);
        let local = LocalQueueConfig::default()
            .with_size(setting("LOCAL_QUEUE", 1000))
            .with_queue_count(setting("LOCAL_QUEUES", 2))
            .with_refetch_delay(delay);
        let worker = WorkerOptions::default()
            .schema(SCHEMA)
            .concurrency(setting("CONCURRENCY", 100))
            .poll_interval(Duration::from_secs(1))
            .complete_job_batch_delay(Duration::from_millis(1))
            .local_queue(local)
            .pg_pool(self.pool)
            .define_job::<Bench>()
            .init()
            .await
            .map_err(|error| format!("{error:?}"))?;
        ready();
        worker.run().await.map_err(|error| format!("{error:?}").into())
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let pool = PgPoolOptions::new().max_connections(setting("POOL", 30)).connect(&database()?).await?;
    let utils = WorkerUtils::new(pool.clone(), SCHEMA);
    drive(Graphile { pool, utils }).await
}
