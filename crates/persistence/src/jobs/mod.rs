//! Job definitions.

mod list;
mod row;
mod write;

use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use horarium_domain::job::{Job, JobSummary};
use horarium_domain::page::{Page, PageRequest};
use horarium_domain::store::{Conflict, JobChange, JobFilter, JobStore, StoreError};
use horarium_domain::{JobId, TenantId, Timestamp};

pub(crate) use row::JobRow;
pub(crate) use write::insert;

use crate::conn::on;
use crate::error::{About, Fault};
use crate::schema::{job_counters, job_slots, jobs, key};
use crate::store::SqlStore;
use crate::text::storable;
use row::{LastRunRow, summary};

/// The most definitions that one statement names.
const IDS_PER_STATEMENT: usize = 1000;

/// The query that a [`JobSummary`] is read from, for the database of an `on!` expression.
macro_rules! summaries {
    () => {
        jobs::table
            .left_join(job_slots::table.on(job_slots::job_id.eq(jobs::id)))
            .left_join(job_counters::table.on(job_counters::job_id.eq(jobs::id)))
            .select((JobRow::as_select(), job_slots::next_run_at.nullable(), Option::<LastRunRow>::as_select()))
    };
}

pub(crate) use summaries;

#[async_trait]
impl JobStore for SqlStore {
    async fn create_job(&self, job: Job, next_run_at: Option<Timestamp>) -> Result<(), StoreError> {
        let row = JobRow::of(&job)?;
        self.write(async |conn| insert(conn, &row, next_run_at).await).await
    }

    async fn import_jobs(&self, jobs: Vec<(Job, Option<Timestamp>)>, upsert: bool) -> Result<usize, StoreError> {
        let rows = jobs
            .iter()
            .map(|(job, next_run_at)| Ok((JobRow::of(job)?, *next_run_at)))
            .collect::<Result<Vec<_>, StoreError>>()?;
        self.write(async |conn| {
            for (row, next_run_at) in &rows {
                if upsert {
                    write::upsert(conn, row, *next_run_at).await?;
                } else {
                    insert(conn, row, *next_run_at).await?;
                }
            }
            Ok(rows.len())
        })
        .await
    }

    async fn job(&self, tenant: TenantId, id: JobId) -> Result<JobSummary, StoreError> {
        let found = self
            .read(async |conn| {
                on!(conn, c => summaries!().filter(jobs::tenant_id.eq(key(tenant))).filter(jobs::id.eq(key(id))).first(c).await.optional()).about("jobs")
            })
            .await?;
        summary(found.ok_or(StoreError::NotFound("job"))?)
    }

    async fn job_by_name(&self, tenant: TenantId, name: &str) -> Result<JobSummary, StoreError> {
        let name = storable(name);
        let found = self
            .read(async |conn| {
                on!(conn, c => summaries!()
                    .filter(jobs::tenant_id.eq(key(tenant)))
                    .filter(jobs::name.eq(&*name))
                    .filter(jobs::is_deleted.eq(false)).first(c).await.optional())
                .about("jobs")
            })
            .await?;
        summary(found.ok_or(StoreError::NotFound("job"))?)
    }

    async fn jobs(
        &self,
        tenant: TenantId,
        filter: &JobFilter,
        page: PageRequest,
    ) -> Result<Page<JobSummary>, StoreError> {
        let (rows, total) = self.read(async |conn| list::page(conn, tenant, filter, page).await).await?;
        Ok(Page::of(rows.into_iter().map(summary).collect::<Result<_, _>>()?, total))
    }

    async fn failing_jobs(
        &self,
        tenant: TenantId,
        threshold: u32,
        limit: usize,
    ) -> Result<Vec<JobSummary>, StoreError> {
        let threshold = i32::try_from(threshold).unwrap_or(i32::MAX);
        let rows = self
            .read(async |conn| {
                on!(conn, c => summaries!()
                    .filter(job_counters::tenant_id.eq(key(tenant)))
                    .filter(job_counters::consecutive_failures.ge(threshold))
                    .filter(jobs::is_deleted.eq(false))
                    .order((job_counters::consecutive_failures.desc(), jobs::id.asc()))
                    .limit(limit as i64).load(c).await)
                .about("jobs")
            })
            .await?;
        rows.into_iter().map(summary).collect()
    }

    async fn update_job(&self, change: JobChange) -> Result<(), StoreError> {
        let row = JobRow::of(&change.job)?;
        self.write(async |conn| write::update(conn, &row, &change).await).await
    }

    async fn purge_job(&self, tenant: TenantId, id: JobId, expected_version: Option<i64>) -> Result<(), StoreError> {
        self.write(async |conn| {
            let version: Option<i64> = {
                let query = jobs::table.filter(jobs::tenant_id.eq(key(tenant))).filter(jobs::id.eq(key(id)));
                on!(conn, c => query.select(jobs::version).first(c).await.optional()).about("jobs")?
            };
            let version = version.ok_or(StoreError::NotFound("job"))?;
            if expected_version.is_some_and(|expected| expected != version) {
                return Err(StoreError::Conflict(Conflict::VersionChanged).into());
            }
            write::purge(conn, id, version).await
        })
        .await
    }

    async fn definitions(&self, ids: &[JobId]) -> Result<Vec<Job>, StoreError> {
        let rows = self
            .read(async |conn| {
                let mut rows: Vec<JobRow> = Vec::with_capacity(ids.len());
                for ids in ids.chunks(IDS_PER_STATEMENT) {
                    let query = jobs::table.filter(jobs::id.eq_any(ids.iter().map(|id| key(*id))));
                    rows.extend(on!(conn, c => query.select(JobRow::as_select()).load(c).await).about("jobs")?);
                }
                Ok::<_, Fault>(rows)
            })
            .await?;
        rows.into_iter().map(JobRow::into_job).collect()
    }

    async fn definitions_after(&self, after: Option<JobId>, limit: usize) -> Result<Vec<Job>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let after = after.unwrap_or(JobId::from_uuid(uuid::Uuid::nil()));
        let rows: Vec<JobRow> = self
            .read(async |conn| {
                let query = jobs::table.filter(jobs::id.gt(key(after))).order(jobs::id).limit(limit);
                on!(conn, c => query.select(JobRow::as_select()).load(c).await).about("jobs")
            })
            .await?;
        rows.into_iter().map(JobRow::into_job).collect()
    }
}
