//! Hints to the other nodes that there is work, or that work was cancelled. They come from whatever accepts, be it a node
//! that runs attempts or one that only accepts.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use horarium_domain::execution::NewExecution;
use horarium_domain::store::{AcceptanceNote, Enqueued, SharedStore, Signal, StoreError};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tracing::debug;

use crate::core::Wakes;

/// The least time between two hints: one says as much as a thousand.
const THROTTLE: Duration = Duration::from_millis(5);

/// How many ids of cancelled executions go into one hint.
const CANCELLED_PER_SIGNAL: usize = 100;

/// Says when the next hint may go out.
#[derive(Debug)]
pub(crate) struct Hints {
    wakes: Arc<Wakes>,
    /// When the last one went out. Held for an instant, never over I/O.
    last: Mutex<Option<Instant>>,
}

impl Hints {
    pub(crate) fn new(wakes: Arc<Wakes>) -> Self {
        Self { wakes, last: Mutex::default() }
    }

    /// Accepts executions, and sees to it that other nodes hear of them: together with the commit, unless they heard
    /// something a moment ago.
    pub(crate) async fn accept(
        &self,
        store: &SharedStore,
        batch: Vec<NewExecution>,
        notes: Vec<AcceptanceNote>,
    ) -> Result<Vec<Enqueued>, StoreError> {
        let due = batch.iter().any(is_due);
        if due && self.pause().is_zero() {
            self.sent();
            return store.enqueue_and_tell(batch, notes).await;
        }
        let answers = store.enqueue_noted(batch, notes).await?;
        if due {
            self.wakes.publish_work.notify_one();
        }
        Ok(answers)
    }

    /// Sends what is asked for by [`Wakes::publish_work`] and [`Wakes::publish_cancelled`], until it is dropped.
    pub(crate) fn start(self: Arc<Self>, store: SharedStore) -> Sender {
        Sender(tokio::spawn(async move {
            loop {
                self.wakes.publish_work.notified().await;
                tokio::time::sleep(self.pause()).await;
                self.sent();
                if let Err(problem) = self.send(&store).await {
                    debug!(error = %problem, "a hint to other nodes was not sent; they find out by polling");
                }
            }
        }))
    }

    async fn send(&self, store: &SharedStore) -> Result<(), StoreError> {
        let cancelled =
            std::mem::take(&mut *self.wakes.publish_cancelled.lock().unwrap_or_else(PoisonError::into_inner));
        for ids in cancelled.chunks(CANCELLED_PER_SIGNAL) {
            store.publish(Signal::Cancelled(ids.to_vec())).await?;
        }
        store.publish(Signal::Work).await
    }

    /// How long until the next one may go out.
    fn pause(&self) -> Duration {
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        last.map_or(Duration::ZERO, |last| THROTTLE.saturating_sub(last.elapsed()))
    }

    fn sent(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now());
    }
}

/// Whether it may be claimed as soon as it is accepted.
pub(crate) fn is_due(execution: &NewExecution) -> bool {
    execution.run_at <= execution.created_at
}

/// The task that sends hints; it ends with this.
#[derive(Debug)]
pub(crate) struct Sender(JoinHandle<()>);

impl Drop for Sender {
    fn drop(&mut self) {
        self.0.abort();
    }
}
