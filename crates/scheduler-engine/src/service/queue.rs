//! Queues and their limits.

use std::sync::Arc;
use std::time::Duration;

use horarium_domain::TenantId;
use horarium_domain::fair_share::DEFAULT_WEIGHT;
use horarium_domain::job::QueueName;
use horarium_domain::page::NamedPage;
use horarium_domain::queue::{QueueLimits, QueueSummary};
use moka::sync::Cache;
use tokio::time::Instant;

use super::memo::Memo;
use super::{Actor, FieldErrors, ServiceError, limits};
use crate::core::Core;

/// A count of so many waiting executions, or one that took so long because others have as many, is remembered.
const LONG: u64 = 1000;
const SLOW: Duration = Duration::from_millis(5);
/// For how long, and of how many queues.
const REMEMBERED_FOR: Duration = Duration::from_secs(1);
const REMEMBERED: u64 = 1000;

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
    /// Its part of the tenant's starts while more waits than can start; 1 to 10,000.
    pub weight: Option<i64>,
}

/// A part of a tenant's queues: after which one it begins, and how many it may hold.
type ListKey = (TenantId, Option<String>, usize);

/// The use cases around queues.
#[derive(Debug, Clone)]
pub struct QueueService {
    core: Arc<Core>,
    /// Queues that were dear to count, within the last second.
    counted: Cache<(TenantId, String), QueueSummary>,
    /// Lists of queues, within the last second.
    listed: Arc<Memo<ListKey, NamedPage<QueueSummary>>>,
}

impl QueueService {
    pub(super) fn new(core: Arc<Core>) -> Self {
        let counted = Cache::builder().max_capacity(REMEMBERED).time_to_live(REMEMBERED_FOR).build();
        Self { core, counted, listed: Arc::default() }
    }

    /// The tenant's queues that have limits or hold something, by name, at most `limit`, from the one that follows `after`
    /// on.
    pub async fn list(
        &self,
        tenant: TenantId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<NamedPage<QueueSummary>, ServiceError> {
        let queues = self.core.store.queues(tenant, after, limit + 1, self.core.now()).await?;
        Ok(NamedPage::of(queues, limit, |queue| queue.limits.name.as_str()))
    }

    /// The same, perhaps as it was a second ago: what waits is counted once a second, however many pages show it.
    pub async fn list_at_a_glance(
        &self,
        tenant: TenantId,
        after: Option<&str>,
        limit: usize,
    ) -> Result<NamedPage<QueueSummary>, ServiceError> {
        let (service, from) = (self.clone(), after.map(str::to_owned));
        let key = (tenant, from.clone(), limit);
        self.listed.get(key, async move { service.list(tenant, from.as_deref(), limit).await }).await
    }

    /// One queue. Every sound name is a queue: one that nobody configured has no limits.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] when the name is none that a queue can have.
    pub async fn get(&self, tenant: TenantId, name: &str) -> Result<QueueSummary, ServiceError> {
        let name: QueueName = name.parse().map_err(|_| ServiceError::NotFound("queue"))?;
        Ok(self.core.store.queue(tenant, &name, self.core.now()).await?)
    }

    /// One queue, perhaps as it was a second ago: what a submitter is told beside the answer. A queue that is dear to count
    /// is not counted for each of them.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn glance(&self, tenant: TenantId, name: &str) -> Result<QueueSummary, ServiceError> {
        let key = (tenant, name.to_owned());
        if let Some(summary) = self.counted.get(&key) {
            return Ok(summary);
        }
        let begun = Instant::now();
        let summary = self.get(tenant, name).await?;
        if summary.pending >= LONG || begun.elapsed() >= SLOW {
            self.counted.insert(key, summary.clone());
        }
        Ok(summary)
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
        let weight = limit("weight", input.weight, 1, limits::WEIGHT);
        let Some(name) = name.filter(|_| errors.is_empty()) else { return Err(errors.into()) };
        let queue = QueueLimits {
            name: name.clone(),
            max_concurrency,
            max_length,
            rate_limit_per_second: rate,
            paused: input.paused.unwrap_or_default(),
            weight: weight.unwrap_or(DEFAULT_WEIGHT),
        };
        self.core.store.set_queue(actor.tenant, queue).await?;
        self.core.limits_changed();
        Ok(self.core.store.queue(actor.tenant, &name, self.core.now()).await?)
    }

    /// Pauses or resumes a queue; its limits stay as they are.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn set_paused(&self, actor: &Actor, name: &str, paused: bool) -> Result<QueueSummary, ServiceError> {
        let name: QueueName = name.parse().map_err(|_| ServiceError::NotFound("queue"))?;
        self.core.store.pause_queue(actor.tenant, &name, paused).await?;
        self.core.limits_changed();
        Ok(self.core.store.queue(actor.tenant, &name, self.core.now()).await?)
    }
}
