//! Recounting a tenant's job counters from its history.
//!
//! The history is read on a connection of its own, so that a long one holds up nobody who writes; both it and the
//! counters are read as of the same instant. What differs is then added to the counters.

use std::path::Path;

use horarium_domain::execution::ExecutionState;
use horarium_domain::stats::DurationBucket;
use horarium_domain::store::{Drift, StoreError};
use horarium_domain::{JobId, TenantId};
use rusqlite::{Connection, TransactionBehavior, params};

use super::counters;
use super::values::{Checked, Key, Ts, column};
use super::writer::open;
use crate::decode;
use crate::hot::drift::{Tallies, compare};
use crate::hot::rollup::{Deltas, run_ms};
use crate::sqlite::Access;

const HISTORY: &str = "
    select e.job_id, e.state, e.started_at, e.completed_at, e.partial
    from executions e join jobs j on j.id = e.job_id
    where e.tenant_id = ?1 and e.state <> 0";

const COUNTERS: &str = "
    select job_id, succeeded, failed, cancelled, duration_ms, partial from job_counters where tenant_id = ?1";

const DURATIONS: &str = "
    select h.job_id, h.bucket, h.count
    from job_counters c join job_durations h on h.job_id = c.job_id where c.tenant_id = ?1";

const ADD_MISSING: &str = "
    insert into job_counters (job_id, tenant_id)
    select id, tenant_id from jobs where id = ?1
    on conflict (job_id) do nothing";

/// What differs, and what to add.
pub(super) fn count(path: &Path, tenant: TenantId) -> Result<(Vec<Drift>, Deltas), StoreError> {
    let mut connection = open(path, Access::Read)?;
    let snapshot = connection.transaction_with_behavior(TransactionBehavior::Deferred).checked()?;
    Ok(compare(&stored(&snapshot, tenant)?, &counted(&snapshot, tenant)?))
}

/// Corrects the counters.
pub(super) fn correct(connection: &Connection, deltas: &Deltas) -> Result<(), StoreError> {
    for job in deltas.jobs.keys() {
        connection.prepare_cached(ADD_MISSING).checked()?.execute(params![Key::from(*job)]).checked()?;
    }
    counters::write(connection, deltas)
}

fn stored(snapshot: &Connection, tenant: TenantId) -> Result<Tallies, StoreError> {
    let mut tallies = Tallies::new();
    let mut find = snapshot.prepare(COUNTERS).checked()?;
    let mut rows = find.query([Key::from(tenant)]).checked()?;
    while let Some(row) = rows.next().checked()? {
        const TABLE: &str = "job_counters";
        let tally = tallies.entry(JobId::from_uuid(column::<Key>(row, 0, TABLE)?.0)).or_default();
        tally.succeeded = column(row, 1, TABLE)?;
        tally.failed = column(row, 2, TABLE)?;
        tally.cancelled = column(row, 3, TABLE)?;
        tally.duration_ms = column(row, 4, TABLE)?;
        tally.partial = column(row, 5, TABLE)?;
    }
    let mut find = snapshot.prepare(DURATIONS).checked()?;
    let mut rows = find.query([Key::from(tenant)]).checked()?;
    while let Some(row) = rows.next().checked()? {
        const TABLE: &str = "job_durations";
        let tally = tallies.entry(JobId::from_uuid(column::<Key>(row, 0, TABLE)?.0)).or_default();
        let bucket = DurationBucket::from_number(column(row, 1, TABLE)?);
        *tally.durations.entry(bucket).or_default() += column::<i64>(row, 2, TABLE)?;
    }
    Ok(tallies)
}

fn counted(snapshot: &Connection, tenant: TenantId) -> Result<Tallies, StoreError> {
    const TABLE: &str = "executions";
    let mut tallies = Tallies::new();
    let mut find = snapshot.prepare(HISTORY).checked()?;
    let mut rows = find.query([Key::from(tenant)]).checked()?;
    while let Some(row) = rows.next().checked()? {
        let Key(job) = column(row, 0, TABLE)?;
        let tally = tallies.entry(JobId::from_uuid(job)).or_default();
        let state =
            decode::Row::new(TABLE, format_args!("of job {job}")).terminal_state("state", column(row, 1, TABLE)?)?;
        match state {
            ExecutionState::Succeeded => tally.succeeded += 1,
            ExecutionState::Failed => tally.failed += 1,
            ExecutionState::Cancelled | ExecutionState::Pending | ExecutionState::Running => tally.cancelled += 1,
        }
        if column(row, 4, TABLE)? {
            tally.partial += 1;
        }
        let started: Option<Ts> = column(row, 2, TABLE)?;
        if let (ExecutionState::Succeeded | ExecutionState::Failed, Some(Ts(started))) = (state, started) {
            let ms = run_ms(started, column::<Ts>(row, 3, TABLE)?.0);
            tally.duration_ms += ms;
            *tally.durations.entry(DurationBucket::of_ms(ms)).or_default() += 1;
        }
    }
    Ok(tallies)
}
