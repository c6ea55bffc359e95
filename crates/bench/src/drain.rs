//! Draining a backlog through the engine, whole: planner, promoter, heart and reaper running, tenants, limits, fences,
//! counters and rollups kept, history kept. The handler does nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use horarium_domain::execution::{NewExecution, Trigger};
use horarium_domain::job::{CodeExecution, Job, JobSpec, JobType, QueueName};
use horarium_domain::store::{SharedStore, TenantStore};
use horarium_domain::tenant::Tenant;
use horarium_domain::{Clock, Entropy, IdGenerator, SystemClock, TenantId};
use horarium_persistence::{DatabaseOptions, DatabaseUrl, SqlStore};
use horarium_scheduler_engine::{Core, Engine, EngineConfig, Executor, Outcome, Registry, Run};
use serde_json::json;
use tokio::sync::Notify;
use tokio_postgres::NoTls;

use crate::report::{Line, Section};
use crate::{Failure, ceiling};

/// How long ago the executions of an old backlog were accepted: long enough that each end is noted for the listings of
/// what changed lately, as those of a moment ago are not.
const OLD: Duration = Duration::from_hours(1);

/// Attempts at once, and claimed at once: what the yardstick uses.
const BATCH: usize = 500;

/// Counts, and tells when the last one has come.
#[derive(Clone)]
struct NoOp {
    left: Arc<AtomicUsize>,
    done: Arc<Notify>,
}

#[async_trait]
impl Executor for NoOp {
    async fn execute(&self, _: Run) -> Outcome {
        if self.left.fetch_sub(1, Ordering::Relaxed) == 1 {
            self.done.notify_one();
        }
        Outcome::succeeded()
    }
}

struct NoChance;

impl Entropy for NoChance {
    fn unit(&self) -> f64 {
        0.5
    }

    fn secret(&self) -> [u8; 32] {
        [0; 32]
    }
}

/// On PostgreSQL, beside hand-written SQL on the same server, in turn.
pub(crate) async fn postgres(server: &str, count: usize, rounds: usize) -> Result<Section, Failure> {
    let (mut engine, mut old, mut yardstick) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let name = format!("horarium_bench_{}_{round}", std::process::id());
        let url = create_database(server, &name).await?;
        yardstick.push(ceiling::drain(&url, count).await?);
        engine.push(drain(&url, count, Duration::ZERO).await?);
        drop_database(server, &name).await?;
        let url = create_database(server, &name).await?;
        old.push(drain(&url, count, OLD).await?);
        drop_database(server, &name).await?;
        eprintln!(
            "round {}: yardstick {:.0}/s, engine {:.0}/s, of an hour ago {:.0}/s",
            round + 1,
            yardstick[round],
            engine[round],
            old[round]
        );
    }
    Ok(Section {
        title: "Draining a backlog on PostgreSQL (claim + no-op + complete, history kept)",
        note: "The yardstick is hand-written SQL in the same shape on the same server, without tenants, limits, fences, \
               counters or rollups.",
        lines: vec![
            Line { what: "yardstick".to_owned(), unit: "/s", samples: yardstick.clone(), yardstick: None },
            Line { what: "engine".to_owned(), unit: "/s", samples: engine, yardstick: Some(yardstick.clone()) },
            Line {
                what: "engine, accepted an hour ago".to_owned(),
                unit: "/s",
                samples: old,
                yardstick: Some(yardstick),
            },
        ],
    })
}

/// On SQLite, at full durability.
pub(crate) async fn sqlite(count: usize, rounds: usize) -> Result<Section, Failure> {
    let mut engine = Vec::new();
    for round in 0..rounds {
        let folder = tempfile::tempdir()?;
        let url = format!("sqlite://{}", folder.path().join("bench.db").display());
        engine.push(drain(&url, count, Duration::ZERO).await?);
        eprintln!("round {}: SQLite {:.0}/s", round + 1, engine[round]);
    }
    Ok(Section {
        title: "Draining a backlog on SQLite (WAL, synchronous=FULL)",
        note: "The same work, in one process.",
        lines: vec![Line { what: "engine".to_owned(), unit: "/s", samples: engine, yardstick: None }],
    })
}

