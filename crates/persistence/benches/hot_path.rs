//! How fast executions are accepted, claimed and settled, beside SQL written by hand for nothing else.
//!
//!     cargo bench -p horarium-persistence --bench hot_path -- [--postgres URL] [--executions N] [--payload BYTES]
//!
//! SQLite is always measured, in a temp folder; PostgreSQL when a URL is given (or `HORARIUM_TEST_POSTGRES_URL` is set),
//! in a database made for it. The yardstick runs in the same database and the same minute, so that its figures and the
//! store's compare on any machine: two tables with the indexes that claiming needs and no others, a fence, and none of
//! the rest (no tenants, limits, counters, rollups, events).
#![allow(clippy::unwrap_used, clippy::expect_used)] // a benchmark that cannot go on has failed

#[path = "../tests/common/fixtures.rs"]
#[allow(dead_code)] // tests use the rest
mod fixtures;

use std::sync::Arc;
use std::time::{Duration, Instant};

use fixtures::{NOW, job, tenant};
use horarium_domain::execution::{ExecutionState, Lifecycle, NewExecution, Output, Trigger};
use horarium_domain::job::Job;
use horarium_domain::store::{ClaimRequest, Claimed, Decision, ExecutionQueue, Settled, Settlement, TenantStore};
use horarium_domain::tenant::Tenant;
use horarium_domain::{IdGenerator, NodeId, Timestamp};
use horarium_persistence::{DatabaseOptions, DatabaseUrl, SqlStore};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, NoTls, Statement};
use uuid::Uuid;

/// Executions claimed and settled at once.
const BATCH: usize = 500;
/// Executions accepted at once.
const ACCEPTED_AT_ONCE: usize = 1000;

struct Settings {
    postgres: Option<String>,
    executions: usize,
    payload: usize,
}

impl Settings {
    fn read() -> Self {
        let mut settings =
            Self { postgres: std::env::var("HORARIUM_TEST_POSTGRES_URL").ok(), executions: 40_000, payload: 100 };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} needs a value"));
            match argument.as_str() {
                "--postgres" => settings.postgres = Some(value()),
                "--executions" => settings.executions = value().parse().expect("--executions is a number"),
                "--payload" => settings.payload = value().parse().expect("--payload is a number"),
                // cargo passes it to every benchmark.
                "--bench" => {}
                other => panic!("unknown argument {other}: --postgres URL, --executions N, --payload BYTES"),
            }
        }
        settings
    }
}

fn main() {
    let settings = Settings::read();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    println!(
        "{} executions with {} bytes of payload; claimed and settled {BATCH} at a time, the next batch claimed \
         meanwhile; accepted {ACCEPTED_AT_ONCE} at a time",
        settings.executions, settings.payload
    );
    runtime.block_on(async {
        on_sqlite(&settings).await;
        match &settings.postgres {
            Some(server) => on_postgres(server, &settings).await,
            None => println!("PostgreSQL: not measured; --postgres URL names a server"),
        }
    });
}

async fn on_sqlite(settings: &Settings) {
    let folder = tempfile::tempdir().unwrap();
    let url = DatabaseUrl::sqlite_file(&folder.path().join("bench.db"));
    let store = Arc::new(SqlStore::connect(&url, &DatabaseOptions::default()).await.unwrap());
    store.migrate().await.unwrap();
    println!("\nSQLite (WAL, synchronous=FULL)");
    measure(&store, settings, None).await;
}

