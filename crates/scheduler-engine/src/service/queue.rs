//! Queues and their limits.

use std::sync::Arc;

use horarium_domain::TenantId;
use horarium_domain::job::QueueName;
use horarium_domain::queue::{QueueLimits, QueueSummary};

use super::{Actor, FieldErrors, ServiceError, limits};
use crate::core::Core;

/// All limits of a queue, before any check; `None` for no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct QueueInput {
    /// How many of its executions may run at once, over all nodes; at least 1.
    pub max_concurrency: Option<i64>,
    /// How many executions may wait in it; 0 accepts none.
    pub max_length: Option<i64>,
    /// How many of its executions may start per second, over all nodes; at least 1.
    pub rate_limit_per_second: Option<i64>,
    /// Whether nothing of it starts; not, unless said so.
    pub paused: Option<bool>,
}

/// The use cases around queues.
#[derive(Debug, Clone)]
pub struct QueueService {
    core: Arc<Core>,
}

impl QueueService {
    pub(super) const fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// The tenant's queues that have limits or hold something, by name.
    pub async fn list(&self, tenant: TenantId) -> Result<Vec<QueueSummary>, ServiceError> {
        Ok(self.core.store.queues(tenant, self.core.now()).await?)
    }

    /// One queue. Every sound name is a queue: one that nobody configured has no limits.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] when the name is none that a queue can have.
    pub async fn get(&self, tenant: TenantId, name: &str) -> Result<QueueSummary, ServiceError> {
        let name: QueueName = name.parse().map_err(|_| ServiceError::NotFound("queue"))?;
        Ok(self.core.store.queue(tenant, &name, self.core.now()).await?)
    }

    /// Sets all limits of a queue; those not named are lifted.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`].
    pub async fn set(&self, actor: &Actor, name: &str, input: QueueInput) -> Result<QueueSummary, ServiceError> {
        let mut errors = FieldErrors::default();
        let name: Option<QueueName> = name.parse().map_err(|e| errors.add("name", format!("{e}"))).ok();
        let mut limit = |field, given: Option<i64>, min, max| {
            given.and_then(|given| limits::number::<u32>(&mut errors, field, given, min..=max))
        };
        let max_concurrency = limit("maxConcurrency", input.max_concurrency, 1, limits::CONCURRENCY);
        let max_length = limit("maxLength", input.max_length, 0, limits::QUEUE_LENGTH);
        let rate = limit("rateLimitPerSecond", input.rate_limit_per_second, 1, limits::CONCURRENCY);
        let Some(name) = name.filter(|_| errors.is_empty()) else { return Err(errors.into()) };
        let queue = QueueLimits {
            name: name.clone(),
            max_concurrency,
            max_length,
            rate_limit_per_second: rate,
            paused: input.paused.unwrap_or_default(),
        };
        self.core.store.set_queue(actor.tenant, queue).await?;
        self.core.limits_changed();
        Ok(self.core.store.queue(actor.tenant, &name, self.core.now()).await?)
    }
}