/// Fills a fresh store with executions accepted that long ago and drains it; executions per second, from the engine's
/// start to the last end's commit.
async fn drain(url: &str, count: usize, age: Duration) -> Result<f64, Failure> {
    let url: DatabaseUrl = url.parse()?;
    let store = SqlStore::connect(&url, &DatabaseOptions::default()).await?;
    store.migrate().await?;
    let store: SharedStore = Arc::new(store);
    let (ids, clock) = (IdGenerator::new(), SystemClock);
    let job = prepare(&store, &ids).await?;
    for start in (0..count).step_by(1000) {
        let accepted = clock.now() - age;
        let batch = (start..count.min(start + 1000))
            .map(|_| NewExecution {
                id: ids.execution(accepted),
                tenant_id: job.tenant_id,
                job_id: job.id,
                trigger: Trigger::Api,
                triggered_by: "benchmark".to_owned(),
                payload: Some(json!({ "n": 1 })),
                queue: QueueName::DEFAULT.to_owned(),
                priority: 0,
                scheduled_for: accepted,
                run_at: accepted,
                created_at: accepted,
                retry_parent_id: None,
                unique_key: None,
                concurrency_key: None,
                max_attempts: None,
            })
            .collect();
        store.enqueue(batch).await?;
    }

    let no_op = NoOp { left: Arc::new(AtomicUsize::new(count)), done: Arc::new(Notify::new()) };
    let registry = Registry::new().with(JobType::CodeExecution, no_op.clone());
    let core = Core::new(Arc::clone(&store), Arc::new(clock), Arc::new(NoChance));
    let now = clock.now();
    let config = EngineConfig { concurrency: BATCH, claim_batch: BATCH, ..EngineConfig::new(ids.node(now), "bench") };
    let start = Instant::now();
    let engine = Engine::start(core, registry, config);
    no_op.done.notified().await;
    // The last handler has ended; its end is durable once nothing is queued or running any more.
    while store.queue_totals(clock.now()).await?.1 > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let seconds = start.elapsed().as_secs_f64();
    engine.shutdown().await;
    Ok(count as f64 / seconds)
}

async fn prepare(store: &SharedStore, ids: &IdGenerator) -> Result<Job, Failure> {
    let now = SystemClock.now();
    let tenant: TenantId = ids.tenant(now);
    let row =
        Tenant { id: tenant, slug: "bench".parse()?, name: "Benchmark".to_owned(), is_active: true, created_at: now };
    TenantStore::create_tenant(store.as_ref(), row, Vec::new()).await?;
    let job = Job::new(ids.job(now), tenant, JobSpec::new("no-op", CodeExecution::of("no-op")), now);
    store.create_job(job.clone(), None).await?;
    Ok(job)
}

/// Makes a database on the server and answers its address.
pub(crate) async fn create_database(server: &str, name: &str) -> Result<String, Failure> {
    let (client, connection) = tokio_postgres::connect(server, NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute(&format!("create database {name}")).await?;
    // postgres://user@host:port/database?options: only the database's name changes.
    let (rest, options) = server.split_once('?').map_or((server, None), |(rest, options)| (rest, Some(options)));
    let (scheme, rest) = rest.split_once("://").ok_or("the server's address has no scheme")?;
    let host = rest.split('/').next().unwrap_or(rest);
    Ok(format!("{scheme}://{host}/{name}{}", options.map_or_else(String::new, |options| format!("?{options}"))))
}

/// Removes it again.
pub(crate) async fn drop_database(server: &str, name: &str) -> Result<(), Failure> {
    let (client, connection) = tokio_postgres::connect(server, NoTls).await?;
    tokio::spawn(connection);
    client.batch_execute(&format!("drop database {name} with (force)")).await?;
    Ok(())
}
