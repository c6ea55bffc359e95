//! `cleanupExpiredSessions`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use horarium_domain::Clock;
use horarium_domain::execution::Failure;
use horarium_domain::store::IdempotencyStore;
use serde_json::json;

use super::store_failure;
use crate::code::{Handler, HandlerContext, HandlerOutput};

/// How long the answer to a request with an `Idempotency-Key` is kept.
const KEPT: Duration = Duration::from_hours(24);

/// Deletes what was kept of the tenant's dealings with the API and has run out: the answers to requests with an
/// `Idempotency-Key`, after 24 hours.
pub struct CleanupExpiredSessions {
    records: Arc<dyn IdempotencyStore>,
    clock: Arc<dyn Clock>,
}

impl CleanupExpiredSessions {
    /// Over `records`, with "now" from `clock`.
    pub fn new(records: Arc<dyn IdempotencyStore>, clock: Arc<dyn Clock>) -> Self {
        Self { records, clock }
    }
}

#[async_trait]
impl Handler for CleanupExpiredSessions {
    async fn handle(&self, context: HandlerContext) -> Result<HandlerOutput, Failure> {
        let before = self.clock.now() - KEPT;
        let tenant = context.run.job.tenant_id;
        let deleted = self.records.delete_idempotency_records(tenant, before).await;
        let deleted = deleted.map_err(|error| store_failure(&error))?;
        let output = json!({ "deletedIdempotencyRecords": deleted, "before": before });
        Ok(HandlerOutput::json(&output).with_items_processed(deleted))
    }
}
