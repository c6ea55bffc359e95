//! Goal 7: a tenant with a million waiting executions, and a hundred with one every second; and what two nodes make of
//! [weights and limits](limits).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use horarium_domain::job::Job;
use horarium_domain::store::Enqueued;
use horarium_scheduler_engine::{Executor, Outcome, Run};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::limits::{self, KEY_LIMIT, MOST, QUEUE_LIMIT, SHARE, STARTED, TENANT_LIMIT, TENANT_RATE, WEIGHED};
use super::{Shown, fill, horarium};
use crate::Failure;
use crate::lab::Lab;
use crate::lab::clock::now_ns;
use crate::node::{JOB, Node, Settings, add_job, add_tenant, execution_of};
use crate::report::figures::percentile;
use crate::report::{Against, Bound, Kind, Record, Target, Unit};

/// So many that a million are left when the second look begins.
const BACKLOG: u64 = 1_200_000;
const SMALL_TENANTS: u32 = 100;
const SECONDS: u64 = 15;

const P50: (&str, Unit) = ("pickup p50", Unit::Milliseconds);
const P99: (&str, Unit) = ("pickup p99", Unit::Milliseconds);
const RATE: (&str, Unit) = ("run", Unit::PerSecond);

/// How long an attempt of the large tenant takes, where it does something.
const WORK: Duration = Duration::from_millis(50);

const SMALL: &str = "100 small tenants";
const LARGE: &str = "the large tenant";
const SMALL_BESIDE_WORK: &str = "100 small tenants, beside work";
const LARGE_WORKS: &str = "the large tenant, which works";

pub(super) const SHOWN: Shown = Shown {
    title: "7. Fairness, weights and limits",
    method: "A tenant has more than 1,000,000 executions waiting; each of 100 others submits one every second, for fifteen \
        seconds, on one node. From the start of the call to the start of the handler. Each of the large tenant's executions \
        takes 50 ms, so that none of the node's 500 slots is ever free for long; then once more where they do nothing. \
        Weights and limits are set while two nodes of 20 slots are at work for two tenants of which each has thousands of \
        executions waiting that take 20 ms; what both nodes run together is counted for four seconds.",
    targets: &[
        stays_small("the small ones' p99 stays under 100 ms", SMALL),
        stays_small("and so it does when the large tenant's executions take 50 ms", SMALL_BESIDE_WORK),
        together(
            "weights 100 and 300: three in four starts are the heavier one's",
            WEIGHED,
            SHARE,
            Bound::AtLeast(72.0),
        ),
        together("and no more of them", WEIGHED, SHARE, Bound::AtMost(78.0)),
        together("a tenant's limit of 10: never more at once", TENANT_LIMIT, MOST, Bound::AtMost(10.0)),
        together("and no fewer while more wait", TENANT_LIMIT, MOST, Bound::AtLeast(10.0)),
        together("a tenant's rate of 200/s: at most 5 % above", TENANT_RATE, STARTED, Bound::AtMost(210.0)),
        together("and at most 5 % below", TENANT_RATE, STARTED, Bound::AtLeast(190.0)),
        together("a queue's limit of 10: never more at once", QUEUE_LIMIT, MOST, Bound::AtMost(10.0)),
        together("and no fewer while more wait", QUEUE_LIMIT, MOST, Bound::AtLeast(10.0)),
        together("a concurrency key's limit of 10: never more at once", KEY_LIMIT, MOST, Bound::AtMost(10.0)),
        together("and no fewer while more wait", KEY_LIMIT, MOST, Bound::AtLeast(10.0)),
    ],
    plotted: &[],
};

