//! Leases while they are held, and those that ran out.

use horarium_domain::execution::{ExecutionState, Lifecycle};
use horarium_domain::store::{ExpiredLease, Lease, StoreError};
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};
use rusqlite::{Connection, params};

use super::values::{Checked, Key, Ts, column, rows};

const RENEW: &str = "
    update execution_queue set lease_until = ?3 where id = ?1 and fence = ?2 and state + 0 = 1";

const EXPIRED: &str = "
    select id, fence, tenant_id, job_id, attempt, lost, coalesce(worker, ''), started_at
    from execution_queue where state = 1 and lease_until < ?1 order by lease_until, id limit ?2";

const NOTE_PROGRESS: &str = "
    update execution_queue set progress = ?3 where id = ?1 and fence = ?2 and state + 0 = 1";

/// Extends leases; answers those that are still held.
pub(super) fn renew(connection: &Connection, leases: &[Lease], until: Timestamp) -> Result<Vec<Lease>, StoreError> {
    let mut renew = connection.prepare_cached(RENEW).checked()?;
    let mut held = Vec::with_capacity(leases.len());
    for lease in leases {
        if renew.execute(params![Key::from(lease.execution_id), lease.fence, Ts(until)]).checked()? > 0 {
            held.push(*lease);
        }
    }
    Ok(held)
}

/// Leases that ran out before `now`, longest ago first.
pub(super) fn expired(connection: &Connection, now: Timestamp, limit: usize) -> Result<Vec<ExpiredLease>, StoreError> {
    const TABLE: &str = "execution_queue";
    let mut find = connection.prepare_cached(EXPIRED).checked()?;
    let mut found = find.query(params![Ts(now), rows(limit)]).checked()?;
    let mut expired = Vec::new();
    while let Some(row) = found.next().checked()? {
        expired.push(ExpiredLease {
            lease: Lease {
                execution_id: ExecutionId::from_uuid(column::<Key>(row, 0, TABLE)?.0),
                fence: column(row, 1, TABLE)?,
            },
            tenant_id: TenantId::from_uuid(column::<Key>(row, 2, TABLE)?.0),
            job_id: JobId::from_uuid(column::<Key>(row, 3, TABLE)?.0),
            lifecycle: Lifecycle {
                state: ExecutionState::Running,
                attempt: column(row, 4, TABLE)?,
                lost: column(row, 5, TABLE)?,
            },
            worker: column(row, 6, TABLE)?,
            started_at: column::<Ts>(row, 7, TABLE)?.0,
        });
    }
    Ok(expired)
}

/// Records how far running executions are.
pub(super) fn note_progress(connection: &Connection, batch: &[(Lease, u8)]) -> Result<(), StoreError> {
    let mut note = connection.prepare_cached(NOTE_PROGRESS).checked()?;
    for (lease, percent) in batch {
        note.execute(params![Key::from(lease.execution_id), lease.fence, (*percent).min(100)]).checked()?;
    }
    Ok(())
}
