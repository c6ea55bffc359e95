//! Job definitions: making, changing, pausing, deleting and finding them.

mod draft;
mod input;
mod outlook;
mod retry_policy;
mod schedule;
mod secrets;

use std::sync::Arc;

use horarium_domain::job::{Job, JobSpec, JobSummary};
use horarium_domain::page::{Page, PageRequest};
use horarium_domain::store::{Conflict, JobChange, JobFilter, StoreError};
use horarium_domain::{JobId, TenantId, Timestamp};

pub use input::{JobInput, RescheduleInput};
pub use retry_policy::to_json as retry_policy_to_json;
pub use secrets::mask_configuration;
pub(in crate::service) use secrets::refuse_masks;

use super::{Actor, FieldErrors, ServiceError, limits};
use crate::core::{Core, JobChangeKind};
use crate::secrets::Secrets;

/// How often a change that lost a race is decided anew. Only a planner that fires the job, or another caller that
/// changes it, makes it lose one, so a handful is plenty.
const MAX_TRIES: usize = 10;

/// The use cases around job definitions.
///
/// Changes take the version that the caller decided on, if it named one; without one, a change that lost a race is
/// decided anew on the job as it is now. A change that changes nothing writes nothing.
#[derive(Debug, Clone)]
pub struct JobService {
    core: Arc<Core>,
}

/// What a change makes of a job.
enum Revision {
    /// This.
    Changed(Box<Job>),
    /// What it is already.
    Same,
}

impl JobService {
    /// The most jobs that [`failing`](Self::failing) gives.
    pub const MAX_FAILING: usize = 200;

    pub(super) const fn new(core: Arc<Core>) -> Self {
        Self { core }
    }

    /// Makes a job.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] with all that is wrong, [`ServiceError::Conflict`] when the name is taken.
    pub async fn create(&self, actor: &Actor, input: &JobInput) -> Result<JobSummary, ServiceError> {
        let now = self.core.now();
        let mut errors = FieldErrors::default();
        let created_by = input
            .created_by
            .as_deref()
            .filter(|text| !text.trim().is_empty())
            .and_then(|text| limits::line(&mut errors, "createdBy", text, limits::PERSON_CHARS));
        let mut spec = draft::new_spec(input, now, errors)?;
        let id = self.core.ids.job(now);
        self.secrets(actor.tenant, id).seal_configuration(&mut spec.configuration, None)?;
        let job = Job {
            created_by: created_by.or_else(|| Some(actor.name().to_owned())),
            ..Job::new(id, actor.tenant, spec, now)
        };
        let next_run_at = if job.fires() { job.spec.schedule.first_slot(now) } else { None };
        self.core.store.create_job(job.clone(), next_run_at).await.map_err(|error| name_taken(error, &job.spec))?;
        self.core.job_changed(actor.tenant, job.id, JobChangeKind::Created);
        Ok(JobSummary { job, next_run_at, last_run: None, consecutive_failures: 0 })
    }

    /// Changes what the input names and leaves the rest.
    ///
    /// Switching the type needs a new configuration. A secret that comes back as [`MASK`](horarium_domain::secret::MASK) keeps its stored value, as
    /// long as the address it is sent to stays the same.
    ///
    /// # Errors
    /// As [`create`](Self::create), and [`ServiceError::NotFound`], [`ServiceError::PreconditionFailed`].
    pub async fn update(
        &self,
        actor: &Actor,
        id: JobId,
        input: &JobInput,
        expected_version: Option<i64>,
    ) -> Result<JobSummary, ServiceError> {
        self.change(actor, id, expected_version, |job, now| {
            let secrets = self.secrets(job.tenant_id, job.id);
            let mut spec = draft::changed_spec(&job.spec, secrets, input, now)?;
            if input.job_configuration.is_some() {
                secrets.seal_configuration(&mut spec.configuration, Some(&job.spec.configuration))?;
            }
            Ok(if spec == job.spec { Revision::Same } else { Revision::Changed(Box::new(Job { spec, ..job.clone() })) })
        })
        .await
    }

