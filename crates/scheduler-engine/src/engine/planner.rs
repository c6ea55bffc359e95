//! Turns due slots into executions.
//!
//! Every node plans. The store advances a job from its slot only if that slot is still the next one, in the
//! transaction that accepts the executions, so of two nodes that plan the same slot one does it and the other learns
//! that it was done.

use std::sync::Arc;
use std::time::Duration;

use horarium_domain::Timestamp;
use horarium_domain::execution::{NewExecution, Trigger};
use horarium_domain::schedule::PlanLimits;
use horarium_domain::store::{DueSlot, FireOutcome, Firing, SkippedSlots, StoreError};
use metrics::{counter, histogram};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::{EngineConfig, LoopHealth, LoopName};
use crate::bus::LiveEventKind;
use crate::core::Core;

/// How many jobs are planned at once.
const BATCH: usize = 500;

/// The longest sleep: a schedule that another node changed is seen within it.
const LONGEST_SLEEP: Duration = Duration::from_secs(1);

/// Plans the slots of all tenants.
#[derive(Debug)]
pub struct Planner {
    core: Arc<Core>,
    config: EngineConfig,
}

impl Planner {
    /// A planner for one node.
    pub fn new(core: Arc<Core>, config: EngineConfig) -> Self {
        Self { core, config }
    }

    /// Fires all that is due; answers how many executions that made.
    pub async fn tick(&self) -> Result<usize, StoreError> {
        let mut made = 0;
        loop {
            let now = self.core.now();
            let due = self.core.store.due(now, BATCH).await?;
            let found = due.len();
            if found == 0 {
                return Ok(made);
            }
            let firings: Vec<_> = due.into_iter().map(|slot| self.firing(slot, now)).collect();
            let outcomes = self.core.store.fire(firings.clone()).await?;
            for (firing, outcome) in firings.iter().zip(outcomes) {
                made += self.fired(firing, outcome);
            }
            if found < BATCH {
                return Ok(made);
            }
        }
    }

    fn firing(&self, due: DueSlot, now: Timestamp) -> Firing {
        let DueSlot { job, slot } = due;
        let schedule = &job.spec.schedule;
        let limits = PlanLimits { grace: self.config.misfire_grace, max_fires: self.config.max_missed_fires };
        let plan = schedule.plan(slot, now, job.spec.misfire_policy, limits);
        let executions = plan
            .fire
            .iter()
            .map(|slot| NewExecution {
                id: self.core.ids.execution(now),
                tenant_id: job.tenant_id,
                job_id: job.id,
                trigger: Trigger::Schedule,
                triggered_by: "schedule".to_owned(),
                payload: None,
                queue: job.spec.queue.as_str().to_owned(),
                priority: job.spec.priority,
                scheduled_for: slot.at,
                run_at: slot.at + schedule.jitter_of(job.id.as_uuid(), slot.at),
                created_at: now,
                retry_parent_id: None,
                unique_key: None,
                concurrency_key: None,
                max_attempts: None,
            })
            .collect();
        let skipped = plan
            .skipped
            .iter()
            .map(|skipped| SkippedSlots {
                first: skipped.first,
                last: skipped.last,
                count: skipped.count,
                reason: skipped.reason.as_str().to_owned(),
                recorded_at: now,
            })
            .collect();
        Firing {
            tenant_id: job.tenant_id,
            job_id: job.id,
            slot,
            next: plan.next,
            executions,
            skipped,
            concurrency: job.spec.concurrency_policy,
            now,
        }
    }

    fn fired(&self, firing: &Firing, outcome: FireOutcome) -> usize {
        match outcome {
            FireOutcome::Fired { accepted, cancelled } => {
                let late = firing.now.since(firing.slot);
                histogram!("horarium_slot_lateness_seconds").record(late.as_secs_f64());
                let skipped: u64 = firing.skipped.iter().map(|skipped| skipped.count).sum();
                if skipped > 0 {
                    counter!("horarium_slots_skipped_total").increment(skipped);
                    info!(job = %firing.job_id, slots = skipped, "skipped missed slots");
                }
                counter!("horarium_slots_fired_total").increment(accepted as u64);
                self.core.stop_cancelled(cancelled);
                for execution in firing.executions.iter().take(accepted) {
                    if execution.run_at <= firing.now {
                        self.core.wakes.work.notify_one();
                        self.core.wakes.publish_work.notify_one();
                    } else {
                        self.core.wakes.waiting.notify_one();
                    }
                    let kind = LiveEventKind::ExecutionCreated;
                    self.core.tell(firing.tenant_id, kind, firing.job_id, Some(execution.id), None);
                }
                accepted
            }
            FireOutcome::Superseded => 0,
        }
    }

    pub(crate) async fn run(self, health: Arc<LoopHealth>, stop: CancellationToken) {
        loop {
            let pause = match self.round().await {
                Ok(pause) => {
                    health.round(LoopName::Planner);
                    pause
                }
                Err(problem) => {
                    counter!("horarium_loop_errors_total", "loop" => "planner").increment(1);
                    error!(error = %problem, "cannot plan");
                    LONGEST_SLEEP
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = self.core.wakes.schedules.notified() => {}
                () = stop.cancelled() => return,
            }
        }
    }

    async fn round(&self) -> Result<Duration, StoreError> {
        self.tick().await?;
        let next = self.core.store.next_slot_at().await?;
        let pause = next.map_or(LONGEST_SLEEP, |at| at.since(self.core.now()).min(LONGEST_SLEEP));
        Ok(pause.max(Duration::from_millis(1)))
    }
}
