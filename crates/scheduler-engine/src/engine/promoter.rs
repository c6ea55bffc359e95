//! Makes waiting executions claimable when their time has come: retries after their delay, runs asked for later.

use std::sync::Arc;
use std::time::Duration;

use horarium_domain::Timestamp;
use horarium_domain::store::StoreError;
use metrics::counter;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::{LoopHealth, LoopName};
use crate::core::Core;

/// How many are made claimable at once.
const BATCH: usize = 1000;

/// The longest sleep: what another node accepted for later is seen within it.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// Promotes waiting executions.
#[derive(Debug)]
pub struct Promoter {
    core: Arc<Core>,
}

impl Promoter {
    /// A promoter for one node.
    pub fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Promotes all that is due; answers when the next one will be.
    pub async fn tick(&self) -> Result<Option<Timestamp>, StoreError> {
        loop {
            let promoted = self.core.store.promote(self.core.now(), BATCH).await?;
            if promoted.count > 0 {
                self.core.wakes.work.notify_one();
                self.core.wakes.publish_work.notify_one();
            }
            if promoted.count < BATCH {
                return Ok(promoted.next_at);
            }
        }
    }

    pub(crate) async fn run(self, health: Arc<LoopHealth>, stop: CancellationToken) {
        loop {
            let pause = match self.tick().await {
                Ok(next) => {
                    health.round(LoopName::Promoter);
                    next.map_or(LONGEST_SLEEP, |at| at.since(self.core.now()).min(LONGEST_SLEEP))
                }
                Err(problem) => {
                    counter!("horarium_loop_errors_total", "loop" => "promoter").increment(1);
                    error!(error = %problem, "cannot promote waiting executions");
                    LONGEST_SLEEP
                }
            };
            // An instant reached is not an instant past: rounding may leave a remainder of nothing to sleep.
            let pause = pause.max(Duration::from_millis(1));
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.core.wakes.waiting.notified() => {}
                () = stop.cancelled() => return,
            }
        }
    }
}
