//! What the cases share: two nodes on one database, and short ways to say what most cases say.

use std::any::Any;
use std::fmt::Debug;
use std::ops::Deref;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use horarium_domain::execution::{
    Event, EventKind, Execution, ExecutionState, Lifecycle, NewExecution, Output, Trigger,
};
use horarium_domain::job::{CodeExecution, Job, JobSpec, JobSummary, QueueName};
use horarium_domain::queue::QueueLimits;
use horarium_domain::schedule::{Schedule, ScheduleInput};
use horarium_domain::store::{
    CancelOutcome, ClaimRequest, Claimed, Conflict, Decision, Enqueued, Firing, JobChange, Settled, Settlement,
    SharedStore, StoreError,
};
use horarium_domain::tenant::{Tenant, TenantLimits};
use horarium_domain::{ExecutionId, IdGenerator, NodeId, TenantId, Timestamp};

use crate::Harness;

/// When every case begins: a Thursday noon with all six digits of its microseconds in use, so that a store that rounds
/// is found out.
pub(crate) const START: Timestamp = Timestamp::from_micros(1_752_150_896_789_123);

/// So many seconds after [`START`].
pub(crate) fn at(seconds: i64) -> Timestamp {
    at_millis(seconds * 1000)
}

/// So many milliseconds after [`START`].
pub(crate) fn at_millis(millis: i64) -> Timestamp {
    Timestamp::from_micros(START.as_micros() + millis * 1000)
}

/// How long a lease lasts where a case does not say.
pub(crate) const LEASE: Duration = Duration::from_secs(30);

/// A fresh, empty database and two nodes on it.
pub struct World {
    /// One node.
    pub(crate) a: SharedStore,
    /// Another one; the same in a store that lives in one process.
    pub(crate) b: SharedStore,
    /// Whether what one publishes reaches the other.
    pub(crate) signals: bool,
    pub(crate) ids: IdGenerator,
    names: AtomicU64,
    node: NodeId,
    // Dropped last: the stores may still write while they are dropped.
    _guard: Option<Box<dyn Any + Send>>,
}

/// A claimed execution and when its attempt started.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) claimed: Claimed,
    pub(crate) started_at: Timestamp,
}

impl Deref for Run {
    type Target = Claimed;

    fn deref(&self) -> &Claimed {
        &self.claimed
    }
}

impl World {
    pub(crate) fn new(harness: Harness) -> Self {
        let [a, b] = harness.nodes;
        let ids = IdGenerator::new();
        let node = ids.node(START);
        Self { a, b, signals: harness.signals, ids, names: AtomicU64::new(1), node, _guard: harness.guard }
    }

    /// A word that no other call gives.
    pub(crate) fn name(&self, kind: &str) -> String {
        format!("{kind}-{:04}", self.names.fetch_add(1, Ordering::Relaxed))
    }

    // Tenants, jobs, queues.

    /// A new active tenant.
    pub(crate) async fn tenant(&self) -> TenantId {
        let tenant = self.new_tenant();
        self.a.create_tenant(tenant.clone(), Vec::new()).await.unwrap();
        tenant.id
    }

    /// A tenant that is not stored yet.
    pub(crate) fn new_tenant(&self) -> Tenant {
        let slug = self.name("tenant");
        Tenant {
            id: self.ids.tenant(START),
            slug: slug.parse().unwrap(),
            name: format!("The tenant {slug}"),
            is_active: true,
            created_at: START,
        }
    }

    /// A job that only runs when triggered and has no limits.
    pub(crate) async fn job(&self, tenant: TenantId) -> Job {
        self.job_with(tenant, |_| {}).await
    }

    /// The same, changed.
    pub(crate) async fn job_with(&self, tenant: TenantId, change: impl FnOnce(&mut JobSpec)) -> Job {
        let job = self.new_job(tenant, change);
        self.a.create_job(job.clone(), None).await.unwrap();
        job
    }

    /// A job that fires every minute from `first` on.
    pub(crate) async fn scheduled_job(&self, tenant: TenantId, first: Timestamp) -> Job {
        self.scheduled_job_with(tenant, first, |_| {}).await
    }

