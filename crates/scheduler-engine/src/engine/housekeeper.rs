//! What is done now and then: forgetting old figures, mending limits that changed under way.

use std::sync::Arc;
use std::time::Duration;

use horarium_domain::store::StoreError;
use metrics::gauge;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::core::Core;

/// How often figures are taken and limits mended.
const INTERVAL: Duration = Duration::from_secs(5);

/// How often old figures are forgotten, in rounds.
const ROUNDS_PER_PRUNING: u64 = 720;

/// Keeps the store tidy.
#[derive(Debug)]
pub struct Housekeeper {
    core: Arc<Core>,
}

impl Housekeeper {
    /// A housekeeper for one node.
    pub fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Mends limits, and takes the queue's figures for the metrics.
    pub async fn tick(&self) -> Result<(), StoreError> {
        let now = self.core.now();
        if self.core.store.sweep_gates().await? > 0 {
            self.core.wakes.work.notify_one();
        }
        let (pending, running, oldest) = self.core.store.queue_totals(now).await?;
        gauge!("horarium_queue_pending").set(pending as f64);
        gauge!("horarium_queue_running").set(running as f64);
        gauge!("horarium_queue_oldest_seconds").set(oldest.map_or(0.0, |at| now.since(at).as_secs_f64()));
        self.core.bus.tidy(now);
        Ok(())
    }

    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut beat = tokio::time::interval(INTERVAL);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for round in 0_u64.. {
            tokio::select! {
                _ = beat.tick() => {}
                () = stop.cancelled() => return,
            }
            let mut done = self.tick().await;
            if done.is_ok() && round % ROUNDS_PER_PRUNING == ROUNDS_PER_PRUNING - 1 {
                done = self.core.store.prune_rollups(self.core.now()).await.map(drop);
            }
            if let Err(problem) = done {
                error!(error = %problem, "housekeeping failed; the next round tries again");
            }
        }
    }
}
