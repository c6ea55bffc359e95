//! Goal 7, its other half: weights and limits that two nodes keep together, set while both are at work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use horarium_domain::TenantId;
use horarium_domain::concurrency::{ConcurrencyKey, KeyLimits};
use horarium_domain::execution::NewExecution;
use horarium_domain::job::{Job, QueueName};
use horarium_domain::queue::QueueLimits;
use horarium_domain::store::{Enqueued, SharedStore};
use horarium_domain::tenant::TenantLimits;
use horarium_scheduler_engine::{Executor, Outcome, Run};
use serde_json::json;

use super::horarium;
use crate::Failure;
use crate::lab::{Database, Lab};
use crate::node::{JOB, Node, Settings, add_job, add_tenant, execution_of};
use crate::report::{Kind, Record, Unit};

/// How long an attempt takes, and how many of them each of the two nodes runs at once.
const WORK: Duration = Duration::from_millis(20);
const SLOTS: usize = 20;

/// Of each tenant: more than two nodes run until the end.
const BACKLOG: u64 = 80_000;
const AT_ONCE: u64 = 1_000;

const LIMIT: u32 = 10;
const RATE: u32 = 200;
const WEIGHTS: [u32; 2] = [100, 300];

/// What all executions of a tenant have in common.
const KEY: &str = "an account";

pub(super) const WEIGHED: &str = "weights 100 and 300, 2 nodes";
pub(super) const TENANT_LIMIT: &str = "a tenant's limit of 10, 2 nodes";
pub(super) const QUEUE_LIMIT: &str = "a queue's limit of 10, 2 nodes";
pub(super) const KEY_LIMIT: &str = "a key's limit of 10, 2 nodes";
pub(super) const TENANT_RATE: &str = "a tenant's 200 a second, 2 nodes";

pub(super) const SHARE: (&str, Unit) = ("starts of the heavier one, of all", Unit::Percent);
pub(super) const MOST: (&str, Unit) = ("most at once", Unit::Count);
pub(super) const STARTED: (&str, Unit) = ("started", Unit::PerSecond);

pub(super) async fn round(lab: &Lab, record: &mut Record) -> Result<(), Failure> {
    let server = lab.server()?;
    let database = lab.database("limits").await?;
    lab.describe(horarium("Horarium")?.described());
    let settings = Settings { concurrency: SLOTS, ..Settings::postgres(&database.url) };
    let nodes = [Node::prepare(&settings).await?, Node::open(&settings).await?];
    let store = &nodes[0].core.store;
    let light = &nodes[0].job;
    let heavy = add_job(store, &add_tenant(store, "heavy").await?, JOB).await?;
    let backlog = if lab.is_trial() { BACKLOG / 4 } else { BACKLOG };
    for job in [light, &heavy] {
        accept(&nodes[0], job, backlog).await?;
    }
    lab.quiet();

    let watch = lab.watch();
    let stage = Stage::new(lab, light.tenant_id);
    let engines = [0, 1].map(|node| nodes[node].work(&settings, stage.executor(node)));
    measure(&stage, store, [light.tenant_id, heavy.tenant_id], record).await?;
    lab.note(&watch);
    for engine in engines {
        engine.shutdown().await;
    }
    stage.is_sound(&database).await?;
    drop(nodes);
    server.remove(database).await
}

/// One thing is set after another, each for the tenant that is the lighter one at first.
async fn measure(
    stage: &Stage,
    store: &SharedStore,
    [light, heavy]: [TenantId; 2],
    record: &mut Record,
) -> Result<(), Failure> {
    let free = TenantLimits::default();
    for (tenant, weight) in [light, heavy].into_iter().zip(WEIGHTS) {
        store.set_tenant_limits(tenant, TenantLimits { weight, ..free }).await?;
    }
    let [few, many] = stage.seen().await;
    record.add(WEIGHED, Kind::Horarium, SHARE, 100.0 * many.rate / (few.rate + many.rate));
    record.add(WEIGHED, Kind::Horarium, STARTED, few.rate + many.rate);
    store.set_tenant_limits(heavy, free).await?;

    store.set_tenant_limits(light, TenantLimits { max_concurrency: Some(LIMIT), ..free }).await?;
    let [limited, _] = stage.seen().await;
    record.add(TENANT_LIMIT, Kind::Horarium, MOST, limited.most);
    record.add(TENANT_LIMIT, Kind::Horarium, STARTED, limited.rate);

    store.set_tenant_limits(light, TenantLimits { rate_limit_per_second: Some(RATE), ..free }).await?;
    // A rate begins with a second's worth to spare, which takes a while to be used up beside the other tenant's work.
    stage.seen().await;
    let [limited, _] = stage.seen().await;
    record.add(TENANT_RATE, Kind::Horarium, STARTED, limited.rate);
    store.set_tenant_limits(light, free).await?;

    let key = KeyLimits::none(KEY.parse()?);
    store.set_key_limits(light, KeyLimits { max_concurrency: Some(LIMIT), ..key.clone() }).await?;
    let [limited, _] = stage.seen().await;
    record.add(KEY_LIMIT, Kind::Horarium, MOST, limited.most);
    record.add(KEY_LIMIT, Kind::Horarium, STARTED, limited.rate);
    store.set_key_limits(light, key).await?;

    let queue = QueueLimits { max_concurrency: Some(LIMIT), ..QueueLimits::none(QueueName::default()) };
    store.set_queue(light, queue).await?;
    let [limited, _] = stage.seen().await;
    record.add(QUEUE_LIMIT, Kind::Horarium, MOST, limited.most);
    record.add(QUEUE_LIMIT, Kind::Horarium, STARTED, limited.rate);
    Ok(())
}

