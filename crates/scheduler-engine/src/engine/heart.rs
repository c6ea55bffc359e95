//! Renews the leases of what this node holds, and stops what it no longer holds.

use std::collections::HashSet;
use std::sync::Arc;

use horarium_domain::store::StoreError;
use metrics::counter;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::{EngineConfig, LoopHealth, LoopName};
use crate::core::Core;

/// How many leases are renewed in one statement.
const BATCH: usize = 1000;

/// Renews leases, three times within each.
#[derive(Debug)]
pub struct Heart {
    core: Arc<Core>,
    config: EngineConfig,
}

impl Heart {
    /// A heart for one node.
    pub fn new(core: Arc<Core>, config: EngineConfig) -> Self {
        Self { core, config }
    }

    /// Renews everything that is held, and notes its progress. What the store no longer grants is stopped.
    pub async fn tick(&self) -> Result<(), StoreError> {
        let held = self.core.running.snapshot();
        for batch in held.chunks(BATCH) {
            let leases: Vec<_> = batch.iter().map(|held| held.lease).collect();
            let until = self.core.now() + self.config.lease;
            let granted = self.core.store.renew(&leases, until).await?;
            self.core.running.extended(&granted, until);
            let granted: HashSet<_> = granted.into_iter().collect();
            for lost in leases.iter().filter(|lease| !granted.contains(lease)) {
                self.core.running.revoke(*lost);
            }
            let progress: Vec<_> = batch.iter().filter_map(|held| Some((held.lease, held.progress.get()?))).collect();
            if !progress.is_empty() {
                self.core.store.note_progress(&progress).await?;
            }
        }
        Ok(())
    }

    /// Stops what could not be renewed in time: another node may run it by now.
    fn let_go_of_expired(&self) {
        let now = self.core.now();
        for held in self.core.running.snapshot() {
            if held.lease_until <= now && !held.stop.is_cancelled() {
                warn!(execution = %held.lease.execution_id, "lease ran out before it could be renewed");
                self.core.running.revoke(held.lease);
            }
        }
    }

    pub(crate) async fn run(self, health: Arc<LoopHealth>, stop: CancellationToken) {
        let mut beat = tokio::time::interval(self.config.lease / 3);
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                _ = beat.tick() => {}
                () = stop.cancelled() => return,
            }
            match self.tick().await {
                Ok(()) => health.round(LoopName::Heart),
                Err(problem) => {
                    counter!("horarium_loop_errors_total", "loop" => "heart").increment(1);
                    error!(error = %problem, "cannot renew leases");
                    self.let_go_of_expired();
                }
            }
        }
    }
}
