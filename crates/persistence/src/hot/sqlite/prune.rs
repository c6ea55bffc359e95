//! Deleting what retention no longer keeps.

use std::time::Duration;

use horarium_domain::id::first_uuid_at;
use horarium_domain::store::StoreError;
use horarium_domain::{JobId, TenantId, Timestamp};
use rusqlite::{Connection, params};

use super::counters;
use super::values::{Checked, Key, Ts, column, rows};
use crate::decode;
use crate::hot::rollup::{Deltas, End};

/// `id < ?2` ends the walk over the tenant's history where nothing can be old enough any more.
const DELETE: &str = "
    delete from executions where id in (
        select id from executions
        where tenant_id = ?1 and id < ?2 and completed_at < ?3 and state <> 0
        order by id limit ?4
    )
    returning id, job_id, state, started_at, completed_at";

const DELETE_EVENTS: &str = "delete from execution_events where execution_id = ?1";

/// Notes of late ends that retention no longer keeps; as many at a time as executions.
const DELETE_LATE: &str = "
    delete from late_ends where (tenant_id, completed_at, execution_id) in (
        select tenant_id, completed_at, execution_id from late_ends
        where tenant_id = ?1 and completed_at < ?2 order by completed_at limit ?3
    )";

/// An id is made when its execution is accepted, so before it ends; clocks of different nodes may differ by this much.
const SKEW: Duration = Duration::from_secs(1);

pub(super) fn prune(
    connection: &Connection,
    tenant: TenantId,
    before: Timestamp,
    limit: usize,
) -> Result<u64, StoreError> {
    const TABLE: &str = "executions";
    let first_kept = Key(first_uuid_at(before + SKEW));
    let mut delete = connection.prepare_cached(DELETE).checked()?;
    let mut delete_events = connection.prepare_cached(DELETE_EVENTS).checked()?;
    let mut gone = delete.query(params![Key::from(tenant), first_kept, Ts(before), rows(limit)]).checked()?;
    let mut ends = Vec::new();
    while let Some(row) = gone.next().checked()? {
        let id: Key = column(row, 0, TABLE)?;
        let state = decode::Row::new(TABLE, id.0).terminal_state("state", column(row, 2, TABLE)?)?;
        ends.push(End {
            tenant_id: tenant,
            job_id: JobId::from_uuid(column::<Key>(row, 1, TABLE)?.0),
            outcome: state.into(),
            started_at: column::<Option<Ts>>(row, 3, TABLE)?.map(|at| at.0),
            ended_at: column::<Ts>(row, 4, TABLE)?.0,
        });
        delete_events.execute([id]).checked()?;
    }
    let mut delete_late = connection.prepare_cached(DELETE_LATE).checked()?;
    delete_late.execute(params![Key::from(tenant), Ts(before), rows(limit)]).checked()?;
    let count = ends.len() as u64;
    counters::write(connection, &Deltas::without(ends))?;
    Ok(count)
}
