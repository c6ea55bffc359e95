//! The dashboard, timelines and statistics, from counters, rollups and the queue; never from the history.

use std::collections::BTreeMap;
use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;
use horarium_domain::stats::{
    DashboardStats, DurationBucket, DurationHistogram, JobCounters, ROLLUP_WIDTHS, RollupBucket, UpcomingRun,
};
use horarium_domain::store::{RollupWindow, StateCounts, StoreError, TimelineData};
use horarium_domain::{JobId, TenantId, Timestamp};

use super::Answer;
use crate::conn::{Conn, on};
use crate::error::About;
use crate::schema::{Id, Key, Ts, at, execution_queue, job_counters, job_durations, job_slots, jobs, key, rollups};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);
/// How many of the next slots the dashboard shows.
const NEXT_RUNS: i64 = 10;

#[derive(QueryableByName)]
struct JobCount {
    #[diesel(sql_type = BigInt)]
    total: i64,
    #[diesel(sql_type = BigInt)]
    enabled: i64,
    #[diesel(sql_type = BigInt)]
    paused: i64,
}

const JOB_COUNT: &str = "select count(*) as total, \
    coalesce(sum(case when is_enabled and not is_paused then 1 else 0 end), 0) as enabled, \
    coalesce(sum(case when is_enabled and is_paused then 1 else 0 end), 0) as paused \
    from jobs where tenant_id = $1 and not is_deleted";

#[derive(QueryableByName)]
struct LiveCount {
    #[diesel(sql_type = BigInt)]
    running: i64,
    #[diesel(sql_type = BigInt)]
    pending: i64,
    #[diesel(sql_type = BigInt)]
    upcoming: i64,
}

const LIVE_COUNT: &str = "select \
    coalesce(sum(case when state = 1 then 1 else 0 end), 0) as running, \
    coalesce(sum(case when state <> 1 then 1 else 0 end), 0) as pending, \
    coalesce(sum(case when state <> 1 and run_at <= $1 then 1 else 0 end), 0) as upcoming \
    from execution_queue where tenant_id = $2";

#[derive(QueryableByName)]
struct Ended {
    #[diesel(sql_type = BigInt)]
    succeeded: i64,
    #[diesel(sql_type = BigInt)]
    failed: i64,
    #[diesel(sql_type = BigInt)]
    duration_ms: i64,
    #[diesel(sql_type = BigInt)]
    today: i64,
}

const ENDED: &str = "select \
    cast(coalesce(sum(case when bucket_start >= $1 then succeeded else 0 end), 0) as bigint) as succeeded, \
    cast(coalesce(sum(case when bucket_start >= $1 then failed else 0 end), 0) as bigint) as failed, \
    cast(coalesce(sum(case when bucket_start >= $1 then duration_ms else 0 end), 0) as bigint) as duration_ms, \
    cast(coalesce(sum(case when bucket_start >= $2 then succeeded + failed + cancelled else 0 end), 0) as bigint) \
        as today \
    from rollups where scope_id = $3 and width = $4 and bucket_start >= $1 and bucket_start <= $5";

