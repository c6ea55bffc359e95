//! Secrets at rest: the port to what seals a secret before a store sees it and opens it when it is needed.
//!
//! A sealed secret is text, so it lies wherever the secret would have: in the headers of a job's configuration, in a
//! column of its own. It is bound to its [`SecretPlace`]; copied to another tenant's job, or to another header of the
//! same one, it does not open.

mod document;
mod name;
mod url;

use std::fmt;

use uuid::Uuid;

pub use document::{Document, MASK, Secret, url_origin};
pub use name::is_secret_name;

use crate::TenantId;

/// What every sealed secret starts with. The number is the version of the format.
pub const SEALED_PREFIX: &str = "sealed:v1:";

/// Where a secret belongs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SecretPlace<'a> {
    /// Whose it is.
    pub tenant: TenantId,
    /// The job, the execution, or whatever else holds it.
    pub owner: Uuid,
    /// Which of the owner's secrets, such as `body` or `header:authorization`. A name never changes its meaning.
    pub field: &'a str,
}

/// Why a secret cannot be sealed or opened. The texts hold nothing of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretError {
    /// It was sealed with a key that is not there.
    #[error(
        "it was sealed with the key {key}, which this node does not have: give every node the same HORARIUM_SECRET_KEY, \
         and keep an old key in it until 'horarium secrets rotate' is through"
    )]
    UnknownKey {
        /// The key's id, which tells nothing of the key.
        key: String,
    },
    /// It is not what was sealed for this place.
    #[error("it does not open: it was altered, or it was sealed for another place")]
    Refused,
    /// The cryptography failed, which should not happen.
    #[error("the cryptography failed")]
    Failed,
}

/// Seals secrets for rest, and opens them again.
pub trait SecretSealer: fmt::Debug + Send + Sync + 'static {
    /// Seals a secret with the newest key. To stand within a URL, what comes of it has letters, digits, `-`, `_` and `:`
    /// only.
    ///
    /// # Errors
    /// [`SecretError::Failed`].
    fn seal(&self, place: SecretPlace<'_>, secret: &str) -> Result<String, SecretError>;

    /// Opens a sealed secret. Text that [is not sealed](is_sealed) was stored before secrets were, and is given back.
    ///
    /// # Errors
    /// [`SecretError::UnknownKey`], [`SecretError::Refused`].
    fn open(&self, place: SecretPlace<'_>, stored: &str) -> Result<String, SecretError>;

    /// Whether stored text is as this sealer would seal it today: with the newest key.
    fn is_current(&self, stored: &str) -> bool;
}

/// Whether stored text is a sealed secret. Only to be asked of what a sealer may have written: a caller can send
/// whatever it likes.
pub fn is_sealed(stored: &str) -> bool {
    stored.starts_with(SEALED_PREFIX)
}

/// Leaves secrets as they are: for stores that forget everything, such as those of tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unsealed;

impl SecretSealer for Unsealed {
    fn seal(&self, _: SecretPlace<'_>, secret: &str) -> Result<String, SecretError> {
        Ok(secret.to_owned())
    }

    fn open(&self, _: SecretPlace<'_>, stored: &str) -> Result<String, SecretError> {
        match stored.strip_prefix(SEALED_PREFIX) {
            None => Ok(stored.to_owned()),
            Some(rest) => Err(SecretError::UnknownKey { key: rest.chars().take_while(|c| *c != ':').collect() }),
        }
    }

    fn is_current(&self, stored: &str) -> bool {
        !is_sealed(stored)
    }
}
