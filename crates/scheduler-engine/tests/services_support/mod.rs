//! A node without loops: services over the in-memory store, with a clock that is moved by hand.

#![allow(dead_code, clippy::unwrap_used)] // not every test file uses every part; a test that cannot go on panics

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use horarium_domain::execution::{Command, ExecutionState, Failure, decide};
use horarium_domain::job::JobSummary;
use horarium_domain::retry::RetryPolicy;
use horarium_domain::store::{ClaimRequest, Claimed, Decision, Settled, Settlement, SharedStore};
use horarium_domain::tenant::Tenant;
use horarium_domain::{Clock, Entropy, ExecutionId, JobId, Timestamp};
use horarium_scheduler_engine::memory::MemoryStore;
use horarium_scheduler_engine::service::{JobInput, NewTenant, ServiceError, TenantPolicy, TriggerInput};
use horarium_scheduler_engine::{Actor, Core, Services};
use serde_json::json;

/// 2026-03-02T12:00:00Z, a Monday.
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_772_452_800);

/// A clock that stands still until it is moved.
pub(crate) struct HandClock {
    micros: AtomicI64,
    on_next_read: Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl HandClock {
    pub(crate) fn at(start: Timestamp) -> Arc<Self> {
        Arc::new(Self { micros: AtomicI64::new(start.as_micros()), on_next_read: Mutex::new(None) })
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.micros.fetch_add(by.as_micros() as i64, Ordering::Relaxed);
    }

    /// Has something happen when the time is read next: services read a thing, then the time, then write.
    pub(crate) fn on_next_read(&self, happens: impl FnOnce() + Send + 'static) {
        *self.on_next_read.lock().unwrap() = Some(Box::new(happens));
    }
}

impl Clock for HandClock {
    fn now(&self) -> Timestamp {
        let happens = self.on_next_read.lock().unwrap().take();
        if let Some(happens) = happens {
            happens();
        }
        Timestamp::from_micros(self.micros.load(Ordering::Relaxed))
    }
}

struct NoChance;

impl Entropy for NoChance {
    fn unit(&self) -> f64 {
        0.5
    }

    fn secret(&self) -> [u8; 32] {
        [7; 32]
    }
}

pub(crate) struct World {
    pub(crate) clock: Arc<HandClock>,
    pub(crate) store: SharedStore,
    pub(crate) core: Arc<Core>,
    pub(crate) services: Services,
    tenant: OnceLock<Tenant>,
}

impl World {
    /// With a tenant named `acme`.
    pub(crate) async fn new() -> Self {
        Self::over(Arc::new(MemoryStore::new()), TenantPolicy::without_jobs()).await
    }

    pub(crate) async fn over(store: SharedStore, policy: TenantPolicy) -> Self {
        let clock = HandClock::at(START);
        let core = Core::new(store.clone(), clock.clone(), Arc::new(NoChance));
        let services = Services::new(&core, policy);
        let world = Self { clock, store, core, services, tenant: OnceLock::new() };
        let tenant = world.services.tenants.create(&NewTenant { slug: Some("acme".into()), name: None }).await.unwrap();
        world.tenant.set(tenant).unwrap();
        world
    }

    pub(crate) fn tenant(&self) -> &Tenant {
        self.tenant.get().unwrap()
    }

    pub(crate) fn alice(&self) -> Actor {
        Actor::new(self.tenant().id, "alice")
    }

    pub(crate) fn bob(&self) -> Actor {
        Actor::new(self.tenant().id, "bob")
    }

    /// Someone of another tenant.
    pub(crate) async fn stranger(&self) -> Actor {
        let other = NewTenant { slug: Some("other".into()), name: None };
        Actor::new(self.services.tenants.create(&other).await.unwrap().id, "mallory")
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) async fn create(&self, input: JobInput) -> JobSummary {
        self.services.jobs.create(&self.alice(), &input).await.unwrap()
    }

    pub(crate) async fn job(&self, id: JobId) -> JobSummary {
        self.services.jobs.get(self.tenant().id, id).await.unwrap()
    }

    pub(crate) async fn trigger(&self, job: JobId) -> ExecutionId {
        self.services.executions.trigger(&self.alice(), job, TriggerInput::default()).await.unwrap().id
    }

    pub(crate) async fn state(&self, id: ExecutionId) -> ExecutionState {
        self.services.executions.get(self.tenant().id, id).await.unwrap().summary.lifecycle.state
    }

    /// Claims everything that may start.
    pub(crate) async fn claim(&self) -> Vec<Claimed> {
        let request = ClaimRequest {
            node: self.core.ids.node(self.now()),
            worker: "worker".into(),
            limit: 100,
            now: self.now(),
            lease_until: self.now() + Duration::from_hours(1),
        };
        self.store.claim(&request).await.unwrap()
    }

    /// Ends an attempt for good, well or not, two seconds after it started.
    pub(crate) async fn finish(&self, claimed: &Claimed, well: bool) {
        self.finish_started_at(claimed, well, self.now() - Duration::from_secs(2)).await;
    }

    /// Ends an attempt for good, well or not.
    pub(crate) async fn finish_started_at(&self, claimed: &Claimed, well: bool, started_at: Timestamp) {
        let now = self.now();
        let command = if well { Command::Succeed } else { Command::Fail(Failure::permanent("it broke")) };
        let next = decide(claimed.lifecycle, &command, now, &RetryPolicy::default(), 0.5).unwrap().next;
        let settlement = Settlement {
            lease: claimed.lease,
            tenant_id: claimed.tenant_id,
            job_id: claimed.job_id,
            next,
            worker: "worker".into(),
            started_at,
            ended_at: now,
            decision: Decision::Finish {
                state: next.state,
                output: None,
                error: (!well).then(|| "it broke".into()),
                items_processed: None,
                partial: false,
            },
            event: None,
            only_if_expired_at: None,
        };
        assert_eq!(self.store.settle(vec![settlement]).await.unwrap(), [Settled::Applied]);
    }

    /// Triggers a job and fails its execution.
    pub(crate) async fn failed_execution(&self, job: JobId) -> ExecutionId {
        let id = self.trigger(job).await;
        for claimed in self.claim().await {
            self.finish(&claimed, false).await;
        }
        id
    }
}

/// A job that is only triggered.
pub(crate) fn manual(name: &str) -> JobInput {
    JobInput {
        name: Some(name.into()),
        job_type: Some("CodeExecution".into()),
        job_configuration: Some(json!({"handlerType": "noop"})),
        ..JobInput::default()
    }
}

/// A job that fires at every full hour.
pub(crate) fn hourly(name: &str) -> JobInput {
    JobInput { schedule_type: Some("Cron".into()), schedule_expression: Some("0 * * * *".into()), ..manual(name) }
}

/// The messages of a refused request, as `field: message` lines.
pub(crate) fn problems<T: std::fmt::Debug>(result: Result<T, ServiceError>) -> String {
    match result {
        Err(ServiceError::Invalid(errors)) => {
            let lines = errors.into_map().into_iter();
            lines.flat_map(|(field, texts)| texts.into_iter().map(move |text| format!("{field}: {text}\n"))).collect()
        }
        other => panic!("expected field errors, not {other:?}"),
    }
}
