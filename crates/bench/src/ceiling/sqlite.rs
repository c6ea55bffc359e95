//! SQLite at the engine's durability (WAL, `synchronous = FULL`), in the engine's own tables.

use std::path::Path;
use std::time::Instant;

use rusqlite::{Connection, params};

use crate::Failure;

const BATCH: i64 = 500;

const EXECUTION: &str = "
    insert into executions (id, tenant_id, job_id, trigger, triggered_by, queue, priority, payload, scheduled_for,
        created_at)
    select ?1, tenant_id, id, 'Api', 'bench', queue, priority, '{\"i\": 1, \"t\": 0}', 0, 0 from jobs";

const WAITING: &str = "
    insert into execution_queue (id, tenant_id, job_id, queue, state, priority, run_at)
    select ?1, tenant_id, id, queue, 0, priority, 0 from jobs";

const CLAIM: &str = "
    update execution_queue set state = 1, attempt = attempt + 1, fence = fence + 1, started_at = 0, lease_until = 30
    where id in (select id from execution_queue where state = 0 order by tenant_id, priority desc, id limit ?1)
    returning id";

const PAYLOAD: &str = "select payload from executions where id = ?1";
const TAKE_OFF: &str = "delete from execution_queue where id = ?1 and state + 0 = 1";
const END: &str = "update executions set state = 2, attempt = 1, started_at = 0, completed_at = 1 where id = ?1";

fn open(file: &Path) -> Result<Connection, Failure> {
    let connection = Connection::open(file)?;
    connection.execute_batch(
        "pragma busy_timeout = 10000; pragma foreign_keys = on; pragma journal_mode = wal; pragma synchronous = full",
    )?;
    Ok(connection)
}

/// One execution a transaction, on the one connection that may write; executions a second.
pub(crate) fn one_by_one(file: &Path, count: u64) -> Result<f64, Failure> {
    let connection = open(file)?;
    let start = Instant::now();
    for number in 0..count {
        let transaction = connection.unchecked_transaction()?;
        insert(&connection, number)?;
        transaction.commit()?;
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

/// Claims and completes in batches of 500; executions a second.
pub(crate) fn drain(file: &Path, count: u64) -> Result<f64, Failure> {
    let connection = open(file)?;
    let transaction = connection.unchecked_transaction()?;
    for number in 0..count {
        insert(&connection, number)?;
    }
    transaction.commit()?;
    let start = Instant::now();
    let mut done = 0;
    loop {
        let transaction = connection.unchecked_transaction()?;
        let ids: Vec<Vec<u8>> =
            connection.prepare_cached(CLAIM)?.query_map([BATCH], |row| row.get(0))?.collect::<Result<_, _>>()?;
        let mut payload = connection.prepare_cached(PAYLOAD)?;
        for id in &ids {
            payload.query_row([id], |row| row.get::<_, String>(0))?;
        }
        transaction.commit()?;
        if ids.is_empty() {
            break;
        }
        let transaction = connection.unchecked_transaction()?;
        let (mut take_off, mut end) = (connection.prepare_cached(TAKE_OFF)?, connection.prepare_cached(END)?);
        for id in &ids {
            done += take_off.execute([id])?;
            end.execute([id])?;
        }
        transaction.commit()?;
    }
    if done as u64 != count {
        return Err(format!("hand-written SQL completed {done} of {count}").into());
    }
    Ok(count as f64 / start.elapsed().as_secs_f64())
}

fn insert(connection: &Connection, number: u64) -> Result<(), Failure> {
    // Ids come in order, as the engine's do.
    let id = u128::from(number).to_be_bytes();
    connection.prepare_cached(EXECUTION)?.execute(params![id])?;
    connection.prepare_cached(WAITING)?.execute(params![id])?;
    Ok(())
}
