//! Writing definitions, with what follows from them: the next slot, and whether waiting executions are under a limit.

use diesel::dsl::exists;
use diesel::prelude::*;
use diesel::sql_query;
use diesel_async::RunQueryDsl;
use horarium_domain::store::{Conflict, JobChange, StoreError};
use horarium_domain::{JobId, Timestamp};

use super::row::{JobRow, SlotRow};
use crate::conn::{Conn, on};
use crate::error::{About, Fault};
use crate::gates;
use crate::hot::HOLD_DAYS;
use crate::schema::{
    agent_tasks, at, callbacks, execution_events, execution_queue, executions, job_counters, job_slots, jobs, key,
    rollups,
};

/// Adds a job with its counters, and with its next slot if it has one.
pub(crate) async fn insert(conn: &mut Conn, row: &JobRow, next_run_at: Option<Timestamp>) -> Result<(), Fault> {
    on!(conn, c => diesel::insert_into(jobs::table).values(row.clone()).execute(c).await).about("jobs")?;
    let counters = (job_counters::job_id.eq(key(row.id)), job_counters::tenant_id.eq(key(row.tenant_id)));
    on!(conn, c => diesel::insert_into(job_counters::table).values(counters).execute(c).await).about("job_counters")?;
    if let Some(next_run_at) = next_run_at {
        let slot = SlotRow { job_id: row.id, tenant_id: row.tenant_id, next_run_at };
        on!(conn, c => diesel::insert_into(job_slots::table).values(slot).execute(c).await).about("job_slots")?;
    }
    Ok(())
}

/// Adds a job, or writes its definition over that of the job of the same name, which keeps its id and its history.
pub(super) async fn upsert(conn: &mut Conn, row: &JobRow, next_run_at: Option<Timestamp>) -> Result<(), Fault> {
    let taken = {
        let query = jobs::table
            .filter(jobs::tenant_id.eq(key(row.tenant_id)))
            .filter(jobs::name.eq(&row.name))
            .filter(jobs::is_deleted.eq(false));
        on!(conn, c => query.select(JobRow::as_select()).first(c).await.optional()).about("jobs")?
    };
    let Some(old) = taken else {
        return match insert(conn, row, next_run_at).await {
            // Somebody took the name since it was looked for: look again.
            Err(Fault::Final(StoreError::Conflict(Conflict::NameTaken))) => {
                Err(Fault::Again("another import of the same job".to_owned()))
            }
            outcome => outcome,
        };
    };
    let new = JobRow {
        id: old.id,
        created_by: old.created_by.clone(),
        created_at: old.created_at,
        version: old.version + 1,
        ..row.clone()
    };
    // Slots before jobs: the order of locks of the planner.
    on!(conn, c => diesel::delete(job_slots::table.find(key(old.id))).execute(c).await).about("job_slots")?;
    if let Some(next_run_at) = next_run_at {
        let slot = SlotRow { job_id: old.id, tenant_id: old.tenant_id, next_run_at };
        on!(conn, c => diesel::insert_into(job_slots::table).values(slot).execute(c).await).about("job_slots")?;
    }
    if !replace(conn, &new, old.version).await? {
        return Err(Fault::Again("another change of the same job".to_owned()));
    }
    gates::job_limit_changed(conn, new.id, old.running_limit.is_some(), new.running_limit.is_some()).await?;
    let per_key = [&old, &new].map(|job| job.max_concurrency_per_key.is_some());
    gates::limit_per_key_changed(conn, new.id, per_key).await
}

/// Writes a changed definition in place of the version that it was made from.
pub(super) async fn update(conn: &mut Conn, row: &JobRow, change: &JobChange) -> Result<(), Fault> {
    let query = jobs::table.filter(jobs::tenant_id.eq(key(row.tenant_id))).filter(jobs::id.eq(key(row.id)));
    let stands = (jobs::version, jobs::running_limit, jobs::max_concurrency_per_key);
    let old: Option<(i64, Option<i32>, Option<i32>)> =
        on!(conn, c => query.select(stands).first(c).await.optional()).about("jobs")?;
    let (version, old_limit, old_per_key) = old.ok_or(StoreError::NotFound("job"))?;
    let changed = || Fault::Final(StoreError::Conflict(Conflict::VersionChanged));
    // Slots before jobs: the order of locks of the planner.
    if version != change.expected_version
        || !move_slot(conn, row, change.seen_next_run_at, change.next_run_at).await?
        || !replace(conn, row, change.expected_version).await?
    {
        return Err(changed());
    }
    gates::job_limit_changed(conn, row.id, old_limit.is_some(), row.running_limit.is_some()).await?;
    let per_key = [old_per_key, row.max_concurrency_per_key].map(|limit| limit.is_some());
    gates::limit_per_key_changed(conn, row.id, per_key).await
}

