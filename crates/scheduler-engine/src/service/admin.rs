//! What concerns all jobs of a tenant at once.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt, TryStreamExt, stream};
use horarium_domain::page::{PageRequest, SortDirection};
use horarium_domain::store::{JobFilter, JobSort};
use horarium_domain::{JobId, TenantId};

use super::{Actor, FieldErrors, JobService, ServiceError, limits};
use crate::core::Core;

/// How many jobs are changed at the same time.
const AT_ONCE: usize = 8;

/// How often the jobs are gone through at most. Every further round only meets jobs that moved to another page or were
/// changed back while the earlier one was under way.
const MAX_ROUNDS: usize = 5;

/// How many executions are deleted in one transaction.
const PRUNE_BATCH: usize = 1000;

/// The use cases of a tenant's administrator.
#[derive(Debug, Clone)]
pub struct SchedulerAdminService {
    core: Arc<Core>,
    jobs: JobService,
}

impl SchedulerAdminService {
    pub(super) const fn new(core: Arc<Core>, jobs: JobService) -> Self {
        Self { core, jobs }
    }

    /// Pauses every job of the tenant; answers how many were not paused before. Not one transaction: jobs fire until
    /// their turn has come.
    pub async fn pause_all(&self, actor: &Actor) -> Result<u64, ServiceError> {
        self.set_all_paused(actor, true).await
    }

    /// Resumes every job of the tenant, also those that were paused one by one; answers how many were paused before.
    pub async fn resume_all(&self, actor: &Actor) -> Result<u64, ServiceError> {
        self.set_all_paused(actor, false).await
    }

    /// Deletes the tenant's executions that ended more than so many days ago; answers how many. Figures over time
    /// (timeline, dashboard) are kept.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] when the days are below 1.
    pub async fn clear_logs(&self, actor: &Actor, older_than_days: i64) -> Result<u64, ServiceError> {
        let mut errors = FieldErrors::default();
        let Some(days) = limits::number::<u64>(&mut errors, "olderThanDays", older_than_days, 1..=36_500) else {
            return Err(errors.into());
        };
        let before = self.core.now() - Duration::from_hours(days * 24);
        let mut removed = 0;
        loop {
            let batch = self.core.store.prune_executions(actor.tenant, before, PRUNE_BATCH).await?;
            removed += batch;
            if batch == 0 {
                return Ok(removed);
            }
        }
    }

    async fn set_all_paused(&self, actor: &Actor, paused: bool) -> Result<u64, ServiceError> {
        let mut changed = 0;
        for _ in 0..MAX_ROUNDS {
            let ids = self.jobs_to_change(actor.tenant, paused).await?;
            if ids.is_empty() {
                break;
            }
            changed += stream::iter(ids)
                .map(|id| self.set_paused(actor, id, paused))
                .buffer_unordered(AT_ONCE)
                .try_fold(0, |sum, one| async move { Ok(sum + one) })
                .await?;
        }
        Ok(changed)
    }

    /// 1 when it was changed, 0 when it was deleted meanwhile.
    async fn set_paused(&self, actor: &Actor, id: JobId, paused: bool) -> Result<u64, ServiceError> {
        let result =
            if paused { self.jobs.pause(actor, id, None).await } else { self.jobs.resume(actor, id, None).await };
        match result {
            Ok(_) => Ok(1),
            Err(ServiceError::NotFound(_)) => Ok(0),
            Err(error) => Err(error),
        }
    }

    async fn jobs_to_change(&self, tenant: TenantId, paused: bool) -> Result<Vec<JobId>, ServiceError> {
        let filter =
            JobFilter { sort: JobSort::CreatedAt, direction: SortDirection::Ascending, ..JobFilter::default() };
        let mut ids = Vec::new();
        for number in 1.. {
            let page = PageRequest { number, size: PageRequest::MAX_SIZE };
            let items = self.core.store.jobs(tenant, &filter, page).await?.items;
            let last = items.len() < PageRequest::MAX_SIZE as usize;
            ids.extend(items.iter().filter(|summary| summary.job.is_paused != paused).map(|summary| summary.job.id));
            if last {
                break;
            }
        }
        Ok(ids)
    }
}
