//! From what a caller sent to a checked definition, with everything that is wrong told at once.

use horarium_domain::Timestamp;
use horarium_domain::job::{ConcurrencyPolicy, JobConfiguration, JobSpec, JobType, QueueName};
use horarium_domain::retry::RetryPolicy;
use horarium_domain::schedule::MisfirePolicy;

use super::{JobInput, retry_policy, schedule, secrets};
use crate::secrets::Secrets;
use crate::service::integrations::{self, INTEGRATION_GROUP};
use crate::service::{FieldErrors, limits};

const JOB_TYPE_REQUIRED: &str =
    "is required: HttpCall, StoredProcedure, CodeExecution, FileOperation, Command or Agent";

/// The definition of a new job. `errors` holds what was found wrong already.
pub(super) fn new_spec(input: &JobInput, now: Timestamp, errors: FieldErrors) -> Result<JobSpec, FieldErrors> {
    Draft { input, current: None, errors }.spec(now)
}

/// The definition of a job after a change. If the change brings a configuration, the secrets in it are not sealed yet.
pub(super) fn changed_spec(
    current: &JobSpec,
    secrets: Secrets<'_>,
    input: &JobInput,
    now: Timestamp,
) -> Result<JobSpec, FieldErrors> {
    Draft { input, current: Some((current, secrets)), errors: FieldErrors::default() }.spec(now)
}

/// A definition in the making. Every reader notes what is wrong in `errors`, and answers `None` then.
struct Draft<'a> {
    input: &'a JobInput,
    current: Option<(&'a JobSpec, Secrets<'a>)>,
    errors: FieldErrors,
}

