//! Deleting what retention no longer keeps.

use horarium_domain::id::first_uuid_at;
use horarium_domain::store::{Conflict, StoreError};
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};
use rusqlite::{Connection, Rows, params};

use super::counters;
use super::values::{Checked, Key, Ts, column, rows};
use crate::decode;
use crate::hot::SKEW;
use crate::hot::rollup::{Deltas, End, Outcome};

/// `id < ?2` ends the walk over the tenant's history where nothing can be old enough any more.
const DELETE: &str = "
    delete from executions where id in (
        select id from executions
        where tenant_id = ?1 and id < ?2 and completed_at < ?3 and state <> 0
        order by id limit ?4
    )
    returning id, job_id, state, started_at, completed_at, partial";

const DELETE_ONE: &str = "
    delete from executions where tenant_id = ?1 and id = ?2 and state <> 0
    returning id, job_id, state, started_at, completed_at, partial";

const EXISTS: &str = "select exists (select 1 from executions where tenant_id = ?1 and id = ?2)";

const DELETE_EVENTS: &str = "delete from execution_events where execution_id = ?1";

/// Notes of late ends that retention no longer keeps; as many at a time as executions.
const DELETE_LATE: &str = "
    delete from late_ends where (tenant_id, completed_at, execution_id) in (
        select tenant_id, completed_at, execution_id from late_ends
        where tenant_id = ?1 and completed_at < ?2 order by completed_at limit ?3
    )";

pub(super) fn prune(
    connection: &Connection,
    tenant: TenantId,
    before: Timestamp,
    limit: usize,
) -> Result<u64, StoreError> {
    let first_kept = Key(first_uuid_at(before + SKEW));
    let mut delete = connection.prepare_cached(DELETE).checked()?;
    let gone = delete.query(params![Key::from(tenant), first_kept, Ts(before), rows(limit)]).checked()?;
    let count = forget(connection, tenant, gone)?;
    let mut delete_late = connection.prepare_cached(DELETE_LATE).checked()?;
    delete_late.execute(params![Key::from(tenant), Ts(before), rows(limit)]).checked()?;
    Ok(count)
}

/// Deletes one that is over.
pub(super) fn delete(connection: &Connection, tenant: TenantId, id: ExecutionId) -> Result<(), StoreError> {
    let whose = params![Key::from(tenant), Key::from(id)];
    let mut delete = connection.prepare_cached(DELETE_ONE).checked()?;
    if forget(connection, tenant, delete.query(whose).checked()?)? > 0 {
        return Ok(());
    }
    let mut exists = connection.prepare_cached(EXISTS).checked()?;
    if exists.query_row(whose, |row| row.get(0)).checked()? {
        Err(StoreError::Conflict(Conflict::ExecutionRunning))
    } else {
        Err(StoreError::NotFound("execution"))
    }
}

/// Takes deleted executions out of the counters, and their events along; answers how many there were.
fn forget(connection: &Connection, tenant: TenantId, mut gone: Rows<'_>) -> Result<u64, StoreError> {
    const TABLE: &str = "executions";
    let mut delete_events = connection.prepare_cached(DELETE_EVENTS).checked()?;
    let mut ends = Vec::new();
    while let Some(row) = gone.next().checked()? {
        let id: Key = column(row, 0, TABLE)?;
        let state = decode::Row::new(TABLE, id.0).terminal_state("state", column(row, 2, TABLE)?)?;
        ends.push(End {
            tenant_id: tenant,
            job_id: JobId::from_uuid(column::<Key>(row, 1, TABLE)?.0),
            outcome: Outcome::of(state, column(row, 5, TABLE)?),
            started_at: column::<Option<Ts>>(row, 3, TABLE)?.map(|at| at.0),
            ended_at: column::<Ts>(row, 4, TABLE)?.0,
        });
        delete_events.execute([id]).checked()?;
    }
    let count = ends.len() as u64;
    counters::write(connection, &Deltas::without(ends))?;
    Ok(count)
}