/// What waits for the nodes.
async fn accept(node: &Node, job: &Job, count: u64) -> Result<(), Failure> {
    let key = KEY.parse()?;
    for _ in 0..count / AT_ONCE {
        let new = |_| NewExecution {
            concurrency_key: Some(ConcurrencyKey::clone(&key)),
            ..execution_of(&node.core, job, json!({ "i": 0, "t": 0 }), node.core.now())
        };
        let answers = node.core.enqueue_many((0..AT_ONCE).map(new).collect()).await?;
        if answers.iter().any(|answer| *answer != Enqueued::Accepted) {
            return Err("an execution was not accepted".into());
        }
    }
    Ok(())
}

/// Both nodes' work, as their executors see it.
struct Stage {
    light: TenantId,
    /// Of the lighter tenant and of the heavier one.
    tenants: Arc<[Counts; 2]>,
    /// How many each node has started.
    nodes: Arc<[AtomicU64; 2]>,
    /// How long a change takes to show, and how long it is looked at then.
    settling: Duration,
    looking: Duration,
}

#[derive(Default)]
struct Counts {
    running: AtomicU64,
    most: AtomicU64,
    started: AtomicU64,
}

/// What a tenant had meanwhile.
struct Seen {
    most: f64,
    /// Starts a second.
    rate: f64,
}

impl Stage {
    fn new(lab: &Lab, light: TenantId) -> Self {
        let [settling, looking] = if lab.is_trial() { [500, 1_000] } else { [1_500, 4_000] }.map(Duration::from_millis);
        Self { light, tenants: Arc::default(), nodes: Arc::default(), settling, looking }
    }

    fn executor(&self, node: usize) -> Working {
        let (tenants, nodes) = (Arc::clone(&self.tenants), Arc::clone(&self.nodes));
        Working { node, light: self.light, tenants, nodes }
    }

    /// Looks for a while, once what was set shows.
    async fn seen(&self) -> [Seen; 2] {
        tokio::time::sleep(self.settling).await;
        for Counts { running: _, most, started } in &*self.tenants {
            most.store(0, Ordering::Relaxed);
            started.store(0, Ordering::Relaxed);
        }
        let start = Instant::now();
        tokio::time::sleep(self.looking).await;
        let took = start.elapsed().as_secs_f64();
        [0, 1].map(|tenant| {
            let Counts { running: _, most, started } = &self.tenants[tenant];
            let [most, started] = [most, started].map(|count| count.load(Ordering::Relaxed) as f64);
            Seen { most, rate: started / took }
        })
    }

    /// Whether there was always a choice, and both nodes took part.
    async fn is_sound(&self, database: &Database) -> Result<(), Failure> {
        if database.count("select count(distinct tenant_id) from execution_queue").await? < 2 {
            return Err("a tenant ran out of work: there was nothing to limit".into());
        }
        if self.nodes.iter().any(|started| started.load(Ordering::Relaxed) == 0) {
            return Err("one of the two nodes did nothing".into());
        }
        Ok(())
    }
}

/// What a node runs.
struct Working {
    node: usize,
    light: TenantId,
    tenants: Arc<[Counts; 2]>,
    nodes: Arc<[AtomicU64; 2]>,
}

#[async_trait]
impl Executor for Working {
    async fn execute(&self, run: Run) -> Outcome {
        let Counts { running, most, started } = &self.tenants[usize::from(run.job.tenant_id != self.light)];
        most.fetch_max(running.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
        started.fetch_add(1, Ordering::Relaxed);
        self.nodes[self.node].fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(WORK).await;
        running.fetch_sub(1, Ordering::Relaxed);
        Outcome::succeeded()
    }
}
