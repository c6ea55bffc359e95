//! Asking for executions, one by one and in bulk.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};
use horarium_domain::callback::NewCallback;
use horarium_domain::concurrency::ConcurrencyKey;
use horarium_domain::execution::{NewExecution, Trigger};
use horarium_domain::job::Job;
use horarium_domain::secret::Document;
use horarium_domain::store::{Enqueued, StoreError};
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};
use serde_json::Value;

use super::ExecutionService;
use crate::secrets::Secrets;
use crate::service::job::refuse_masks;
use crate::service::{Actor, FieldErrors, ServiceError, limits};

/// How many jobs are looked up by name at the same time.
const LOOKUPS_AT_ONCE: usize = 8;

/// How many jobs are read by id in one statement.
const DEFINITIONS_AT_ONCE: usize = 1000;

/// How a caller names a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum JobRef {
    /// By id.
    Id(JobId),
    /// By name.
    Name(String),
}

/// What a caller asks of an execution, before any check; all of it may be left out.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct TriggerInput {
    /// What it is to work on; at most 1 MiB as JSON.
    pub payload: Option<Value>,
    /// -100..=100; the job's own when none is given.
    pub priority: Option<i64>,
    /// When it may start: RFC 3339 with an offset; at once when none is given or it has passed.
    pub run_at: Option<String>,
    /// While an execution of the job with this key waits or runs, no second one is accepted. 1 to 200 characters.
    pub unique_key: Option<String>,
    /// What it has in common with others that limits of that key hold together. 1 to 200 characters.
    pub concurrency_key: Option<String>,
}

/// What a submitter wants to be told and to be reminded of, before any check.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallbackInput {
    /// Where the end is to be told: an `http` or `https` URL of at most 2048 characters.
    pub url: Option<String>,
    /// The submitter's own name for the execution; at most 4 KiB as JSON.
    pub reference: Option<Value>,
}

impl CallbackInput {
    pub(super) fn check(self) -> Result<NewCallback, FieldErrors> {
        let mut errors = FieldErrors::default();
        let url = self.url.and_then(|text| limits::line(&mut errors, "webhook_url", &text, limits::URL_CHARS));
        if url.as_deref().is_some_and(|url| !is_web_url(url)) {
            errors.add("webhook_url", "must be an absolute http or https URL");
        }
        let reference = self.reference.filter(|value| !value.is_null());
        if let Some(value) = &reference {
            limits::json(&mut errors, "id", value, limits::REFERENCE_BYTES);
        }
        if errors.is_empty() { Ok(NewCallback { url, reference }) } else { Err(errors) }
    }
}

/// Whether a text looks like the URL of something on the web. What it resolves to is checked when it is called.
fn is_web_url(text: &str) -> bool {
    let rest = ["http://", "https://"].into_iter().find_map(|scheme| {
        let head = text.get(..scheme.len())?;
        head.eq_ignore_ascii_case(scheme).then(|| &text[scheme.len()..])
    });
    rest.is_some_and(|rest| {
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        !host.is_empty() && !host.starts_with(':') && !text.contains(char::is_whitespace)
    })
}

/// One execution that a program asks for.
#[derive(Debug, Clone, PartialEq)]
pub struct Submission {
    /// Of which job.
    pub job: JobRef,
    /// The rest.
    pub input: TriggerInput,
}

/// An execution that is durable now, and what was asked of it: enough for an answer that must not fail any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// Its id.
    pub id: ExecutionId,
    /// Whether it was there before, under the same unique key; the rest is then what was asked for now.
    pub is_duplicate: bool,
    /// Which queue it waits in.
    pub queue: String,
    /// How it is preferred to others there.
    pub priority: i16,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// When it may start.
    pub scheduled_for: Timestamp,
}

