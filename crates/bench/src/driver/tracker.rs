//! Which executions have come, and how long they took to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use horarium_scheduler_engine::{Executor, Outcome, Run};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::lab::clock::now_ns;

/// Does nothing, and keeps account of it. Clones share the account.
#[derive(Clone)]
pub(super) struct Tracker(Arc<Account>);

struct Account {
    count: u64,
    come: AtomicU64,
    duplicates: AtomicU64,
    first_ns: AtomicU64,
    last_ns: AtomicU64,
    /// One bit for each number.
    seen: Vec<AtomicU64>,
    latencies_us: Mutex<Vec<u64>>,
    complete: Notify,
}

impl Tracker {
    /// Expects the numbers below `count`.
    pub(super) fn new(count: u64) -> Self {
        Self(Arc::new(Account {
            count,
            come: AtomicU64::new(0),
            duplicates: AtomicU64::new(0),
            first_ns: AtomicU64::new(0),
            last_ns: AtomicU64::new(0),
            seen: (0..=count / 64).map(|_| AtomicU64::new(0)).collect(),
            latencies_us: Mutex::default(),
            complete: Notify::new(),
        }))
    }

    fn hit(&self, payload: &Value) {
        let account = &*self.0;
        let now = now_ns();
        let member = |name| payload.get(name).and_then(Value::as_u64).unwrap_or(0);
        let (number, called) = (member("i"), member("t"));
        if called > 0 {
            let latency = now.saturating_sub(called) / 1000;
            account.latencies_us.lock().unwrap_or_else(PoisonError::into_inner).push(latency);
        }
        let bit = 1 << (number % 64);
        let word = usize::try_from(number / 64).ok().and_then(|at| account.seen.get(at));
        if word.is_some_and(|word| word.fetch_or(bit, Ordering::Relaxed) & bit != 0) {
            account.duplicates.fetch_add(1, Ordering::Relaxed);
            return;
        }
        match account.come.fetch_add(1, Ordering::AcqRel) + 1 {
            come if come == account.count => {
                // Of a single one, the first is the last.
                let _ = account.first_ns.compare_exchange(0, now, Ordering::Relaxed, Ordering::Relaxed);
                account.last_ns.store(now_ns(), Ordering::Relaxed);
                account.complete.notify_one();
            }
            1 => account.first_ns.store(now, Ordering::Relaxed),
            _ => {}
        }
    }

    /// The account, once all have come.
    pub(super) async fn complete(&self) -> Value {
        let account = &*self.0;
        account.complete.notified().await;
        json!({
            "done": account.come.load(Ordering::Relaxed),
            "first_ns": account.first_ns.load(Ordering::Relaxed),
            "last_ns": account.last_ns.load(Ordering::Relaxed),
            "dups": account.duplicates.load(Ordering::Relaxed),
            "lat_us": *account.latencies_us.lock().unwrap_or_else(PoisonError::into_inner),
        })
    }
}

#[async_trait]
impl Executor for Tracker {
    async fn execute(&self, run: Run) -> Outcome {
        self.hit(run.payload.as_ref().unwrap_or(&Value::Null));
        Outcome::succeeded()
    }
}
