//! The jobs that every tenant has, at work on a store that remembers what they did to it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use horarium_domain::api_key::{ApiKeyRecord, SecretHash};
use horarium_domain::execution::{ExecutionState, Lifecycle, NewExecution, Trigger};
use horarium_domain::job::{Job, JobConfiguration, JobType};
use horarium_domain::page::PageRequest;
use horarium_domain::schedule::ScheduleType;
use horarium_domain::store::{
    ApiKeyStore, ClaimRequest, Decision, Drift, ExecutionFilter, ExecutionQueue, ExecutionStore, IdempotencyStore,
    JobStore, MaintenanceStore, Released, Reserved, Settlement, SharedStore, StoreError, TenantStore,
};
use horarium_domain::tenant::Tenant;
use horarium_domain::{ApiKeyId, Clock, ExecutionId, IdGenerator, NodeId, TenantId, Timestamp};
use horarium_executors::builtin::{self, DataSync, ExecutionRetention};
use horarium_executors::{CodeExecutor, Handlers};
use horarium_scheduler_engine::memory::MemoryStore;
use horarium_scheduler_engine::{Outcome, Run};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::{TENANT, execute, failed, job, run, succeeded, templates};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
const OTHER_TENANT: TenantId = TenantId::from_uuid(Uuid::from_u128(0x7e2));

#[derive(Clone, Copy)]
struct At(Timestamp);

impl Clock for At {
    fn now(&self) -> Timestamp {
        self.0
    }
}

/// A quarter past midnight, when the report is due.
fn now() -> Timestamp {
    "2025-07-11T00:15:00Z".parse().unwrap()
}

struct World {
    store: Arc<MemoryStore>,
    ids: IdGenerator,
}

impl World {
    async fn new() -> Self {
        let world = Self { store: Arc::new(MemoryStore::new()), ids: IdGenerator::new() };
        for (id, slug) in [(TENANT, "acme"), (OTHER_TENANT, "other")] {
            let at = now() - 90 * DAY;
            let tenant = Tenant { id, slug: slug.parse().unwrap(), name: slug.into(), is_active: true, created_at: at };
            world.store.create_tenant(tenant, builtin::jobs_for(id, &world.ids, at)).await.unwrap();
        }
        world
    }

    /// Runs a built-in job of the tenant, as the engine would at the hour it is due.
    async fn run(&self, name: &str) -> Outcome {
        self.run_with(name, json!({})).await
    }

    async fn run_with(&self, name: &str, parameters: Value) -> Outcome {
        let store: SharedStore = self.store.clone();
        let clock: Arc<dyn Clock> = Arc::new(At(now()));
        let executor = CodeExecutor::new(builtin::register(Handlers::new(), &store, &clock, 30), templates());
        let mut job = self.store.job_by_name(TENANT, name).await.unwrap().job;
        if let JobConfiguration::CodeExecution(code) = &mut job.spec.configuration {
            code.parameters.clone_from(parameters.as_object().unwrap());
        }
        execute(&executor, Run { job: Arc::new(job), scheduled_for: now(), ..any_run() }).await
    }

    async fn add_job(&self, tenant: TenantId, name: &str) -> Job {
        let mut job = job(JobType::HttpCall, &json!({ "url": "http://a.example/" }));
        job.id = self.ids.job(now());
        job.tenant_id = tenant;
        job.spec.name = name.into();
        self.store.create_job(job.clone(), None).await.unwrap();
        job
    }

