//! Domain values as SQLite keeps them, and rows read strictly.

use horarium_domain::store::StoreError;
use horarium_domain::{AuditId, ExecutionId, JobId, NodeId, TenantId, Timestamp};
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ToSql, ToSqlOutput, ValueRef};
use rusqlite::{ErrorCode, Row};
use uuid::Uuid;

/// An id: the 16 bytes of its UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Key(pub(super) Uuid);

macro_rules! key_of {
    ($($id:ty),+) => {$(
        impl From<$id> for Key {
            fn from(id: $id) -> Self {
                Self(id.as_uuid())
            }
        }
    )+};
}

key_of!(AuditId, ExecutionId, JobId, NodeId, TenantId);

impl ToSql for Key {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(ValueRef::Blob(self.0.as_bytes())))
    }
}

impl FromSql for Key {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        Uuid::from_slice(value.as_blob()?).map(Self).map_err(FromSqlError::other)
    }
}

/// A [`Timestamp`]: microseconds since the Unix epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ts(pub(super) Timestamp);

impl ToSql for Ts {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::from(self.0.as_micros()))
    }
}

impl FromSql for Ts {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let micros = value.as_i64()?;
        let at = Timestamp::from_micros(micros);
        // `Timestamp` clamps what it cannot represent: a value read back must be the value stored.
        if at.as_micros() == micros { Ok(Self(at)) } else { Err(FromSqlError::OutOfRange(micros)) }
    }
}

/// Reads a column of a row of `table` whose first column is its id.
pub(super) fn column<T: FromSql>(row: &Row<'_>, index: usize, table: &'static str) -> Result<T, StoreError> {
    row.get(index).map_err(|error| {
        let key = row.get::<_, Key>(0).map_or_else(|_| "unknown".to_owned(), |key| key.0.to_string());
        StoreError::Inconsistent { table, key, detail: error.to_string() }
    })
}

/// What an error of SQLite means to the method that met it.
pub(super) fn refused(error: &rusqlite::Error) -> StoreError {
    let message = error.to_string();
    match error.sqlite_error_code() {
        Some(
            ErrorCode::DatabaseBusy
            | ErrorCode::DatabaseLocked
            | ErrorCode::DiskFull
            | ErrorCode::CannotOpen
            | ErrorCode::SystemIoFailure
            | ErrorCode::ReadOnly
            | ErrorCode::OutOfMemory,
        ) => StoreError::Unavailable(message),
        _ => StoreError::Internal(message),
    }
}

/// Turns SQLite's errors into the store's.
pub(super) trait Checked<T> {
    fn checked(self) -> Result<T, StoreError>;
}

impl<T> Checked<T> for rusqlite::Result<T> {
    fn checked(self) -> Result<T, StoreError> {
        self.map_err(|error| refused(&error))
    }
}

/// A limit on rows as the database takes it.
pub(super) fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
