//! Rows by the million, by SQL: history, and work that waits. Ids are of their time, as the engine's are.

use std::time::Duration;

use horarium_domain::store::MaintenanceStore;
use horarium_domain::{Clock, SystemClock, Timestamp};

use crate::Failure;
use crate::lab::Database;
use crate::node::Settings;

/// How much of the history is kept apart.
pub(super) const DAY: Duration = Duration::from_hours(24);

/// How long ago the oldest execution was accepted that waits.
const WAITED: Duration = Duration::from_hours(1);

/// Row `n` of `$1` has its time `at` as a part of the `$3` seconds that begin at `$2`, and `noise` of its own.
const MADE: &str = "
    generate_series(1, $1::int8) n,
    lateral (select to_timestamp($2::float8 + $3::float8 * (n - 1) / $1::float8) as at, md5(n::text) as noise) made";

/// An id of that time, in the order of the rows.
const ID: &str =
    "(lpad(to_hex(floor(extract(epoch from at) * 1000)::int8), 12, '0') || '7' || substr(noise, 1, 3) || '8'
    || substr(noise, 4, 15))::uuid";

/// Jobs like the one that does nothing, of its tenant, named `{prefix}-1` and so on.
pub(super) async fn add_jobs(database: &Database, prefix: &str, count: u64) -> Result<(), Failure> {
    let count = i64::try_from(count)?;
    let add = "
        with added as (
            insert into jobs
            select made.* from jobs j, generate_series(1, $2::int8) n,
                jsonb_populate_record(j, jsonb_build_object('id', gen_random_uuid(), 'name', $1 || '-' || n)) made
            where j.name = 'no-op'
            returning id, tenant_id
        )
        insert into job_counters (job_id, tenant_id) select id, tenant_id from added";
    database.client.execute(add, &[&prefix, &count]).await?;
    Ok(())
}

/// Ended executions, half of them of the job that is the first by name, the others evenly of all jobs, accepted evenly
/// from an instant on for so long, one in a thousand failed, and the counters and rollups that their ends would have
/// made.
pub(super) async fn history(
    database: &Database,
    count: u64,
    from: Timestamp,
    lasting: Duration,
) -> Result<(), Failure> {
    eprintln!("    writing {count} executions of history");
    prepare(database, from, lasting).await?;
    let rows = format!(
        "insert into executions (id, tenant_id, job_id, trigger, triggered_by, queue, priority, payload, scheduled_for,
            created_at, state, ended_otherwise, attempt, started_at, completed_at, worker)
        select {ID}, t.tenant_id, t.jobs[case when n % 2 = 0 then 1 else n / 2 % cardinality(t.jobs) + 1 end],
            'Schedule', 'schedule', 'default', 0, '{{\"i\": 1, \"t\": 0}}', at, at,
            case when n % 999 = 0 then 3 else 2 end, case when n % 999 = 0 then 3 end, 1, at, at + interval '45 s',
            'bench'
        from (select tenant_id, array_agg(id order by name) as jobs from jobs group by tenant_id) t, {MADE}"
    );
    make(database, &rows, count, from, lasting).await?;
    database
        .run(
            "update job_counters c set succeeded = h.succeeded, failed = h.failed, duration_ms = 45000 * h.ended,
                last_state = 2, last_started_at = h.last, last_completed_at = h.last + interval '45 s',
                last_duration_ms = 45000
            from (select job_id, count(*) filter (where state = 2) as succeeded,
                         count(*) filter (where state = 3) as failed, count(*) as ended, max(started_at) as last
                  from executions where state > 0 group by job_id) h
            where h.job_id = c.job_id",
        )
        .await?;
    for (scope, width, bucket, of) in [
        (
            "coalesce(job_id, tenant_id)",
            3600,
            "date_trunc('hour', completed_at)",
            "where state > 0 group by grouping sets ((tenant_id, 3), (tenant_id, job_id, 3))",
        ),
        (
            "tenant_id",
            300,
            "date_bin('5 minutes', completed_at, 'epoch')",
            "where completed_at > now() - interval '3 days' group by tenant_id, 3",
        ),
    ] {
        let add = format!(
            "insert into rollups (scope_id, width, bucket_start, tenant_id, succeeded, failed, started, stopped, duration_ms)
            select {scope}, {width}, {bucket}, tenant_id, count(*) filter (where state = 2),
                count(*) filter (where state = 3), count(*), count(*), 45000 * count(*)
            from executions {of}
            on conflict (scope_id, width, bucket_start) do update set succeeded = excluded.succeeded,
                failed = excluded.failed, started = excluded.started, stopped = excluded.stopped,
                duration_ms = excluded.duration_ms"
        );
        database.run(&add).await?;
    }
    settle(database).await
}

/// Work of the job that does nothing, which waits to be claimed.
pub(super) async fn waiting(database: &Database, count: u64) -> Result<(), Failure> {
    eprintln!("    writing {count} executions that wait");
    let from = SystemClock.now() - WAITED;
    prepare(database, from, WAITED).await?;
    let rows = format!(
        "with row as (
            select {ID} as id, j.tenant_id, j.id as job_id, at from jobs j, {MADE} where j.name = 'no-op'
        ), written as (
            insert into executions (id, tenant_id, job_id, trigger, triggered_by, queue, priority, payload,
                scheduled_for, created_at)
            select id, tenant_id, job_id, 'Api', 'bench', 'default', 0, '{{\"i\": 0, \"t\": 0}}', at, at from row
        )
        insert into execution_queue (id, tenant_id, job_id, queue, state, priority, run_at)
        select id, tenant_id, job_id, 'default', 0, 0, at from row"
    );
    make(database, &rows, count, from, WAITED).await?;
    settle(database).await
}

/// As autovacuum and the checkpointer would have left it by and by.
async fn settle(database: &Database) -> Result<(), Failure> {
    database.run("vacuum analyze").await?;
    database.run("checkpoint").await
}

/// Rows of the queue that are no more, but that a held snapshot still sees. They lie where the next claim looks first.
pub(super) async fn dead(database: &Database, count: u64) -> Result<(), Failure> {
    eprintln!("    writing and removing {count} rows of the queue");
    let rows = format!(
        "insert into execution_queue (id, tenant_id, job_id, queue, state, priority, run_at)
        select {ID}, j.tenant_id, j.id, 'default', 0, 0, at from jobs j, {MADE} where j.name = 'no-op'"
    );
    make(database, &rows, count, SystemClock.now() - WAITED, WAITED).await?;
    database.run("delete from execution_queue").await
}

/// Forgets what waits, with what the history says of it.
pub(super) async fn forget_waiting(database: &Database) -> Result<(), Failure> {
    let forget = "
        with gone as (delete from execution_queue returning tenant_id, id)
        delete from executions e using gone where e.tenant_id = gone.tenant_id and e.id = gone.id";
    database.run(forget).await?;
    settle(database).await
}

/// Makes room for days, as nodes do while these are still to come.
async fn prepare(database: &Database, from: Timestamp, lasting: Duration) -> Result<(), Failure> {
    let store = Settings::postgres(&database.url).connect().await?;
    let mut day = from.floor_to(DAY);
    while day < from + lasting {
        store.prepare_history(day).await?;
        day = day + DAY;
    }
    Ok(())
}

/// Runs a statement that has rows [made](MADE).
async fn make(database: &Database, rows: &str, count: u64, from: Timestamp, lasting: Duration) -> Result<(), Failure> {
    let (count, from) = (i64::try_from(count)?, from.as_micros() as f64 / 1e6);
    database.client.execute(rows, &[&count, &from, &lasting.as_secs_f64()]).await?;
    Ok(())
}
