//! Job definitions.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::Bound;

use async_trait::async_trait;
use horarium_domain::job::{Job, JobSummary};
use horarium_domain::page::{Page, PageRequest, SortDirection};
use horarium_domain::store::{Conflict, JobChange, JobFilter, JobSort, JobStore, StoreError};
use horarium_domain::{JobId, TenantId, Timestamp};

use super::MemoryStore;
use super::record::JobRecord;
use super::state::State;

const NAME_TAKEN: StoreError = StoreError::Conflict(Conflict::NameTaken);
const VERSION_CHANGED: StoreError = StoreError::Conflict(Conflict::VersionChanged);

#[async_trait]
impl JobStore for MemoryStore {
    async fn create_job(&self, job: Job, next_run_at: Option<Timestamp>) -> Result<(), StoreError> {
        self.state().create_jobs(vec![(job, next_run_at)])
    }

    async fn import_jobs(&self, jobs: Vec<(Job, Option<Timestamp>)>, upsert: bool) -> Result<usize, StoreError> {
        let mut state = self.state();
        let count = jobs.len();
        if upsert {
            for (job, next_run_at) in jobs {
                state.upsert_job(job, next_run_at);
            }
        } else {
            state.create_jobs(jobs)?;
        }
        Ok(count)
    }

    async fn job(&self, tenant: TenantId, id: JobId) -> Result<JobSummary, StoreError> {
        self.state().job(tenant, id).map(JobRecord::summary)
    }

    async fn job_by_name(&self, tenant: TenantId, name: &str) -> Result<JobSummary, StoreError> {
        self.state().job_named(tenant, name).map(JobRecord::summary).ok_or(StoreError::NotFound("job"))
    }

    async fn jobs(
        &self,
        tenant: TenantId,
        filter: &JobFilter,
        page: PageRequest,
    ) -> Result<Page<JobSummary>, StoreError> {
        let state = self.state();
        let mut found: Vec<_> = state.live_jobs(tenant).filter(|record| shows(filter, &record.job)).collect();
        found.sort_by(|a, b| compare(filter, a, b));
        let items = page_of(&found, page).map(|record| record.summary()).collect();
        Ok(Page::of(items, found.len() as u64))
    }

    async fn failing_jobs(
        &self,
        tenant: TenantId,
        threshold: u32,
        limit: usize,
    ) -> Result<Vec<JobSummary>, StoreError> {
        let state = self.state_for("failing_jobs")?;
        let mut found: Vec<_> =
            state.live_jobs(tenant).filter(|record| record.consecutive_failures >= threshold).collect();
        // Stable: those that failed equally often stay in the order of their ids.
        found.sort_by_key(|record| std::cmp::Reverse(record.consecutive_failures));
        Ok(found.into_iter().take(limit).map(JobRecord::summary).collect())
    }

    async fn update_job(&self, change: JobChange) -> Result<(), StoreError> {
        let JobChange { job, expected_version, seen_next_run_at, next_run_at } = change;
        let mut state = self.state();
        let stored = state.job(job.tenant_id, job.id)?;
        if stored.job.version != expected_version || stored.next_run_at != seen_next_run_at {
            return Err(VERSION_CHANGED);
        }
        let namesake = state.job_named(job.tenant_id, &job.spec.name);
        if !job.is_deleted && namesake.is_some_and(|other| other.job.id != job.id) {
            return Err(NAME_TAKEN);
        }
        if let Some(record) = state.jobs.get_mut(&job.id) {
            record.job = job;
            record.next_run_at = next_run_at;
        }
        Ok(())
    }

    async fn purge_job(&self, tenant: TenantId, id: JobId, expected_version: Option<i64>) -> Result<(), StoreError> {
        let mut state = self.state();
        let stored = state.job(tenant, id)?;
        if expected_version.is_some_and(|expected| expected != stored.job.version) {
            return Err(VERSION_CHANGED);
        }
        if state.lanes.of_job(tenant, id).any(|lane| !lane.running.is_empty()) {
            return Err(StoreError::Conflict(Conflict::ExecutionRunning));
        }
        state.remove_executions(|record| record.accepted.job_id == id);
        // The tenant's own rollup keeps what the job contributed.
        state.rollups.retain(|key, _| key.job != Some(id));
        state.jobs.remove(&id);
        Ok(())
    }

    async fn definitions(&self, ids: &[JobId]) -> Result<Vec<Job>, StoreError> {
        let state = self.state();
        Ok(ids.iter().filter_map(|id| state.jobs.get(id)).map(|record| record.job.clone()).collect())
    }

