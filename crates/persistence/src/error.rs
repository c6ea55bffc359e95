//! From the databases' errors to [`StoreError`].

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use horarium_domain::store::{Conflict, StoreError};

/// Why a transaction did not happen, and whether trying it again may help.
#[derive(Debug)]
pub(crate) enum Fault {
    /// It did not, and would not.
    Final(StoreError),
    /// It lost against another transaction (deadlock, serialization); the next try may win.
    Again(String),
}

impl Fault {
    /// What the caller is told once no further try is made.
    pub(crate) fn into_error(self) -> StoreError {
        match self {
            Self::Final(error) => error,
            Self::Again(message) => StoreError::Unavailable(message),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Final(error)
    }
}

/// Tells which table a statement was about, so that an impossible row can be located.
pub(crate) trait About<T> {
    /// The statement read or wrote `table`.
    fn about(self, table: &'static str) -> Result<T, Fault>;
}

impl<T> About<T> for Result<T, DieselError> {
    fn about(self, table: &'static str) -> Result<T, Fault> {
        self.map_err(|error| diesel_fault(table, error))
    }
}

fn diesel_fault(table: &'static str, error: DieselError) -> Fault {
    match error {
        DieselError::NotFound => Fault::Final(StoreError::NotFound(table)),
        DieselError::DeserializationError(error) => {
            Fault::Final(StoreError::Inconsistent { table, key: "unknown".to_owned(), detail: error.to_string() })
        }
        DieselError::DatabaseError(kind, information) => {
            let message = format!("{table}: {}", information.message());
            match kind {
                DatabaseErrorKind::UniqueViolation => Fault::Final(StoreError::Conflict(Conflict::NameTaken)),
                DatabaseErrorKind::SerializationFailure => Fault::Again(message),
                // diesel has no kind of its own for a deadlock, nor for SQLite's lock.
                DatabaseErrorKind::Unknown if is_contention(information.message()) => Fault::Again(message),
                DatabaseErrorKind::ClosedConnection | DatabaseErrorKind::UnableToSendCommand => {
                    Fault::Final(StoreError::Unavailable(message))
                }
                _ => Fault::Final(StoreError::Internal(message)),
            }
        }
        DieselError::BrokenTransactionManager => {
            Fault::Final(StoreError::Unavailable("the connection broke".to_owned()))
        }
        error => Fault::Final(StoreError::Internal(format!("{table}: {error}"))),
    }
}

fn is_contention(message: &str) -> bool {
    ["deadlock detected", "database is locked", "database table is locked"].iter().any(|text| message.contains(text))
}

/// The database could not be reached.
pub(crate) fn unavailable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(error.to_string())
}