    /// An execution of `job` that took two seconds and ended at `ended_at`.
    async fn ended(&self, job: &Job, ended_at: Timestamp, state: ExecutionState) {
        let started_at = ended_at - Duration::from_secs(2);
        let id = self.ids.execution(started_at);
        let execution = NewExecution {
            id,
            tenant_id: job.tenant_id,
            job_id: job.id,
            trigger: Trigger::Manual,
            triggered_by: "a test".into(),
            payload: None,
            queue: "default".into(),
            priority: 0,
            scheduled_for: started_at,
            run_at: started_at,
            created_at: started_at,
            retry_parent_id: None,
            unique_key: None,
            concurrency_key: None,
            max_attempts: None,
        };
        self.store.enqueue(vec![execution]).await.unwrap();
        let request = ClaimRequest {
            node: NodeId::from_uuid(Uuid::from_u128(1)),
            worker: "node-1".into(),
            limit: 1,
            now: started_at,
            lease_until: ended_at,
        };
        let claimed = self.store.claim(&request).await.unwrap().remove(0);
        assert_eq!(claimed.lease.execution_id, id);
        let settlement = Settlement {
            lease: claimed.lease,
            tenant_id: job.tenant_id,
            job_id: job.id,
            next: Lifecycle { state, ..claimed.lifecycle },
            worker: "node-1".into(),
            started_at,
            ended_at,
            decision: Decision::Finish { state, output: None, error: None, items_processed: None, partial: false },
            event: None,
            only_if_expired_at: None,
        };
        self.store.settle(vec![settlement]).await.unwrap();
    }

    async fn executions(&self, tenant: TenantId) -> u64 {
        let all = ExecutionFilter::default();
        self.store.executions(tenant, &all, PageRequest::default()).await.unwrap().total
    }

    async fn add_key(&self, tenant: TenantId, number: u128, expires_at: Option<Timestamp>, revoked: bool) {
        let key = ApiKeyRecord {
            id: ApiKeyId::from_uuid(Uuid::from_u128(number)),
            tenant_id: tenant,
            name: format!("key {number}"),
            scopes: Vec::new(),
            secret_hash: SecretHash::from_bytes([0; 32]),
            created_at: now() - DAY,
            created_by: "a test".into(),
            expires_at,
            last_used_at: None,
            revoked_at: revoked.then(|| now() - HOUR),
        };
        self.store.create_key(key).await.unwrap();
    }

    async fn keys(&self, tenant: TenantId) -> u64 {
        self.store.keys(tenant, PageRequest::default()).await.unwrap().total
    }
}

fn any_run() -> Run {
    run(JobType::CodeExecution, &json!({ "handlerType": "x" }))
}

fn document(outcome: Outcome) -> (Value, Option<i64>) {
    let (output, items) = succeeded(outcome);
    let output = output.unwrap();
    assert!(!output.truncated);
    (serde_json::from_str(&output.text).unwrap(), items)
}

#[test]
fn every_tenant_gets_five_jobs_that_fire_and_can_run() {
    let ids = IdGenerator::new();
    let jobs = builtin::jobs_for(TENANT, &ids, now());
    let names: BTreeSet<_> = jobs.iter().map(|(job, _)| job.spec.name.as_str()).collect();
    let expected = ["cleanupExpiredSessions", "dataSync", "executionRetention", "reportGeneration", "tokenExpiry"];
    assert_eq!(names, expected.into());

    let store: SharedStore = Arc::new(MemoryStore::new());
    let clock: Arc<dyn Clock> = Arc::new(At(now()));
    let handlers = builtin::register(Handlers::new(), &store, &clock, 30);
    let ids: BTreeSet<_> = jobs.iter().map(|(job, _)| job.id).collect();
    assert_eq!(ids.len(), jobs.len());
    for (job, first_slot) in &jobs {
        assert_eq!(job.tenant_id, TENANT);
        assert_eq!(job.spec.group.as_deref(), Some("system"));
        assert_eq!(job.spec.schedule.schedule_type(), ScheduleType::Cron, "{}", job.spec.name);
        assert!(first_slot.is_some_and(|slot| slot > now() && slot <= now() + DAY), "{}", job.spec.name);
        job.spec.retry_policy.validate().unwrap();
        let JobConfiguration::CodeExecution(code) = &job.spec.configuration else { panic!("{}", job.spec.name) };
        assert!(handlers.get(&code.handler_type).is_some(), "{}", job.spec.name);
    }
    let token_expiry = jobs.iter().find(|(job, _)| job.spec.name == "tokenExpiry").unwrap();
    assert_eq!(token_expiry.1, Some("2025-07-11T06:00:00Z".parse().unwrap()));
}

