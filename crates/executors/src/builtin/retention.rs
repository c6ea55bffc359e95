//! `executionRetention`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use horarium_domain::Clock;
use horarium_domain::execution::Failure;
use horarium_domain::store::MaintenanceStore;
use serde_json::json;

use super::store_failure;
use crate::code::{Handler, HandlerContext, HandlerOutput};

/// How many executions one transaction deletes: few enough that nobody waits long for its locks.
const BATCH: usize = 1000;
/// A hundred years: beyond it, "before" would leave the range of timestamps.
const MAX_DAYS: u32 = 36_525;

const DAY: Duration = Duration::from_hours(24);

/// Deletes the tenant's executions that ended longer ago than they are to be kept. The parameter `retentionDays` of the
/// job says how long that is; without it, the server's setting does. It ends at midnight (UTC): a store that keeps the
/// history by days drops whole ones.
pub struct ExecutionRetention {
    store: Arc<dyn MaintenanceStore>,
    clock: Arc<dyn Clock>,
    default_days: u32,
}

impl ExecutionRetention {
    /// Over `store`, with "now" from `clock`.
    pub fn new(store: Arc<dyn MaintenanceStore>, clock: Arc<dyn Clock>, default_days: u32) -> Self {
        Self { store, clock, default_days }
    }
}

#[async_trait]
impl Handler for ExecutionRetention {
    async fn handle(&self, context: HandlerContext) -> Result<HandlerOutput, Failure> {
        let days = context.optional_parameter("retentionDays")?.unwrap_or(self.default_days);
        if !(1..=MAX_DAYS).contains(&days) {
            let told = format!("jobConfiguration.parameters.retentionDays: must be between 1 and {MAX_DAYS}");
            return Err(Failure::permanent(told));
        }
        let before = (self.clock.now() - days * DAY).floor_to(DAY);
        let tenant = context.run.job.tenant_id;
        let released = self.store.release_history(tenant, before).await.map_err(|error| store_failure(&error))?;
        let mut deleted = released.executions;
        loop {
            if context.run.cancellation.is_cancelled() {
                return Err(Failure::retryable(format!(
                    "stopped after {deleted} executions were deleted; the next run goes on from there"
                )));
            }
            let batch = self.store.prune_executions(tenant, released.singly_before, BATCH).await;
            let batch = batch.map_err(|error| store_failure(&error))?;
            if batch == 0 {
                break;
            }
            deleted += batch;
            tracing::debug!(%tenant, deleted, "executions beyond their retention are being deleted");
        }
        let output = json!({ "deletedExecutions": deleted, "retentionDays": days, "before": before });
        Ok(HandlerOutput::json(&output).with_items_processed(deleted))
    }
}