    /// The same, changed.
    pub(crate) async fn scheduled_job_with(
        &self,
        tenant: TenantId,
        first: Timestamp,
        change: impl FnOnce(&mut JobSpec),
    ) -> Job {
        let job = self.new_job(tenant, |spec| {
            spec.schedule = every_minute();
            change(spec);
        });
        self.a.create_job(job.clone(), Some(first)).await.unwrap();
        job
    }

    /// A job that is not stored yet.
    pub(crate) fn new_job(&self, tenant: TenantId, change: impl FnOnce(&mut JobSpec)) -> Job {
        let mut spec = JobSpec {
            description: Some("What a case works with".to_owned()),
            ..JobSpec::new(self.name("job"), CodeExecution::of("noop"))
        };
        change(&mut spec);
        Job {
            created_by: Some("alice".to_owned()),
            last_modified_by: Some("alice".to_owned()),
            ..Job::new(self.ids.job(START), tenant, spec, START)
        }
    }

    /// Writes a changed job over the stored one, with the next version, and gives it back.
    pub(crate) async fn change_job(
        &self,
        job: &Job,
        next_run_at: Option<Timestamp>,
        change: impl FnOnce(&mut Job),
    ) -> Job {
        let seen_next_run_at = self.summary(job).await.next_run_at;
        let mut changed = job.clone();
        change(&mut changed);
        changed.version += 1;
        let change = JobChange { job: changed.clone(), expected_version: job.version, seen_next_run_at, next_run_at };
        self.a.update_job(change).await.unwrap();
        changed
    }

    /// A job as the store shows it.
    pub(crate) async fn summary(&self, job: &Job) -> JobSummary {
        self.a.job(job.tenant_id, job.id).await.unwrap()
    }

    /// Sets limits of the tenant's default queue.
    pub(crate) async fn limit_queue(&self, tenant: TenantId, change: impl FnOnce(&mut QueueLimits)) {
        let mut limits = QueueLimits::none(QueueName::default());
        change(&mut limits);
        self.a.set_queue(tenant, limits).await.unwrap();
    }

    /// Sets the limits of a tenant.
    pub(crate) async fn limit_tenant(&self, tenant: TenantId, change: impl FnOnce(&mut TenantLimits)) {
        let mut limits = TenantLimits::default();
        change(&mut limits);
        self.a.set_tenant_limits(tenant, limits).await.unwrap();
    }

    // Accepting.

    /// An execution of `job` that is due at once and not stored yet.
    pub(crate) fn execution(&self, job: &Job) -> NewExecution {
        NewExecution {
            id: self.ids.execution(START),
            tenant_id: job.tenant_id,
            job_id: job.id,
            trigger: Trigger::Manual,
            triggered_by: "alice".to_owned(),
            payload: None,
            queue: job.spec.queue.as_str().to_owned(),
            priority: job.spec.priority,
            scheduled_for: START,
            run_at: START,
            created_at: START,
            retry_parent_id: None,
            unique_key: None,
            concurrency_key: None,
            max_attempts: None,
        }
    }

    /// The same, due at a later time.
    pub(crate) fn execution_at(&self, job: &Job, run_at: Timestamp) -> NewExecution {
        NewExecution { scheduled_for: run_at, run_at, ..self.execution(job) }
    }

    /// Has an execution accepted.
    pub(crate) async fn submit(&self, execution: NewExecution) -> ExecutionId {
        let id = execution.id;
        assert_eq!(self.a.enqueue(vec![execution]).await.unwrap(), [Enqueued::Accepted]);
        id
    }

    /// Has an execution of `job` accepted that is due at once.
    pub(crate) async fn submit_one(&self, job: &Job) -> ExecutionId {
        self.submit(self.execution(job)).await
    }

    /// Has `count` executions of `job` accepted that are due at once; oldest first.
    pub(crate) async fn submit_many(&self, job: &Job, count: usize) -> Vec<ExecutionId> {
        let batch: Vec<_> = (0..count).map(|_| self.execution(job)).collect();
        let ids = batch.iter().map(|execution| execution.id).collect();
        for part in batch.chunks(1000) {
            let answers = self.a.enqueue(part.to_vec()).await.unwrap();
            assert!(answers.iter().all(|answer| *answer == Enqueued::Accepted), "{answers:?}");
        }
        ids
    }