/// Writes the row if the stored one is of that version.
async fn replace(conn: &mut Conn, row: &JobRow, version: i64) -> Result<bool, Fault> {
    let target = jobs::table
        .filter(jobs::tenant_id.eq(key(row.tenant_id)))
        .filter(jobs::id.eq(key(row.id)))
        .filter(jobs::version.eq(version));
    let written = on!(conn, c => diesel::update(target).set(row.clone()).execute(c).await).about("jobs")?;
    Ok(written == 1)
}

/// Sets the job's next slot if the stored one is the one that was seen.
async fn move_slot(
    conn: &mut Conn,
    job: &JobRow,
    seen: Option<Timestamp>,
    next: Option<Timestamp>,
) -> Result<bool, Fault> {
    let of_job = job_slots::table.filter(job_slots::job_id.eq(key(job.id)));
    let as_seen = |seen: Timestamp| of_job.filter(job_slots::next_run_at.eq(at(seen)));
    let moved = match (seen, next) {
        (Some(seen), Some(next)) => {
            let set = job_slots::next_run_at.eq(at(next));
            on!(conn, c => diesel::update(as_seen(seen)).set(set).execute(c).await)
        }
        (Some(seen), None) => on!(conn, c => diesel::delete(as_seen(seen)).execute(c).await),
        (None, Some(next_run_at)) => {
            let slot = SlotRow { job_id: job.id, tenant_id: job.tenant_id, next_run_at };
            on!(conn, c => {
                diesel::insert_into(job_slots::table).values(slot).on_conflict_do_nothing().execute(c).await
            })
        }
        (None, None) => {
            on!(conn, c => of_job.count().get_result::<i64>(c).await).map(|stored| usize::from(stored == 0))
        }
    };
    Ok(moved.about("job_slots")? == 1)
}

/// Removes a job of that version, its executions and its figures. What ran within its tenant's rollups stays counted.
pub(super) async fn purge(conn: &mut Conn, id: JobId, version: i64) -> Result<(), Fault> {
    // Slots before jobs: the order of locks of the planner.
    on!(conn, c => diesel::delete(job_slots::table.find(key(id))).execute(c).await).about("job_slots")?;
    if let Conn::Pg(c) = conn {
        sql_query(HOLD_DAYS).execute(c).await.about("executions")?;
        // Waits for what is being accepted, which holds the job's row, and lets nothing more be accepted: what came in
        // between the deletions below would be left without a job. SQLite writes one transaction at a time anyway.
        let job = jobs::table.find(key(id)).select(jobs::version).for_update();
        job.load::<i64>(c).await.about("jobs")?;
    }
    // First what waits: what a claim takes at the same time is then either gone, or seen to run.
    let waiting =
        execution_queue::table.filter(execution_queue::job_id.eq(key(id))).filter(execution_queue::state.ne(1));
    on!(conn, c => diesel::delete(waiting).execute(c).await).about("execution_queue")?;
    let live = execution_queue::table.filter(execution_queue::job_id.eq(key(id)));
    let running = on!(conn, c => diesel::select(exists(live)).get_result::<bool>(c).await).about("execution_queue")?;
    if running {
        return Err(StoreError::Conflict(Conflict::ExecutionRunning).into());
    }
    let history = executions::table.filter(executions::job_id.eq(key(id)));
    let of_history = || history.select(executions::id);
    let callbacks = callbacks::table.filter(callbacks::execution_id.eq_any(of_history()));
    on!(conn, c => diesel::delete(callbacks).execute(c).await).about("callbacks")?;
    let tasks = agent_tasks::table.filter(agent_tasks::execution_id.eq_any(of_history()));
    on!(conn, c => diesel::delete(tasks).execute(c).await).about("agent_tasks")?;
    on!(conn, c => diesel::delete(history).execute(c).await).about("executions")?;
    let events = execution_events::table.filter(execution_events::job_id.eq(key(id)));
    on!(conn, c => diesel::delete(events).execute(c).await).about("execution_events")?;
    let job = jobs::table.filter(jobs::id.eq(key(id))).filter(jobs::version.eq(version));
    let removed = on!(conn, c => diesel::delete(job).execute(c).await).about("jobs")?;
    if removed == 0 {
        return Err(StoreError::Conflict(Conflict::VersionChanged).into());
    }
    // A job's rollups are keyed by what they are of, a tenant or a job, so no foreign key takes them along.
    let figures = rollups::table.filter(rollups::scope_id.eq(key(id)));
    on!(conn, c => diesel::delete(figures).execute(c).await).about("rollups")?;
    Ok(())
}
