//! One job under the magnifying glass, and all jobs at a glance.

use std::collections::HashSet;
use std::sync::Arc;

use horarium_domain::execution::ExecutionSummary;
use horarium_domain::job::{JobStatus, JobSummary};
use horarium_domain::page::{Page, PageRequest};
use horarium_domain::stats::{DurationHistogram, JobCounters};
use horarium_domain::store::{ExecutionFilter, JobFilter};
use horarium_domain::{JobId, TenantId, Timestamp};

use super::{JobService, ServiceError};
use crate::core::Core;

/// The most of the latest executions that a report shows.
const MAX_RECENT: usize = 50;

/// What a job is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobActivity {
    /// An execution of it runs, whatever its schedule does.
    Running,
    /// Its schedule is on hold.
    Paused,
    /// It is not enabled.
    Disabled,
    /// Nothing of it runs.
    Idle,
}

impl JobActivity {
    fn of(status: JobStatus, is_running: bool) -> Self {
        match status {
            _ if is_running => Self::Running,
            JobStatus::Active => Self::Idle,
            JobStatus::Paused => Self::Paused,
            JobStatus::Disabled => Self::Disabled,
        }
    }
}

/// A job and what it is doing.
#[derive(Debug, Clone, PartialEq)]
pub struct JobOverview {
    /// The job, its next slot and its latest run.
    pub summary: JobSummary,
    /// What it is doing.
    pub activity: JobActivity,
}

/// All that is known of a job's runs, over the whole history that is kept. The figures are counters: a report costs the
/// same whatever the history.
#[derive(Debug, Clone, PartialEq)]
pub struct JobReport {
    /// The job.
    pub job: JobOverview,
    /// How many executions are in each state.
    pub counters: JobCounters,
    /// How long those that succeeded or failed took.
    pub durations: DurationHistogram,
    /// The latest executions, newest first.
    pub recent: Vec<ExecutionSummary>,
    /// When the report was made.
    pub generated_at: Timestamp,
}

impl JobReport {
    /// How many milliseconds a run took on average; `None` when none has succeeded or failed.
    pub fn average_ms(&self) -> Option<f64> {
        let ended = self.ended();
        (ended > 0).then(|| self.counters.duration_ms as f64 / ended as f64)
    }

    /// Which share of the runs that succeeded or failed succeeded, from 0 to 1; `None` when none has.
    pub fn success_share(&self) -> Option<f64> {
        let ended = self.ended();
        (ended > 0).then(|| self.counters.succeeded as f64 / ended as f64)
    }

    fn ended(&self) -> i64 {
        self.counters.succeeded + self.counters.failed
    }
}

/// The use cases of whoever watches over jobs.
#[derive(Debug, Clone)]
pub struct StatisticsService {
    core: Arc<Core>,
    jobs: JobService,
}

impl StatisticsService {
    pub(super) const fn new(core: Arc<Core>, jobs: JobService) -> Self {
        Self { core, jobs }
    }

    /// Reports on a job that is not deleted, by its name, with its latest `recent` executions; 50 at most.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn report(&self, tenant: TenantId, name: &str, recent: usize) -> Result<JobReport, ServiceError> {
        self.report_on(self.jobs.get_by_name(tenant, name).await?, recent).await
    }

    /// The same by its id.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn report_of(&self, tenant: TenantId, id: JobId, recent: usize) -> Result<JobReport, ServiceError> {
        self.report_on(self.jobs.get(tenant, id).await?, recent).await
    }

    async fn report_on(&self, summary: JobSummary, recent: usize) -> Result<JobReport, ServiceError> {
        let (store, tenant, id) = (&self.core.store, summary.job.tenant_id, summary.job.id);
        let (counters, durations) = store.job_statistics(tenant, id).await?;
        let of_job = ExecutionFilter { job_id: Some(id), ..ExecutionFilter::default() };
        let recent = store.executions_before(tenant, &of_job, None, recent.min(MAX_RECENT)).await?.items;
        let activity = JobActivity::of(summary.job.status(), counters.running > 0);
        let job = JobOverview { summary, activity };
        Ok(JobReport { job, counters, durations, recent, generated_at: self.core.now() })
    }

    /// One page of the jobs that are not deleted, with what each is doing.
    pub async fn overview(
        &self,
        tenant: TenantId,
        filter: &JobFilter,
        page: PageRequest,
    ) -> Result<Page<JobOverview>, ServiceError> {
        let jobs = self.jobs.list(tenant, filter, page).await?;
        let ids: Vec<_> = jobs.items.iter().map(|summary| summary.job.id).collect();
        let running: HashSet<_> = self.core.store.running_jobs(tenant, &ids).await?.into_iter().collect();
        let total = jobs.total;
        let items = jobs.items.into_iter().map(|summary| {
            let activity = JobActivity::of(summary.job.status(), running.contains(&summary.job.id));
            JobOverview { summary, activity }
        });
        Ok(Page::of(items.collect(), total))
    }
}
