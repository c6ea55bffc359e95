//! A node over the in-memory store, in virtual time: with Tokio's clock paused, the engine's sleeps and the store's
//! instants pass together, as fast as the work allows.

#![allow(dead_code, clippy::unwrap_used)] // not every test file uses every part; a test that cannot go on panics

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use horarium_domain::execution::{Execution, ExecutionState, NewExecution, Trigger};
use horarium_domain::job::{CodeExecution, Job, JobSpec, JobType};
use horarium_domain::schedule::{Schedule, ScheduleInput};
use horarium_domain::store::{Enqueued, SharedStore};
use horarium_domain::tenant::Tenant;
use horarium_domain::{Clock, Entropy, ExecutionId, IdGenerator, NodeId, TenantId, Timestamp};
use horarium_scheduler_engine::memory::MemoryStore;
use horarium_scheduler_engine::{Core, Engine, EngineConfig, Executor, Outcome, Registry, Run};
use tokio::time::Instant;
use uuid::Uuid;

/// Tells Tokio's (paused) time.
pub(crate) struct VirtualClock {
    start: Instant,
}

/// When virtual time begins: a full minute, so that cron slots are easy to reckon.
pub(crate) const BEGINNING: Timestamp = Timestamp::from_seconds(1_750_000_020);

impl Clock for VirtualClock {
    fn now(&self) -> Timestamp {
        BEGINNING + self.start.elapsed()
    }
}

/// Always the middle: jitter moves nothing.
pub(crate) struct NoChance;

impl Entropy for NoChance {
    fn unit(&self) -> f64 {
        0.5
    }

    fn secret(&self) -> [u8; 32] {
        [7; 32]
    }
}

/// Runs a closure as every job's work.
struct Work<F>(F);

#[async_trait]
impl<F, Fut> Executor for Work<F>
where
    F: Fn(Run) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Outcome> + Send + 'static,
{
    async fn execute(&self, run: Run) -> Outcome {
        (self.0)(run).await
    }
}

/// One database, and as many nodes over it as a test starts.
pub(crate) struct World {
    pub(crate) store: SharedStore,
    pub(crate) memory: Arc<MemoryStore>,
    pub(crate) clock: Arc<VirtualClock>,
    pub(crate) tenant: TenantId,
    ids: IdGenerator,
}

impl World {
    pub(crate) async fn new() -> Self {
        let memory = Arc::new(MemoryStore::new());
        let store: SharedStore = memory.clone();
        let clock = Arc::new(VirtualClock { start: Instant::now() });
        let tenant = TenantId::from_uuid(Uuid::from_u128(1));
        let world = Self { store, memory, clock, tenant, ids: IdGenerator::new() };
        world.create_tenant(tenant, "acme").await;
        world
    }

    async fn create_tenant(&self, id: TenantId, slug: &str) {
        let row =
            Tenant { id, slug: slug.parse().unwrap(), name: slug.to_owned(), is_active: true, created_at: self.now() };
        self.store.create_tenant(row, Vec::new()).await.unwrap();
    }

    /// The same database as another tenant sees it.
    pub(crate) async fn of_another_tenant(&self, slug: &str) -> Self {
        let tenant = self.ids.tenant(self.now());
        self.create_tenant(tenant, slug).await;
        let (store, memory, clock) = (self.store.clone(), Arc::clone(&self.memory), Arc::clone(&self.clock));
        Self { store, memory, clock, tenant, ids: IdGenerator::new() }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The parts of a node, without its loops.
    pub(crate) fn core(&self) -> Arc<Core> {
        Core::new(self.store.clone(), self.clock.clone(), Arc::new(NoChance))
    }

    /// Starts a node whose jobs all do `work`.
    pub(crate) fn node<F, Fut>(&self, name: &str, work: F) -> (Arc<Core>, Engine)
    where
        F: Fn(Run) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Outcome> + Send + 'static,
    {
        self.node_with(config(name), work)
    }

    pub(crate) fn node_with<F, Fut>(&self, config: EngineConfig, work: F) -> (Arc<Core>, Engine)
    where
        F: Fn(Run) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Outcome> + Send + 'static,
    {
        let core = self.core();
        let registry = Registry::new().with(JobType::CodeExecution, Work(work));
        let engine = Engine::start(core.clone(), registry, config);
        (core, engine)
    }

    /// A job that runs when triggered, changed as the test likes.
    pub(crate) async fn job(&self, name: &str, change: impl FnOnce(&mut JobSpec)) -> Job {
        let now = self.now();
        let mut spec = JobSpec::new(name, CodeExecution::of("work"));
        change(&mut spec);
        let next = spec.schedule.first_slot(now);
        let job = Job::new(self.ids.job(now), self.tenant, spec, now);
        self.store.create_job(job.clone(), next).await.unwrap();
        job
    }

    /// A job on a cron schedule.
    pub(crate) async fn cron(&self, name: &str, expression: &str, change: impl FnOnce(&mut JobSpec)) -> Job {
        let schedule = Schedule::new(ScheduleInput::cron(expression), self.now()).unwrap();
        self.job(name, |spec| {
            spec.schedule = schedule;
            change(spec);
        })
        .await
    }

    pub(crate) fn execution_of(&self, job: &Job) -> NewExecution {
        let now = self.now();
        NewExecution {
            id: self.ids.execution(now),
            tenant_id: job.tenant_id,
            job_id: job.id,
            trigger: Trigger::Manual,
            triggered_by: "a test".to_owned(),
            payload: None,
            queue: job.spec.queue.as_str().to_owned(),
            priority: job.spec.priority,
            scheduled_for: now,
            run_at: now,
            created_at: now,
            retry_parent_id: None,
            unique_key: None,
            concurrency_key: None,
            max_attempts: None,
        }
    }

    /// Accepts an execution through a node.
    pub(crate) async fn trigger(&self, core: &Core, job: &Job) -> ExecutionId {
        let execution = self.execution_of(job);
        let id = execution.id;
        assert_eq!(core.enqueue(execution).await.unwrap(), Enqueued::Accepted);
        id
    }

    pub(crate) async fn execution(&self, id: ExecutionId) -> Execution {
        self.store.execution(self.tenant, id).await.unwrap()
    }

    pub(crate) async fn state(&self, id: ExecutionId) -> ExecutionState {
        self.execution(id).await.summary.lifecycle.state
    }

    /// Waits, in virtual time, until the execution is as wanted; fails after `patience`.
    pub(crate) async fn until(&self, id: ExecutionId, wanted: ExecutionState, patience: Duration) -> Execution {
        let deadline = self.now() + patience;
        loop {
            let execution = self.execution(id).await;
            if execution.summary.lifecycle.state == wanted {
                return execution;
            }
            assert!(self.now() < deadline, "{id} is not {wanted} after {patience:?}, but: {execution:#?}");
            pass(Duration::from_millis(10)).await;
        }
    }
}

/// Lets virtual time pass, and with it whatever is due in it. The tests run on a paused clock: nobody waits.
pub(crate) async fn pass(time: Duration) {
    tokio::time::sleep(time).await;
}

/// The settings of a node of this name.
pub(crate) fn config(name: &str) -> EngineConfig {
    EngineConfig::new(node_id(name), name)
}

/// An id from a name, so that a node's is the same in every run.
fn node_id(name: &str) -> NodeId {
    let number = name.bytes().fold(1_u128, |hash, byte| hash.wrapping_mul(257).wrapping_add(u128::from(byte)));
    NodeId::from_uuid(Uuid::from_u128(number))
}
