//! `dataSync`.

use std::sync::Arc;

use async_trait::async_trait;
use horarium_domain::Clock;
use horarium_domain::execution::Failure;
use horarium_domain::store::MaintenanceStore;
use serde_json::json;

use super::store_failure;
use crate::code::{Handler, HandlerContext, HandlerOutput};

/// How many corrections the report spells out; it counts them all.
const LISTED: usize = 200;

/// Recounts the tenant's job counters from its history, corrects those that differ and reports them.
pub struct DataSync {
    store: Arc<dyn MaintenanceStore>,
    clock: Arc<dyn Clock>,
}

impl DataSync {
    /// Over `store`, with "now" from `clock`.
    pub fn new(store: Arc<dyn MaintenanceStore>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }
}

#[async_trait]
impl Handler for DataSync {
    async fn handle(&self, context: HandlerContext) -> Result<HandlerOutput, Failure> {
        let tenant = context.run.job.tenant_id;
        let drift = self.store.reconcile_counters(tenant).await.map_err(|error| store_failure(&error))?;
        if !drift.is_empty() {
            tracing::warn!(%tenant, counters = drift.len(), "counters had drifted from the history and were corrected");
        }
        let listed: Vec<_> = drift
            .iter()
            .take(LISTED)
            .map(|drift| json!({ "counter": drift.counter, "stored": drift.stored, "counted": drift.counted }))
            .collect();
        let output = json!({
            "checkedAt": self.clock.now(),
            "corrected": drift.len(),
            "omitted": drift.len() - listed.len(),
            "drift": listed,
        });
        Ok(HandlerOutput::json(&output).with_items_processed(drift.len()))
    }
}