impl Admission {
    /// The admission that is asked for.
    pub(in crate::service) fn wanted(new: &NewExecution) -> Self {
        Self {
            id: new.id,
            is_duplicate: false,
            queue: new.queue.clone(),
            priority: new.priority,
            created_at: new.created_at,
            scheduled_for: new.scheduled_for,
        }
    }

    /// What a store's answer makes of it.
    pub(in crate::service) fn answered(self, enqueued: Enqueued) -> Result<Self, ServiceError> {
        match enqueued {
            Enqueued::Accepted => Ok(self),
            Enqueued::Duplicate(id) => Ok(Self { id, is_duplicate: true, ..self }),
            Enqueued::QueueFull { max_length } => Err(ServiceError::QueueFull { queue: self.queue, max_length }),
            Enqueued::NoSuchJob => Err(ServiceError::NotFound("job")),
        }
    }
}

impl ExecutionService {
    /// The most executions that [`submit_many`](Self::submit_many) takes.
    pub const MAX_BATCH: usize = 10_000;

    /// Submits many executions on behalf of a program. Those that can be accepted are, all in one transaction; each of
    /// the others is answered with its own error, in the order of the batch.
    ///
    /// # Errors
    /// [`ServiceError::Invalid`] when there are more than [`MAX_BATCH`](Self::MAX_BATCH); and when the database fails,
    /// in which case none is accepted.
    pub async fn submit_many(
        &self,
        actor: &Actor,
        submissions: Vec<Submission>,
    ) -> Result<Vec<Result<Admission, ServiceError>>, ServiceError> {
        if submissions.len() > Self::MAX_BATCH {
            let problem = format!("must hold at most {} executions", Self::MAX_BATCH);
            return Err(ServiceError::invalid("items", problem));
        }
        let jobs = self.jobs(actor.tenant, submissions.iter().map(|submission| &submission.job)).await?;
        let now = self.core.now();
        let made = (0..).zip(submissions).map(|(index, Submission { job, input })| match jobs.get(&job) {
            Some(job) => {
                let id = actor.execution(index, &self.core.ids, now);
                self.execution(actor, id, job, input, Trigger::Api, now)
            }
            None => Err(ServiceError::NotFound("job")),
        });
        let mut batch = Vec::new();
        let mut answers = Vec::new();
        for result in made {
            answers.push(result.map(|execution: NewExecution| {
                let wanted = Admission::wanted(&execution);
                batch.push(execution);
                wanted
            }));
        }
        let mut enqueued = self.core.enqueue_many_audited(batch, actor.call()).await?.into_iter();
        let mut next = move || {
            let missing =
                || ServiceError::Internal { internal: "the store answered for too few executions".to_owned() };
            enqueued.next().ok_or_else(missing)
        };
        Ok(answers.into_iter().map(|wanted| wanted.and_then(|wanted| wanted.answered(next()?))).collect())
    }

    pub(super) async fn submit_as(
        &self,
        actor: &Actor,
        submission: Submission,
        trigger: Trigger,
    ) -> Result<Admission, ServiceError> {
        let execution = self.asked_for(actor, submission, trigger).await?;
        self.admit(actor, execution).await
    }

    /// The execution that a submission asks for.
    pub(super) async fn asked_for(
        &self,
        actor: &Actor,
        Submission { job, input }: Submission,
        trigger: Trigger,
    ) -> Result<NewExecution, ServiceError> {
        let job = self.job(actor.tenant, &job).await?.ok_or(ServiceError::NotFound("job"))?;
        let now = self.core.now();
        let id = actor.execution(0, &self.core.ids, now);
        self.execution(actor, id, &job, input, trigger, now)
    }