async fn on_postgres(server: &str, settings: &Settings) {
    let name = format!("horarium_bench_{}", std::process::id());
    let (address, parameters) = server.split_once('?').map_or((server, ""), |(a, p)| (a, p));
    let (host, _) = address.rsplit_once('/').expect("the URL ends in /database");
    let url = format!("{host}/{name}?{parameters}");
    let admin = connect(server).await;
    admin.batch_execute(&format!("create database {name}")).await.unwrap();

    let client = connect(&url).await;
    let version: String = client.query_one("show server_version", &[]).await.unwrap().get(0);
    println!("\nPostgreSQL {version}");
    let yardstick = Yardstick::new(&url, client).await;
    let reference = yardstick.run(settings).await;
    println!("  {:<44}{:>9.0}/s", "hand-written SQL: accept", reference.0);
    println!("  {:<44}{:>9.0}/s", "hand-written SQL: claim and complete", reference.1);
    drop(yardstick);

    let parsed: DatabaseUrl = url.parse().unwrap();
    let store = Arc::new(SqlStore::connect(&parsed, &DatabaseOptions::default()).await.unwrap());
    store.migrate().await.unwrap();
    measure(&store, settings, Some(reference)).await;
    drop(store);
    admin.batch_execute(&format!("drop database {name} with (force)")).await.unwrap();
}

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("the server answers");
    tokio::spawn(connection);
    client
}

async fn measure(store: &Arc<SqlStore>, settings: &Settings, yardstick: Option<(f64, f64)>) {
    let world = World::new(store, settings).await;
    let against =
        |of: f64, reference: Option<f64>| reference.map_or_else(String::new, |r| format!("  {:.2} of it", of / r));

    let accepted = world.accept(store, settings.executions).await;
    println!("  {:<44}{accepted:>9.0}/s{}", "accept", against(accepted, yardstick.map(|y| y.0)));
    let run = drain(store, settings.executions).await;
    let reference = against(run.rate, yardstick.map(|y| y.1));
    println!("  {:<44}{:>9.0}/s{reference}", "claim and settle", run.rate);
    println!(
        "  {:<44}{:>9.1} ms and {:.1} ms",
        "  half of the claims and settlements within", run.claim_ms, run.settle_ms
    );

    let started = Instant::now();
    tokio::join!(world.accept(store, settings.executions), drain(store, settings.executions));
    let rate = settings.executions as f64 / started.elapsed().as_secs_f64();
    println!("  {:<44}{rate:>9.0}/s", "accept, claim and settle at once");

    for callers in [8, 64] {
        let rate = world.accept_one_by_one(store, settings.executions / 10, callers).await;
        println!("  {:<44}{rate:>9.0}/s", format!("accept one at a time, {callers} callers"));
    }
}

/// What is accepted: executions of a few jobs of a few tenants.
struct World {
    jobs: Vec<Job>,
    ids: IdGenerator,
    payload: serde_json::Value,
}

impl World {
    async fn new(store: &Arc<SqlStore>, settings: &Settings) -> Arc<Self> {
        let mut jobs = Vec::new();
        for number in 0..3 {
            let owner: Tenant = tenant(&format!("tenant-{number}"));
            let of_tenant: Vec<_> = (0..5).map(|n| job(&owner, &format!("job-{n}"))).collect();
            jobs.extend(of_tenant.iter().cloned());
            store.create_tenant(owner, of_tenant.into_iter().map(|job| (job, None)).collect()).await.unwrap();
        }
        let payload = serde_json::json!({ "text": "x".repeat(settings.payload.saturating_sub(11)) });
        Arc::new(Self { jobs, ids: IdGenerator::new(), payload })
    }

    fn batch(&self, count: usize) -> Vec<NewExecution> {
        (0..count)
            .map(|n| {
                let job = &self.jobs[n % self.jobs.len()];
                NewExecution {
                    id: self.ids.execution(NOW),
                    tenant_id: job.tenant_id,
                    job_id: job.id,
                    trigger: Trigger::Api,
                    triggered_by: "bench".to_owned(),
                    payload: Some(self.payload.clone()),
                    queue: "default".to_owned(),
                    priority: 0,
                    scheduled_for: NOW,
                    run_at: NOW,
                    created_at: NOW,
                    retry_parent_id: None,
                    unique_key: None,
                    concurrency_key: None,
                    max_attempts: None,
                }
            })
            .collect()
    }

    /// Accepts in batches; answers the rate.
    async fn accept(&self, store: &Arc<SqlStore>, executions: usize) -> f64 {
        let started = Instant::now();
        for _ in 0..executions / ACCEPTED_AT_ONCE {
            store.enqueue(self.batch(ACCEPTED_AT_ONCE)).await.unwrap();
        }
        executions as f64 / started.elapsed().as_secs_f64()
    }