const fn together(text: &'static str, subject: &'static str, what: (&'static str, Unit), bound: Bound) -> Target {
    Target { text, subject, what: what.0, against: Against::Nothing, bound }
}

const fn stays_small(text: &'static str, subject: &'static str) -> Target {
    Target { text, subject, what: P99.0, against: Against::Nothing, bound: Bound::AtMost(100.0) }
}

/// Keeps account of what it is given.
#[derive(Clone)]
struct Accounts {
    /// How long each attempt of the large tenant takes.
    work: Duration,
    large: Arc<AtomicU64>,
    small_ms: Arc<Mutex<Vec<f64>>>,
}

#[async_trait]
impl Executor for Accounts {
    async fn execute(&self, run: Run) -> Outcome {
        match run.payload.as_ref().and_then(|payload| payload.get("t")).and_then(Value::as_u64) {
            None | Some(0) => {
                if !self.work.is_zero() {
                    tokio::time::sleep(self.work).await;
                }
                self.large.fetch_add(1, Ordering::Relaxed);
            }
            Some(called) => {
                let took = now_ns().saturating_sub(called) as f64 / 1e6;
                self.small_ms.lock().unwrap_or_else(PoisonError::into_inner).push(took);
            }
        }
        Outcome::succeeded()
    }
}

pub(super) async fn round(lab: &Lab, record: &mut Record) -> Result<(), Failure> {
    large_and_small(lab, record).await?;
    limits::round(lab, record).await
}

async fn large_and_small(lab: &Lab, record: &mut Record) -> Result<(), Failure> {
    let server = lab.server()?;
    let database = lab.database("fairness").await?;
    lab.describe(horarium("Horarium")?.described());
    let settings = Settings::postgres(&database.url);
    let node = Node::prepare(&settings).await?;
    fill::waiting(&database, lab.size(BACKLOG)).await?;
    let mut jobs = Vec::new();
    for number in 0..SMALL_TENANTS {
        let tenant = add_tenant(&node.core.store, &format!("small-{number}")).await?;
        jobs.push(add_job(&node.core.store, &tenant, JOB).await?);
    }
    // The slow one first, since it leaves most of the backlog to the other.
    side_by_side(lab, &node, &settings, &jobs, WORK, [SMALL_BESIDE_WORK, LARGE_WORKS], record).await?;
    side_by_side(lab, &node, &settings, &jobs, Duration::ZERO, [SMALL, LARGE], record).await?;
    if !lab.is_trial() && database.count("select count(*) from execution_queue").await? == 0 {
        return Err("the large tenant ran out of work: there was nothing to be fair about".into());
    }
    drop(node);
    server.remove(database).await
}

/// The small tenants and the large one, by their names in the table.
async fn side_by_side(
    lab: &Lab,
    node: &Arc<Node>,
    settings: &Settings,
    jobs: &[Job],
    work: Duration,
    [small_ones, large_one]: [&str; 2],
    record: &mut Record,
) -> Result<(), Failure> {
    lab.quiet();
    let watch = lab.watch();
    let accounts = Accounts { work, large: Arc::default(), small_ms: Arc::default() };
    let engine = node.work(settings, accounts.clone());
    let start = Instant::now();
    let seconds = if lab.is_trial() { 3 } else { SECONDS };
    submit(node, jobs, seconds).await?;
    let (run, took) = (accounts.large.load(Ordering::Relaxed), start.elapsed().as_secs_f64());
    lab.note(&watch);
    engine.shutdown().await;
    let small = accounts.small_ms.lock().unwrap_or_else(PoisonError::into_inner).clone();
    record.add(small_ones, Kind::Horarium, P50, percentile(&small, 50.0));
    record.add(small_ones, Kind::Horarium, P99, percentile(&small, 99.0));
    record.add(small_ones, Kind::Horarium, RATE, small.len() as f64 / took);
    record.add(large_one, Kind::Horarium, RATE, run as f64 / took);
    Ok(())
}

/// Each job is submitted once a second, all of them evenly over each second.
async fn submit(node: &Arc<Node>, jobs: &[Job], seconds: u64) -> Result<(), Failure> {
    let apart = Duration::from_secs(1) / SMALL_TENANTS;
    let mut submitting = JoinSet::new();
    for (number, job) in (0_u32..).zip(jobs) {
        let (node, job) = (Arc::clone(node), job.clone());
        submitting.spawn(async move {
            let first = tokio::time::Instant::now() + number * apart;
            let mut ticks = tokio::time::interval_at(first, Duration::from_secs(1));
            for _ in 0..seconds {
                ticks.tick().await;
                let execution = execution_of(&node.core, &job, json!({ "i": 0, "t": now_ns() }), node.core.now());
                if node.core.enqueue(execution).await? != Enqueued::Accepted {
                    return Err(Failure::from("an execution was not accepted"));
                }
            }
            Ok(())
        });
    }
    while let Some(done) = submitting.join_next().await {
        done??;
    }
    Ok(())
}
