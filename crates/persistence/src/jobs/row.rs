//! Jobs as rows.

use diesel::ExpressionMethods as _;
use diesel::prelude::{AsChangeset, Insertable, Queryable, Selectable};
use horarium_domain::job::{
    ConcurrencyPolicy, Job, JobConfiguration, JobSpec, JobSummary, JobType, LastRun, QueueName,
};
use horarium_domain::retry::RetryPolicy;
use horarium_domain::schedule::{MisfirePolicy, Schedule};
use horarium_domain::store::StoreError;
use horarium_domain::{JobId, TenantId, Timestamp};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::decode::Row;
use crate::schema::{At, Json, Key, job_counters, jobs};
use crate::text::storable;

/// A row of `jobs`.
#[derive(Debug, Clone, Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = jobs, treat_none_as_null = true)]
pub(crate) struct JobRow {
    #[diesel(serialize_as = Key)]
    pub(crate) id: JobId,
    #[diesel(serialize_as = Key)]
    pub(crate) tenant_id: TenantId,
    pub(crate) name: String,
    pub(crate) description: Option<String>,
    pub(crate) job_type: String,
    #[diesel(serialize_as = Json)]
    pub(crate) configuration: Value,
    #[diesel(serialize_as = Json)]
    pub(crate) schedule: Value,
    pub(crate) misfire_policy: String,
    #[diesel(serialize_as = Json)]
    pub(crate) retry_policy: Value,
    pub(crate) timeout_seconds: i32,
    pub(crate) is_enabled: bool,
    pub(crate) is_paused: bool,
    pub(crate) is_deleted: bool,
    #[diesel(serialize_as = Json)]
    pub(crate) tags: Value,
    pub(crate) queue: String,
    pub(crate) priority: i16,
    pub(crate) job_group: Option<String>,
    pub(crate) concurrency_policy: String,
    pub(crate) max_concurrency: Option<i32>,
    pub(crate) running_limit: Option<i32>,
    pub(crate) created_by: Option<String>,
    pub(crate) last_modified_by: Option<String>,
    #[diesel(serialize_as = At)]
    pub(crate) created_at: Timestamp,
    #[diesel(serialize_as = At)]
    pub(crate) updated_at: Timestamp,
    pub(crate) version: i64,
    pub(crate) max_concurrency_per_key: Option<i32>,
}

impl JobRow {
    /// The row of a job.
    ///
    /// # Errors
    /// [`StoreError::Internal`] when a part of the definition has no JSON form, which no value of its types lacks.
    pub(crate) fn of(job: &Job) -> Result<Self, StoreError> {
        let spec = &job.spec;
        Ok(Self {
            id: job.id,
            tenant_id: job.tenant_id,
            name: kept(&spec.name),
            description: spec.description.as_deref().map(kept),
            job_type: spec.configuration.job_type().as_str().to_owned(),
            configuration: spec.configuration.to_json(),
            schedule: document(&spec.schedule)?,
            misfire_policy: spec.misfire_policy.as_str().to_owned(),
            retry_policy: document(&spec.retry_policy)?,
            timeout_seconds: count(spec.timeout_seconds),
            is_enabled: spec.is_enabled,
            is_paused: job.is_paused,
            is_deleted: job.is_deleted,
            tags: document(&spec.tags)?,
            queue: spec.queue.as_str().to_owned(),
            priority: spec.priority,
            job_group: spec.group.as_deref().map(kept),
            concurrency_policy: spec.concurrency_policy.as_str().to_owned(),
            max_concurrency: spec.max_concurrency.map(count),
            running_limit: spec.effective_max_concurrency().map(count),
            created_by: job.created_by.as_deref().map(kept),
            last_modified_by: job.last_modified_by.as_deref().map(kept),
            created_at: job.created_at,
            updated_at: job.updated_at,
            version: job.version,
            max_concurrency_per_key: spec.max_concurrency_per_key.map(count),
        })
    }

