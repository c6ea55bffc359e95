//! Why a service did not do what it was asked.

use std::collections::BTreeMap;
use std::fmt;

use horarium_domain::execution::ExecutionState;
use horarium_domain::secret::SecretError;
use horarium_domain::store::{Conflict, StoreError};

/// What is wrong with a request, by field. Names are in camelCase, parts of a field follow a dot
/// (`jobConfiguration.url`), items of a list their index (`tags[3]`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct FieldErrors(BTreeMap<String, Vec<String>>);

impl FieldErrors {
    /// One problem with one field.
    pub fn one(field: impl Into<String>, message: impl Into<String>) -> Self {
        let mut errors = Self::default();
        errors.add(field, message);
        errors
    }

    /// Adds a problem.
    pub fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.entry(field.into()).or_default().push(message.into());
    }

    /// Whether nothing is wrong.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The problems by field.
    pub const fn as_map(&self) -> &BTreeMap<String, Vec<String>> {
        &self.0
    }

    /// The problems by field.
    pub fn into_map(self) -> BTreeMap<String, Vec<String>> {
        self.0
    }

    /// Whether something is wrong with this field.
    pub(super) fn names(&self, field: &str) -> bool {
        self.0.contains_key(field)
    }

    /// Adds all of the others.
    pub(super) fn append(&mut self, others: Self) {
        for (field, mut messages) in others.0 {
            self.0.entry(field).or_default().append(&mut messages);
        }
    }
}

impl fmt::Display for FieldErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problems = self.0.iter().flat_map(|(field, messages)| messages.iter().map(move |text| (field, text)));
        for (index, (field, message)) in problems.enumerate() {
            if index > 0 {
                f.write_str("; ")?;
            }
            write!(f, "{field}: {message}")?;
        }
        Ok(())
    }
}

/// Why a service did not do what it was asked. `Display` is for the caller and says nothing of the inside;
/// [`ServiceError::internal`] is for the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ServiceError {
    /// There is no such thing, or it is another tenant's.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// The request makes no sense.
    #[error("{0}")]
    Invalid(FieldErrors),
    /// It collides with what is there; the message says with what, and what to do.
    #[error("{0}")]
    Conflict(String),
    /// The job is no longer of the version that the caller expected.
    #[error("the job changed meanwhile: it is at version {actual} now; read it again and decide anew")]
    PreconditionFailed {
        /// The version it is of.
        actual: i64,
    },
    /// Only a failed execution can be retried.
    #[error("only a failed execution can be retried; this one is {0}")]
    NotFailed(ExecutionState),
    /// The queue holds as many executions as its limit allows.
    #[error("the queue '{queue}' holds as many executions as it may ({max_length}); try again later")]
    QueueFull {
        /// Which queue.
        queue: String,
        /// How many it may hold.
        max_length: u32,
    },
    /// The database cannot be reached or is too busy.
    #[error("the service is temporarily unavailable; try again in a moment")]
    Unavailable {
        /// What happened, for the log.
        internal: String,
    },
    /// A defect.
    #[error("an internal error occurred")]
    Internal {
        /// What happened, for the log.
        internal: String,
    },
}

impl ServiceError {
    /// One problem with one field.
    pub fn invalid(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Invalid(FieldErrors::one(field, message))
    }

    /// What happened inside, for the log; never for the caller.
    pub fn internal(&self) -> Option<&str> {
        match self {
            Self::Unavailable { internal } | Self::Internal { internal } => Some(internal),
            _ => None,
        }
    }
}

impl From<FieldErrors> for ServiceError {
    fn from(errors: FieldErrors) -> Self {
        Self::Invalid(errors)
    }
}

impl From<SecretError> for ServiceError {
    fn from(error: SecretError) -> Self {
        Self::Internal { internal: format!("a secret cannot be sealed or opened: {error}") }
    }
}

impl From<StoreError> for ServiceError {
    /// Conflicts are told in general words; a service that knows better says so before it comes to this.
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(kind) => Self::NotFound(kind),
            StoreError::Conflict(Conflict::NameTaken) => Self::Conflict("the name is taken".to_owned()),
            StoreError::Conflict(Conflict::VersionChanged) => {
                Self::Conflict("it changed meanwhile; read it again and decide anew".to_owned())
            }
            StoreError::Conflict(Conflict::ExecutionRunning) => {
                Self::Conflict("an execution of it is running; cancel it or wait for its end".to_owned())
            }
            StoreError::Unavailable(internal) => Self::Unavailable { internal },
            StoreError::Inconsistent { .. } | StoreError::Internal(_) => Self::Internal { internal: error.to_string() },
        }
    }
}
