//! Many nodes at once on one database: nothing is run twice, nothing is lost, nobody sees a deadlock.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on panics

mod common;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use common::fixtures::{NOW, job, tenant};
use common::{PostgresDatabase, SqliteFile, block_on};
use horarium_domain::execution::{ExecutionState, Lifecycle, NewExecution, Trigger};
use horarium_domain::job::Job;
use horarium_domain::store::{
    CancelOutcome, ClaimRequest, Claimed, Decision, Enqueued, Settled, Settlement, SharedStore,
};
use horarium_domain::tenant::Tenant;
use horarium_domain::{ExecutionId, IdGenerator, NodeId, Timestamp};
use tokio::sync::Mutex;

const EXECUTIONS: usize = 3000;
const LATER: Timestamp = Timestamp::from_seconds(1_760_000_060);

struct Crowd {
    nodes: Vec<SharedStore>,
    owners: Vec<Tenant>,
    jobs: Vec<Job>,
    ids: IdGenerator,
    /// How often each was claimed, settled or cancelled.
    claimed: Mutex<HashMap<ExecutionId, usize>>,
    ended: Mutex<HashSet<ExecutionId>>,
    done: AtomicUsize,
}

impl Crowd {
    async fn new(nodes: Vec<SharedStore>) -> Arc<Self> {
        let mut jobs = Vec::new();
        let mut owners = Vec::new();
        for number in 0..3 {
            let owner = tenant(&format!("crowd-{number}"));
            let of_tenant: Vec<Job> = (0..4).map(|n| job(&owner, &format!("job-{n}"))).collect();
            jobs.extend(of_tenant.iter().cloned());
            let with_slots = of_tenant.into_iter().map(|job| (job, None)).collect();
            nodes[0].create_tenant(owner.clone(), with_slots).await.unwrap();
            owners.push(owner);
        }
        Arc::new(Self {
            nodes,
            owners,
            jobs,
            ids: IdGenerator::new(),
            claimed: Mutex::default(),
            ended: Mutex::default(),
            done: AtomicUsize::new(0),
        })
    }

    fn executions(&self, count: usize, from: usize) -> Vec<NewExecution> {
        (from..from + count)
            .map(|n| {
                let job = &self.jobs[n % self.jobs.len()];
                NewExecution {
                    id: self.ids.execution(NOW),
                    tenant_id: job.tenant_id,
                    job_id: job.id,
                    trigger: Trigger::Api,
                    triggered_by: "crowd".to_owned(),
                    payload: None,
                    queue: "default".to_owned(),
                    priority: (n % 7) as i16,
                    scheduled_for: NOW,
                    run_at: NOW,
                    created_at: NOW,
                    retry_parent_id: None,
                    // Every tenth is sent by two callers with the same key.
                    unique_key: (n % 10 == 0).then(|| format!("key-{n}")),
                    concurrency_key: None,
                    max_attempts: None,
                }
            })
            .collect()
    }

    fn node(&self, number: usize) -> &SharedStore {
        &self.nodes[number % self.nodes.len()]
    }

    fn is_done(&self) -> bool {
        self.done.load(Ordering::SeqCst) >= EXECUTIONS
    }

    /// Accepts a share of the executions; the ones with keys come from the other callers, too.
    async fn submit(self: Arc<Self>, number: usize, callers: usize) {
        let share = EXECUTIONS / callers;
        for batch in 0..share / 50 {
            let from = number * share + batch * 50;
            let answers = self.node(number).enqueue(self.executions(50, from)).await.unwrap();
            let refused =
                answers.iter().filter(|answer| !matches!(answer, Enqueued::Accepted | Enqueued::Duplicate(_)));
            assert_eq!(refused.count(), 0);
            // What another caller sent already is not ours to wait for.
            let duplicates = answers.iter().filter(|answer| matches!(answer, Enqueued::Duplicate(_))).count();
            self.done.fetch_add(duplicates, Ordering::SeqCst);
        }
    }