    /// The job of a row.
    ///
    /// # Errors
    /// [`StoreError::Inconsistent`].
    pub(crate) fn into_job(self) -> Result<Job, StoreError> {
        let row = Row::new("jobs", self.id);
        let job_type = row.named("job_type", &self.job_type, &JobType::ALL, JobType::as_str)?;
        let retry_policy: RetryPolicy = read(&row, "retry_policy", self.retry_policy)?;
        row.value("retry_policy", retry_policy.validate())?;
        let spec = JobSpec {
            name: self.name,
            description: self.description,
            configuration: row.value("configuration", JobConfiguration::parse(job_type, &self.configuration))?,
            schedule: read::<Schedule>(&row, "schedule", self.schedule)?,
            misfire_policy: row.named(
                "misfire_policy",
                &self.misfire_policy,
                &MisfirePolicy::ALL,
                MisfirePolicy::as_str,
            )?,
            retry_policy,
            timeout_seconds: row.value("timeout_seconds", u32::try_from(self.timeout_seconds))?,
            is_enabled: self.is_enabled,
            tags: read(&row, "tags", self.tags)?,
            queue: row.value("queue", QueueName::try_from(self.queue))?,
            priority: self.priority,
            group: self.job_group,
            concurrency_policy: row.named(
                "concurrency_policy",
                &self.concurrency_policy,
                &ConcurrencyPolicy::ALL,
                ConcurrencyPolicy::as_str,
            )?,
            max_concurrency: row.value("max_concurrency", self.max_concurrency.map(u32::try_from).transpose())?,
            max_concurrency_per_key: row
                .value("max_concurrency_per_key", self.max_concurrency_per_key.map(u32::try_from).transpose())?,
        };
        if spec.effective_max_concurrency().map(count) != self.running_limit {
            return Err(row.inconsistent("running_limit: differs from what the concurrency policy says"));
        }
        Ok(Job {
            id: self.id,
            tenant_id: self.tenant_id,
            spec,
            is_paused: self.is_paused,
            is_deleted: self.is_deleted,
            created_by: self.created_by,
            last_modified_by: self.last_modified_by,
            created_at: self.created_at,
            updated_at: self.updated_at,
            version: self.version,
        })
    }
}

/// What a job's counters tell of its latest run.
#[derive(Debug, Clone, Copy, Queryable, Selectable)]
#[diesel(table_name = job_counters)]
pub(crate) struct LastRunRow {
    consecutive_failures: i32,
    last_state: Option<i16>,
    last_started_at: Option<Timestamp>,
    last_completed_at: Option<Timestamp>,
    last_duration_ms: Option<i64>,
}

/// A job as lists show it, from its three rows.
pub(crate) fn summary(
    (job, next_run_at, last_run): (JobRow, Option<Timestamp>, Option<LastRunRow>),
) -> Result<JobSummary, StoreError> {
    let row = Row::new("job_counters", job.id);
    let counters = last_run.ok_or_else(|| row.inconsistent("missing: every job has one"))?;
    let last_run = match (counters.last_state, counters.last_completed_at) {
        (Some(state), Some(completed_at)) => Some(LastRun {
            started_at: counters.last_started_at,
            completed_at,
            state: row.terminal_state("last_state", state)?,
            duration_ms: counters.last_duration_ms,
        }),
        (None, None) => None,
        _ => return Err(row.inconsistent("last_state and last_completed_at: one without the other")),
    };
    Ok(JobSummary {
        job: job.into_job()?,
        next_run_at,
        last_run,
        consecutive_failures: row.value("consecutive_failures", u32::try_from(counters.consecutive_failures))?,
    })
}

/// A slot that a job fires next.
#[derive(Debug, Clone, Copy, Insertable)]
#[diesel(table_name = crate::schema::job_slots)]
pub(crate) struct SlotRow {
    #[diesel(serialize_as = Key)]
    pub(crate) job_id: JobId,
    #[diesel(serialize_as = Key)]
    pub(crate) tenant_id: TenantId,
    #[diesel(serialize_as = At)]
    pub(crate) next_run_at: Timestamp,
}

fn kept(text: &str) -> String {
    storable(text).into_owned()
}

fn count(value: u32) -> i32 {
    i32::try_from(value).unwrap_or(i32::MAX)
}

fn document<T: serde::Serialize>(value: &T) -> Result<Value, StoreError> {
    serde_json::to_value(value).map_err(|error| StoreError::Internal(format!("jobs: {error}")))
}

fn read<T: DeserializeOwned>(row: &Row, column: &str, stored: Value) -> Result<T, StoreError> {
    row.value(column, serde_json::from_value(stored))
}
