//! Turning due slots into executions: the compare-and-set of a job's slot and what follows from it.

use horarium_domain::execution::NewExecution;
use horarium_domain::job::ConcurrencyPolicy;
use horarium_domain::store::{DueSlot, Enqueued, FireOutcome, Firing, SkippedSlots, StoreError};
use horarium_domain::{JobId, TenantId, Timestamp};
use rusqlite::{Connection, OptionalExtension, params};

use super::cancel::cancel_live;
use super::enqueue::enqueue;
use super::values::{Checked, Key, Ts, column, rows};
use crate::hot::due::{Definition, Schedules};
use crate::hot::slots::{Refused, forbidden, limit_to_one};
use crate::text::storable;

const DUE: &str = "
    select s.job_id, s.tenant_id, s.next_run_at, j.schedule, j.misfire_policy, j.concurrency_policy, j.queue, j.priority
    from job_slots s join tenants t on t.id = s.tenant_id join jobs j on j.id = s.job_id
    where s.next_run_at <= ?1 and t.is_active
    order by s.next_run_at limit ?2";

const NEXT: &str = "
    select s.next_run_at
    from job_slots s join tenants t on t.id = s.tenant_id
    where t.is_active
    order by s.next_run_at limit 1";

const ADVANCE: &str = "
    update job_slots set next_run_at = ?4 where job_id = ?1 and tenant_id = ?2 and next_run_at = ?3";

const END: &str = "delete from job_slots where job_id = ?1 and tenant_id = ?2 and next_run_at = ?3";

const LIVE: &str = "select 1 from execution_queue where job_id = ?1";

const SKIP: &str = "
    insert into skipped_slots (job_id, tenant_id, first_slot, last_slot, count, reason, recorded_at)
    select ?1, ?2, ?3, ?4, ?5, ?6, ?7 where exists (select 1 from jobs where id = ?1)";

/// Jobs of active tenants whose next slot has come, soonest first.
pub(super) fn due(
    connection: &Connection,
    now: Timestamp,
    limit: usize,
    schedules: &Schedules,
) -> Result<Vec<DueSlot>, StoreError> {
    let mut find = connection.prepare_cached(DUE).checked()?;
    let mut found = find.query(params![Ts(now), rows(limit)]).checked()?;
    let mut due = Vec::new();
    while let Some(row) = found.next().checked()? {
        let (Key(job), Key(tenant)) = (column(row, 0, "job_slots")?, column(row, 1, "job_slots")?);
        let Ts(slot) = column(row, 2, "job_slots")?;
        let text = |index| column::<String>(row, index, "jobs");
        let definition = Definition {
            schedule: &text(3)?,
            misfire_policy: &text(4)?,
            concurrency_policy: &text(5)?,
            queue: &text(6)?,
            priority: column(row, 7, "jobs")?,
        };
        due.push(definition.due(TenantId::from_uuid(tenant), JobId::from_uuid(job), slot, schedules)?);
    }
    Ok(due)
}

/// When the soonest next slot is.
pub(super) fn next_slot_at(connection: &Connection) -> Result<Option<Timestamp>, StoreError> {
    let mut find = connection.prepare_cached(NEXT).checked()?;
    let next = find.query_row([], |row| row.get::<_, Ts>(0)).optional().checked()?;
    Ok(next.map(|at| at.0))
}

/// Fires slots; the outcomes are in the order of the batch.
pub(super) fn fire(connection: &Connection, batch: &[Firing]) -> Result<Vec<FireOutcome>, StoreError> {
    batch.iter().map(|firing| fire_one(connection, firing)).collect()
}

fn fire_one(connection: &Connection, firing: &Firing) -> Result<FireOutcome, StoreError> {
    let (job, tenant, slot) = (Key::from(firing.job_id), Key::from(firing.tenant_id), Ts(firing.slot));
    let moved = match firing.next {
        Some(next) => connection.prepare_cached(ADVANCE).checked()?.execute(params![job, tenant, slot, Ts(next)]),
        None => connection.prepare_cached(END).checked()?.execute(params![job, tenant, slot]),
    };
    if moved.checked()? == 0 {
        return Ok(FireOutcome::Superseded);
    }
    for skipped in &firing.skipped {
        record(connection, firing, skipped)?;
    }
    let mut cancelled = Vec::new();
    let (run, refused) = match firing.concurrency {
        ConcurrencyPolicy::Allow => (&firing.executions[..], None),
        ConcurrencyPolicy::Forbid => {
            let live = connection.prepare_cached(LIVE).checked()?.exists([job]).checked()?;
            if live { forbidden(firing) } else { limit_to_one(firing) }
        }
        ConcurrencyPolicy::Replace => {
            if !firing.executions.is_empty() {
                cancelled = cancel_live(connection, firing.job_id, "schedule", firing.now)?;
            }
            (&firing.executions[..], None)
        }
    };
    if let Some(refused) = refused {
        record(connection, firing, &refused)?;
    }
    let accepted = accept(connection, firing, run)?;
    Ok(FireOutcome::Fired { accepted, cancelled })
}

/// Enqueues; what is refused is recorded as skipped. Answers how many were accepted.
fn accept(connection: &Connection, firing: &Firing, run: &[NewExecution]) -> Result<usize, StoreError> {
    let mut refused = Refused::default();
    let mut accepted = 0;
    for (execution, answer) in run.iter().zip(enqueue(connection, run)?) {
        match answer {
            Enqueued::Accepted => accepted += 1,
            answer => refused.add(execution, answer),
        }
    }
    for slots in refused.into_slots(firing.now) {
        record(connection, firing, &slots)?;
    }
    Ok(accepted)
}

fn record(connection: &Connection, firing: &Firing, slots: &SkippedSlots) -> Result<(), StoreError> {
    let mut skip = connection.prepare_cached(SKIP).checked()?;
    skip.execute(params![
        Key::from(firing.job_id),
        Key::from(firing.tenant_id),
        Ts(slots.first),
        Ts(slots.last),
        i64::try_from(slots.count).unwrap_or(i64::MAX),
        storable(&slots.reason),
        Ts(slots.recorded_at),
    ])
    .checked()?;
    Ok(())
}
