//! Cancelling executions: one that somebody names, or all that live of a job that a newer one replaces.

use horarium_domain::store::{CancelOutcome, StoreError};
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::settle::record_event;
use super::values::{Checked, Key, Ts, column};
use super::{aftermath, counters};
use crate::decode;
use crate::hot::aftermath::Aftermath;
use crate::hot::rollup::Deltas;
use crate::hot::taken::Taken;
use crate::text::storable;

const TAKE_ONE: &str = "
    delete from execution_queue where id = ?1 and tenant_id = ?2
    returning id, tenant_id, job_id, state, attempt, lost, started_at, worker, callback";

const TAKE_LIVE: &str = "
    delete from execution_queue where job_id = ?1
    returning id, tenant_id, job_id, state, attempt, lost, started_at, worker, callback";

const STATE: &str = "select id, state from executions where id = ?1 and tenant_id = ?2";

const END: &str = "
    update executions set state = 4, ended_otherwise = 4, attempt = ?2, lost = ?3, started_at = ?4, completed_at = ?5,
        worker = ?6
    where id = ?1";

pub(super) fn cancel(
    connection: &Connection,
    tenant: TenantId,
    id: ExecutionId,
    by: &str,
    now: Timestamp,
) -> Result<CancelOutcome, StoreError> {
    let whose = params![Key::from(id), Key::from(tenant)];
    let mut take = connection.prepare_cached(TAKE_ONE).checked()?;
    let Some(taken) = take.query_row(whose, |row| Ok(read(row))).optional().checked()? else {
        let mut find = connection.prepare_cached(STATE).checked()?;
        let state = find.query_row(whose, |row| row.get::<_, i16>(1)).optional().checked()?;
        let state = state.ok_or(StoreError::NotFound("execution"))?;
        return decode::Row::new("executions", id).terminal_state("state", state).map(CancelOutcome::AlreadyTerminal);
    };
    let taken = taken?;
    let outcome = if taken.running { CancelOutcome::WasRunning } else { CancelOutcome::WasPending };
    record(connection, &[taken], by, now)?;
    Ok(outcome)
}

/// Cancels all that lives of a job; answers those that ran.
pub(super) fn cancel_live(
    connection: &Connection,
    job: JobId,
    by: &str,
    now: Timestamp,
) -> Result<Vec<ExecutionId>, StoreError> {
    let mut take = connection.prepare_cached(TAKE_LIVE).checked()?;
    let taken = take.query_map([Key::from(job)], |row| Ok(read(row))).checked()?;
    let taken = taken.map(|row| row.checked()?).collect::<Result<Vec<Taken>, StoreError>>()?;
    record(connection, &taken, by, now)?;
    Ok(taken.iter().filter(|taken| taken.running).map(|taken| taken.id).collect())
}

fn record(connection: &Connection, taken: &[Taken], by: &str, now: Timestamp) -> Result<(), StoreError> {
    let mut end = connection.prepare_cached(END).checked()?;
    for taken in taken {
        let worker = taken.worker.as_deref().map(storable);
        let started = taken.started_at.map(Ts);
        end.execute(params![Key::from(taken.id), taken.attempt, taken.lost, started, Ts(now), worker]).checked()?;
        record_event(connection, taken.tenant_id, taken.job_id, &taken.event(by, now))?;
    }
    counters::write(connection, &Deltas::of(taken.iter().map(|taken| taken.end(now))))?;
    aftermath::write(connection, &Aftermath::of(taken.iter().map(|taken| taken.over(now))))
}

fn read(row: &Row<'_>) -> Result<Taken, StoreError> {
    const TABLE: &str = "execution_queue";
    Ok(Taken {
        id: ExecutionId::from_uuid(column::<Key>(row, 0, TABLE)?.0),
        tenant_id: TenantId::from_uuid(column::<Key>(row, 1, TABLE)?.0),
        job_id: JobId::from_uuid(column::<Key>(row, 2, TABLE)?.0),
        running: column::<i16>(row, 3, TABLE)? == 1,
        attempt: column(row, 4, TABLE)?,
        lost: column(row, 5, TABLE)?,
        started_at: column::<Option<Ts>>(row, 6, TABLE)?.map(|at| at.0),
        worker: column(row, 7, TABLE)?,
        callback: column(row, 8, TABLE)?,
    })
}