    /// Gives a job another schedule; whether it is paused or enabled stays.
    ///
    /// # Errors
    /// As [`update`](Self::update).
    pub async fn reschedule(
        &self,
        actor: &Actor,
        id: JobId,
        input: RescheduleInput,
        expected_version: Option<i64>,
    ) -> Result<JobSummary, ServiceError> {
        if input.schedule_type.is_none() {
            return Err(ServiceError::invalid("scheduleType", schedule::TYPE_REQUIRED));
        }
        self.update(actor, id, &input.into(), expected_version).await
    }

    /// Puts a job's schedule on hold. Slots that pass meanwhile never fire; executions that were accepted still run.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::PreconditionFailed`].
    pub async fn pause(
        &self,
        actor: &Actor,
        id: JobId,
        expected_version: Option<i64>,
    ) -> Result<JobSummary, ServiceError> {
        self.set_paused(actor, id, true, expected_version).await
    }

    /// Takes a job's schedule off hold: its next slot is the first one from now on.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::PreconditionFailed`].
    pub async fn resume(
        &self,
        actor: &Actor,
        id: JobId,
        expected_version: Option<i64>,
    ) -> Result<JobSummary, ServiceError> {
        self.set_paused(actor, id, false, expected_version).await
    }

    async fn set_paused(
        &self,
        actor: &Actor,
        id: JobId,
        paused: bool,
        expected_version: Option<i64>,
    ) -> Result<JobSummary, ServiceError> {
        self.change(actor, id, expected_version, |job, _| {
            Ok(if job.is_paused == paused {
                Revision::Same
            } else {
                Revision::Changed(Box::new(Job { is_paused: paused, ..job.clone() }))
            })
        })
        .await
    }

    /// Hides a job and stops its schedule; its name is free again and its history is kept.
    ///
    /// Executions that were accepted before still run to their end: they were promised to whoever asked for them, and
    /// can be cancelled one by one.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::PreconditionFailed`].
    pub async fn delete(&self, actor: &Actor, id: JobId, expected_version: Option<i64>) -> Result<(), ServiceError> {
        self.change(actor, id, expected_version, |job, _| {
            Ok(Revision::Changed(Box::new(Job { is_deleted: true, ..job.clone() })))
        })
        .await?;
        Ok(())
    }

    /// Removes a job with its whole history and whatever still waits; also one that was deleted before.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`], [`ServiceError::Conflict`] while an execution of it runs,
    /// [`ServiceError::PreconditionFailed`].
    pub async fn purge(&self, actor: &Actor, id: JobId, expected_version: Option<i64>) -> Result<(), ServiceError> {
        match self.core.store.purge_job(actor.tenant, id, expected_version).await {
            Ok(()) => {
                self.core.job_changed(actor.tenant, id, JobChangeKind::Deleted);
                Ok(())
            }
            Err(StoreError::Conflict(Conflict::VersionChanged)) => {
                let actual = self.core.store.job(actor.tenant, id).await?.job.version;
                Err(ServiceError::PreconditionFailed { actual })
            }
            Err(error) => Err(error.into()),
        }
    }

