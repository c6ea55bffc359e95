//! Domain values as PostgreSQL's binary protocol carries them, and rows read strictly.

use std::error::Error;

use bytes::BytesMut;
use horarium_domain::Timestamp;
use horarium_domain::store::StoreError;
use tokio_postgres::Row;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, accepts, to_sql_checked};

use crate::error::{Fault, with_causes};

/// Microseconds from the Unix epoch to 2000-01-01, which PostgreSQL counts from.
const EPOCH_MICROS: i64 = 946_684_800_000_000;

/// A [`Timestamp`] as `timestamptz`: microseconds on both sides, so nothing is rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ts(pub(super) Timestamp);

impl ToSql for Ts {
    fn to_sql(&self, _: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        out.extend_from_slice(&(self.0.as_micros() - EPOCH_MICROS).to_be_bytes());
        Ok(IsNull::No)
    }

    accepts!(TIMESTAMPTZ);
    to_sql_checked!();
}

impl<'a> FromSql<'a> for Ts {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn Error + Sync + Send>> {
        let micros = i64::from_be_bytes(raw.try_into()?).saturating_add(EPOCH_MICROS);
        let at = Timestamp::from_micros(micros);
        // `Timestamp` would clamp 'infinity', for one: a value read back must be the value stored.
        if at.as_micros() == micros { Ok(Self(at)) } else { Err("an instant outside the years 0001 to 9999".into()) }
    }

    accepts!(TIMESTAMPTZ);
}

/// Reads a column of a row of `table`.
pub(super) fn column<'r, T: FromSql<'r>>(row: &'r Row, index: usize, table: &'static str) -> Result<T, Fault> {
    row.try_get(index).map_err(|error| {
        let name = row.columns().get(index).map_or("?", tokio_postgres::Column::name);
        // Every hot statement answers the row's id first.
        let key = row.try_get::<_, uuid::Uuid>(0).map_or_else(|_| "unknown".to_owned(), |id| id.to_string());
        let detail = format!("{name}: {}", with_causes(&error));
        Fault::Final(StoreError::Inconsistent { table, key, detail })
    })
}

/// A small number that the domain counts in `u16`.
pub(super) fn count(value: i16, name: &str, table: &'static str, key: uuid::Uuid) -> Result<u16, Fault> {
    u16::try_from(value).map_err(|_| {
        let detail = format!("{name} is {value}");
        Fault::Final(StoreError::Inconsistent { table, key: key.to_string(), detail })
    })
}

/// A count as the database keeps it. None comes near the limit; one that did would stay there.
pub(super) fn small(value: u16) -> i16 {
    i16::try_from(value).unwrap_or(i16::MAX)
}

/// A limit on rows as the database takes it.
pub(super) fn rows(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}