    /// Claims and settles until all is done; every third attempt goes back to the queue once.
    async fn work(self: Arc<Self>, number: usize) {
        let deadline = Instant::now() + Duration::from_mins(1);
        while !self.is_done() {
            assert!(Instant::now() < deadline, "{} of {EXECUTIONS} done", self.done.load(Ordering::SeqCst));
            let request = ClaimRequest {
                node: NodeId::from_uuid(self.ids.uuid(NOW)),
                worker: format!("worker-{number}"),
                limit: 37,
                now: NOW,
                lease_until: LATER,
            };
            let claimed = self.node(number).claim(&request).await.unwrap();
            if claimed.is_empty() {
                tokio::task::yield_now().await;
                continue;
            }
            for claim in &claimed {
                *self.claimed.lock().await.entry(claim.lease.execution_id).or_default() += 1;
            }
            // Leases are extended while others settle the same jobs' ends.
            let leases: Vec<_> = claimed.iter().map(|claim| claim.lease).collect();
            self.node(number + 1).renew(&leases, LATER).await.unwrap();
            let batch: Vec<Settlement> = claimed.iter().rev().map(settlement).collect();
            let answers = self.node(number).settle(batch.clone()).await.unwrap();
            let mut ended = self.ended.lock().await;
            for (settlement, answer) in batch.iter().zip(answers) {
                if answer == Settled::Applied && settlement.next.state.is_terminal() {
                    assert!(ended.insert(settlement.lease.execution_id), "it ended twice");
                    self.done.fetch_add(1, Ordering::SeqCst);
                }
            }
        }
    }

    /// Cancels whatever it finds, running or waiting.
    async fn meddle(self: Arc<Self>, number: usize) {
        while !self.is_done() {
            let some: Vec<ExecutionId> = self.claimed.lock().await.keys().copied().take(200).collect();
            for id in some.into_iter().skip(number).step_by(17) {
                for owner in &self.owners {
                    let outcome = self.node(number).cancel(owner.id, id, "meddler", LATER).await;
                    if let Ok(CancelOutcome::WasPending | CancelOutcome::WasRunning) = outcome {
                        assert!(self.ended.lock().await.insert(id), "it ended twice");
                        self.done.fetch_add(1, Ordering::SeqCst);
                    }
                }
            }
            tokio::task::yield_now().await;
        }
    }
}

fn settlement(claimed: &Claimed) -> Settlement {
    let again = claimed.lease.fence == 1 && claimed.lease.execution_id.as_uuid().as_u128().is_multiple_of(3);
    let state = match (again, claimed.lease.execution_id.as_uuid().as_u128() % 2) {
        (true, _) => ExecutionState::Pending,
        (false, 0) => ExecutionState::Failed,
        (false, _) => ExecutionState::Succeeded,
    };
    let finish = Decision::Finish { state, output: None, error: None, items_processed: None, partial: false };
    Settlement {
        lease: claimed.lease,
        tenant_id: claimed.tenant_id,
        job_id: claimed.job_id,
        next: Lifecycle { state, ..claimed.lifecycle },
        worker: "worker".to_owned(),
        started_at: NOW,
        ended_at: LATER,
        decision: if again { Decision::Requeue { run_at: NOW } } else { finish },
        event: None,
        only_if_expired_at: None,
    }
}

async fn everything_at_once(nodes: Vec<SharedStore>) {
    let crowd = Crowd::new(nodes).await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..3 {
        tasks.spawn(Arc::clone(&crowd).submit(number, 3));
    }
    for number in 0..4 {
        tasks.spawn(Arc::clone(&crowd).work(number));
    }
    for number in 0..2 {
        tasks.spawn(Arc::clone(&crowd).meddle(number));
    }
    tasks.join_all().await;

    let claimed = crowd.claimed.lock().await;
    assert!(claimed.values().all(|times| *times <= 2), "only those that went back were claimed again");
    let (mut succeeded, mut failed, mut cancelled) = (0, 0, 0);
    for job in &crowd.jobs {
        let (counters, histogram) = crowd.nodes[0].job_statistics(job.tenant_id, job.id).await.unwrap();
        succeeded += counters.succeeded;
        failed += counters.failed;
        cancelled += counters.cancelled;
        assert_eq!((counters.pending, counters.running), (0, 0));
        assert_eq!(histogram.iter().map(|(_, count)| count).sum::<i64>(), counters.succeeded + counters.failed);
    }
    let ended = i64::try_from(crowd.ended.lock().await.len()).unwrap();
    assert_eq!(succeeded + failed + cancelled, ended);
    assert!(succeeded > 0 && failed > 0 && cancelled > 0);
    for owner in &crowd.owners {
        let drift = crowd.nodes[0].reconcile_counters(owner.id).await.unwrap();
        assert!(drift.is_empty(), "{drift:?}");
    }
}

