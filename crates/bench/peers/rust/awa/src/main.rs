//! Awa with its queue-storage engine, as its own benchmark sets it up: no deadlines, COPY in bulk.

use std::sync::Arc;
use std::time::Duration;

use awa::{
    AwaError, Client, InsertOpts, JobArgs, JobResult, PartitionedQueue, QueueConfig, QueueStorage, QueueStorageConfig,
};
use peer_common::{Failure, Payload, Queue, database, drive, handle, ready, setting};
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgPool, PgPoolOptions};

#[derive(Debug, Clone, Serialize, Deserialize, JobArgs)]
struct Bench {
    i: u64,
    t: u64,
}

impl From<Payload> for Bench {
    fn from(Payload { i, t }: Payload) -> Self {
        Self { i, t }
    }
}

struct Awa {
    pool: PgPool,
    queue: PartitionedQueue,
    storage: Arc<QueueStorage>,
}

/// Producers that race to be the first of a queue collide, and one of them has to call again.
const TRIES: usize = 50;

impl Awa {
    fn options(&self, job: &Bench) -> InsertOpts {
        self.queue.route_opts_by_index(InsertOpts::default(), job.i as usize)
    }
}

impl Queue for Awa {
    async fn setup(&self) -> Result<(), Failure> {
        awa::migrations::run(&self.pool).await?;
        // What the first worker of a fresh installation does; here producers may come first.
        sqlx::query("select awa.storage_auto_finalize_if_fresh('awa')").execute(&self.pool).await?;
        for queue in self.queue.physical_queues() {
            sqlx::query(
                "insert into awa.queue_meta (queue, enqueue_shards) values ($1, $2)
                 on conflict (queue) do update set enqueue_shards = excluded.enqueue_shards",
            )
            .bind(queue)
            .bind(setting::<i16>("SHARDS", 4))
            .execute(&self.pool)
            .await?;
        }
        Ok(())
    }

    async fn add(&self, job: Payload) -> Result<(), Failure> {
        let job = Bench::from(job);
        for _ in 1..TRIES {
            match awa::insert_with(&self.pool, &job, self.options(&job)).await {
                Err(AwaError::UniqueConflict { .. }) => {}
                result => return Ok(result.map(drop)?),
            }
        }
        Ok(awa::insert_with(&self.pool, &job, self.options(&job)).await.map(drop)?)
    }

    async fn add_many(&self, jobs: Vec<Payload>) -> Result<(), Failure> {
        let parameters = jobs.into_iter().map(Bench::from);
        let parameters: Vec<_> = parameters
            .map(|job| awa::model::insert::params_with(&job, self.options(&job)))
            .collect::<Result<_, _>>()?;
        for _ in 1..TRIES {
            match self.storage.enqueue_params_copy(&self.pool, &parameters).await {
                Err(AwaError::UniqueConflict { .. }) => {}
                result => return Ok(result.map(drop)?),
            }
        }
        Ok(self.storage.enqueue_params_copy(&self.pool, &parameters).await.map(drop)?)
    }

    async fn work(self) -> Result<(), Failure> {
        let rare = Duration::from_secs(300);
        let config = QueueConfig {
            max_workers: setting("CONCURRENCY", 1024),
            claim_batch_size: setting("CLAIM", 512),
            poll_interval: Duration::from_millis(setting("POLL_MS", 50)),
            deadline_duration: Duration::ZERO,
            ..QueueConfig::default()
        };
        let client = Client::builder(self.pool.clone())
            .partitioned_queue(&self.queue, config)
            .queue_stats_interval(rare)
            .runtime_snapshot_interval(rare)
            .queue_storage(QueueStorageConfig::default(), Duration::from_secs(1), Duration::from_secs(1))
            .register::<Bench, _, _>(|job: Bench, _| async move {
                handle(Payload { i: job.i, t: job.t });
                Ok(JobResult::Completed)
            })
            .build()?;
        client.start().await?;
        ready();
        std::future::pending().await
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let pool = PgPoolOptions::new().max_connections(setting("POOL", 40)).connect(&database()?).await?;
    let queue = PartitionedQueue::new("bench", 1)?;
    let storage = Arc::new(QueueStorage::new(QueueStorageConfig::default())?);
    drive(Awa { pool, queue, storage }).await
}