    async fn accept_one_by_one(self: &Arc<Self>, store: &Arc<SqlStore>, executions: usize, callers: usize) -> f64 {
        let started = Instant::now();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..callers {
            let (world, store) = (Arc::clone(self), Arc::clone(store));
            tasks.spawn(async move {
                for _ in 0..executions / callers {
                    store.enqueue(world.batch(1)).await.unwrap();
                }
            });
        }
        tasks.join_all().await;
        executions as f64 / started.elapsed().as_secs_f64()
    }
}

struct Run {
    rate: f64,
    claim_ms: f64,
    settle_ms: f64,
}

/// Claims and settles until this many are done.
async fn drain(store: &Arc<SqlStore>, executions: usize) -> Run {
    let node = NodeId::from_uuid(Uuid::from_u128(1));
    let claim = |store: Arc<SqlStore>| {
        tokio::spawn(async move {
            let lease_until = NOW + Duration::from_secs(30);
            let request = ClaimRequest { node, worker: "bench".to_owned(), limit: BATCH, now: NOW, lease_until };
            let started = Instant::now();
            let claimed = store.claim(&request).await.unwrap();
            (claimed, started.elapsed())
        })
    };
    let (mut claims, mut settlements) = (Vec::new(), Vec::new());
    let started = Instant::now();
    let mut next = claim(Arc::clone(store));
    let mut done = 0;
    while done < executions {
        let (claimed, took) = next.await.unwrap();
        next = claim(Arc::clone(store));
        if claimed.is_empty() {
            // The engine waits for a wake; a claimer that spins would measure itself.
            tokio::time::sleep(Duration::from_millis(1)).await;
            continue;
        }
        claims.push(took);
        done += claimed.len();
        let batch: Vec<Settlement> = claimed.iter().map(succeeded).collect();
        let settling = Instant::now();
        let settled = store.settle(batch).await.unwrap();
        settlements.push(settling.elapsed());
        assert!(settled.iter().all(|one| *one == Settled::Applied));
    }
    let rate = done as f64 / started.elapsed().as_secs_f64();
    // The one that was claimed ahead finds nothing, or leaves what it finds to the next measurement's end.
    next.await.unwrap();
    Run { rate, claim_ms: median(claims), settle_ms: median(settlements) }
}

fn succeeded(claimed: &Claimed) -> Settlement {
    // What a handler that does next to nothing takes.
    let ended_at = NOW + Duration::from_millis(claimed.lease.execution_id.as_uuid().as_u128() as u64 % 4);
    Settlement {
        lease: claimed.lease,
        tenant_id: claimed.tenant_id,
        job_id: claimed.job_id,
        next: Lifecycle { state: ExecutionState::Succeeded, ..claimed.lifecycle },
        worker: "bench".to_owned(),
        started_at: NOW,
        ended_at,
        decision: Decision::Finish {
            state: ExecutionState::Succeeded,
            output: Some(Output { text: "done".to_owned(), truncated: false }),
            error: None,
            items_processed: None,
            partial: false,
        },
        event: None,
        only_if_expired_at: None,
    }
}

fn median(mut times: Vec<Duration>) -> f64 {
    times.sort_unstable();
    times.get(times.len() / 2).map_or(0.0, |time| time.as_secs_f64() * 1000.0)
}

/// The same work by hand, and only that.
struct Yardstick {
    claimer: Client,
    completer: Client,
    claim: Statement,
    complete: Statement,
    insert: Statement,
}