#[test]
fn two_nodes_on_postgres_accept_claim_settle_renew_and_cancel_at_once() {
    block_on(async {
        let Some(database) = PostgresDatabase::migrated().await else { return };
        let nodes: Vec<SharedStore> = vec![Arc::new(database.store().await), Arc::new(database.store().await)];
        everything_at_once(nodes).await;
    });
}

#[test]
fn many_callers_on_sqlite_accept_claim_settle_renew_and_cancel_at_once() {
    block_on(async {
        let file = SqliteFile::new();
        let store = file.store().await;
        store.migrate().await.unwrap();
        everything_at_once(vec![Arc::new(store)]).await;
    });
}

/// However many nodes claim at once, a limit that spans them holds.
async fn limits_hold(nodes: Vec<SharedStore>) {
    let owner = tenant("limited");
    let mut limited = job(&owner, "limited");
    limited.spec.max_concurrency = Some(7);
    nodes[0].create_tenant(owner.clone(), vec![(limited.clone(), None)]).await.unwrap();
    let ids = IdGenerator::new();
    let executions = (0..400).map(|_| NewExecution {
        id: ids.execution(NOW),
        tenant_id: owner.id,
        job_id: limited.id,
        trigger: Trigger::Api,
        triggered_by: "crowd".to_owned(),
        payload: None,
        queue: "default".to_owned(),
        priority: 0,
        scheduled_for: NOW,
        run_at: NOW,
        created_at: NOW,
        retry_parent_id: None,
        unique_key: None,
        concurrency_key: None,
        max_attempts: None,
    });
    nodes[0].enqueue(executions.collect()).await.unwrap();

    let running = Arc::new(AtomicUsize::new(0));
    let done = Arc::new(AtomicUsize::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..6 {
        let (store, node) = (Arc::clone(&nodes[number % nodes.len()]), NodeId::from_uuid(ids.uuid(NOW)));
        let (running, done) = (Arc::clone(&running), Arc::clone(&done));
        tasks.spawn(async move {
            let deadline = Instant::now() + Duration::from_mins(1);
            while done.load(Ordering::SeqCst) < 400 {
                assert!(Instant::now() < deadline, "{} of 400 done", done.load(Ordering::SeqCst));
                let request = ClaimRequest { node, worker: "w".to_owned(), limit: 5, now: NOW, lease_until: LATER };
                let claimed = store.claim(&request).await.unwrap();
                let now_running = running.fetch_add(claimed.len(), Ordering::SeqCst) + claimed.len();
                assert!(now_running <= 7, "{now_running} run at once");
                tokio::task::yield_now().await;
                // Counted down before the database may hand out their places.
                running.fetch_sub(claimed.len(), Ordering::SeqCst);
                let batch: Vec<Settlement> = claimed
                    .iter()
                    .map(|claim| Settlement {
                        decision: Decision::Finish {
                            state: ExecutionState::Succeeded,
                            output: None,
                            error: None,
                            items_processed: None,
                            partial: false,
                        },
                        next: Lifecycle { state: ExecutionState::Succeeded, ..claim.lifecycle },
                        ..settlement(claim)
                    })
                    .collect();
                let settled = store.settle(batch).await.unwrap();
                done.fetch_add(settled.len(), Ordering::SeqCst);
            }
        });
    }
    tasks.join_all().await;
}

#[test]
fn a_jobs_limit_holds_over_two_nodes_on_postgres() {
    block_on(async {
        let Some(database) = PostgresDatabase::migrated().await else { return };
        limits_hold(vec![Arc::new(database.store().await), Arc::new(database.store().await)]).await;
    });
}

#[test]
fn a_jobs_limit_holds_for_many_callers_on_sqlite() {
    block_on(async {
        let file = SqliteFile::new();
        let store = file.store().await;
        store.migrate().await.unwrap();
        limits_hold(vec![Arc::new(store)]).await;
    });
}
