//! Adding a batch's [`Deltas`] to the counters, histograms and rollups, within the caller's transaction.
//!
//! The arrays are sorted by key, and each statement visits the rows in the arrays' order: that is what keeps two nodes
//! that count for the same jobs from deadlocking. What belongs to a job or tenant that is gone meanwhile is dropped.

use tokio_postgres::Statement;
use uuid::Uuid;

use super::session::Session;
use super::values::Ts;
use crate::decode::terminal_code;
use crate::error::Fault;
use crate::hot::rollup::Deltas;

pub(super) const COUNTERS: &str = "
    update job_counters c set
        succeeded = c.succeeded + d.succeeded,
        failed = c.failed + d.failed,
        cancelled = c.cancelled + d.cancelled,
        partial = c.partial + d.partial,
        duration_ms = c.duration_ms + d.duration_ms,
        consecutive_failures = case when d.reset_failures then 0 else c.consecutive_failures end + d.failures,
        last_state = case when d.completed_at >= coalesce(c.last_completed_at, d.completed_at)
            then d.state else c.last_state end,
        last_started_at = case when d.completed_at >= coalesce(c.last_completed_at, d.completed_at)
            then d.started_at else c.last_started_at end,
        last_duration_ms = case when d.completed_at >= coalesce(c.last_completed_at, d.completed_at)
            then d.last_duration_ms else c.last_duration_ms end,
        last_completed_at = greatest(d.completed_at, c.last_completed_at)
    from unnest($1::uuid[], $2::int8[], $3::int8[], $4::int8[], $5::int8[], $6::bool[], $7::int4[], $8::int2[],
        $9::timestamptz[], $10::timestamptz[], $11::int8[], $12::int8[])
        as d (job_id, succeeded, failed, cancelled, duration_ms, reset_failures, failures, state,
        started_at, completed_at, last_duration_ms, partial)
    where c.job_id = d.job_id";

pub(super) const DURATIONS: &str = "
    insert into job_durations as h (job_id, bucket, count)
    select d.job_id, d.bucket, d.count
    from unnest($1::uuid[], $2::int2[], $3::int8[]) with ordinality as d (job_id, bucket, count, position)
    where exists (select from job_counters c where c.job_id = d.job_id)
    order by d.position
    on conflict (job_id, bucket) do update set count = h.count + excluded.count";

pub(super) const ROLLUPS: &str = "
    insert into rollups as r (scope_id, width, bucket_start, tenant_id, succeeded, failed, cancelled, started, stopped,
        duration_ms)
    select d.scope_id, d.width, d.bucket_start, d.tenant_id, d.succeeded, d.failed, d.cancelled, d.started, d.stopped,
        d.duration_ms
    from unnest($1::uuid[], $2::int4[], $3::timestamptz[], $4::uuid[], $5::int8[], $6::int8[], $7::int8[], $8::int8[],
        $9::int8[], $10::int8[]) with ordinality
        as d (scope_id, width, bucket_start, tenant_id, succeeded, failed, cancelled, started, stopped, duration_ms,
        position)
    where exists (select from tenants t where t.id = d.tenant_id)
    order by d.position
    on conflict (scope_id, width, bucket_start) do update set
        succeeded = r.succeeded + excluded.succeeded,
        failed = r.failed + excluded.failed,
        cancelled = r.cancelled + excluded.cancelled,
        started = r.started + excluded.started,
        stopped = r.stopped + excluded.stopped,
        duration_ms = r.duration_ms + excluded.duration_ms";

/// The three statements. They are prepared ahead, so that they and a commit can go out in one flight, in order.
pub(super) struct Counters {
    sums: Statement,
    durations: Statement,
    rollups: Statement,
}

impl Counters {
    pub(super) async fn prepare(session: &Session) -> Result<Self, Fault> {
        Ok(Self {
            sums: session.statement(COUNTERS).await?,
            durations: session.statement(DURATIONS).await?,
            rollups: session.statement(ROLLUPS).await?,
        })
    }

