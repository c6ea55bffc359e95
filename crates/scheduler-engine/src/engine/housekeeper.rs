//! What is done now and then: forgetting old figures, mending limits that changed under way.

use std::sync::Arc;
use std::time::Duration;

use horarium_domain::store::StoreError;
use metrics::{counter, gauge};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::error;

use crate::core::Core;

/// How often figures are taken and limits mended.
const INTERVAL: Duration = Duration::from_secs(5);

/// How often what is too old is forgotten; for the first time when the node starts.
const PRUNING_INTERVAL: Duration = Duration::from_hours(1);

/// How many entries of the audit log are deleted in one transaction.
const AUDIT_BATCH: usize = 1000;

/// How many sessions that are over are deleted in one transaction.
const SESSION_BATCH: usize = 1000;

/// How long an agent is remembered that nothing is heard of.
const SILENT_AGENTS_KEPT: Duration = Duration::from_hours(30 * 24);

/// Keeps the store tidy.
#[derive(Debug)]
pub struct Housekeeper {
    core: Arc<Core>,
    audit_retention: Duration,
}

impl Housekeeper {
    /// A housekeeper for one node, which keeps entries of the audit log for so long.
    pub fn new(core: Arc<Core>, audit_retention: Duration) -> Self {
        Self { core, audit_retention }
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

    /// Makes room for the coming days, and forgets what is too old.
    pub async fn prune(&self) -> Result<(), StoreError> {
        let now = self.core.now();
        self.core.store.prepare_history(now).await?;
        self.core.store.prune_rollups(now).await?;
        self.core.store.prune_agents(now - SILENT_AGENTS_KEPT).await?;
        while self.core.store.prune_sessions(now, SESSION_BATCH).await? == SESSION_BATCH as u64 {}
        let before = now - self.audit_retention;
        while self.core.store.prune_audit(before, AUDIT_BATCH).await? == AUDIT_BATCH as u64 {}
        Ok(())
    }

    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut beat = tokio::time::interval(INTERVAL);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut next_pruning = Instant::now();
        loop {
            tokio::select! {
                _ = beat.tick() => {}
                () = stop.cancelled() => return,
            }
            let round = async {
                self.tick().await?;
                if next_pruning <= Instant::now() {
                    self.prune().await?;
                    next_pruning = Instant::now() + PRUNING_INTERVAL;
                }
                Ok::<_, StoreError>(())
            };
            // There may be much to forget; a node that stops leaves the rest to the next one.
            match stop.run_until_cancelled(round).await {
                Some(Ok(())) => {}
                Some(Err(problem)) => {
                    counter!("horarium_loop_errors_total", "loop" => "housekeeper").increment(1);
                    error!(error = %problem, "housekeeping failed; the next round tries again");
                }
                None => return,
            }
        }
    }
}
