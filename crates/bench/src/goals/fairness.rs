//! Goal 7: a tenant with a million waiting executions, and a hundred with one every second.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use horarium_domain::job::Job;
use horarium_domain::store::Enqueued;
use horarium_scheduler_engine::{Executor, Outcome, Run};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Shown, fill, horarium};
use crate::Failure;
use crate::lab::Lab;
use crate::lab::clock::now_ns;
use crate::node::{Node, Settings, add_job, add_tenant, execution_of};
use crate::report::figures::percentile;
use crate::report::{Against, Bound, Kind, Record, Target, Unit};

const BACKLOG: u64 = 1_000_000;
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
    title: "7. One large tenant and a hundred small ones",
    method: "A tenant has 1,000,000 executions waiting; each of 100 others submits one every second, for fifteen seconds, on \
        one node. From the start of the call to the start of the handler. The large tenant's executions do nothing; then \
        once more where each of them takes 50 ms, so that none of the node's 500 slots is ever free for long.",
    targets: &[
        stays_small("the small ones' p99 stays under 100 ms", SMALL),
        stays_small("and so it does when the large tenant's executions take 50 ms", SMALL_BESIDE_WORK),
    ],
    plotted: &[],
};

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
    side_by_side(lab, Duration::ZERO, [SMALL, LARGE], record).await?;
    side_by_side(lab, WORK, [SMALL_BESIDE_WORK, LARGE_WORKS], record).await
}

/// The small tenants and the large one, by their names in the table.
async fn side_by_side(
    lab: &Lab,
    work: Duration,
    [small_ones, large_one]: [&str; 2],
    record: &mut Record,
) -> Result<(), Failure> {
    let server = lab.server()?;
    let database = lab.database("fairness").await?;
    lab.describe(horarium("Horarium")?.described());
    let settings = Settings::postgres(&database.url);
    let node = Node::prepare(&settings).await?;
    fill::waiting(&database, lab.size(BACKLOG)).await?;
    let mut jobs = Vec::new();
    for number in 0..SMALL_TENANTS {
        let tenant = add_tenant(&node.core.store, &format!("small-{number}")).await?;
        jobs.push(add_job(&node.core.store, &tenant, "no-op").await?);
    }
    lab.quiet();

    let watch = lab.watch();
    let accounts = Accounts { work, large: Arc::default(), small_ms: Arc::default() };
    let engine = node.work(&settings, accounts.clone());
    let start = Instant::now();
    let seconds = if lab.is_trial() { 3 } else { SECONDS };
    submit(&node, jobs, seconds).await?;
    let (run, took) = (accounts.large.load(Ordering::Relaxed), start.elapsed().as_secs_f64());
    lab.note(&watch);
    engine.shutdown().await;
    if !lab.is_trial() && run >= lab.size(BACKLOG) {
        return Err("the large tenant ran out of work: there was nothing to be fair about".into());
    }
    let small = accounts.small_ms.lock().unwrap_or_else(PoisonError::into_inner).clone();
    record.add(small_ones, Kind::Horarium, P50, percentile(&small, 50.0));
    record.add(small_ones, Kind::Horarium, P99, percentile(&small, 99.0));
    record.add(small_ones, Kind::Horarium, RATE, small.len() as f64 / took);
    record.add(large_one, Kind::Horarium, RATE, run as f64 / took);
    drop(node);
    server.remove(database).await
}

/// Each job is submitted once a second, all of them evenly over each second.
async fn submit(node: &Arc<Node>, jobs: Vec<Job>, seconds: u64) -> Result<(), Failure> {
    let apart = Duration::from_secs(1) / SMALL_TENANTS;
    let mut submitting = JoinSet::new();
    for (number, job) in (0_u32..).zip(jobs) {
        let node = Arc::clone(node);
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
