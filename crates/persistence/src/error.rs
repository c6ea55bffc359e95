//! From the databases' errors to [`StoreError`].

use diesel::result::{DatabaseErrorKind, Error as DieselError};
use diesel_async::pooled_connection::deadpool::PoolError;
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
            Fault::Final(StoreError::Inconsistent { table, key: "unknown".to_owned(), detail: with_causes(&*error) })
        }
        DieselError::DatabaseError(kind, information) => {
            let message = format!("{table}: {}", information.message());
            match kind {
                DatabaseErrorKind::UniqueViolation => Fault::Final(StoreError::Conflict(Conflict::NameTaken)),
                // The only foreign keys that a caller can miss are those to its tenant.
                DatabaseErrorKind::ForeignKeyViolation => Fault::Final(StoreError::NotFound("tenant")),
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

/// An error with what it was caused by: the outermost message alone is often "error connecting to server".
pub(crate) fn with_causes(error: &(dyn std::error::Error + 'static)) -> String {
    std::iter::successors(error.source(), |cause| cause.source())
        .fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

/// A pool gave no connection.
pub(crate) fn no_connection(error: PoolError) -> StoreError {
    match error {
        PoolError::Backend(reason) => unavailable(reason),
        error => unavailable(error),
    }
}

/// The database could not be reached.
pub(crate) fn unavailable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(kind: DatabaseErrorKind, message: &str) -> Fault {
        diesel_fault("jobs", DieselError::DatabaseError(kind, Box::new(message.to_owned())))
    }

    #[test]
    fn a_transaction_that_lost_is_tried_again() {
        assert!(matches!(fault(DatabaseErrorKind::Unknown, "deadlock detected"), Fault::Again(_)));
        assert!(matches!(fault(DatabaseErrorKind::Unknown, "database is locked"), Fault::Again(_)));
        assert!(matches!(fault(DatabaseErrorKind::SerializationFailure, "could not serialize"), Fault::Again(_)));
        let given_up = fault(DatabaseErrorKind::SerializationFailure, "could not serialize").into_error();
        assert!(matches!(given_up, StoreError::Unavailable(_)));
    }

    #[test]
    fn what_another_try_cannot_change_is_final() {
        let taken = fault(DatabaseErrorKind::UniqueViolation, "jobs_live_name").into_error();
        assert!(matches!(taken, StoreError::Conflict(Conflict::NameTaken)));
        let gone = fault(DatabaseErrorKind::ClosedConnection, "").into_error();
        assert!(matches!(gone, StoreError::Unavailable(_)));
        let defect = fault(DatabaseErrorKind::Unknown, "syntax error").into_error();
        assert!(matches!(&defect, StoreError::Internal(text) if text == "jobs: syntax error"), "{defect}");
    }
}
