//! Takes over executions whose worker stopped renewing its lease.

use std::sync::Arc;
use std::time::Duration;

use horarium_domain::execution::{Command, Effect, Event, decide};
use horarium_domain::retry::RetryPolicy;
use horarium_domain::store::{Decision, ExpiredLease, Settled, Settlement, StoreError};
use metrics::counter;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::completer::message;
use super::{EngineConfig, LoopHealth, LoopName};
use crate::core::Core;

/// How many are taken over at once.
const BATCH: usize = 500;

/// Looks for expired leases on every node: there is no leader that could be lost as well.
#[derive(Debug)]
pub struct Reaper {
    core: Arc<Core>,
    config: EngineConfig,
}

impl Reaper {
    /// A reaper for one node.
    pub fn new(core: Arc<Core>, config: EngineConfig) -> Self {
        Self { core, config }
    }

    /// Puts back what expired; answers how many it took over. What was renewed, or taken over by another node,
    /// between the look and the write is left alone.
    pub async fn tick(&self) -> Result<usize, StoreError> {
        let mut taken = 0;
        loop {
            let now = self.core.now();
            let expired = self.core.store.expired(now, BATCH).await?;
            let found = expired.len();
            let batch: Vec<_> = expired.into_iter().filter_map(|lease| self.settlement(lease)).collect();
            let applied = self.core.store.settle(batch).await?.into_iter().filter(|r| *r == Settled::Applied).count();
            taken += applied;
            if applied > 0 {
                warn!(executions = applied, "took over executions whose worker was lost");
                counter!("horarium_leases_lost_total").increment(applied as u64);
                self.core.wakes.work.notify_one();
            }
            if found < BATCH {
                return Ok(taken);
            }
        }
    }

    fn settlement(&self, expired: ExpiredLease) -> Option<Settlement> {
        let now = self.core.now();
        // How often a lost execution is tried again is not the job's policy to say, so none needs to be read.
        let policy = RetryPolicy::default();
        let decided = decide(expired.lifecycle, &Command::LeaseExpired, now, &policy, self.core.entropy.unit());
        let transition = match decided {
            Ok(transition) => transition,
            Err(rejection) => {
                error!(execution = %expired.lease.execution_id, %rejection, "an expired lease on what does not run");
                return None;
            }
        };
        let attempt = expired.lifecycle.attempt;
        let problem = format!("the worker {} stopped renewing its lease", expired.worker);
        let decision = match transition.effect {
            Effect::Requeue { run_at } => Decision::Requeue { run_at },
            _ => Decision::Finish {
                state: transition.next.state,
                output: None,
                error: Some(format!("{problem}; given up after {} lost attempts", transition.next.lost)),
                items_processed: None,
                partial: false,
            },
        };
        let event = transition.event.map(|kind| Event {
            execution_id: expired.lease.execution_id,
            at: now,
            kind,
            attempt,
            attempt_started_at: Some(expired.started_at),
            source: expired.worker.clone(),
            message: message(kind, attempt, transition.effect),
            error: Some(problem),
        });
        Some(Settlement {
            lease: expired.lease,
            tenant_id: expired.tenant_id,
            job_id: expired.job_id,
            next: transition.next,
            worker: expired.worker,
            started_at: expired.started_at,
            ended_at: now.max(expired.started_at),
            decision,
            event,
            only_if_expired_at: Some(now),
        })
    }

    pub(crate) async fn run(self, health: Arc<LoopHealth>, stop: CancellationToken) {
        loop {
            match self.tick().await {
                Ok(_) => health.round(LoopName::Reaper),
                Err(problem) => {
                    counter!("horarium_loop_errors_total", "loop" => "reaper").increment(1);
                    error!(error = %problem, "cannot look for expired leases");
                }
            }
            // Up to a fifth sooner, so that the nodes do not all look at the same instant.
            let pause: Duration = self.config.reaper_interval.mul_f64(1.0 - 0.2 * self.core.entropy.unit());
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }
}