    /// A job that is not deleted.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn get(&self, tenant: TenantId, id: JobId) -> Result<JobSummary, ServiceError> {
        live(self.core.store.job(tenant, id).await?)
    }

    /// A job that is not deleted, by its name.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn get_by_name(&self, tenant: TenantId, name: &str) -> Result<JobSummary, ServiceError> {
        // No job has a name with NUL, and PostgreSQL refuses to even look for one.
        if name.contains('\0') {
            return Err(ServiceError::NotFound("job"));
        }
        Ok(self.core.store.job_by_name(tenant, name.trim()).await?)
    }

    /// One page of the jobs that are not deleted.
    pub async fn list(
        &self,
        tenant: TenantId,
        filter: &JobFilter,
        page: PageRequest,
    ) -> Result<Page<JobSummary>, ServiceError> {
        let texts = [&filter.tag, &filter.search, &filter.group];
        if texts.into_iter().flatten().any(|text| text.contains('\0')) {
            return Ok(Page::of(Vec::new(), 0));
        }
        Ok(self.core.store.jobs(tenant, filter, page).await?)
    }

    /// Up to `limit` jobs that failed at least `threshold` times in a row, worst first; at most
    /// [`MAX_FAILING`](Self::MAX_FAILING).
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] when the threshold is below 1.
    pub async fn failing(
        &self,
        tenant: TenantId,
        threshold: i64,
        limit: usize,
    ) -> Result<Vec<JobSummary>, ServiceError> {
        let mut errors = FieldErrors::default();
        let threshold = limits::number(&mut errors, "threshold", threshold, 1..=i64::from(i32::MAX));
        let Some(threshold) = threshold else { return Err(errors.into()) };
        Ok(self.core.store.failing_jobs(tenant, threshold, limit.min(Self::MAX_FAILING)).await?)
    }

    /// The next slots that a job's schedule has from now on, whether it fires at present or not; at most 1000.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`].
    pub async fn preview(&self, tenant: TenantId, id: JobId, count: usize) -> Result<Vec<Timestamp>, ServiceError> {
        let summary = self.get(tenant, id).await?;
        Ok(summary.job.spec.schedule.preview(self.core.now(), count))
    }

    fn secrets(&self, tenant: TenantId, id: JobId) -> Secrets<'_> {
        Secrets::of_job(&*self.core.secrets, tenant, id)
    }

    /// Reads a job, has `decide` say what it becomes, and writes that if the job is still as it was read.
    async fn change(
        &self,
        actor: &Actor,
        id: JobId,
        expected_version: Option<i64>,
        decide: impl Fn(&Job, Timestamp) -> Result<Revision, ServiceError>,
    ) -> Result<JobSummary, ServiceError> {
        for _ in 0..MAX_TRIES {
            let before = self.get(actor.tenant, id).await?;
            let version = before.job.version;
            if expected_version.is_some_and(|expected| expected != version) {
                return Err(ServiceError::PreconditionFailed { actual: version });
            }
            let now = self.core.now();
            let Revision::Changed(mut job) = decide(&before.job, now)? else { return Ok(before) };
            job.version = version + 1;
            job.updated_at = now;
            job.last_modified_by = Some(actor.name().to_owned());
            let next_run_at = next_slot(&before, &job, now);
            let change = JobChange {
                job: (*job).clone(),
                expected_version: version,
                seen_next_run_at: before.next_run_at,
                next_run_at,
            };
            match self.core.store.update_job(change).await {
                Ok(()) => {
                    let kind = if job.is_deleted { JobChangeKind::Deleted } else { JobChangeKind::Updated };
                    self.core.job_changed(actor.tenant, id, kind);
                    return Ok(JobSummary { job: *job, next_run_at, ..before });
                }
                Err(StoreError::Conflict(Conflict::VersionChanged)) => {}
                Err(error) => return Err(name_taken(error, &job.spec)),
            }
        }
        Err(ServiceError::Conflict("the job is being changed by others at the same time; try again".to_owned()))
    }
}

/// The next slot of a job after a change. A schedule that stays and goes on firing keeps its slot, due or not.
fn next_slot(before: &JobSummary, job: &Job, now: Timestamp) -> Option<Timestamp> {
    if !job.fires() {
        None
    } else if before.job.spec.schedule != job.spec.schedule {
        job.spec.schedule.first_slot(now)
    } else if before.job.fires() {
        before.next_run_at
    } else {
        job.spec.schedule.next_after(now)
    }
}

fn live(summary: JobSummary) -> Result<JobSummary, ServiceError> {
    if summary.job.is_deleted { Err(ServiceError::NotFound("job")) } else { Ok(summary) }
}

fn name_taken(error: StoreError, spec: &JobSpec) -> ServiceError {
    match error {
        StoreError::Conflict(Conflict::NameTaken) => {
            ServiceError::Conflict(format!("another job is named '{}'; choose another name", spec.name))
        }
        other => other.into(),
    }
}
