//! apalis on PostgreSQL.

use std::time::Duration;

use apalis::prelude::*;
use apalis_postgres::{Config, PostgresStorage};
use peer_common::{Failure, Payload, Queue, database, drive, handle, ready, setting};
use sqlx::postgres::{PgPool, PgPoolOptions};

struct Apalis(PgPool);

impl Apalis {
    fn storage(&self) -> PostgresStorage<Payload> {
        let config = Config::default().queue("bench").batch_size(setting("BATCH", 5000)).lock_tasks(false);
        PostgresStorage::new(&self.0).with_config(config)
    }
}

async fn bench(job: Payload) -> Result<(), BoxDynError> {
    handle(job);
    Ok(())
}

impl Queue for Apalis {
    async fn setup(&self) -> Result<(), Failure> {
        PostgresStorage::<()>::setup(&self.0).await.map_err(|error| format!("{error:?}").into())
    }

    async fn add(&self, job: Payload) -> Result<(), Failure> {
        self.storage().push(job).await.map_err(|error| format!("{error:?}").into())
    }

    async fn add_many(&self, jobs: Vec<Payload>) -> Result<(), Failure> {
        self.storage().push_bulk(jobs).await.map_err(|error| format!("{error:?}").into())
    }

    async fn work(self) -> Result<(), Failure> {
        let poll = Duration::from_millis(setting("POLL_MS", 20));
        let backend = self.storage().with_pubsub().poll_with_interval(poll);
        let worker = WorkerBuilder::new("bench").backend(backend).concurrency(setting("CONCURRENCY", 5000));
        ready();
        let done = worker.parallelize(tokio::spawn).build(bench).run().await;
        done.map_err(|error| format!("{error:?}").into())
    }
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let pool = PgPoolOptions::new().max_connections(setting("POOL", 10)).connect(&database()?).await?;
    drive(Apalis(pool)).await
}