    /// The execution that is asked for, checked.
    fn execution(
        &self,
        actor: &Actor,
        id: ExecutionId,
        job: &Job,
        input: TriggerInput,
        trigger: Trigger,
        now: Timestamp,
    ) -> Result<NewExecution, ServiceError> {
        let mut errors = FieldErrors::default();
        let mut payload = input.payload.filter(|value| !value.is_null());
        if let Some(value) = &payload {
            limits::json(&mut errors, "payload", value, limits::PAYLOAD_BYTES);
            refuse_masks(Document::Payload, value, &mut errors);
        }
        let priority = input.priority.map_or(Some(job.spec.priority), |given| {
            limits::number(&mut errors, "priority", given, -limits::PRIORITY..=limits::PRIORITY)
        });
        let run_at = input.run_at.and_then(|text| limits::instant(&mut errors, "runAt", &text));
        let unique_key =
            input.unique_key.and_then(|text| limits::line(&mut errors, "uniqueKey", &text, limits::UNIQUE_KEY_CHARS));
        let concurrency_key = input
            .concurrency_key
            .and_then(|text| limits::line(&mut errors, "concurrencyKey", &text, ConcurrencyKey::MAX_CHARS))
            .and_then(|text| ConcurrencyKey::try_from(text).ok());
        let Some(priority) = priority.filter(|_| errors.is_empty()) else { return Err(errors.into()) };
        if let Some(payload) = &mut payload {
            Secrets::of_job(&*self.core.secrets, job.tenant_id, job.id).seal(Document::Payload, payload, None)?;
        }
        let scheduled_for = run_at.map_or(now, |at| at.max(now));
        Ok(NewExecution {
            id,
            tenant_id: actor.tenant,
            job_id: job.id,
            trigger,
            triggered_by: actor.name().to_owned(),
            payload,
            queue: job.spec.queue.as_str().to_owned(),
            priority,
            scheduled_for,
            run_at: scheduled_for,
            created_at: now,
            retry_parent_id: None,
            unique_key,
            concurrency_key,
            max_attempts: None,
        })
    }

    async fn job(&self, tenant: TenantId, named: &JobRef) -> Result<Option<Arc<Job>>, ServiceError> {
        let found = match named {
            JobRef::Id(id) => self.core.jobs.read(*id).await?.filter(|job| job.tenant_id == tenant),
            // No job has a name with NUL, and PostgreSQL refuses to even look for one.
            JobRef::Name(name) if name.contains('\0') => None,
            JobRef::Name(name) => match self.core.store.job_by_name(tenant, name.trim()).await {
                Ok(summary) => Some(Arc::new(summary.job)),
                Err(StoreError::NotFound(_)) => None,
                Err(error) => return Err(error.into()),
            },
        };
        // A deleted job is none that anything could be asked of.
        Ok(found.filter(|job| !job.is_deleted))
    }

    /// Jobs as a batch names them: each is read once, those with an id many at a time.
    async fn jobs(
        &self,
        tenant: TenantId,
        named: impl Iterator<Item = &JobRef>,
    ) -> Result<HashMap<JobRef, Arc<Job>>, ServiceError> {
        let named: HashSet<&JobRef> = named.collect();
        let ids: Vec<_> =
            named.iter().filter_map(|job| if let JobRef::Id(id) = job { Some(*id) } else { None }).collect();
        let mut jobs = HashMap::with_capacity(named.len());
        for chunk in ids.chunks(DEFINITIONS_AT_ONCE) {
            let found = self.core.store.definitions(chunk).await?;
            let own = found.into_iter().filter(|job| job.tenant_id == tenant && !job.is_deleted);
            jobs.extend(own.map(|job| (JobRef::Id(job.id), Arc::new(job))));
        }
        let by_name = named.into_iter().filter(|job| matches!(job, JobRef::Name(_)));
        let found: Vec<_> = stream::iter(by_name)
            .map(|name| async move { Ok::<_, ServiceError>((name.clone(), self.job(tenant, name).await?)) })
            .buffer_unordered(LOOKUPS_AT_ONCE)
            .try_collect()
            .await?;
        jobs.extend(found.into_iter().filter_map(|(name, job)| Some((name, job?))));
        Ok(jobs)
    }
}
