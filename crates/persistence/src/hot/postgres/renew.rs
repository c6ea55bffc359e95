//! Leases while they are held, and those that ran out.

use horarium_domain::execution::{ExecutionState, Lifecycle};
use horarium_domain::store::{ExpiredLease, Lease, StoreError};
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};
use tokio_postgres::Row;
use uuid::Uuid;

use super::PostgresHot;
use super::session::{self, Session};
use super::values::{Ts, column, count, rows};
use crate::error::Fault;

pub(super) const RENEW: &str = "
    update execution_queue q set lease_until = $3
    from unnest($1::uuid[], $2::int4[]) as d (id, fence)
    where q.id = d.id and q.fence = d.fence and q.state + 0 = 1
    returning q.id, q.fence";

pub(super) const EXPIRED: &str = "
    select id, fence, tenant_id, job_id, attempt, lost, coalesce(worker, ''), started_at
    from execution_queue where state = 1 and lease_until < $1 order by lease_until, id limit $2";

pub(super) const NOTE_PROGRESS: &str = "
    update execution_queue q set progress = d.progress
    from unnest($1::uuid[], $2::int4[], $3::int2[]) as d (id, fence, progress)
    where q.id = d.id and q.fence = d.fence and q.state + 0 = 1";

impl PostgresHot {
    pub(super) async fn renew_leases(&self, leases: &[Lease], until: Timestamp) -> Result<Vec<Lease>, StoreError> {
        if leases.is_empty() {
            return Ok(Vec::new());
        }
        let mut sorted = leases.to_vec();
        sorted.sort_unstable();
        sorted.dedup();
        let ids: Vec<Uuid> = sorted.iter().map(|lease| lease.execution_id.as_uuid()).collect();
        let fences: Vec<i32> = sorted.iter().map(|lease| lease.fence).collect();
        let held = session::run(&self.pool, async |session: &Session| {
            let renew = session.statement(RENEW).await?;
            session.rows(&renew, &[&ids, &fences, &Ts(until)]).await
        });
        let read = |row: &Row| {
            let execution_id = ExecutionId::from_uuid(column(row, 0, "execution_queue")?);
            Ok(Lease { execution_id, fence: column(row, 1, "execution_queue")? })
        };
        held.await?.iter().map(read).collect::<Result<_, Fault>>().map_err(Fault::into_error)
    }

    pub(super) async fn expired_leases(&self, now: Timestamp, limit: usize) -> Result<Vec<ExpiredLease>, StoreError> {
        let expired = session::run(&self.pool, async |session: &Session| {
            let expired = session.statement(EXPIRED).await?;
            session.rows(&expired, &[&Ts(now), &rows(limit)]).await
        });
        expired.await?.iter().map(expired_lease).collect::<Result<_, Fault>>().map_err(Fault::into_error)
    }

    pub(super) async fn note_progress_of(&self, batch: &[(Lease, u8)]) -> Result<(), StoreError> {
        // The latest of each, by id.
        let latest: std::collections::BTreeMap<Lease, u8> = batch.iter().copied().collect();
        if latest.is_empty() {
            return Ok(());
        }
        let ids: Vec<Uuid> = latest.keys().map(|lease| lease.execution_id.as_uuid()).collect();
        let fences: Vec<i32> = latest.keys().map(|lease| lease.fence).collect();
        let percents: Vec<i16> = latest.values().map(|percent| i16::from((*percent).min(100))).collect();
        session::run(&self.pool, async |session: &Session| {
            let note = session.statement(NOTE_PROGRESS).await?;
            session.run(&note, &[&ids, &fences, &percents]).await.map(drop)
        })
        .await
    }
}

fn expired_lease(row: &Row) -> Result<ExpiredLease, Fault> {
    const TABLE: &str = "execution_queue";
    let id: Uuid = column(row, 0, TABLE)?;
    Ok(ExpiredLease {
        lease: Lease { execution_id: ExecutionId::from_uuid(id), fence: column(row, 1, TABLE)? },
        tenant_id: TenantId::from_uuid(column(row, 2, TABLE)?),
        job_id: JobId::from_uuid(column(row, 3, TABLE)?),
        lifecycle: Lifecycle {
            state: ExecutionState::Running,
            attempt: count(column(row, 4, TABLE)?, "attempt", TABLE, id)?,
            lost: count(column(row, 5, TABLE)?, "lost", TABLE, id)?,
        },
        worker: column(row, 6, TABLE)?,
        started_at: column::<Ts>(row, 7, TABLE)?.0,
    })
}
