//! Recording callbacks with their executions, and handing due ones over to their deliveries.

use std::slice;

use horarium_domain::callback::{HandedOver, Handover, NewCallback};
use horarium_domain::execution::NewExecution;
use horarium_domain::store::{AcceptanceNote, Enqueued, StoreError};
use horarium_domain::{ExecutionId, Timestamp};
use rusqlite::{Connection, params};

use super::enqueue;
use super::values::{Checked, Key, Ts};
use crate::text::{storable, storable_json};

const RECORD: &str = "
    insert into callbacks (execution_id, tenant_id, url, reference) values (?1, ?2, ?3, ?4)
    on conflict (execution_id) do nothing";

const FLAG: &str = "update execution_queue set callback = 1 where id = ?1";

const TAKE: &str = "
    update callbacks set delivery_id = ?3
    where execution_id = ?1 and tenant_id = ?2 and due_at is not null and delivery_id is null";

const CORRECT: &str = "update callbacks set delivery_id = ?2, due_at = coalesce(?3, due_at) where execution_id = ?1";

/// Accepts an execution together with its callback, and what is to be noted of it.
pub(super) fn enqueue(
    connection: &Connection,
    execution: &NewExecution,
    callback: &NewCallback,
    note: Option<&AcceptanceNote>,
) -> Result<Enqueued, StoreError> {
    let answer = enqueue_one(connection, execution, note)?;
    if answer != Enqueued::Accepted {
        return Ok(answer);
    }
    let id = Key::from(execution.id);
    let reference = callback.reference.as_ref().map(|reference| storable_json(reference).to_string());
    let url = callback.url.as_deref().map(storable);
    let row = params![id, Key::from(execution.tenant_id), url, reference];
    connection.prepare_cached(RECORD).checked()?.execute(row).checked()?;
    if callback.url.is_some() {
        connection.prepare_cached(FLAG).checked()?.execute([id]).checked()?;
    }
    Ok(answer)
}

/// Hands callbacks over; the answers are in the order of the batch.
pub(super) fn hand_over(
    connection: &Connection,
    batch: &[Handover],
    postponed_to: Timestamp,
) -> Result<Vec<HandedOver>, StoreError> {
    batch.iter().map(|handover| hand_over_one(connection, handover, postponed_to)).collect()
}

fn hand_over_one(
    connection: &Connection,
    Handover { execution_id, delivery }: &Handover,
    postponed_to: Timestamp,
) -> Result<HandedOver, StoreError> {
    let of = Key::from(*execution_id);
    let mut take = connection.prepare_cached(TAKE).checked()?;
    if take.execute(params![of, Key::from(delivery.tenant_id), Key::from(delivery.id)]).checked()? == 0 {
        return Ok(HandedOver::Superseded);
    }
    let correct = |delivery: Option<ExecutionId>, due_at: Option<Timestamp>| {
        let row = params![of, delivery.map(Key::from), due_at.map(Ts)];
        connection.prepare_cached(CORRECT).checked()?.execute(row).checked()
    };
    match enqueue_one(connection, delivery, None)? {
        Enqueued::Accepted => {}
        Enqueued::Duplicate(live) => drop(correct(Some(live), None)?),
        Enqueued::QueueFull { .. } | Enqueued::NoSuchJob => {
            correct(None, Some(postponed_to))?;
            return Ok(HandedOver::Postponed);
        }
    }
    Ok(HandedOver::Accepted)
}

fn enqueue_one(
    connection: &Connection,
    execution: &NewExecution,
    note: Option<&AcceptanceNote>,
) -> Result<Enqueued, StoreError> {
    let answers = enqueue::enqueue_noted(connection, slice::from_ref(execution), note.map_or(&[], slice::from_ref))?;
    let missing = || StoreError::Internal("an execution was neither accepted nor refused".to_owned());
    answers.into_iter().next().ok_or_else(missing)
}