    // Running.

    /// A request for up to `limit` executions.
    pub(crate) fn request(&self, limit: usize, now: Timestamp) -> ClaimRequest {
        ClaimRequest { node: self.node, worker: "worker-1".to_owned(), limit, now, lease_until: now + LEASE }
    }

    /// Claims up to `limit` executions.
    pub(crate) async fn claim(&self, limit: usize, now: Timestamp) -> Vec<Run> {
        self.claim_on(&self.a, limit, now).await
    }

    /// Claims up to `limit` executions through one of the nodes.
    pub(crate) async fn claim_on(&self, store: &SharedStore, limit: usize, now: Timestamp) -> Vec<Run> {
        let claimed = store.claim(&self.request(limit, now)).await.unwrap();
        claimed.into_iter().map(|claimed| Run { claimed, started_at: now }).collect()
    }

    /// Claims the one execution that can be claimed.
    pub(crate) async fn claim_one(&self, now: Timestamp) -> Run {
        let mut claimed = self.claim(10, now).await;
        assert_eq!(claimed.len(), 1, "{claimed:?}");
        claimed.remove(0)
    }

    /// Writes one end of an attempt.
    pub(crate) async fn settle(&self, settlement: Settlement) -> Settled {
        let mut answers = self.a.settle(vec![settlement]).await.unwrap();
        assert_eq!(answers.len(), 1);
        answers.remove(0)
    }

    /// Has an attempt end well.
    pub(crate) async fn succeed(&self, run: &Run, ended_at: Timestamp) {
        assert_eq!(self.settle(success(run, ended_at)).await, Settled::Applied);
    }

    /// Has an attempt end badly, and the execution with it.
    pub(crate) async fn fail(&self, run: &Run, ended_at: Timestamp) {
        assert_eq!(self.settle(failure(run, ended_at)).await, Settled::Applied);
    }

    /// Has an execution of `job` accepted, claimed at `from` and ended at `to`. Nothing else may be claimable.
    pub(crate) async fn run(&self, job: &Job, from: Timestamp, to: Timestamp, state: ExecutionState) -> ExecutionId {
        let id = self.submit_one(job).await;
        let run = self.claim_one(from).await;
        assert_eq!(run.lease.execution_id, id);
        match state {
            ExecutionState::Succeeded => self.succeed(&run, to).await,
            ExecutionState::Failed => self.fail(&run, to).await,
            ExecutionState::Cancelled => {
                let outcome = self.a.cancel(job.tenant_id, id, "alice", to).await.unwrap();
                assert_eq!(outcome, CancelOutcome::WasRunning);
            }
            ExecutionState::Pending | ExecutionState::Running => unreachable!("an execution cannot end {state}"),
        }
        id
    }

    // Reading.

    /// An execution in full.
    pub(crate) async fn read(&self, tenant: TenantId, id: ExecutionId) -> Execution {
        self.a.execution(tenant, id).await.unwrap()
    }

    /// An execution's lifecycle.
    pub(crate) async fn lifecycle(&self, tenant: TenantId, id: ExecutionId) -> Lifecycle {
        self.read(tenant, id).await.summary.lifecycle
    }

    /// An execution's state.
    pub(crate) async fn state(&self, tenant: TenantId, id: ExecutionId) -> ExecutionState {
        self.lifecycle(tenant, id).await.state
    }

    // Planning.

    /// A decision to fire `job`'s `slot` with one execution.
    pub(crate) fn firing(&self, job: &Job, slot: Timestamp, next: Option<Timestamp>) -> Firing {
        let execution = NewExecution {
            trigger: Trigger::Schedule,
            triggered_by: "schedule".to_owned(),
            created_at: slot,
            ..self.execution_at(job, slot)
        };
        Firing {
            tenant_id: job.tenant_id,
            job_id: job.id,
            slot,
            next,
            executions: vec![execution],
            skipped: Vec::new(),
            concurrency: job.spec.concurrency_policy,
            now: slot,
        }
    }
}

