//! Job definitions.

use async_trait::async_trait;

use super::StoreError;
use crate::job::{Job, JobStatus, JobSummary, JobType};
use crate::page::{Page, PageRequest, SortDirection};
use crate::{JobId, TenantId, Timestamp};

/// What a list of jobs is sorted by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum JobSort {
    /// Its name, without regard to case.
    #[default]
    Name,
    /// When it was made.
    CreatedAt,
    /// When its definition last changed.
    UpdatedAt,
    /// When its latest run started; jobs that never ran come last.
    LastExecutedAt,
    /// Its next slot; jobs without one come last.
    NextRunAt,
    /// Runs that failed since the last one that succeeded.
    ConsecutiveFailures,
}

/// Which jobs a list shows. Deleted ones never.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JobFilter {
    /// Only this type.
    pub job_type: Option<JobType>,
    /// Only this status.
    pub status: Option<JobStatus>,
    /// Only those with this tag.
    pub tag: Option<String>,
    /// Only those whose name or description holds this text, taken literally, without regard to the case of ASCII
    /// letters at least.
    pub search: Option<String>,
    /// Only those of this group.
    pub group: Option<String>,
    /// All but those of this group.
    pub except_group: Option<String>,
    /// What to sort by; ties are broken by id, the oldest first whichever way the rest is sorted.
    pub sort: JobSort,
    /// Which way.
    pub direction: SortDirection,
}

/// A definition to be written in place of another.
#[derive(Debug, Clone, PartialEq)]
pub struct JobChange {
    /// The job as it will be; its `version` is the new one.
    pub job: Job,
    /// The version it replaces; any other is a conflict.
    pub expected_version: i64,
    /// The next slot that the decision was made on. If it is no longer the stored one, the planner fired it meanwhile,
    /// and writing `next_run_at` could fire a slot twice: a conflict, like another version.
    pub seen_next_run_at: Option<Timestamp>,
    /// Its next slot from now on.
    pub next_run_at: Option<Timestamp>,
}

/// The jobs of the tenants.
#[async_trait]
pub trait JobStore: Send + Sync {
    /// Adds a job with its next slot.
    ///
    /// # Errors
    /// [`Conflict::NameTaken`](super::Conflict::NameTaken).
    async fn create_job(&self, job: Job, next_run_at: Option<Timestamp>) -> Result<(), StoreError>;

    /// Adds jobs, or writes over those of the same name when `upsert`; all or nothing. Answers how many. A job that is
    /// written over keeps its id, who made it and when, and its history; its version becomes one more.
    ///
    /// # Errors
    /// [`Conflict::NameTaken`](super::Conflict::NameTaken) when not `upsert`.
    async fn import_jobs(&self, jobs: Vec<(Job, Option<Timestamp>)>, upsert: bool) -> Result<usize, StoreError>;

    /// A job by its id, deleted ones included.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn job(&self, tenant: TenantId, id: JobId) -> Result<JobSummary, StoreError>;

    /// A job that is not deleted, by its name.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn job_by_name(&self, tenant: TenantId, name: &str) -> Result<JobSummary, StoreError>;

    /// One page of the tenant's jobs.
    async fn jobs(
        &self,
        tenant: TenantId,
        filter: &JobFilter,
        page: PageRequest,
    ) -> Result<Page<JobSummary>, StoreError>;

    /// Jobs that failed at least `threshold` times in a row, worst first, then by id. Deleted ones never.
    async fn failing_jobs(&self, tenant: TenantId, threshold: u32, limit: usize)
    -> Result<Vec<JobSummary>, StoreError>;

    /// Writes a changed definition. Where it changes the job's limits, waiting executions follow.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`Conflict::VersionChanged`](super::Conflict::VersionChanged) (also when the next slot
    /// moved on),
    /// [`Conflict::NameTaken`](super::Conflict::NameTaken).
    async fn update_job(&self, change: JobChange) -> Result<(), StoreError>;

    /// Removes a job and its whole history, what waits included. What it contributed to its tenant's rollup stays.
    ///
    /// # Errors
    /// [`StoreError::NotFound`], [`Conflict::ExecutionRunning`](super::Conflict::ExecutionRunning),
    /// [`Conflict::VersionChanged`](super::Conflict::VersionChanged) when `expected_version` is given and another.
    async fn purge_job(&self, tenant: TenantId, id: JobId, expected_version: Option<i64>) -> Result<(), StoreError>;

    /// Definitions by id, over all tenants, deleted ones included, in any order: for the engine alone. Unknown ids are
    /// left out.
    async fn definitions(&self, ids: &[JobId]) -> Result<Vec<Job>, StoreError>;

    /// The next `limit` definitions in the order of their ids, over all tenants, deleted ones included: for looking
    /// after the store as a whole.
    async fn definitions_after(&self, after: Option<JobId>, limit: usize) -> Result<Vec<Job>, StoreError>;
}
