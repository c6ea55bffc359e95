//! What is due, and when the next slot is.

use std::collections::HashMap;

use horarium_domain::store::{DueSlot, StoreError};
use horarium_domain::{JobId, TenantId, Timestamp};
use tokio_postgres::Row;
use uuid::Uuid;

use super::PostgresHot;
use super::session::{self, Session};
use super::values::{Ts, column, rows};
use crate::error::Fault;
use crate::hot::due::{Definition, Schedules};

// Each slot is asked for its tenant: joined, the planner may begin with the tenants, and sort all that is due for each few.
macro_rules! due {
    () => {
        "
    select s.job_id, s.tenant_id, s.next_run_at
    from job_slots s
    where s.next_run_at <= $1 and (select t.is_active from tenants t where t.id = s.tenant_id)
    order by s.next_run_at limit $2"
    };
}

pub(super) const DUE: &str = due!();

/// The same for whoever fires it in this transaction: it passes over what others are firing. Within an instant the order
/// is the index's: to sort the slots of a full minute for each few of them would cost more than to fire them.
pub(super) const LOCK_DUE: &str = concat!(due!(), " for update of s skip locked");

/// In a statement of its own, which sees what was committed before the slots were locked: a change of the job touches
/// its slot, too. Nothing wide is read.
pub(super) const DEFINITIONS: &str = "
    select j.id, j.schedule::text, j.misfire_policy, j.concurrency_policy, j.queue, j.priority
    from unnest($1::uuid[], $2::uuid[]) as d (tenant_id, id)
    join jobs j on j.id = d.id and j.tenant_id = d.tenant_id";

pub(super) const NEXT: &str = "
    select s.job_id, s.next_run_at
    from job_slots s
    where (select t.is_active from tenants t where t.id = s.tenant_id)
    order by s.next_run_at limit 1";

impl PostgresHot {
    pub(super) async fn due_at(&self, now: Timestamp, limit: usize) -> Result<Vec<DueSlot>, StoreError> {
        session::run(&self.pool, async |session: &Session| {
            let due = session.statement(DUE).await?;
            let slots = session.rows(&due, &[&Ts(now), &rows(limit)]).await?;
            with_definitions(session, &slots, &self.schedules).await
        })
        .await
    }

    pub(super) async fn soonest_slot(&self) -> Result<Option<Timestamp>, StoreError> {
        let next = session::run(&self.pool, async |session: &Session| {
            let next = session.statement(NEXT).await?;
            session.rows(&next, &[]).await
        });
        let next_run_at = |row| column::<Ts>(row, 1, "job_slots").map(|at| at.0);
        next.await?.first().map(next_run_at).transpose().map_err(Fault::into_error)
    }
}

/// Slots as [`DUE`] answers them, in its order. A job that was purged in between has no slot any more.
pub(super) async fn with_definitions(
    session: &Session,
    slots: &[Row],
    schedules: &Schedules,
) -> Result<Vec<DueSlot>, Fault> {
    let jobs: Vec<Uuid> = slots.iter().map(|row| column(row, 0, "job_slots")).collect::<Result<_, _>>()?;
    let tenants: Vec<Uuid> = slots.iter().map(|row| column(row, 1, "job_slots")).collect::<Result<_, _>>()?;
    let definitions = session.statement(DEFINITIONS).await?;
    let definitions = session.rows(&definitions, &[&tenants, &jobs]).await?;
    let definitions: HashMap<Uuid, &Row> =
        definitions.iter().map(|row| Ok((column(row, 0, "jobs")?, row))).collect::<Result<_, Fault>>()?;
    let mut due = Vec::with_capacity(slots.len());
    for (slot, (job, tenant)) in slots.iter().zip(jobs.into_iter().zip(tenants)) {
        let Some(row) = definitions.get(&job) else { continue };
        let definition = Definition {
            schedule: column(row, 1, "jobs")?,
            misfire_policy: column(row, 2, "jobs")?,
            concurrency_policy: column(row, 3, "jobs")?,
            queue: column(row, 4, "jobs")?,
            priority: column(row, 5, "jobs")?,
        };
        let Ts(at) = column(slot, 2, "job_slots")?;
        due.push(definition.due(TenantId::from_uuid(tenant), JobId::from_uuid(job), at, schedules)?);
    }
    Ok(due)
}
