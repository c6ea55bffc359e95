//! Accepting executions.

use std::collections::HashMap;
use std::collections::hash_map::Entry;

use horarium_domain::concurrency::ConcurrencyKey;
use horarium_domain::execution::NewExecution;
use horarium_domain::store::{AcceptanceNote, Enqueued, StoreError};
use horarium_domain::{ExecutionId, JobId, TenantId};
use rusqlite::{Connection, OptionalExtension, params};

use super::audit;
use super::values::{Checked, Key, Ts};
use crate::text::{storable, storable_json};

const JOB: &str = "
    select running_limit is not null, max_concurrency_per_key is not null
    from jobs where id = ?1 and tenant_id = ?2 and is_deleted = 0";

const QUEUE: &str = "select gated, max_length from queues where tenant_id = ?1 and name = ?2";

const KEY: &str = "select 1 from key_limits where tenant_id = ?1 and key = ?2";

/// Counting stops where the answer no longer matters.
const WAITING: &str = "
    select count(*) from (
        select 1 from execution_queue where tenant_id = ?1 and queue = ?2 and state <> 1 limit ?3
    )";

const HOLDER: &str = "select id from execution_queue where job_id = ?1 and unique_key = ?2";

const INSERT_EXECUTION: &str = "
    insert into executions (id, tenant_id, job_id, trigger, triggered_by, queue, priority, payload, scheduled_for,
        created_at, retry_parent_id, max_attempts, concurrency_key)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";

const INSERT_QUEUE: &str = "
    insert into execution_queue (id, tenant_id, job_id, queue, state, priority, run_at, gated, unique_key,
        concurrency_key, limited_key)
    values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";

const KNOWN: &str = "select 1 from executions where id = ?1";

/// Accepts executions; the answers are in the order of the batch.
pub(super) fn enqueue(connection: &Connection, batch: &[NewExecution]) -> Result<Vec<Enqueued>, StoreError> {
    let mut seen = Seen::default();
    batch.iter().map(|new| accept(connection, new, &mut seen)).collect()
}

/// The same, and what is to be noted of those that are accepted.
pub(super) fn enqueue_noted(
    connection: &Connection,
    batch: &[NewExecution],
    notes: &[AcceptanceNote],
) -> Result<Vec<Enqueued>, StoreError> {
    let answers = enqueue(connection, batch)?;
    let entries: Vec<_> = notes.iter().filter_map(|note| note.entry(batch, &answers)).collect();
    audit::append(connection, &entries)?;
    Ok(answers)
}

