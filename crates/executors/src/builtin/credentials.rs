//! `tokenExpiry`.

use std::sync::Arc;

use async_trait::async_trait;
use horarium_domain::Clock;
use horarium_domain::execution::Failure;
use horarium_domain::store::ApiKeyStore;
use serde_json::json;

use super::store_failure;
use crate::code::{Handler, HandlerContext, HandlerOutput};

/// Deletes the tenant's API keys that have expired or been revoked.
pub struct TokenExpiry {
    keys: Arc<dyn ApiKeyStore>,
    clock: Arc<dyn Clock>,
}

impl TokenExpiry {
    /// Over `keys`, with "now" from `clock`.
    pub fn new(keys: Arc<dyn ApiKeyStore>, clock: Arc<dyn Clock>) -> Self {
        Self { keys, clock }
    }
}

#[async_trait]
impl Handler for TokenExpiry {
    async fn handle(&self, context: HandlerContext) -> Result<HandlerOutput, Failure> {
        let before = self.clock.now();
        let tenant = context.run.job.tenant_id;
        let deleted = self.keys.delete_expired_keys(tenant, before).await.map_err(|error| store_failure(&error))?;
        Ok(HandlerOutput::json(&json!({ "deletedKeys": deleted, "before": before })).with_items_processed(deleted))
    }
}