impl Yardstick {
    async fn new(url: &str, completer: Client) -> Self {
        completer
            .batch_execute(
                "create table y_executions (id uuid primary key, tenant_id uuid not null, job_id uuid not null,
                    payload jsonb, state int2 not null default 0, created_at timestamptz not null default now(),
                    started_at timestamptz, completed_at timestamptz, attempt int2 not null default 0, output text
                 ) with (fillfactor = 50);
                 create index on y_executions (job_id, id);
                 create index on y_executions (tenant_id, id);
                 create table y_queue (id uuid primary key, tenant_id uuid not null, state int2 not null default 0,
                    priority int2 not null default 0, attempt int2 not null default 0,
                    run_at timestamptz not null default now(), lease_until timestamptz
                 ) with (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_cost_delay = 0);
                 create index on y_queue (priority desc, run_at) where state = 0;
                 create index on y_queue (lease_until) where state = 1;",
            )
            .await
            .unwrap();
        let claimer = connect(url).await;
        let settings = "set plan_cache_mode = force_generic_plan; set enable_seqscan = off;
            set enable_hashjoin = off; set enable_mergejoin = off; set jit = off";
        claimer.batch_execute(settings).await.unwrap();
        completer.batch_execute(settings).await.unwrap();
        let claim = claimer.prepare(
            "with c as (
                update y_queue q set state = 1, attempt = q.attempt + 1, lease_until = now() + interval '30 s'
                where q.id = any(array(
                    select x.id from y_queue x where x.state = 0 and x.run_at <= now()
                    order by x.priority desc, x.run_at limit $1 for update skip locked
                )) returning q.id, q.attempt
             ) select c.id, c.attempt, e.tenant_id, e.job_id, e.payload from c join y_executions e on e.id = c.id",
        );
        let claim = claim.await.unwrap();
        let complete = completer.prepare(
            "with d as (
                delete from y_queue q using unnest($1::uuid[], $2::int2[]) d (id, attempt)
                where q.id = d.id and q.attempt = d.attempt and q.state + 0 = 1 returning d.*
             )
             update y_executions e set state = 2, attempt = d.attempt, started_at = now(), completed_at = now(),
                output = 'done' from d where e.id = d.id returning e.id",
        );
        let complete = complete.await.unwrap();
        let insert = completer.prepare(
            "with b as materialized (
                select * from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::jsonb[]) b (id, tenant_id, job_id, payload)
             ), q as (insert into y_queue (id, tenant_id) select id, tenant_id from b)
             insert into y_executions (id, tenant_id, job_id, payload) select * from b",
        );
        let insert = insert.await.unwrap();
        Self { claimer, completer, claim, complete, insert }
    }

    /// Rates of accepting, and of claiming and completing.
    async fn run(&self, settings: &Settings) -> (f64, f64) {
        let ids = IdGenerator::new();
        let payload = serde_json::json!({ "text": "x".repeat(settings.payload.saturating_sub(11)) });
        let at = Timestamp::from_seconds(1_760_000_000);
        let started = Instant::now();
        for _ in 0..settings.executions / ACCEPTED_AT_ONCE {
            let batch: Vec<Uuid> = (0..ACCEPTED_AT_ONCE).map(|_| ids.uuid(at)).collect();
            let owners: Vec<Uuid> = (0..ACCEPTED_AT_ONCE).map(|n| Uuid::from_u128(n as u128 % 15)).collect();
            let payloads = vec![&payload; ACCEPTED_AT_ONCE];
            self.completer.execute(&self.insert, &[&batch, &owners, &owners, &payloads]).await.unwrap();
        }
        let accepted = settings.executions as f64 / started.elapsed().as_secs_f64();

        let started = Instant::now();
        let limit = BATCH as i64;
        let mut claimed = self.claimer.query(&self.claim, &[&limit]).await.unwrap();
        let mut done = 0;
        while !claimed.is_empty() {
            done += claimed.len();
            let ids: Vec<Uuid> = claimed.iter().map(|row| row.get(0)).collect();
            let attempts: Vec<i16> = claimed.iter().map(|row| row.get(1)).collect();
            let held: &[&(dyn ToSql + Sync)] = &[&ids, &attempts];
            let wanted: &[&(dyn ToSql + Sync)] = &[&limit];
            let (completed, next) =
                tokio::join!(self.completer.query(&self.complete, held), self.claimer.query(&self.claim, wanted));
            assert_eq!(completed.unwrap().len(), ids.len());
            claimed = next.unwrap();
        }
        (accepted, done as f64 / started.elapsed().as_secs_f64())
    }
}