/// What the batch's jobs, queues and keys are like: looked up once each.
#[derive(Default)]
struct Seen<'a> {
    /// `None` for a job that is not there.
    jobs: HashMap<(TenantId, JobId), Option<Job>>,
    queues: HashMap<(TenantId, &'a str), Queue>,
    /// Whether a concurrency key has limits.
    keys: HashMap<(TenantId, &'a ConcurrencyKey), bool>,
    /// Who of the batch was accepted before under a unique key: it may be over, and hold that no longer.
    known: HashMap<(JobId, &'a str), ExecutionId>,
}

/// Whether a job has a limit, and one of each key.
#[derive(Clone, Copy)]
struct Job {
    limited: bool,
    per_key: bool,
}

#[derive(Clone, Copy)]
struct Queue {
    gated: bool,
    /// The limit, and how many more there is room for.
    length: Option<(u32, i64)>,
}

fn accept<'a>(connection: &Connection, new: &'a NewExecution, seen: &mut Seen<'a>) -> Result<Enqueued, StoreError> {
    let known = connection.prepare_cached(KNOWN).checked()?.exists([Key::from(new.id)]).checked()?;
    if known {
        if let Some(key) = new.unique_key.as_deref() {
            seen.known.insert((new.job_id, key), new.id);
        }
        return Ok(Enqueued::Accepted);
    }
    if let Some(first) = new.unique_key.as_deref().and_then(|key| seen.known.get(&(new.job_id, key))) {
        return Ok(Enqueued::Duplicate(*first));
    }
    let job = if let Some(job) = seen.jobs.get(&(new.tenant_id, new.job_id)) {
        *job
    } else {
        let mut find = connection.prepare_cached(JOB).checked()?;
        let key = params![Key::from(new.job_id), Key::from(new.tenant_id)];
        let job = find.query_row(key, |row| Ok(Job { limited: row.get(0)?, per_key: row.get(1)? }));
        let job = job.optional().checked()?;
        seen.jobs.insert((new.tenant_id, new.job_id), job);
        job
    };
    let Some(job) = job else { return Ok(Enqueued::NoSuchJob) };
    let unique_key = new.unique_key.as_deref().map(storable);
    if let Some(key) = &unique_key {
        let mut find = connection.prepare_cached(HOLDER).checked()?;
        let holder = find.query_row(params![Key::from(new.job_id), key], |row| row.get::<_, Key>(0)).optional();
        if let Some(holder) = holder.checked()? {
            return Ok(Enqueued::Duplicate(ExecutionId::from_uuid(holder.0)));
        }
    }
    let queue = match seen.queues.entry((new.tenant_id, new.queue.as_str())) {
        Entry::Occupied(entry) => entry.into_mut(),
        Entry::Vacant(entry) => entry.insert(find_queue(connection, new)?),
    };
    if let Some((max_length, room)) = &mut queue.length {
        if *room <= 0 {
            return Ok(Enqueued::QueueFull { max_length: *max_length });
        }
        *room -= 1;
    }
    let gated = job.limited || queue.gated;
    let limited_key = limited_key(connection, new, job, &mut seen.keys)?;
    insert(connection, new, gated, unique_key.as_deref(), limited_key)?;
    Ok(Enqueued::Accepted)
}

fn find_queue(connection: &Connection, new: &NewExecution) -> Result<Queue, StoreError> {
    let mut find = connection.prepare_cached(QUEUE).checked()?;
    let key = params![Key::from(new.tenant_id), new.queue];
    let found = find.query_row(key, |row| Ok((row.get(0)?, row.get::<_, Option<u32>>(1)?))).optional().checked()?;
    let Some((gated, max_length)) = found else { return Ok(Queue { gated: false, length: None }) };
    let length = match max_length {
        Some(max_length) => {
            let mut count = connection.prepare_cached(WAITING).checked()?;
            let key = params![Key::from(new.tenant_id), new.queue, max_length];
            let waiting: i64 = count.query_row(key, |row| row.get(0)).checked()?;
            Some((max_length, i64::from(max_length) - waiting))
        }
        None => None,
    };
    Ok(Queue { gated, length })
}

/// Its concurrency key, if that has limits.
fn limited_key<'a>(
    connection: &Connection,
    new: &'a NewExecution,
    job: Job,
    seen: &mut HashMap<(TenantId, &'a ConcurrencyKey), bool>,
) -> Result<Option<&'a str>, StoreError> {
    let Some(key) = &new.concurrency_key else { return Ok(None) };
    if job.per_key {
        return Ok(Some(key.as_str()));
    }
    let limited = match seen.entry((new.tenant_id, key)) {
        Entry::Occupied(entry) => *entry.get(),
        Entry::Vacant(entry) => {
            let mut find = connection.prepare_cached(KEY).checked()?;
            *entry.insert(find.exists(params![Key::from(new.tenant_id), key.as_str()]).checked()?)
        }
    };
    Ok(limited.then_some(key.as_str()))
}

fn insert(
    connection: &Connection,
    new: &NewExecution,
    gated: bool,
    unique_key: Option<&str>,
    limited_key: Option<&str>,
) -> Result<(), StoreError> {
    let gated = gated || limited_key.is_some();
    let concurrency_key = new.concurrency_key.as_ref().map(ConcurrencyKey::as_str);
    let state = match (new.run_at > new.created_at, gated) {
        (true, _) => 2,
        (false, true) => 3,
        (false, false) => 0,
    };
    let (id, tenant, job) = (Key::from(new.id), Key::from(new.tenant_id), Key::from(new.job_id));
    connection
        .prepare_cached(INSERT_QUEUE)
        .checked()?
        .execute(params![
            id,
            tenant,
            job,
            new.queue,
            state,
            new.priority,
            Ts(new.run_at),
            gated,
            unique_key,
            concurrency_key,
            limited_key.unwrap_or_default(),
        ])
        .checked()?;
    let payload = new.payload.as_ref().map(|payload| storable_json(payload).to_string());
    connection
        .prepare_cached(INSERT_EXECUTION)
        .checked()?
        .execute(params![
            id,
            tenant,
            job,
            new.trigger.as_str(),
            storable(&new.triggered_by),
            new.queue,
            new.priority,
            payload,
            Ts(new.scheduled_for),
            Ts(new.created_at),
            new.retry_parent_id.map(Key::from),
            new.max_attempts,
            concurrency_key,
        ])
        .checked()?;
    Ok(())
}
