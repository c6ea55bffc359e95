//! Secrets in what callers send: sealed on the way to the store, opened just before an attempt uses them.
//!
//! Where they are is the [`Document`]'s to say. Everything between the service that takes a definition or a payload and
//! the attempt that runs it, or the agent that is handed its part, sees sealed values only.

use std::sync::Arc;

use horarium_domain::job::{Job, JobConfiguration};
use horarium_domain::secret::{Document, Secret, SecretError, SecretPlace, SecretSealer, is_sealed};
use horarium_domain::{ExecutionId, JobId, TenantId};
use serde_json::Value;
use uuid::Uuid;

/// A secret that cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: the stored secret cannot be used: {error}")]
pub(crate) struct Unopened {
    /// Which, such as `jobConfiguration.headers.Authorization`.
    pub(crate) field: String,
    /// Why not.
    pub(crate) error: SecretError,
}

/// The secrets of one owner.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Secrets<'a> {
    sealer: &'a dyn SecretSealer,
    tenant: TenantId,
    owner: Uuid,
}

impl<'a> Secrets<'a> {
    /// Those of an owner, as a store names it.
    pub(crate) const fn new(sealer: &'a dyn SecretSealer, tenant: TenantId, owner: Uuid) -> Self {
        Self { sealer, tenant, owner }
    }

    /// Those of a job: in its definition, and in the payloads of its executions, so that they can be copied from one
    /// execution to the next.
    pub(crate) const fn of_job(sealer: &'a dyn SecretSealer, tenant: TenantId, job: JobId) -> Self {
        Self::new(sealer, tenant, job.as_uuid())
    }

    /// Those of an execution: in the parts of it that agents do, and its callback's URL.
    pub(crate) const fn of_execution(sealer: &'a dyn SecretSealer, tenant: TenantId, execution: ExecutionId) -> Self {
        Self::new(sealer, tenant, execution.as_uuid())
    }

    /// Seals what is secret in a document as a caller sent it. A secret that is in `current` already stays as it is
    /// stored there, so that a change that changes nothing can be told.
    pub(crate) fn seal(
        &self,
        document: Document,
        sent: &mut Value,
        current: Option<&Value>,
    ) -> Result<(), SecretError> {
        let current = current.map(|current| document.secrets(current)).unwrap_or_default();
        for secret in document.secrets(sent).iter().rev() {
            let is_same = |stored: &&Secret| {
                self.is_sealed_now(stored) && self.open_one(document, stored).is_ok_and(|open| open == secret.value)
            };
            let sealed = match current.iter().filter(|stored| stored.field == secret.field).find(is_same) {
                Some(stored) => stored.value.clone(),
                None => self.seal_one(secret)?,
            };
            secret.replace(sent, sealed);
        }
        Ok(())
    }

    /// Opens what is sealed in a document; answers whether there was anything.
    pub(crate) fn open(&self, document: Document, stored: &mut Value) -> Result<bool, Unopened> {
        let mut secrets = document.secrets(stored);
        secrets.retain(|secret| secret.value.as_str().is_some_and(is_sealed));
        for secret in secrets.iter().rev() {
            let open = self.open_one(document, secret)?;
            secret.replace(stored, open);
        }
        Ok(!secrets.is_empty())
    }

    /// Opens one of the secrets of a document.
    pub(crate) fn open_one(&self, document: Document, secret: &Secret) -> Result<Value, Unopened> {
        let Some(sealed) = secret.value.as_str().filter(|text| is_sealed(text)) else {
            return Ok(secret.value.clone());
        };
        let refused = |error| {
            let field = format!("{}.{}", document.name(), secret.path());
            Unopened { field: field.trim_end_matches('.').to_owned(), error }
        };
        let open = self.sealer.open(self.place(&secret.field), sealed).map_err(refused)?;
        if secret.is_json {
            serde_json::from_str(&open).map_err(|_| refused(SecretError::Refused))
        } else {
            Ok(Value::String(open))
        }
    }

    /// Whether every secret of a stored document is sealed with the newest key.
    pub(crate) fn is_current(&self, document: Document, stored: &Value) -> bool {
        document.secrets(stored).iter().all(|secret| self.is_sealed_now(secret))
    }

    /// Seals what is secret in a definition, as [`seal`](Self::seal) does.
    pub(crate) fn seal_configuration(
        &self,
        sent: &mut JobConfiguration,
        current: Option<&JobConfiguration>,
    ) -> Result<(), SecretError> {
        let job_type = sent.job_type();
        let document = Document::Configuration(job_type);
        let mut value = sent.to_json();
        let current = current.filter(|current| current.job_type() == job_type).map(JobConfiguration::to_json);
        self.seal(document, &mut value, current.as_ref())?;
        *sent = JobConfiguration::parse(job_type, &value).map_err(|_| SecretError::Failed)?;
        Ok(())
    }

    /// A definition with its secrets opened; `None` when nothing in it is sealed.
    pub(crate) fn open_configuration(&self, stored: &JobConfiguration) -> Result<Option<JobConfiguration>, Unopened> {
        let job_type = stored.job_type();
        let document = Document::Configuration(job_type);
        if !document.may_hold_secrets() {
            return Ok(None);
        }
        let mut value = stored.to_json();
        if !self.open(document, &mut value)? {
            return Ok(None);
        }
        let refused = |_| Unopened { field: document.name().to_owned(), error: SecretError::Refused };
        JobConfiguration::parse(job_type, &value).map(Some).map_err(refused)
    }

    fn seal_one(&self, secret: &Secret) -> Result<Value, SecretError> {
        let text = match &secret.value {
            Value::String(text) if !secret.is_json => text.clone(),
            json => json.to_string(),
        };
        let sealed = self.sealer.seal(self.place(&secret.field), &text)?;
        // A sealer that leaves secrets as they are must leave the kind of value, too.
        Ok(if is_sealed(&sealed) { Value::String(sealed) } else { secret.value.clone() })
    }

    fn is_sealed_now(&self, secret: &Secret) -> bool {
        secret.value.as_str().is_some_and(|text| self.sealer.is_current(text))
    }

    const fn place<'f>(&self, field: &'f str) -> SecretPlace<'f> {
        SecretPlace { tenant: self.tenant, owner: self.owner, field }
    }
}

/// What an attempt works on, with its secrets opened: the job and the payload.
pub(crate) fn opened(
    sealer: &dyn SecretSealer,
    job: &Arc<Job>,
    payload: Option<&Value>,
) -> Result<(Arc<Job>, Option<Value>), Unopened> {
    let secrets = Secrets::of_job(sealer, job.tenant_id, job.id);
    let job = match secrets.open_configuration(&job.spec.configuration)? {
        None => Arc::clone(job),
        Some(configuration) => {
            let mut opened = Job::clone(job);
            opened.spec.configuration = configuration;
            Arc::new(opened)
        }
    };
    let mut payload = payload.cloned();
    if let Some(payload) = &mut payload {
        secrets.open(Document::Payload, payload)?;
    }
    Ok((job, payload))
}