/// A tenant at a glance.
pub(super) async fn dashboard(conn: &mut Conn, tenant: TenantId, now: Timestamp) -> Answer<DashboardStats> {
    let [width, _] = ROLLUP_WIDTHS;
    let in_an_hour = now + HOUR;
    let jobs: JobCount =
        on!(conn, c => sql_query(JOB_COUNT).bind::<Id, _>(key(tenant)).get_result(c).await).about("jobs")?;
    let live: LiveCount = on!(conn, c => {
        sql_query(LIVE_COUNT).bind::<Ts, _>(at(in_an_hour)).bind::<Id, _>(key(tenant)).get_result(c).await
    })
    .about("execution_queue")?;
    let ended: Ended = on!(conn, c => {
        sql_query(ENDED)
            // The bucket that the last day begins in is counted whole.
            .bind::<Ts, _>(at((now - DAY).floor_to(width)))
            .bind::<Ts, _>(at(now.floor_to(DAY)))
            .bind::<Id, _>(key(tenant))
            .bind::<diesel::sql_types::Integer, _>(seconds(width))
            .bind::<Ts, _>(at(now))
            .get_result(c)
            .await
    })
    .about("rollups")?;
    let of_tenant = job_slots::table.filter(job_slots::tenant_id.eq(key(tenant)));
    let soon: i64 = {
        let query = of_tenant.filter(job_slots::next_run_at.le(at(in_an_hour))).count();
        on!(conn, c => query.get_result(c).await).about("job_slots")?
    };
    let next_runs: Vec<(JobId, String, Timestamp)> = {
        let query = of_tenant
            .inner_join(jobs::table.on(jobs::id.eq(job_slots::job_id)))
            .order((job_slots::next_run_at.asc(), job_slots::job_id.asc()))
            .limit(NEXT_RUNS)
            .select((jobs::id, jobs::name, job_slots::next_run_at));
        on!(conn, c => query.load(c).await).about("job_slots")?
    };
    Ok(DashboardStats {
        total_jobs: jobs.total.unsigned_abs(),
        enabled_jobs: jobs.enabled.unsigned_abs(),
        paused_jobs: jobs.paused.unsigned_abs(),
        succeeded: ended.succeeded,
        failed: ended.failed,
        executions_today: ended.today,
        duration_ms: ended.duration_ms,
        running: live.running.unsigned_abs(),
        pending: live.pending.unsigned_abs(),
        upcoming: soon.unsigned_abs() + live.upcoming.unsigned_abs(),
        next_runs: next_runs
            .into_iter()
            .map(|(job_id, job_name, next_run)| UpcomingRun { job_id, job_name, next_run })
            .collect(),
    })
}

/// A row of `rollups`, without its key but for the bucket's start.
#[derive(Queryable, Selectable)]
#[diesel(table_name = rollups)]
struct RollupRow {
    bucket_start: Timestamp,
    succeeded: i64,
    failed: i64,
    cancelled: i64,
    started: i64,
    stopped: i64,
    duration_ms: i64,
}

/// What happened in each bucket of a window, and what runs now.
pub(super) async fn timeline(
    conn: &mut Conn,
    tenant: TenantId,
    job: Option<JobId>,
    window: RollupWindow,
) -> Answer<TimelineData> {
    let scope = job.map_or_else(|| key(tenant), Key::from);
    let query = rollups::table
        .filter(rollups::scope_id.eq(scope))
        .filter(rollups::tenant_id.eq(key(tenant)))
        .filter(rollups::width.eq(seconds(window.width)))
        .filter(rollups::bucket_start.ge(at(window.from)))
        .filter(rollups::bucket_start.lt(at(window.to)))
        .order(rollups::bucket_start.asc());
    let buckets: Vec<RollupRow> =
        on!(conn, c => query.select(RollupRow::as_select()).load(c).await).about("rollups")?;
    let started: Vec<Option<Timestamp>> = on!(conn, c => {
        let mut query = execution_queue::table
            .filter(execution_queue::tenant_id.eq(key(tenant)))
            .filter(execution_queue::state.eq(1))
            .select(execution_queue::started_at)
            .into_boxed::<Db>();
        if let Some(job) = job {
            query = query.filter(execution_queue::job_id.eq(key(job)));
        }
        query.load(c).await
    })
    .about("execution_queue")?;
    let mut running_since: BTreeMap<Timestamp, i64> = BTreeMap::new();
    for started in started.into_iter().flatten() {
        *running_since.entry(started.floor_to(window.width)).or_default() += 1;
    }
    Ok(TimelineData {
        buckets: buckets
            .into_iter()
            .map(|row| {
                let bucket = RollupBucket {
                    succeeded: row.succeeded,
                    failed: row.failed,
                    cancelled: row.cancelled,
                    started: row.started,
                    stopped: row.stopped,
                    duration_ms: row.duration_ms,
                };
                (row.bucket_start, bucket)
            })
            .collect(),
        running_since: running_since.into_iter().collect(),
    })
}