impl<'a> Draft<'a> {
    /// The definition as it is.
    fn current(&self) -> Option<&'a JobSpec> {
        self.current.map(|(spec, _)| spec)
    }

    fn spec(mut self, now: Timestamp) -> Result<JobSpec, FieldErrors> {
        let name = self.name();
        let description = self.description();
        let configuration = self.configuration();
        if name.as_deref().is_some_and(|name| is_not_its_owner(name, configuration.as_ref())) {
            self.errors.add("name", "begins with 'system.', as only the jobs that Horarium makes for itself do");
        }
        let current_schedule = self.current().map(|spec| &spec.schedule);
        let schedule = schedule::read(self.input, current_schedule, now, &mut self.errors);
        let misfire_policy = self.misfire_policy();
        let retry_policy = self.retry_policy();
        let timeout_seconds = self.timeout_seconds();
        let tags = self.tags();
        let queue = self.queue();
        let priority = self.priority();
        let group = self.group();
        let concurrency_policy = self.concurrency_policy();
        let max_concurrency = self.limit("maxConcurrency", |input| input.max_concurrency, |spec| spec.max_concurrency);
        let max_concurrency_per_key = self.limit(
            "maxConcurrencyPerKey",
            |input| input.max_concurrency_per_key,
            |spec| spec.max_concurrency_per_key,
        );
        let is_enabled = self.input.is_enabled.unwrap_or(self.current().is_none_or(|spec| spec.is_enabled));
        let spec = || {
            Some(JobSpec {
                name: name?,
                description,
                configuration: configuration?,
                schedule: schedule?,
                misfire_policy: misfire_policy?,
                retry_policy: retry_policy?,
                timeout_seconds: timeout_seconds?,
                is_enabled,
                tags: tags?,
                queue: queue?,
                priority: priority?,
                group,
                concurrency_policy: concurrency_policy?,
                max_concurrency,
                max_concurrency_per_key,
            })
        };
        // A part that is missing has left a problem behind.
        match spec() {
            Some(spec) if self.errors.is_empty() => Ok(spec),
            _ => Err(self.errors),
        }
    }

    fn name(&mut self) -> Option<String> {
        match (&self.input.name, self.current()) {
            (Some(name), _) => limits::line(&mut self.errors, "name", name, limits::NAME_CHARS),
            (None, Some(current)) => Some(current.name.clone()),
            (None, None) => self.problem("name", "is required"),
        }
    }

    fn description(&mut self) -> Option<String> {
        let Some(text) = &self.input.description else {
            return self.current().and_then(|spec| spec.description.clone());
        };
        if text.chars().count() > limits::DESCRIPTION_CHARS {
            self.problem("description", format!("must have at most {} characters", limits::DESCRIPTION_CHARS))
        } else if text.contains('\0') {
            self.problem("description", "must not hold the character U+0000")
        } else {
            Some(text.clone()).filter(|text| !text.is_empty())
        }
    }

    fn configuration(&mut self) -> Option<JobConfiguration> {
        let current = self.current().map(|spec| &spec.configuration);
        let job_type = match (&self.input.job_type, current) {
            (Some(text), _) => limits::named(&mut self.errors, "jobType", text, JobType::ALL, JobType::as_str)?,
            (None, Some(current)) => current.job_type(),
            (None, None) => return self.problem("jobType", JOB_TYPE_REQUIRED),
        };
        let Some(sent) = &self.input.job_configuration else {
            return match current {
                Some(current) if current.job_type() == job_type => Some(current.clone()),
                _ => self.problem("jobConfiguration", format!("is required: what the {job_type} job is to do")),
            };
        };
        if !limits::json(&mut self.errors, "jobConfiguration", sent, limits::CONFIGURATION_BYTES) {
            return None;
        }
        let mut sent = sent.clone();
        let stored = self.current.map(|(spec, secrets)| (&spec.configuration, secrets));
        secrets::restore(job_type, &mut sent, stored, &mut self.errors);
        match JobConfiguration::parse(job_type, &sent) {
            Ok(configuration) => Some(configuration),
            Err(invalid) => self.problem(&invalid.field, invalid.problem),
        }
    }

    fn misfire_policy(&mut self) -> Option<MisfirePolicy> {
        let Some(text) = &self.input.misfire_policy else {
            return Some(self.current().map(|spec| spec.misfire_policy).unwrap_or_default());
        };
        limits::named(&mut self.errors, "misfirePolicy", text, MisfirePolicy::ALL, MisfirePolicy::as_str)
    }

    fn retry_policy(&mut self) -> Option<RetryPolicy> {
        match (&self.input.retry_policy, self.current()) {
            (Some(value), _) => retry_policy::parse(value, &mut self.errors),
            (None, Some(current)) => Some(current.retry_policy.clone()),
            (None, None) if self.input.group.as_deref().map(str::trim) == Some(INTEGRATION_GROUP) => {
                Some(integrations::default_retry_policy())
            }
            (None, None) => Some(RetryPolicy::default()),
        }
    }

    fn timeout_seconds(&mut self) -> Option<u32> {
        let Some(given) = self.input.timeout_seconds else {
            return Some(self.current().map_or(JobSpec::DEFAULT_TIMEOUT_SECONDS, |spec| spec.timeout_seconds));
        };
        limits::number(&mut self.errors, "timeoutSeconds", given, 1..=limits::TIMEOUT_SECONDS)
    }

    fn tags(&mut self) -> Option<Vec<String>> {
        let Some(sent) = &self.input.tags else {
            return Some(self.current().map(|spec| spec.tags.clone()).unwrap_or_default());
        };
        if sent.len() > limits::TAGS {
            return self.problem("tags", format!("must hold at most {} tags", limits::TAGS));
        }
        let mut tags: Vec<String> = Vec::with_capacity(sent.len());
        let mut sound = true;
        for (index, tag) in sent.iter().enumerate() {
            match limits::line(&mut self.errors, &format!("tags[{index}]"), tag, limits::LABEL_CHARS) {
                Some(tag) if tags.contains(&tag) => {}
                Some(tag) => tags.push(tag),
                None => sound = false,
            }
        }
        sound.then_some(tags)
    }

    fn queue(&mut self) -> Option<QueueName> {
        let Some(text) = &self.input.queue else {
            return Some(self.current().map(|spec| spec.queue.clone()).unwrap_or_default());
        };
        match text.parse() {
            Ok(queue) => Some(queue),
            Err(error) => self.problem("queue", error.to_string()),
        }
    }

    fn priority(&mut self) -> Option<i16> {
        match self.input.priority {
            Some(given) => limits::number(&mut self.errors, "priority", given, -limits::PRIORITY..=limits::PRIORITY),
            None => Some(self.current().map_or(0, |spec| spec.priority)),
        }
    }

    fn group(&mut self) -> Option<String> {
        match self.input.group.as_deref() {
            None => self.current().and_then(|spec| spec.group.clone()),
            Some(text) if text.trim().is_empty() => None,
            Some(text) => limits::line(&mut self.errors, "group", text, limits::LABEL_CHARS),
        }
    }

    fn concurrency_policy(&mut self) -> Option<ConcurrencyPolicy> {
        let Some(text) = &self.input.concurrency_policy else {
            return Some(self.current().map(|spec| spec.concurrency_policy).unwrap_or_default());
        };
        limits::named(&mut self.errors, "concurrencyPolicy", text, ConcurrencyPolicy::ALL, ConcurrencyPolicy::as_str)
    }

    /// How many may run at once; 0 lifts the limit.
    fn limit(
        &mut self,
        field: &str,
        given: fn(&JobInput) -> Option<i64>,
        current: fn(&JobSpec) -> Option<u32>,
    ) -> Option<u32> {
        match given(self.input) {
            None => self.current().and_then(current),
            Some(given) => {
                let limit = limits::number(&mut self.errors, field, given, 0..=limits::CONCURRENCY);
                limit.filter(|limit| *limit > 0)
            }
        }
    }

    fn problem<T>(&mut self, field: &str, problem: impl Into<String>) -> Option<T> {
        self.errors.add(field, problem);
        None
    }
}

/// Whether a name is one of a job that Horarium finds by it, and the configuration is not that job's. Anything else under
/// that name would be run in its place.
fn is_not_its_owner(name: &str, configuration: Option<&JobConfiguration>) -> bool {
    let is_own =
        |job: &JobConfiguration| matches!(job, JobConfiguration::CodeExecution(code) if code.handler_type == name);
    name.starts_with("system.") && configuration.is_some_and(|configuration| !is_own(configuration))
}
