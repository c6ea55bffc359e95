//! Running an execution that is over again, as a new one.

use horarium_domain::ExecutionId;
use horarium_domain::execution::{Command, Event, Execution, NewExecution, Trigger, decide};
use horarium_domain::retry::RetryPolicy;

use super::{Admission, ExecutionService};
use crate::core::Core;
use crate::service::{Actor, ServiceError};

impl ExecutionService {
    /// Runs a failed execution again, as a new one with the same payload, queue, priority, concurrency key and number of
    /// tries.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] when there is no such execution or its job is deleted, [`ServiceError::NotFailed`],
    /// [`ServiceError::QueueFull`].
    pub async fn retry(&self, actor: &Actor, id: ExecutionId) -> Result<Admission, ServiceError> {
        let source = self.core.store.execution(actor.tenant, id).await?;
        let lifecycle = source.summary.lifecycle;
        // A manual retry depends on the state alone: neither on the retry policy nor on chance.
        decide(lifecycle, &Command::Retry, self.core.now(), &RetryPolicy::default(), 0.0)
            .map_err(|_| ServiceError::NotFailed(lifecycle.state))?;
        run_again(&self.core, actor, source).await
    }
}

/// Accepts an execution like another that is over, which is kept, and notes it.
pub(in crate::service) async fn run_again(
    core: &Core,
    actor: &Actor,
    source: Execution,
) -> Result<Admission, ServiceError> {
    let now = core.now();
    let id = source.summary.id;
    let new = NewExecution {
        id: actor.execution(0, &core.ids, now),
        tenant_id: actor.tenant,
        job_id: source.summary.job_id,
        trigger: Trigger::Retry,
        triggered_by: actor.name().to_owned(),
        payload: source.payload,
        queue: source.summary.queue,
        priority: source.summary.priority,
        scheduled_for: now,
        run_at: now,
        created_at: now,
        retry_parent_id: Some(id),
        unique_key: None,
        concurrency_key: source.summary.concurrency_key,
        max_attempts: source.max_attempts,
    };
    let admission = Admission::wanted(&new).answered(core.enqueue_audited(new, actor.call()).await?)?;
    if source.events.iter().filter_map(Event::retried_as).any(|known| known == admission.id) {
        // The same request again, of which it is noted.
        return Ok(admission);
    }
    let event = Event::retried(id, admission.id, actor.name(), now);
    // The retry is accepted; to fail now would have it asked for again.
    if let Err(error) = core.store.record_event(actor.tenant, event).await {
        tracing::warn!(execution = %id, %error, "a retry was accepted, but not noted in the history of its source");
    }
    Ok(admission)
}