/// A job's counters and durations.
pub(super) async fn job_statistics(
    conn: &mut Conn,
    tenant: TenantId,
    job: JobId,
) -> Answer<(JobCounters, DurationHistogram)> {
    let query = job_counters::table
        .filter(job_counters::tenant_id.eq(key(tenant)))
        .filter(job_counters::job_id.eq(key(job)))
        .select((job_counters::succeeded, job_counters::failed, job_counters::cancelled, job_counters::duration_ms));
    let ended: Option<(i64, i64, i64, i64)> = on!(conn, c => query.first(c).await.optional()).about("job_counters")?;
    let (succeeded, failed, cancelled, duration_ms) = ended.ok_or(StoreError::NotFound("job"))?;
    let live = execution_queue::table.filter(execution_queue::job_id.eq(key(job)));
    let (running, pending) = (live.filter(execution_queue::state.eq(1)), live.filter(execution_queue::state.ne(1)));
    let running: i64 = on!(conn, c => running.count().get_result(c).await).about("execution_queue")?;
    let pending: i64 = on!(conn, c => pending.count().get_result(c).await).about("execution_queue")?;
    let durations = job_durations::table
        .filter(job_durations::job_id.eq(key(job)))
        .select((job_durations::bucket, job_durations::count));
    let durations: Vec<(i16, i64)> = on!(conn, c => durations.load(c).await).about("job_durations")?;
    let mut histogram = DurationHistogram::default();
    for (bucket, count) in durations {
        histogram.add(DurationBucket::from_number(i64::from(bucket)), count);
    }
    Ok((JobCounters { pending, running, succeeded, failed, cancelled, duration_ms }, histogram))
}

/// The most jobs that one statement names.
const JOBS_PER_STATEMENT: usize = 1000;

/// Those of a tenant's jobs of which an execution runs.
pub(super) async fn running_jobs(conn: &mut Conn, tenant: TenantId, jobs: &[JobId]) -> Answer<Vec<JobId>> {
    let mut running: Vec<JobId> = Vec::new();
    for jobs in jobs.chunks(JOBS_PER_STATEMENT) {
        let query = execution_queue::table
            .filter(execution_queue::job_id.eq_any(jobs.iter().map(|job| key(*job))))
            .filter(execution_queue::state.eq(1))
            .filter(execution_queue::tenant_id.eq(key(tenant)))
            .select(execution_queue::job_id)
            .distinct();
        running.extend(on!(conn, c => query.load::<JobId>(c).await).about("execution_queue")?);
    }
    Ok(running)
}

#[derive(QueryableByName)]
struct EndedCount {
    #[diesel(sql_type = BigInt)]
    succeeded: i64,
    #[diesel(sql_type = BigInt)]
    failed: i64,
    #[diesel(sql_type = BigInt)]
    partial: i64,
    #[diesel(sql_type = BigInt)]
    cancelled: i64,
}

const ENDED_COUNT: &str = "select cast(coalesce(sum(succeeded), 0) as bigint) as succeeded, \
    cast(coalesce(sum(failed), 0) as bigint) as failed, cast(coalesce(sum(partial), 0) as bigint) as partial, \
    cast(coalesce(sum(cancelled), 0) as bigint) as cancelled from job_counters where tenant_id = $1";

/// How many of a tenant's executions stand where.
pub(super) async fn state_counts(conn: &mut Conn, tenant: TenantId) -> Answer<StateCounts> {
    let ended: EndedCount =
        on!(conn, c => sql_query(ENDED_COUNT).bind::<Id, _>(key(tenant)).get_result(c).await).about("job_counters")?;
    let live = execution_queue::table.filter(execution_queue::tenant_id.eq(key(tenant)));
    let (running, waiting) = (live.filter(execution_queue::state.eq(1)), live.filter(execution_queue::state.ne(1)));
    let running: i64 = on!(conn, c => running.count().get_result(c).await).about("execution_queue")?;
    let pending: i64 = on!(conn, c => waiting.count().get_result(c).await).about("execution_queue")?;
    let count = |value: i64| u64::try_from(value).unwrap_or(0);
    Ok(StateCounts {
        pending: count(pending),
        running: count(running),
        succeeded: count(ended.succeeded),
        failed: count(ended.failed - ended.partial),
        partly_failed: count(ended.partial),
        cancelled: count(ended.cancelled),
    })
}

/// A rollup's width as it is stored.
fn seconds(width: Duration) -> i32 {
    i32::try_from(width.as_secs()).unwrap_or(i32::MAX)
}
