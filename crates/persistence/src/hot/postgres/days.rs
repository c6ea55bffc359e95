//! The days that the history is kept in, each a partition of its own: which there are, and making room ahead.
//!
//! A day's partition is named after it (`executions_20261122`). `executions_other` takes what no prepared day has room
//! for (clocks that are far off, a node that slept for weeks), so nothing is ever refused for its time; and
//! `executions_until_20261122` is what there was before the history was kept by days.

use std::time::Duration;

use horarium_domain::Timestamp;
use horarium_domain::id::first_uuid_at;
use horarium_domain::store::StoreError;

use super::PostgresHot;
use super::session::{self, Session};
use super::values::column;
use crate::error::Fault;

/// How much of the history one partition holds.
pub(super) const DAY: Duration = Duration::from_hours(24);

/// How many days are prepared beyond the present one: so long nobody needs to look after it.
const AHEAD: u32 = 7;

/// The most rows of a day that are moved out of `…_other` when its partition is made. A day of which there are more stays
/// there, and is deleted row by row.
const MOVED: i64 = 50_000;

/// Begins a transaction that makes or drops partitions: alone, by an advisory lock ("horadays"). It waits only so long
/// for what uses the tables, since everything that comes later waits behind it.
const BEGIN_ALONE: &str = "begin; select pg_advisory_xact_lock(7525359264980892019); set local lock_timeout = '250ms'";

/// Within a transaction that deletes rows of the history: no day is dropped before it is over, so that what is counted
/// before a drop is what the drop takes away.
pub(crate) const HOLD_DAYS: &str = "select pg_advisory_xact_lock_shared(7525359264980892019)";

/// A table that is kept by days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Table {
    /// By when they were accepted, which their ids tell.
    Executions,
    /// With their executions.
    Events,
    /// By when they ended.
    LateEnds,
}

impl Table {
    pub(super) const ALL: [Self; 3] = [Self::Executions, Self::Events, Self::LateEnds];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Executions => "executions",
            Self::Events => "execution_events",
            Self::LateEnds => "late_ends",
        }
    }

    /// The column that tells the day.
    const fn key(self) -> &'static str {
        match self {
            Self::Executions => "id",
            Self::Events => "execution_id",
            Self::LateEnds => "completed_at",
        }
    }

    /// Where a day begins, as a literal of that column.
    fn bound(self, at: Timestamp) -> String {
        match self {
            Self::Executions | Self::Events => format!("'{}'::uuid", first_uuid_at(at)),
            Self::LateEnds => format!("'{at}'::timestamptz"),
        }
    }

    /// What its partitions are made with: the second write of an execution stays on its page.
    const fn storage(self) -> &'static str {
        match self {
            Self::Executions => " with (fillfactor = 50)",
            Self::Events | Self::LateEnds => "",
        }
    }
}

/// A partition with an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) table: Table,
    pub(super) name: String,
    /// `None`: the beginning of time.
    pub(super) from: Option<Timestamp>,
    /// The first instant that is not in it.
    pub(super) to: Timestamp,
}

impl Part {
    fn day(table: Table, from: Timestamp) -> Self {
        Self { table, name: format!("{}_{}", table.name(), digits(from)), from: Some(from), to: from + DAY }
    }

    /// `None` for what has no end, and for what somebody else made.
    fn named(table: Table, name: &str) -> Option<Self> {
        let suffix = name.strip_prefix(table.name())?.strip_prefix('_')?;
        match suffix.strip_prefix("until_") {
            Some(end) => Some(Self { table, name: name.to_owned(), from: None, to: midnight(end)? }),
            None => midnight(suffix).map(|from| Self::day(table, from)),
        }
    }

    fn holds(&self, at: Timestamp) -> bool {
        at < self.to && self.from.is_none_or(|from| from <= at)
    }

    /// That a row of the table belongs here.
    fn condition(&self) -> String {
        self.condition_on(self.table.key())
    }

    /// The same of another column with such values.
    pub(super) fn condition_on(&self, column: &str) -> String {
        let until = format!("{column} < {}", self.table.bound(self.to));
        match self.from {
            Some(from) => format!("{column} >= {} and {until}", self.table.bound(from)),
            None => until,
        }
    }
}

/// `20261122`, of any instant of that day.
fn digits(at: Timestamp) -> String {
    at.to_string().chars().take(10).filter(char::is_ascii_digit).collect()
}

