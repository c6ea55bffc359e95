//! River for Rust, with the settings of its own benchmark.

use std::convert::Infallible;
use std::time::Duration;

use peer_common::{Failure, Payload, Queue, database, drive, handle, ready, setting};
use riverqueue::migrate::PostgresMigrator;
use riverqueue::{Client, Job, JobArgs, QUEUE_DEFAULT, QueueConfig, WorkContext, WorkOutcome, Worker, Workers};
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgPool, PgPoolOptions};

#[derive(Debug, Clone, Serialize, Deserialize, JobArgs)]
#[river(kind = "bench")]
struct Bench {
    i: u64,
    t: u64,
}

impl From<Payload> for Bench {
    fn from(Payload { i, t }: Payload) -> Self {
        Self { i, t }
    }
}

struct NoOp;

impl Worker<Bench> for NoOp {
    type Error = Infallible;

    fn work(&self, _: WorkContext, job: Job<Bench>) -> impl Future<Output = Result<WorkOutcome, Infallible>> + Send {
        handle(Payload { i: job.args.i, t: job.args.t });
        std::future::ready(Ok(WorkOutcome::Complete))
    }
}

struct River {
    pool: PgPool,
    producer: Client,
}

fn cooldown() -> Duration {
    Duration::from_millis(setting("COOLDOWN_MS", 2))
}

impl Queue for River {
    async fn setup(&self) -> Result<(), Failure> {
        PostgresMigrator::new(self.pool.clone()).migrate_up().await?;
        Ok(())
    }

    async fn add(&self, job: Payload) -> Result<(), Failure> {
        self.producer.insert(Bench::from(job)).await?;
        Ok(())
    }

    async fn add_many(&self, jobs: Vec<Payload>) -> Result<(), Failure> {
        self.producer.insert_many(jobs.into_iter().map(Bench::from)).await?;
        Ok(())
    }

    async fn work(self) -> Result<(), Failure> {
        let mut workers = Workers::new();
        workers.add::<Bench, _>(NoOp)?;
        let queue = QueueConfig::new(setting("CONCURRENCY", 2000))
            .with_fetch_cooldown(cooldown())
            .with_fetch_poll_interval(Duration::from_millis(setting("POLL_MS", 20)));
        let client = Client::builder(self.pool).workers(workers).queue(QUEUE_DEFAULT, queue).build()?;
        let mut running = client.start()?;
        running.wait_ready().await?;
        ready();
        running.wait().await?;
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let pool = PgPoolOptions::new().max_connections(setting("POOL", 50)).connect(&database()?).await?;
    // The producer's cooldown only decides how often it notifies for one queue.
    let producer = Client::builder(pool.clone()).fetch_cooldown(cooldown()).build()?;
    drive(River { pool, producer }).await
}
