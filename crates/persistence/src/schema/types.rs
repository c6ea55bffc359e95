//! Three column types of our own, so that each database keeps what it is good at: `Id` is `uuid` or a 16-byte BLOB, `Ts`
//! is `timestamptz` or an INTEGER of microseconds since the Unix epoch, `Js` is `jsonb` or JSON TEXT.

use std::io::Write as _;

use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, Queryable};
use diesel::expression::AsExpression;
use diesel::pg::{Pg, PgValue};
use diesel::query_builder::QueryId;
use diesel::serialize::{self, IsNull, Output, ToSql};
use diesel::sql_types::{BigInt, Binary, SqlType, Text};
use diesel::sqlite::Sqlite;
use horarium_domain::{AgentId, AgentTaskId, ApiKeyId, AuditId, ExecutionId, JobId, RequestSeed, TenantId, Timestamp};
use serde_json::Value;
use uuid::Uuid;

use crate::text::storable_json;

/// A typed id.
#[derive(Debug, Clone, Copy, SqlType, QueryId)]
#[diesel(postgres_type(oid = 2950, array_oid = 2951), sqlite_type(name = "Binary"))]
#[allow(unreachable_pub)] // the columns that `table!` makes of it are public
pub struct Id;

/// A [`Timestamp`].
#[derive(Debug, Clone, Copy, SqlType, QueryId)]
#[diesel(postgres_type(oid = 1184, array_oid = 1185), sqlite_type(name = "Long"))]
#[allow(unreachable_pub)] // the columns that `table!` makes of it are public
pub struct Ts;

/// A JSON document.
#[derive(Debug, Clone, Copy, SqlType, QueryId)]
#[diesel(postgres_type(oid = 3802, array_oid = 3807), sqlite_type(name = "Text"))]
#[allow(unreachable_pub)] // the columns that `table!` makes of it are public
pub struct Js;

// What sorts and compares.
impl diesel::sql_types::SqlOrd for Id {}
impl diesel::sql_types::SqlOrd for Ts {}

/// Any typed id, to be bound to a statement.
#[derive(Debug, Clone, Copy, AsExpression)]
#[diesel(sql_type = Id)]
pub(crate) struct Key(Uuid);

/// An instant, to be bound to a statement.
#[derive(Debug, Clone, Copy, AsExpression)]
#[diesel(sql_type = Ts)]
pub(crate) struct At(Timestamp);

/// A JSON document, to be bound to a statement.
#[derive(Debug, Clone, AsExpression)]
#[diesel(sql_type = Js)]
pub(crate) struct Json(Value);

/// A typed id, to be bound to a statement.
pub(crate) fn key(id: impl Into<Key>) -> Key {
    id.into()
}

/// An instant, to be bound to a statement.
pub(crate) fn at(instant: Timestamp) -> At {
    At(instant)
}

impl From<Timestamp> for At {
    fn from(instant: Timestamp) -> Self {
        Self(instant)
    }
}

impl From<Value> for Json {
    fn from(value: Value) -> Self {
        Self(value)
    }
}

macro_rules! id_value {
    ($($rust:ty),+) => {$(
        impl From<$rust> for Key {
            fn from(id: $rust) -> Self {
                Self(id.as_uuid())
            }
        }

        impl FromSql<Id, Pg> for $rust {
            fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
                Ok(Self::from_uuid(Uuid::from_slice(value.as_bytes())?))
            }
        }

        impl FromSql<Id, Sqlite> for $rust {
            fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
                let bytes = <Vec<u8> as FromSql<Binary, Sqlite>>::from_sql(value)?;
                Ok(Self::from_uuid(Uuid::from_slice(&bytes)?))
            }
        }

        impl<Db: Backend> Queryable<Id, Db> for $rust
        where
            $rust: FromSql<Id, Db>,
        {
            type Row = Self;

            fn build(id: Self) -> deserialize::Result<Self> {
                Ok(id)
            }
        }
    )+};
}

id_value!(TenantId, JobId, ExecutionId, ApiKeyId, AuditId, AgentId, AgentTaskId, RequestSeed);

impl<Db: Backend> Queryable<Ts, Db> for Timestamp
where
    Timestamp: FromSql<Ts, Db>,
{
    type Row = Self;

    fn build(instant: Self) -> deserialize::Result<Self> {
        Ok(instant)
    }
}

impl ToSql<Id, Pg> for Key {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(self.0.as_bytes())?;
        Ok(IsNull::No)
    }
}

impl ToSql<Id, Sqlite> for Key {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.as_bytes().to_vec());
        Ok(IsNull::No)
    }
}

/// Microseconds from the Unix epoch to 2000-01-01, which PostgreSQL counts from.
const POSTGRES_EPOCH_MICROS: i64 = 946_684_800_000_000;

impl ToSql<Ts, Pg> for At {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&(self.0.as_micros() - POSTGRES_EPOCH_MICROS).to_be_bytes())?;
        Ok(IsNull::No)
    }
}

impl FromSql<Ts, Pg> for Timestamp {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        let micros = <i64 as FromSql<BigInt, Pg>>::from_sql(value)?;
        instant(micros.checked_add(POSTGRES_EPOCH_MICROS))
    }
}

impl ToSql<Ts, Sqlite> for At {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(self.0.as_micros());
        Ok(IsNull::No)
    }
}

impl FromSql<Ts, Sqlite> for Timestamp {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        instant(Some(<i64 as FromSql<BigInt, Sqlite>>::from_sql(value)?))
    }
}

/// Refuses what [`Timestamp`] would clamp ('infinity', for one): a value read back must be the value stored.
fn instant(micros: Option<i64>) -> deserialize::Result<Timestamp> {
    micros
        .map(|micros| (micros, Timestamp::from_micros(micros)))
        .filter(|(micros, at)| at.as_micros() == *micros)
        .map(|(_, at)| at)
        .ok_or_else(|| "an instant outside the years 0001 to 9999".into())
}

/// The first byte of a binary `jsonb`: the version of its format.
const JSONB_VERSION: u8 = 1;

impl ToSql<Js, Pg> for Json {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Pg>) -> serialize::Result {
        out.write_all(&[JSONB_VERSION])?;
        serde_json::to_writer(out, &*storable_json(&self.0))?;
        Ok(IsNull::No)
    }
}

impl FromSql<Js, Pg> for Value {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        match value.as_bytes().split_first() {
            Some((&JSONB_VERSION, json)) => Ok(serde_json::from_slice(json)?),
            _ => Err("jsonb of an unknown version".into()),
        }
    }
}

impl ToSql<Js, Sqlite> for Json {
    fn to_sql<'b>(&'b self, out: &mut Output<'b, '_, Sqlite>) -> serialize::Result {
        out.set_value(serde_json::to_string(&*storable_json(&self.0))?);
        Ok(IsNull::No)
    }
}

impl FromSql<Js, Sqlite> for Value {
    fn from_sql(value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        let text = <String as FromSql<Text, Sqlite>>::from_sql(value)?;
        Ok(serde_json::from_str(&text)?)
    }
}