/// A slot every minute.
pub(crate) fn every_minute() -> Schedule {
    Schedule::new(ScheduleInput::interval(60), START).unwrap()
}

/// The execution ended well.
pub(crate) fn success(run: &Run, ended_at: Timestamp) -> Settlement {
    let decision = Decision::Finish {
        state: ExecutionState::Succeeded,
        output: Some(Output { text: "done".to_owned(), truncated: false }),
        error: None,
        items_processed: None,
        partial: false,
    };
    ended(run, ended_at, ExecutionState::Succeeded, decision)
}

/// The execution ended badly.
pub(crate) fn failure(run: &Run, ended_at: Timestamp) -> Settlement {
    let decision = Decision::Finish {
        state: ExecutionState::Failed,
        output: None,
        error: Some("it broke".to_owned()),
        items_processed: None,
        partial: false,
    };
    ended(run, ended_at, ExecutionState::Failed, decision)
}

/// The attempt failed, and another one follows at `run_at`.
pub(crate) fn retry(run: &Run, ended_at: Timestamp, run_at: Timestamp) -> Settlement {
    let event = event(run, ended_at, EventKind::AttemptFailed, Some("it broke"));
    let settlement = ended(run, ended_at, ExecutionState::Pending, Decision::Requeue { run_at });
    Settlement { event: Some(event), ..settlement }
}

/// The attempt is taken back, and does not count.
pub(crate) fn snooze(run: &Run, ended_at: Timestamp, run_at: Timestamp) -> Settlement {
    let event = event(run, ended_at, EventKind::Snoozed, None);
    let mut settlement = ended(run, ended_at, ExecutionState::Pending, Decision::Requeue { run_at });
    settlement.next.attempt -= 1;
    Settlement { event: Some(event), ..settlement }
}

/// The attempt's worker is taken for lost at `now`, and another attempt follows at once.
pub(crate) fn lost(run: &Run, now: Timestamp) -> Settlement {
    let event = event(run, now, EventKind::AttemptLost, None);
    let mut settlement = ended(run, now, ExecutionState::Pending, Decision::Requeue { run_at: now });
    settlement.next.lost += 1;
    Settlement { event: Some(event), only_if_expired_at: Some(now), ..settlement }
}

fn ended(run: &Run, ended_at: Timestamp, state: ExecutionState, decision: Decision) -> Settlement {
    Settlement {
        lease: run.lease,
        tenant_id: run.tenant_id,
        job_id: run.job_id,
        next: Lifecycle { state, ..run.lifecycle },
        worker: "worker-1".to_owned(),
        started_at: run.started_at,
        ended_at,
        decision,
        event: None,
        only_if_expired_at: None,
    }
}

fn event(run: &Run, at: Timestamp, kind: EventKind, error: Option<&str>) -> Event {
    Event {
        execution_id: run.lease.execution_id,
        at,
        kind,
        attempt: run.lifecycle.attempt,
        attempt_started_at: Some(run.started_at),
        source: "worker-1".to_owned(),
        message: format!("Attempt {} ended", run.lifecycle.attempt),
        error: error.map(str::to_owned),
    }
}

/// It is not there, as far as the caller may know.
#[track_caller]
#[allow(clippy::needless_pass_by_value)] // so that callers write the call itself as the argument
pub(crate) fn assert_not_found<T: Debug>(answer: Result<T, StoreError>) {
    assert!(matches!(answer, Err(StoreError::NotFound(_))), "{answer:?}");
}

/// It collides with something.
#[track_caller]
#[allow(clippy::needless_pass_by_value)] // so that callers write the call itself as the argument
pub(crate) fn assert_conflict<T: Debug>(answer: Result<T, StoreError>, expected: Conflict) {
    assert!(matches!(answer, Err(StoreError::Conflict(conflict)) if conflict == expected), "{answer:?}");
}

/// The ids of executions, sorted.
pub(crate) fn ids_of<'a>(runs: impl IntoIterator<Item = &'a Run>) -> Vec<ExecutionId> {
    let mut ids: Vec<_> = runs.into_iter().map(|run| run.lease.execution_id).collect();
    ids.sort_unstable();
    ids
}
