//! Turns due slots into executions.
//!
//! Every node plans. The store hands each due slot to one planner at a time, and advances the job from it in the
//! transaction that accepts the executions: however many planners there are, they share what is due, and what one of
//! them could not finish is due for the others.

use std::sync::Arc;
use std::time::Duration;

use horarium_domain::Timestamp;
use horarium_domain::execution::{NewExecution, Trigger};
use horarium_domain::schedule::PlanLimits;
use horarium_domain::store::{Decide, DueSlot, FireOutcome, Firing, SkippedSlots, StoreError};
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

/// How long to wait while others fire all that is due. Should they fail to, it is still due.
const OTHERS_AT_IT: Duration = Duration::from_millis(5);

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

    /// Fires all that is due and that no other planner is firing; answers how many executions that made.
    pub async fn tick(&self) -> Result<usize, StoreError> {
        let first = self.batch().await?;
        if !first.full {
            return Ok(first.made);
        }
        // While the database works on one batch, the next one is decided on.
        let (one, other) = tokio::try_join!(self.batches(), self.batches())?;
        Ok(first.made + one + other)
    }

    async fn batches(&self) -> Result<usize, StoreError> {
        let mut made = 0;
        loop {
            let batch = self.batch().await?;
            made += batch.made;
            if !batch.full {
                return Ok(made);
            }
        }
    }

    async fn batch(&self) -> Result<Batch, StoreError> {
        let now = self.core.now();
        let core = Arc::clone(&self.core);
        let limits = PlanLimits { grace: self.config.misfire_grace, max_fires: self.config.max_missed_fires };
        let decide: Decide = Arc::new(move |due| decide(&core, due, now, limits));
        let fired = self.core.store.fire_due(now, BATCH, decide).await?;
        let full = fired.len() == BATCH;
        let made = fired.into_iter().map(|(firing, outcome)| self.fired(&firing, outcome)).sum();
        Ok(Batch { made, full })
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
        let now = self.core.now();
        Ok(match next {
            Some(at) if at <= now => OTHERS_AT_IT,
            Some(at) => at.since(now).clamp(Duration::from_millis(1), LONGEST_SLEEP),
            None => LONGEST_SLEEP,
        })
    }
}

/// What one batch came to.
struct Batch {
    /// How many executions it made.
    made: usize,
    /// Whether there is probably more.
    full: bool,
}

fn decide(core: &Core, due: DueSlot, now: Timestamp, limits: PlanLimits) -> Firing {
    let DueSlot { tenant_id, job_id, slot, schedule, misfire_policy, concurrency, queue, priority } = due;
    let plan = schedule.plan(slot, now, misfire_policy, limits);
    let executions = plan
        .fire
        .iter()
        .map(|slot| NewExecution {
            id: core.ids.execution(now),
            tenant_id,
            job_id,
            trigger: Trigger::Schedule,
            triggered_by: "schedule".to_owned(),
            payload: None,
            queue: queue.as_str().to_owned(),
            priority,
            scheduled_for: slot.at,
            run_at: slot.at + schedule.jitter_of(job_id.as_uuid(), slot.at),
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
    Firing { tenant_id, job_id, slot, next: plan.next, executions, skipped, concurrency, now }
}