    async fn definitions_after(&self, after: Option<JobId>, limit: usize) -> Result<Vec<Job>, StoreError> {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let state = self.state();
        Ok(state.jobs.range((from, Bound::Unbounded)).take(limit).map(|(_, record)| record.job.clone()).collect())
    }
}

impl State {
    /// Adds jobs, all or none.
    pub(super) fn create_jobs(&mut self, jobs: Vec<(Job, Option<Timestamp>)>) -> Result<(), StoreError> {
        let mut names = BTreeSet::new();
        let mut taken = |job: &Job| {
            self.jobs.contains_key(&job.id)
                || self.job_named(job.tenant_id, &job.spec.name).is_some()
                || !names.insert((job.tenant_id, job.spec.name.clone()))
        };
        if jobs.iter().any(|(job, _)| taken(job)) {
            return Err(NAME_TAKEN);
        }
        self.jobs.extend(jobs.into_iter().map(|(job, next_run_at)| (job.id, JobRecord::new(job, next_run_at))));
        Ok(())
    }

    /// Adds a job, or writes it over the one of its name, which keeps its id, its origin and its history.
    fn upsert_job(&mut self, job: Job, next_run_at: Option<Timestamp>) {
        let namesake = self.job_named(job.tenant_id, &job.spec.name).map(|record| record.job.id);
        match namesake.and_then(|id| self.jobs.get_mut(&id)) {
            Some(record) => {
                let stored = &record.job;
                record.job = Job {
                    id: stored.id,
                    created_by: stored.created_by.clone(),
                    created_at: stored.created_at,
                    version: stored.version + 1,
                    ..job
                };
                record.next_run_at = next_run_at;
            }
            None => {
                self.jobs.insert(job.id, JobRecord::new(job, next_run_at));
            }
        }
    }

    /// A tenant's jobs that are not deleted, oldest first.
    pub(super) fn live_jobs(&self, tenant: TenantId) -> impl Iterator<Item = &JobRecord> {
        self.jobs.values().filter(move |record| record.job.tenant_id == tenant && !record.job.is_deleted)
    }
}

/// One page of a list.
pub(super) fn page_of<T>(items: &[T], page: PageRequest) -> impl Iterator<Item = &T> {
    let offset = usize::try_from(page.offset()).unwrap_or(usize::MAX);
    items.iter().skip(offset).take(page.size as usize)
}

fn shows(filter: &JobFilter, job: &Job) -> bool {
    let JobFilter { job_type, status, tag, search, group, except_group, sort: _, direction: _ } = filter;
    let spec = &job.spec;
    let holds = |text: &str, sought: &str| text.to_lowercase().contains(&sought.to_lowercase());
    job_type.is_none_or(|job_type| spec.configuration.job_type() == job_type)
        && status.is_none_or(|status| job.status() == status)
        && tag.as_ref().is_none_or(|tag| spec.tags.contains(tag))
        && group.as_ref().is_none_or(|group| spec.group.as_ref() == Some(group))
        && except_group.as_ref().is_none_or(|group| spec.group.as_ref() != Some(group))
        && search.as_ref().is_none_or(|sought| {
            holds(&spec.name, sought) || spec.description.as_ref().is_some_and(|text| holds(text, sought))
        })
}

fn compare(filter: &JobFilter, a: &JobRecord, b: &JobRecord) -> Ordering {
    let started_at = |record: &JobRecord| record.last_run.and_then(|run| run.started_at);
    let ordering = match filter.sort {
        JobSort::Name => directed(filter, &a.job.spec.name.to_lowercase(), &b.job.spec.name.to_lowercase()),
        JobSort::CreatedAt => directed(filter, &a.job.created_at, &b.job.created_at),
        JobSort::UpdatedAt => directed(filter, &a.job.updated_at, &b.job.updated_at),
        JobSort::ConsecutiveFailures => directed(filter, &a.consecutive_failures, &b.consecutive_failures),
        JobSort::LastExecutedAt => present_first(filter, started_at(a), started_at(b)),
        JobSort::NextRunAt => present_first(filter, a.next_run_at, b.next_run_at),
    };
    ordering.then(a.job.id.cmp(&b.job.id))
}

fn directed<T: Ord>(filter: &JobFilter, a: &T, b: &T) -> Ordering {
    match filter.direction {
        SortDirection::Ascending => a.cmp(b),
        SortDirection::Descending => b.cmp(a),
    }
}

/// What has no value comes last, whichever way the rest is sorted.
fn present_first<T: Ord>(filter: &JobFilter, a: Option<T>, b: Option<T>) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => directed(filter, &a, &b),
        (a, b) => a.is_none().cmp(&b.is_none()),
    }
}