    /// Writes the deltas. The statements are sent when this is first polled.
    pub(super) async fn write(&self, session: &Session, deltas: &Deltas) -> Result<(), Fault> {
        tokio::try_join!(
            biased;
            write_counters(session, &self.sums, deltas),
            write_durations(session, &self.durations, deltas),
            write_rollups(session, &self.rollups, deltas)
        )?;
        Ok(())
    }
}

async fn write_counters(session: &Session, statement: &Statement, deltas: &Deltas) -> Result<(), Fault> {
    if deltas.jobs.is_empty() {
        return Ok(());
    }
    let column = |read: fn(&crate::hot::rollup::JobDelta) -> i64| deltas.jobs.values().map(read).collect::<Vec<i64>>();
    let jobs: Vec<Uuid> = deltas.jobs.keys().map(|id| id.as_uuid()).collect();
    let resets: Vec<bool> = deltas.jobs.values().map(|job| job.reset_failures).collect();
    let failures: Vec<i32> = deltas.jobs.values().map(|job| job.failures).collect();
    let last = || deltas.jobs.values().map(|job| job.last);
    let states: Vec<Option<i16>> = last().map(|last| last.and_then(|last| terminal_code(last.state))).collect();
    let started: Vec<Option<Ts>> = last().map(|last| last.and_then(|last| last.started_at).map(Ts)).collect();
    let completed: Vec<Option<Ts>> = last().map(|last| last.map(|last| Ts(last.completed_at))).collect();
    let took: Vec<Option<i64>> = last().map(|last| last.and_then(|last| last.duration_ms)).collect();
    let partial = column(|j| j.partial);
    let (succeeded, failed, cancelled, duration_ms) =
        (column(|j| j.succeeded), column(|j| j.failed), column(|j| j.cancelled), column(|j| j.duration_ms));
    session
        .run(
            statement,
            &[
                &jobs,
                &succeeded,
                &failed,
                &cancelled,
                &duration_ms,
                &resets,
                &failures,
                &states,
                &started,
                &completed,
                &took,
                &partial,
            ],
        )
        .await?;
    Ok(())
}

async fn write_durations(session: &Session, statement: &Statement, deltas: &Deltas) -> Result<(), Fault> {
    if deltas.durations.is_empty() {
        return Ok(());
    }
    let jobs: Vec<Uuid> = deltas.durations.keys().map(|(id, _)| id.as_uuid()).collect();
    let buckets: Vec<i16> = deltas.durations.keys().map(|(_, bucket)| i16::from(bucket.number())).collect();
    let counts: Vec<i64> = deltas.durations.values().copied().collect();
    session.run(statement, &[&jobs, &buckets, &counts]).await?;
    Ok(())
}

async fn write_rollups(session: &Session, statement: &Statement, deltas: &Deltas) -> Result<(), Fault> {
    if deltas.rollups.is_empty() {
        return Ok(());
    }
    let column = |read: fn(&horarium_domain::stats::RollupBucket) -> i64| {
        deltas.rollups.values().map(|(_, bucket)| read(bucket)).collect::<Vec<i64>>()
    };
    let scopes: Vec<Uuid> = deltas.rollups.keys().map(|key| key.scope_id).collect();
    let widths: Vec<i32> = deltas.rollups.keys().map(|key| key.width).collect();
    let starts: Vec<Ts> = deltas.rollups.keys().map(|key| Ts(key.start)).collect();
    let tenants: Vec<Uuid> = deltas.rollups.values().map(|(tenant, _)| tenant.as_uuid()).collect();
    let (succeeded, failed, cancelled) = (column(|b| b.succeeded), column(|b| b.failed), column(|b| b.cancelled));
    let (began, stopped, duration_ms) = (column(|b| b.started), column(|b| b.stopped), column(|b| b.duration_ms));
    session
        .run(
            statement,
            &[&scopes, &widths, &starts, &tenants, &succeeded, &failed, &cancelled, &began, &stopped, &duration_ms],
        )
        .await?;
    Ok(())
}
