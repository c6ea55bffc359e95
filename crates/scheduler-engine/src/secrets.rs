//! The secrets in job definitions: sealed on the way to the store, opened just before a request is sent.
//!
//! Secret are the values of an HTTP call's headers whose names [say so](HttpCall::is_secret_header), and its body when
//! the call marks it. Everything between the service that takes a definition and the attempt that runs it sees sealed
//! values only.

use std::sync::Arc;

use horarium_domain::job::{HttpCall, Job, JobConfiguration};
use horarium_domain::secret::{SecretError, SecretPlace, SecretSealer, is_sealed};
use horarium_domain::{JobId, TenantId};
use serde_json::Value;

/// What a call's body is called among the job's secrets.
const BODY: &str = "body";

/// A secret that cannot be opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("jobConfiguration.{field}: the stored secret cannot be used: {error}")]
pub(crate) struct Unopened {
    /// Which.
    pub(crate) field: String,
    /// Why not.
    pub(crate) error: SecretError,
}

/// The secrets of one job.
#[derive(Debug, Clone, Copy)]
pub(crate) struct JobSecrets<'a> {
    sealer: &'a dyn SecretSealer,
    tenant: TenantId,
    job: JobId,
}

impl<'a> JobSecrets<'a> {
    pub(crate) const fn new(sealer: &'a dyn SecretSealer, tenant: TenantId, job: JobId) -> Self {
        Self { sealer, tenant, job }
    }

    /// Opens the value of a header.
    pub(crate) fn open_header(&self, name: &str, stored: &str) -> Result<String, Unopened> {
        let field = header_field(name);
        self.sealer
            .open(self.place(&field), stored)
            .map_err(|error| Unopened { field: format!("headers.{name}"), error })
    }

    /// Opens a body that is marked secret.
    pub(crate) fn open_body(&self, stored: &Value) -> Result<Value, Unopened> {
        let Some(sealed) = stored.as_str().filter(|text| is_sealed(text)) else { return Ok(stored.clone()) };
        let refused = |error| Unopened { field: BODY.to_owned(), error };
        let text = self.sealer.open(self.place(BODY), sealed).map_err(refused)?;
        serde_json::from_str(&text).map_err(|_| refused(SecretError::Refused))
    }

    /// Seals what is secret in a definition as a caller sent it. A secret that is `current` already stays as it is
    /// stored, so that a change that changes nothing can be told.
    pub(crate) fn seal(
        &self,
        sent: &mut JobConfiguration,
        current: Option<&JobConfiguration>,
    ) -> Result<(), SecretError> {
        let JobConfiguration::HttpCall(call) = sent else { return Ok(()) };
        let current = match current {
            Some(JobConfiguration::HttpCall(current)) => Some(current),
            _ => None,
        };
        for (name, value) in call.headers.iter_mut().filter(|(name, _)| HttpCall::is_secret_header(name)) {
            let stored = current.and_then(|current| current.headers.get(name));
            let same = |stored: &&String| self.open_header(name, stored).is_ok_and(|secret| secret == *value);
            *value = match stored.filter(|stored| self.sealer.is_current(stored)).filter(same) {
                Some(stored) => stored.clone(),
                None => self.sealer.seal(self.place(&header_field(name)), value)?,
            };
        }
        if let Some(body) = call.body.as_mut().filter(|_| call.body_secret) {
            let stored = current.filter(|current| current.body_secret).and_then(|current| current.body.as_ref());
            let is_current = |stored: &&Value| stored.as_str().is_some_and(|text| self.sealer.is_current(text));
            let same = |stored: &&Value| self.open_body(stored).is_ok_and(|secret| secret == *body);
            if let Some(stored) = stored.filter(is_current).filter(same) {
                *body = stored.clone();
            } else {
                let text = self.sealer.seal(self.place(BODY), &body.to_string())?;
                // A sealer that leaves secrets as they are must leave the kind of value, too.
                if is_sealed(&text) {
                    *body = Value::String(text);
                }
            }
        }
        Ok(())
    }

    /// A definition with its secrets opened; `None` when nothing in it is sealed.
    pub(crate) fn open(&self, stored: &JobConfiguration) -> Result<Option<JobConfiguration>, Unopened> {
        let JobConfiguration::HttpCall(call) = stored else { return Ok(None) };
        if !sealed_texts(call).any(is_sealed) {
            return Ok(None);
        }
        let mut call = call.clone();
        for (name, value) in call.headers.iter_mut().filter(|(name, _)| HttpCall::is_secret_header(name)) {
            *value = self.open_header(name, value)?;
        }
        if let Some(body) = call.body.as_mut().filter(|_| call.body_secret) {
            *body = self.open_body(body)?;
        }
        Ok(Some(JobConfiguration::HttpCall(call)))
    }

    const fn place<'f>(&self, field: &'f str) -> SecretPlace<'f> {
        SecretPlace { tenant: self.tenant, owner: self.job.as_uuid(), field }
    }
}

/// A job as its executor may see it.
pub(crate) fn opened(sealer: &dyn SecretSealer, job: &Arc<Job>) -> Result<Arc<Job>, Unopened> {
    let secrets = JobSecrets::new(sealer, job.tenant_id, job.id);
    Ok(match secrets.open(&job.spec.configuration)? {
        None => Arc::clone(job),
        Some(configuration) => {
            let mut opened = Job::clone(job);
            opened.spec.configuration = configuration;
            Arc::new(opened)
        }
    })
}

/// Whether every secret of a stored definition is sealed with the newest key.
pub(crate) fn is_current(sealer: &dyn SecretSealer, stored: &JobConfiguration) -> bool {
    match stored {
        JobConfiguration::HttpCall(call) => {
            let unsealed_body = call.body_secret && call.body.as_ref().is_some_and(|body| !body.is_string());
            !unsealed_body && sealed_texts(call).all(|text| sealer.is_current(text))
        }
        JobConfiguration::StoredProcedure(_)
        | JobConfiguration::CodeExecution(_)
        | JobConfiguration::FileOperation(_)
        | JobConfiguration::Command(_)
        | JobConfiguration::Agent(_) => true,
    }
}

/// The secrets of a stored call, as far as they are texts; sealed ones are.
fn sealed_texts(call: &HttpCall) -> impl Iterator<Item = &str> {
    let headers = call.headers.iter().filter(|(name, _)| HttpCall::is_secret_header(name));
    let body = call.body.as_ref().filter(|_| call.body_secret).and_then(Value::as_str);
    headers.map(|(_, value)| value.as_str()).chain(body)
}

/// What a header is called among the job's secrets. Names of headers are told apart without regard to case.
fn header_field(name: &str) -> String {
    format!("header:{}", name.to_ascii_lowercase())
}
