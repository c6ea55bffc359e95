//! The driver's protocol (crates/bench/src/driver/mod.rs) for job queues of Rust.

use std::error::Error;
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use serde::{Deserialize, Serialize};
use serde_json::json;

/// Any error ends the driver.
pub type Failure = Box<dyn Error + Send + Sync>;

/// What a job carries: its number, and when the call for it began; 0: nobody asks.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Payload {
    pub i: u64,
    pub t: u64,
}

/// A job queue.
pub trait Queue: Send + Sync + 'static {
    /// Makes the schema.
    fn setup(&self) -> impl Future<Output = Result<(), Failure>>;

    /// Accepts one job.
    fn add(&self, job: Payload) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Accepts jobs in one call.
    fn add_many(&self, jobs: Vec<Payload>) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Runs jobs, by calling [`handle`] for each, until the process is killed; calls [`ready`] first.
    fn work(self) -> impl Future<Output = Result<(), Failure>>;
}

/// Runs the command that this process was given.
pub async fn drive(queue: impl Queue) -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let number = |at: usize| words.get(at).and_then(|word| word.parse().ok()).unwrap_or(0);
    let (count, second, third) = (number(1), number(2), number(3));
    match words.first().map_or("", String::as_str) {
        "setup" => queue.setup().await,
        "enq_one" => timed(queue, count, 1, second).await,
        "enq_bulk" => timed(queue, count, second.max(1), third).await,
        "lat" => now_and_then(&queue, count, Duration::from_millis(second)).await,
        "work" => {
            ACCOUNT.get_or_init(|| Account::new(count));
            queue.work().await
        }
        other => Err(format!("unknown command {other:?}").into()),
    }
}

/// A setting.
pub fn setting<T: FromStr>(name: &str, fallback: T) -> T {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(fallback)
}

/// The database.
pub fn database() -> Result<String, Failure> {
    Ok(std::env::var("DATABASE_URL")?)
}

/// Tells that the worker takes jobs.
pub fn ready() {
    println!("{}", json!({ "ready": now_ns() }));
}

struct Account {
    count: u64,
    come: AtomicU64,
    duplicates: AtomicU64,
    first_ns: AtomicU64,
    seen: Vec<AtomicU64>,
    latencies_us: Mutex<Vec<u64>>,
}

static ACCOUNT: OnceLock<Account> = OnceLock::new();

impl Account {
    fn new(count: u64) -> Self {
        Self {
            count,
            come: AtomicU64::new(0),
            duplicates: AtomicU64::new(0),
            first_ns: AtomicU64::new(0),
            seen: (0..=count / 64).map(|_| AtomicU64::new(0)).collect(),
            latencies_us: Mutex::default(),
        }
    }
}

/// What a job does: nothing, but for keeping account; tells when all have come.
pub fn handle(job: Payload) {
    let Some(account) = ACCOUNT.get() else { return };
    let now = now_ns();
    if job.t > 0 {
        account.latencies_us.lock().expect("nobody panics with it").push(now.saturating_sub(job.t) / 1000);
    }
    let bit = 1 << (job.i % 64);
    if account.seen[(job.i / 64) as usize].fetch_or(bit, Ordering::Relaxed) & bit != 0 {
        account.duplicates.fetch_add(1, Ordering::Relaxed);
        return;
    }
    let come = account.come.fetch_add(1, Ordering::AcqRel) + 1;
    if come == 1 {
        account.first_ns.store(now, Ordering::Relaxed);
    }
    if come == account.count {
        let line = json!({
            "done": come,
            "first_ns": account.first_ns.load(Ordering::Relaxed),
            "last_ns": now_ns(),
            "dups": account.duplicates.load(Ordering::Relaxed),
            "lat_us": *account.latencies_us.lock().expect("nobody panics with it"),
        });
        println!("{line}");
    }
}

/// Has callers make calls at once, each for the next `step` numbers.
async fn timed(queue: impl Queue, count: u64, step: u64, callers: u64) -> Result<(), Failure> {
    let (queue, next) = (Arc::new(queue), Arc::new(AtomicU64::new(0)));
    let start = Instant::now();
    let mut calling = tokio::task::JoinSet::new();
    for _ in 0..callers.max(1) {
        let (queue, next) = (Arc::clone(&queue), Arc::clone(&next));
        calling.spawn(async move {
            loop {
                let from = next.fetch_add(step, Ordering::Relaxed);
                let jobs = from.min(count)..count.min(from + step);
                match jobs.end - jobs.start {
                    0 => return Ok::<_, Failure>(()),
                    1 if step == 1 => queue.add(Payload { i: from, t: 0 }).await?,
                    _ => queue.add_many(jobs.map(|i| Payload { i, t: 0 }).collect()).await?,
                }
            }
        });
    }
    while let Some(caller) = calling.join_next().await {
        caller??;
    }
    println!("{}", json!({ "n": count, "secs": start.elapsed().as_secs_f64() }));
    Ok(())
}

async fn now_and_then(queue: &impl Queue, count: u64, interval: Duration) -> Result<(), Failure> {
    let mut ticks = tokio::time::interval(interval);
    let mut took = Vec::new();
    for i in 0..count {
        ticks.tick().await;
        let t = now_ns();
        queue.add(Payload { i, t }).await?;
        took.push((now_ns() - t) / 1000);
    }
    println!("{}", json!({ "call_us": took }));
    Ok(())
}

/// Nanoseconds of `CLOCK_MONOTONIC`, which processes of one machine share.
fn now_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}
