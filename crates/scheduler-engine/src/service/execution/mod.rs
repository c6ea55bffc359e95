//! Executions: asking for them, watching them, stopping them, trying them again, counting them.

mod figures;
mod recent;
mod retry;
mod submission;
mod timeline;

use std::sync::Arc;

use horarium_domain::callback::NewCallback;
use horarium_domain::execution::{Execution, ExecutionSummary, NewExecution, Trigger};
use horarium_domain::page::{Page, PageRequest};
use horarium_domain::store::{CancelOutcome, Counted, CursorPage, ExecutionFilter, SkippedSlots};
use horarium_domain::{ExecutionId, JobId, TenantId};

pub use figures::{Dashboard, JobStatistics};
pub use recent::RecentExecutions;
pub(in crate::service) use retry::run_again;
pub use submission::{Admission, CallbackInput, JobRef, Submission, TriggerInput};
pub use timeline::TimelineRange;

use super::memo::Memo;
use super::{Actor, ServiceError, callback};
use crate::core::Core;

/// The use cases around executions.
///
/// A job that is paused or disabled can be triggered and submitted to all the same: both only hold back its schedule.
/// So can a job whose type no node runs at present: its executions wait.
#[derive(Debug, Clone)]
pub struct ExecutionService {
    core: Arc<Core>,
    /// Tenants at a glance, within the last second.
    glances: Arc<Memo<TenantId, Dashboard>>,
}

impl ExecutionService {
    /// The most executions that one page of a list holds.
    pub(super) const MAX_PAGE: usize = PageRequest::MAX_SIZE as usize;

    pub(super) fn new(core: Arc<Core>) -> Self {
        Self { core, glances: Arc::default() }
    }

    /// Triggers a job by hand.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] when there is no such job or it is deleted, [`ServiceError::Invalid`],
    /// [`ServiceError::QueueFull`].
    pub async fn trigger(&self, actor: &Actor, job: JobId, input: TriggerInput) -> Result<Admission, ServiceError> {
        self.submit_as(actor, Submission { job: JobRef::Id(job), input }, Trigger::Manual).await
    }

    /// Triggers a job by hand, by its name.
    ///
    /// # Errors
    /// As [`trigger`](Self::trigger).
    pub async fn trigger_by_name(
        &self,
        actor: &Actor,
        job: &str,
        input: TriggerInput,
    ) -> Result<Admission, ServiceError> {
        self.submit_as(actor, Submission { job: JobRef::Name(job.to_owned()), input }, Trigger::Manual).await
    }

    /// Submits one execution on behalf of a program.
    ///
    /// # Errors
    /// As [`trigger`](Self::trigger).
    pub async fn submit(&self, actor: &Actor, submission: Submission) -> Result<Admission, ServiceError> {
        self.submit_as(actor, submission, Trigger::Api).await
    }

    /// Submits one execution that is tried so often, whatever its job's retry policy says.
    pub(super) async fn submit_tried(
        &self,
        actor: &Actor,
        submission: Submission,
        max_attempts: Option<u16>,
    ) -> Result<Admission, ServiceError> {
        let execution = self.asked_for(actor, submission, Trigger::Api).await?;
        self.admit(actor, NewExecution { max_attempts, ..execution }).await
    }

    /// Submits one execution on behalf of a program that wants to be called back, or to give it a name of its own.
    ///
    /// # Errors
    /// As [`trigger`](Self::trigger); also [`ServiceError::Invalid`] under `webhook_url` and `id`.
    pub async fn submit_called_back(
        &self,
        actor: &Actor,
        submission: Submission,
        callback: CallbackInput,
    ) -> Result<Admission, ServiceError> {
        let callback = callback.check()?;
        if callback == NewCallback::default() {
            return self.submit(actor, submission).await;
        }
        let execution = self.asked_for(actor, submission, Trigger::Api).await?;
        let wanted = Admission::wanted(&execution);
        let callback = callback::sealed(&self.core, actor.tenant, execution.id, callback)?;
        wanted.answered(self.core.enqueue_with_callback(execution, callback, actor.call()).await?)
    }

