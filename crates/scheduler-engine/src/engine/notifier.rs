//! Turns callbacks that became due into deliveries: executions like any other, which make the call, wait, and are tried
//! again. Whoever dies in between leaves the callback due, and any node goes on from there.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use horarium_domain::TenantId;
use horarium_domain::callback::{DueCallback, HandedOver, Handover};
use horarium_domain::execution::{ExecutionState, NewExecution, Trigger};
use horarium_domain::job::Job;
use horarium_domain::store::StoreError;
use metrics::counter;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::{EngineConfig, LoopHealth, LoopName, RETRY_PAUSE};
use crate::bus::LiveEventKind;
use crate::core::Core;
use crate::system_job::{self, SystemJob};

/// How many callbacks are handed over at once.
const BATCH: usize = 200;

/// How much later a callback is looked at again whose delivery was refused: the tenant limits the queue `system`.
const POSTPONED_BY: Duration = Duration::from_mins(1);

/// Hands due callbacks over to deliveries.
#[derive(Debug)]
pub struct Notifier {
    core: Arc<Core>,
    poll_interval: Duration,
}

impl Notifier {
    /// A notifier for one node.
    pub fn new(core: Arc<Core>, config: &EngineConfig) -> Self {
        Self { core, poll_interval: config.poll_interval }
    }

    /// Hands over what is due; answers how many deliveries were accepted. What another node hands over at the same time
    /// is left to it.
    pub async fn tick(&self) -> Result<usize, StoreError> {
        let mut accepted = 0;
        loop {
            let now = self.core.now();
            let due = self.core.store.due_callbacks(now, BATCH).await?;
            let found = due.len();
            let batch = self.deliveries(due).await;
            if batch.is_empty() {
                return Ok(accepted);
            }
            let told: Vec<_> = batch.iter().map(|handover| handover.delivery.clone()).collect();
            let outcomes = self.core.store.hand_over(batch, now + POSTPONED_BY).await?;
            let mut superseded = 0;
            for (delivery, outcome) in told.iter().zip(outcomes) {
                match outcome {
                    HandedOver::Accepted => {
                        accepted += 1;
                        let (kind, state) = (LiveEventKind::ExecutionCreated, ExecutionState::Pending);
                        self.core.tell(delivery.tenant_id, kind, delivery.job_id, Some(delivery.id), Some(state));
                    }
                    HandedOver::Postponed => counter!("horarium_callbacks_postponed_total").increment(1),
                    HandedOver::Superseded => superseded += 1,
                }
            }
            if accepted > 0 {
                self.core.wakes.work.notify_one();
                self.core.wakes.publish_work.notify_one();
            }
            // The rest is not yet due; or another node is at it, which may take a while.
            if found < BATCH || superseded == found {
                return Ok(accepted);
            }
        }
    }

    /// The deliveries of these callbacks. Those of a tenant whose job cannot be had are left for the next round.
    async fn deliveries(&self, due: Vec<DueCallback>) -> Vec<Handover> {
        let mut jobs: HashMap<TenantId, Option<Job>> = HashMap::new();
        let mut batch = Vec::with_capacity(due.len());
        for callback in due {
            let tenant = callback.tenant_id;
            if let std::collections::hash_map::Entry::Vacant(entry) = jobs.entry(tenant) {
                let job = system_job::ensure(&self.core, tenant, SystemJob::CallbackDelivery).await;
                let job = job.inspect_err(|problem| error!(%tenant, error = %problem, "cannot deliver callbacks"));
                entry.insert(job.ok());
            }
            if let Some(Some(job)) = jobs.get(&tenant) {
                batch.push(self.delivery(callback, job));
            }
        }
        batch
    }

    fn delivery(&self, callback: DueCallback, job: &Job) -> Handover {
        let now = self.core.now();
        let delivery = NewExecution {
            id: self.core.ids.execution(now),
            tenant_id: callback.tenant_id,
            job_id: job.id,
            trigger: Trigger::Dependency,
            triggered_by: "system".to_owned(),
            payload: Some(json!({ "executionId": callback.execution_id })),
            queue: job.spec.queue.as_str().to_owned(),
            priority: job.spec.priority,
            scheduled_for: callback.due_at.min(now),
            run_at: now,
            created_at: now,
            retry_parent_id: None,
            unique_key: Some(callback.execution_id.to_string()),
            concurrency_key: None,
            max_attempts: None,
        };
        Handover { execution_id: callback.execution_id, delivery }
    }

    pub(crate) async fn run(self, health: Arc<LoopHealth>, stop: CancellationToken) {
        loop {
            let pause = match self.tick().await {
                Ok(_) => {
                    health.round(LoopName::Notifier);
                    self.poll_interval
                }
                Err(problem) => {
                    counter!("horarium_loop_errors_total", "loop" => "notifier").increment(1);
                    error!(error = %problem, "cannot hand over callbacks; trying again");
                    RETRY_PAUSE
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                () = stop.cancelled() => return,
            }
        }
    }
}