fn midnight(digits: &str) -> Option<Timestamp> {
    if digits.len() != 8 || !digits.is_ascii() {
        return None;
    }
    format!("{}-{}-{}T00:00:00Z", &digits[..4], &digits[4..6], &digits[6..]).parse().ok()
}

/// The table's partitions that have an end, oldest first.
pub(super) async fn parts(session: &Session, table: Table) -> Result<Vec<Part>, Fault> {
    const PARTS: &str = "
        select c.relname::text from pg_inherits i join pg_class c on c.oid = i.inhrelid
        where i.inhparent = to_regclass($1)";
    let statement = session.statement(PARTS).await?;
    let mut parts = Vec::new();
    for row in session.rows(&statement, &[&table.name()]).await? {
        parts.extend(Part::named(table, column(&row, 0, "pg_class")?));
    }
    parts.sort_by_key(|part| part.to);
    Ok(parts)
}

/// Begins a transaction that changes partitions, alone.
pub(super) async fn begin_alone(session: &Session) -> Result<(), Fault> {
    session.batch_execute(BEGIN_ALONE).await.map_err(session::fault)
}

/// Begins a transaction during which nobody makes or drops partitions.
pub(super) async fn begin_among_others(session: &Session) -> Result<(), Fault> {
    session.batch_execute(&format!("begin; {HOLD_DAYS}")).await.map_err(session::fault)
}

impl PostgresHot {
    pub(super) async fn prepare_days(&self, now: Timestamp) -> Result<u64, StoreError> {
        let today = now.floor_to(DAY);
        let mut made = 0;
        for day in (0..=AHEAD).map(|ahead| today + ahead * DAY) {
            for table in Table::ALL {
                made += u64::from(session::run(&self.pool, async |s: &Session| prepare(s, table, day).await).await?);
            }
        }
        Ok(made)
    }
}

/// Makes a table's partition for a day if it has none; answers whether it did.
async fn prepare(session: &Session, table: Table, day: Timestamp) -> Result<bool, Fault> {
    if has(session, table, day).await? {
        return Ok(false);
    }
    begin_alone(session).await?;
    // Another node may have made it meanwhile.
    let made = !has(session, table, day).await? && make(session, table, day).await?;
    session.commit().await?;
    Ok(made)
}

async fn has(session: &Session, table: Table, day: Timestamp) -> Result<bool, Fault> {
    Ok(parts(session, table).await?.iter().any(|part| part.holds(day)))
}

/// Makes a day's partition, and brings what `…_other` has of that day into it, unless that is too much.
async fn make(session: &Session, table: Table, day: Timestamp) -> Result<bool, Fault> {
    let part = Part::day(table, day);
    let (name, of_day, storage) = (table.name(), part.condition(), table.storage());
    let run = async |sql: &str| session.batch_execute(sql).await.map_err(session::fault);
    run(&format!("set local enable_seqscan = on; lock table {name}_other in access exclusive mode")).await?;
    let stray = format!("select count(*) from (select from {name}_other where {of_day} limit {MOVED} + 1) x");
    let stray: i64 = column(&session.query_one(stray.as_str(), &[]).await.map_err(session::fault)?, 0, name)?;
    if stray > MOVED {
        tracing::warn!(table = name, %day, "too much was accepted before its day was prepared: it is not kept apart");
        return Ok(false);
    }
    let (from, to) = (table.bound(day), table.bound(part.to));
    let part = part.name;
    run(&format!(
        "create table {part} (like {name} including defaults){storage};
         with moved as (delete from {name}_other where {of_day} returning *) insert into {part} select * from moved;
         alter table {name} attach partition {part} for values from ({from}) to ({to})"
    ))
    .await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_partition_is_told_by_its_name() {
        let noon: Timestamp = "2026-11-22T12:00:00Z".parse().unwrap();
        let day = Part::day(Table::Executions, noon.floor_to(DAY));
        assert_eq!(day.name, "executions_20261122");
        assert_eq!(Part::named(Table::Executions, &day.name), Some(day.clone()));
        assert!(day.holds(noon) && !day.holds(noon + DAY) && !day.holds(noon - DAY));
        let before = Part::named(Table::Executions, "executions_until_20261122").unwrap();
        assert_eq!((before.from, before.to), (None, noon.floor_to(DAY)));
        assert!(before.holds(noon - DAY) && !before.holds(noon));
        for other in ["executions_other", "executions_2026112", "executions_20261322", "execution_events_20261122"] {
            assert_eq!(Part::named(Table::Executions, other), None, "{other}");
        }
    }
}