#[tokio::test]
async fn token_expiry_deletes_the_tenants_dead_keys_and_counts_them() {
    let world = World::new().await;
    world.add_key(TENANT, 1, Some(now() - HOUR), false).await;
    world.add_key(TENANT, 2, None, true).await;
    world.add_key(TENANT, 3, Some(now() + HOUR), false).await;
    world.add_key(TENANT, 4, None, false).await;
    world.add_key(OTHER_TENANT, 5, Some(now() - HOUR), false).await;

    let (output, items) = document(world.run("tokenExpiry").await);
    assert_eq!((output["deletedKeys"].as_i64(), items), (Some(2), Some(2)));
    assert_eq!((world.keys(TENANT).await, world.keys(OTHER_TENANT).await), (2, 1));
}

#[tokio::test]
async fn cleanup_deletes_idempotency_records_of_more_than_a_day_ago() {
    let world = World::new().await;
    for (key, age) in [("old", 25 * HOUR), ("young", 23 * HOUR)] {
        let at = now() - age;
        let fresh = Reserved { at, seed: world.ids.request_seed(at) };
        let never = Timestamp::MIN;
        world.store.reserve_key(TENANT, key, [0; 32], fresh, never, never).await.unwrap();
    }
    let (_, items) = document(world.run("cleanupExpiredSessions").await);
    assert_eq!(items, Some(1));
    assert_eq!(document(world.run("cleanupExpiredSessions").await).1, Some(0));
}

#[tokio::test]
async fn retention_deletes_what_is_older_than_the_tenant_or_the_server_says() {
    let world = World::new().await;
    let (mine, other) = (world.add_job(TENANT, "mine").await, world.add_job(OTHER_TENANT, "other").await);
    for days in [40, 31, 29, 5] {
        world.ended(&mine, now() - days * DAY, ExecutionState::Succeeded).await;
    }
    world.ended(&other, now() - 40 * DAY, ExecutionState::Failed).await;

    let (output, items) = document(world.run("executionRetention").await);
    assert_eq!((output["retentionDays"].as_i64(), items), (Some(30), Some(2)));
    assert_eq!((world.executions(TENANT).await, world.executions(OTHER_TENANT).await), (2, 1));

    let (_, items) = document(world.run_with("executionRetention", json!({ "retentionDays": 7 })).await);
    assert_eq!((items, world.executions(TENANT).await), (Some(1), 1));

    let (failure, _) = failed(world.run_with("executionRetention", json!({ "retentionDays": 0 })).await);
    assert!(!failure.retryable && failure.error.contains("retentionDays"), "{failure:?}");
}

#[tokio::test]
async fn the_report_is_about_the_day_before_and_lists_the_jobs_that_ran() {
    let world = World::new().await;
    let good = world.add_job(TENANT, "good").await;
    let bad = world.add_job(TENANT, "bad").await;
    world.add_job(TENANT, "idle").await;
    let other = world.add_job(OTHER_TENANT, "other").await;
    let yesterday = now() - 12 * HOUR;
    world.ended(&good, now() - 30 * HOUR, ExecutionState::Failed).await;
    world.ended(&good, yesterday, ExecutionState::Succeeded).await;
    world.ended(&bad, yesterday, ExecutionState::Succeeded).await;
    world.ended(&bad, yesterday, ExecutionState::Failed).await;
    world.ended(&other, yesterday, ExecutionState::Failed).await;
    world.ended(&good, now() - Duration::from_mins(1), ExecutionState::Failed).await;

    let (report, items) = document(world.run("reportGeneration").await);
    assert_eq!(report["day"], "2025-07-10");
    assert_eq!(report["totals"]["succeeded"], 2);
    assert_eq!(report["totals"]["failed"], 1);
    assert_eq!(report["totals"]["successRate"], 66.67);
    assert_eq!(report["totals"]["averageDurationMs"], 2000);
    assert_eq!(report["now"]["totalJobs"], 8);
    let jobs: Vec<_> = report["jobs"].as_array().unwrap().iter().map(|job| job["jobName"].as_str().unwrap()).collect();
    assert_eq!(jobs, ["bad", "good"]);
    assert_eq!(report["jobs"][0]["successRate"], 50.0);
    assert_eq!((items, &report["omittedJobs"]), (Some(2), &json!(0)));
}

