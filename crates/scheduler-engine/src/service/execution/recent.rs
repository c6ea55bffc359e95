//! What programs that submit work and come back for it ask: what changed lately, and what became of one.

use std::time::Duration;

use horarium_domain::execution::{Execution, NewExecution, Trigger};
use horarium_domain::store::Recent;
use horarium_domain::tenant::TenantRef;
use horarium_domain::{ExecutionId, TenantId, Timestamp};
use tokio::time::Instant;

use super::ExecutionService;
use crate::service::{Actor, ServiceError};
use crate::system_job::{self, SystemJob};

/// How often a waiter looks for itself: events of other nodes may be late, or not come at all.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// What was accepted or changed lately.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecentExecutions {
    /// The newest first.
    pub items: Vec<(ExecutionId, Recent)>,
    /// Whether there are more than are told.
    pub truncated: bool,
}

impl ExecutionService {
    /// The most executions that [`recent`](Self::recent) tells.
    pub const MAX_RECENT: usize = 100_000;

    /// The seconds that [`recent`](Self::recent) looks back where nobody says.
    pub const DEFAULT_RECENT_SECONDS: f64 = 600.0;

    /// The tenant's executions that were accepted or changed in the last so many seconds.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] under `since_seconds` when they are negative; [`ServiceError::NotFound`] when the
    /// tenant is gone.
    pub async fn recent(&self, tenant: TenantId, since_seconds: f64) -> Result<RecentExecutions, ServiceError> {
        if since_seconds.is_nan() || since_seconds < 0.0 {
            return Err(ServiceError::invalid("since_seconds", "must be a number that is not negative"));
        }
        self.core.store.tenant(&TenantRef::Id(tenant)).await?;
        let now = self.core.now();
        // More than there is time before now is all of it.
        let since = Duration::try_from_secs_f64(since_seconds).map_or(Timestamp::UNIX_EPOCH, |span| now - span);
        let since = since.max(Timestamp::UNIX_EPOCH);
        let mut items = self.core.store.recent_executions(tenant, since, Self::MAX_RECENT + 1).await?;
        let truncated = items.len() > Self::MAX_RECENT;
        items.truncate(Self::MAX_RECENT);
        Ok(RecentExecutions { items, truncated })
    }

    /// An execution as soon as it is over, or as it is when the patience is.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn wait(&self, tenant: TenantId, id: ExecutionId, patience: Duration) -> Result<Execution, ServiceError> {
        let deadline = Instant::now() + patience;
        let end = self.core.bus.end_of(tenant, id, self.core.now());
        loop {
            // Listening begins before looking, so that an end in between is heard.
            let told = end.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            let execution = self.core.store.execution(tenant, id).await?;
            if execution.summary.lifecycle.state.is_terminal() || Instant::now() >= deadline {
                return Ok(execution);
            }
            tokio::select! {
                () = told => {}
                () = tokio::time::sleep_until(deadline.min(Instant::now() + LOOK_EVERY)) => {}
            }
        }
    }

    /// Has a job that does nothing go through the queue; answers its execution, which is over if all is well.
    pub async fn test_queue(&self, actor: &Actor, patience: Duration) -> Result<Execution, ServiceError> {
        let job = system_job::ensure(&self.core, actor.tenant, SystemJob::QueueTest).await?;
        let now = self.core.now();
        let execution = NewExecution {
            id: actor.execution(0, &self.core.ids, now),
            tenant_id: actor.tenant,
            job_id: job.id,
            trigger: Trigger::Api,
            triggered_by: actor.name().to_owned(),
            payload: None,
            queue: job.spec.queue.as_str().to_owned(),
            priority: job.spec.priority,
            scheduled_for: now,
            run_at: now,
            created_at: now,
            retry_parent_id: None,
            unique_key: None,
            concurrency_key: None,
            max_attempts: None,
        };
        let id = self.admit(actor, execution).await?.id;
        self.wait(actor.tenant, id, patience).await
    }
}