    /// Cancels an execution that waits or runs. A running one is told to stop, and its state is Cancelled at once.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Conflict`] when it is over already.
    pub async fn cancel(&self, actor: &Actor, id: ExecutionId) -> Result<(), ServiceError> {
        let job = self.core.store.execution(actor.tenant, id).await?.summary.job_id;
        let was_running = match self.core.store.cancel(actor.tenant, id, actor.name(), self.core.now()).await? {
            CancelOutcome::WasPending => false,
            CancelOutcome::WasRunning => true,
            CancelOutcome::AlreadyTerminal(state) => {
                return Err(ServiceError::Conflict(format!(
                    "the execution is {state} already; it cannot be cancelled"
                )));
            }
        };
        self.core.execution_cancelled(actor.tenant, job, id, was_running);
        Ok(())
    }

    /// One execution in full.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn get(&self, tenant: TenantId, id: ExecutionId) -> Result<Execution, ServiceError> {
        Ok(self.core.store.execution(tenant, id).await?)
    }

    /// One numbered page, newest first. The history of a deleted job can still be read.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] when the filter names a job that there is not; [`ServiceError::Invalid`] under
    /// `pageNumber` when more than [`PageRequest::MAX_SKIPPED`] executions come before the page.
    pub async fn list(
        &self,
        tenant: TenantId,
        filter: &ExecutionFilter,
        page: PageRequest,
    ) -> Result<Page<ExecutionSummary>, ServiceError> {
        self.check_job(tenant, filter).await?;
        check_depth(&self.core, tenant, filter, page.offset(), "pageNumber").await?;
        Ok(self.core.store.executions(tenant, filter, page).await?)
    }

    /// Up to `limit` (1 to 200) executions older than `before`, newest first.
    ///
    /// # Errors
    /// As [`list`](Self::list).
    pub async fn list_before(
        &self,
        tenant: TenantId,
        filter: &ExecutionFilter,
        before: Option<ExecutionId>,
        limit: usize,
    ) -> Result<CursorPage<ExecutionSummary>, ServiceError> {
        self.check_job(tenant, filter).await?;
        let limit = limit.clamp(1, Self::MAX_PAGE);
        Ok(self.core.store.executions_before(tenant, filter, before, limit).await?)
    }

    /// How many executions a filter shows. Of those that wait or run, up to [`ExecutionFilter::MAX_LIVE_COUNTED`] are
    /// counted; of those that started in a span, up to [`ExecutionFilter::MAX_COUNTED`].
    ///
    /// # Errors
    /// [`ServiceError::NotFound`] when the filter names a job that there is not.
    pub async fn count(&self, tenant: TenantId, filter: &ExecutionFilter) -> Result<Counted, ServiceError> {
        self.check_job(tenant, filter).await?;
        let most = if filter.is_by_start() { ExecutionFilter::MAX_COUNTED } else { ExecutionFilter::MAX_LIVE_COUNTED };
        Ok(self.core.store.count_executions(tenant, filter, most).await?)
    }

    /// The slots of a job that fired nothing, latest first, with the reason; at most 200.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn skipped_slots(&self, tenant: TenantId, job: JobId) -> Result<Vec<SkippedSlots>, ServiceError> {
        self.core.store.job(tenant, job).await?;
        Ok(self.core.store.skipped_slots(tenant, job, PageRequest::MAX_SIZE as usize).await?)
    }

    async fn check_job(&self, tenant: TenantId, filter: &ExecutionFilter) -> Result<(), ServiceError> {
        if let Some(job) = filter.job_id {
            self.core.store.job(tenant, job).await?;
        }
        Ok(())
    }

    async fn admit(&self, actor: &Actor, execution: NewExecution) -> Result<Admission, ServiceError> {
        let wanted = Admission::wanted(&execution);
        wanted.answered(self.core.enqueue_audited(execution, actor.call()).await?)
    }
}

/// Refuses a page that lies too deep in the history; one beyond its end is empty.
pub(in crate::service) async fn check_depth(
    core: &Core,
    tenant: TenantId,
    filter: &ExecutionFilter,
    offset: u64,
    field: &str,
) -> Result<(), ServiceError> {
    if offset <= PageRequest::MAX_SKIPPED {
        return Ok(());
    }
    let newest = core.store.executions(tenant, filter, PageRequest { number: 1, size: 1 }).await?;
    if newest.is_capped || newest.total > offset {
        let most = PageRequest::MAX_SKIPPED;
        let reason = format!("must leave out at most {most} executions; GET /api/v1/executions goes on with a cursor");
        return Err(ServiceError::invalid(field, reason));
    }
    Ok(())
}