#[tokio::test]
async fn a_report_without_executions_has_no_rates() {
    let (report, items) = document(World::new().await.run("reportGeneration").await);
    assert_eq!(report["totals"]["successRate"], Value::Null);
    assert_eq!((items, &report["jobs"]), (Some(0), &json!([])));
}

#[tokio::test]
async fn data_sync_finds_nothing_where_nothing_drifted() {
    let (report, items) = document(World::new().await.run("dataSync").await);
    assert_eq!((items, &report["drift"]), (Some(0), &json!([])));
}

/// A store whose housekeeping never ends and whose counters are always off.
#[derive(Default)]
struct Troubled {
    batches: AtomicU64,
    cancel_after: u64,
    cancellation: CancellationToken,
    unavailable: bool,
}

#[async_trait]
impl MaintenanceStore for Troubled {
    async fn prepare_history(&self, _: Timestamp) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn release_history(&self, _: TenantId, before: Timestamp) -> Result<Released, StoreError> {
        Ok(Released { executions: 0, singly_before: before })
    }

    async fn prune_executions(&self, _: TenantId, _: Timestamp, limit: usize) -> Result<u64, StoreError> {
        if self.unavailable {
            return Err(StoreError::Internal("relation \"executions\" does not exist".into()));
        }
        if self.batches.fetch_add(1, Ordering::SeqCst) + 1 == self.cancel_after {
            self.cancellation.cancel();
        }
        Ok(limit as u64)
    }

    async fn delete_execution(&self, _: TenantId, _: ExecutionId) -> Result<(), StoreError> {
        Ok(())
    }

    async fn prune_rollups(&self, _: Timestamp) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn reconcile_counters(&self, _: TenantId) -> Result<Vec<Drift>, StoreError> {
        let drift = |number| Drift { counter: format!("job {number} succeeded"), stored: 1, counted: 2 };
        Ok((0..250).map(drift).collect())
    }

    async fn sweep_gates(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn database_time(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }
}

#[tokio::test]
async fn data_sync_reports_what_it_corrected() {
    let handler = DataSync::new(Arc::new(Troubled::default()), Arc::new(At(now())));
    let executor = CodeExecutor::new(Handlers::new().register("x", handler), templates());
    let (report, items) = document(execute(&executor, any_run()).await);
    assert_eq!((items, &report["corrected"], &report["omitted"]), (Some(250), &json!(250), &json!(50)));
    assert_eq!(report["drift"][0], json!({ "counter": "job 0 succeeded", "stored": 1, "counted": 2 }));
}

#[tokio::test]
async fn retention_stops_between_two_batches_when_it_is_told_to() {
    let run = any_run();
    let store = Arc::new(Troubled { cancel_after: 3, cancellation: run.cancellation.clone(), ..Troubled::default() });
    let handler = ExecutionRetention::new(store.clone(), Arc::new(At(now())), 30);
    let executor = CodeExecutor::new(Handlers::new().register("x", handler), templates());
    let (failure, _) = failed(execute(&executor, run).await);
    assert!(failure.retryable && failure.error.contains("3000 executions"), "{failure:?}");
    assert_eq!(store.batches.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn what_the_database_said_is_not_for_the_tenant() {
    let store = Arc::new(Troubled { unavailable: true, ..Troubled::default() });
    let handler = ExecutionRetention::new(store, Arc::new(At(now())), 30);
    let executor = CodeExecutor::new(Handlers::new().register("x", handler), templates());
    let (failure, _) = failed(execute(&executor, any_run()).await);
    assert!(failure.retryable && !failure.error.contains("relation"), "{failure:?}");
}
