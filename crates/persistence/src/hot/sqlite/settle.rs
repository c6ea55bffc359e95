//! Writing the ends of attempts.

use horarium_domain::execution::Event;
use horarium_domain::store::{Decision, Settled, Settlement, StoreError};
use horarium_domain::{JobId, TenantId};
use rusqlite::{Connection, OptionalExtension, params};

use super::values::{Checked, Key, Ts};
use super::{aftermath, counters};
use crate::decode::terminal_code;
use crate::hot::aftermath::{Aftermath, Over};
use crate::hot::rollup::{Deltas, End};
use crate::text::storable;

const TAKE: &str = "
    delete from execution_queue where id = ?1 and fence = ?2 and state + 0 = 1 and (?3 is null or lease_until <= ?3)
    returning callback";

const FINISH: &str = "
    update executions set state = ?2, attempt = ?3, lost = ?4, started_at = ?5, completed_at = ?6, worker = ?7,
        output = ?8, output_truncated = ?9, error = ?10, items_processed = ?11, partial = ?12,
        ended_otherwise = case when ?12 then 5 else nullif(?2, 2) end
    where id = ?1";

const REQUEUE: &str = "
    update execution_queue set state = case when ?6 then 2 when gated then 3 else 0 end,
        attempt = ?4, lost = ?5, run_at = ?7, requeued_at = ?8,
        node_id = null, worker = null, started_at = null, lease_until = null, progress = null
    where id = ?1 and fence = ?2 and state + 0 = 1 and (?3 is null or lease_until <= ?3)";

const EVENT: &str = "
    insert into execution_events (execution_id, tenant_id, job_id, at, kind, attempt, attempt_started_at, source,
        message, error)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";

/// Writes the ends of attempts whose leases are still held; the answers are in the order of the batch.
pub(super) fn settle(connection: &Connection, batch: &[Settlement]) -> Result<Vec<Settled>, StoreError> {
    let mut answers = Vec::with_capacity(batch.len());
    let mut ends = Vec::with_capacity(batch.len());
    let mut over = Vec::with_capacity(batch.len());
    for settlement in batch {
        let applied = match settlement.decision {
            Decision::Finish { .. } => {
                let finished = finish(connection, settlement)?;
                over.extend(finished);
                finished.is_some()
            }
            Decision::Requeue { .. } => requeue(connection, settlement)?,
        };
        answers.push(if applied { Settled::Applied } else { Settled::Stale });
        if applied {
            ends.push(End::of(settlement));
            if let Some(event) = &settlement.event {
                record_event(connection, settlement.tenant_id, settlement.job_id, event)?;
            }
        }
    }
    counters::write(connection, &Deltas::of(ends))?;
    aftermath::write(connection, &Aftermath::of(over.into_iter()))?;
    Ok(answers)
}

/// `None` when the lease is no longer held.
fn finish(connection: &Connection, settlement: &Settlement) -> Result<Option<Over>, StoreError> {
    let Decision::Finish { state, output, error, items_processed, partial } = &settlement.decision else {
        return Ok(None);
    };
    let id = Key::from(settlement.lease.execution_id);
    let expired = settlement.only_if_expired_at.map(Ts);
    let mut take = connection.prepare_cached(TAKE).checked()?;
    let key = params![id, settlement.lease.fence, expired];
    let Some(callback) = take.query_row(key, |row| row.get(0)).optional().checked()? else { return Ok(None) };
    let mut finish = connection.prepare_cached(FINISH).checked()?;
    finish
        .execute(params![
            id,
            terminal_code(*state),
            settlement.next.attempt,
            settlement.next.lost,
            Ts(settlement.started_at),
            Ts(settlement.ended_at),
            storable(&settlement.worker),
            output.as_ref().map(|output| storable(&output.text)),
            output.as_ref().is_some_and(|output| output.truncated),
            error.as_deref().map(storable),
            items_processed,
            partial,
        ])
        .checked()?;
    Ok(Some(Over {
        id: settlement.lease.execution_id,
        tenant_id: settlement.tenant_id,
        at: settlement.ended_at,
        callback,
    }))
}

fn requeue(connection: &Connection, settlement: &Settlement) -> Result<bool, StoreError> {
    let Decision::Requeue { run_at } = settlement.decision else { return Ok(false) };
    let mut requeue = connection.prepare_cached(REQUEUE).checked()?;
    let changed = requeue
        .execute(params![
            Key::from(settlement.lease.execution_id),
            settlement.lease.fence,
            settlement.only_if_expired_at.map(Ts),
            settlement.next.attempt,
            settlement.next.lost,
            run_at > settlement.ended_at,
            Ts(run_at),
            Ts(settlement.ended_at),
        ])
        .checked()?;
    Ok(changed > 0)
}

/// Records an event of an execution.
pub(super) fn record_event(
    connection: &Connection,
    tenant: TenantId,
    job: JobId,
    event: &Event,
) -> Result<(), StoreError> {
    let mut insert = connection.prepare_cached(EVENT).checked()?;
    insert
        .execute(params![
            Key::from(event.execution_id),
            Key::from(tenant),
            Key::from(job),
            Ts(event.at),
            event.kind.as_str(),
            event.attempt,
            event.attempt_started_at.map(Ts),
            storable(&event.source),
            storable(&event.message),
            event.error.as_deref().map(storable),
        ])
        .checked()?;
    Ok(())
}
