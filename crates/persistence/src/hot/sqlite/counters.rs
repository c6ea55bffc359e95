//! Adding a batch's [`Deltas`] to the counters, histograms and rollups. What belongs to a job or tenant that is gone
//! meanwhile is dropped.

use horarium_domain::store::StoreError;
use rusqlite::{Connection, params};

use super::values::{Checked, Key, Ts};
use crate::decode::terminal_code;
use crate::hot::rollup::Deltas;

const COUNTERS: &str = "
    update job_counters set
        succeeded = succeeded + ?2,
        failed = failed + ?3,
        cancelled = cancelled + ?4,
        duration_ms = duration_ms + ?5,
        consecutive_failures = case when ?6 then 0 else consecutive_failures end + ?7,
        partial = partial + ?8
    where job_id = ?1";

const LAST_RUN: &str = "
    update job_counters set last_state = ?2, last_started_at = ?3, last_completed_at = ?4, last_duration_ms = ?5
    where job_id = ?1 and (last_completed_at is null or last_completed_at <= ?4)";

const DURATIONS: &str = "
    insert into job_durations (job_id, bucket, count)
    select ?1, ?2, ?3 where exists (select 1 from job_counters where job_id = ?1)
    on conflict (job_id, bucket) do update set count = count + excluded.count";

const ROLLUPS: &str = "
    insert into rollups (scope_id, width, bucket_start, tenant_id, succeeded, failed, cancelled, started, stopped,
        duration_ms)
    select ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 where exists (select 1 from tenants where id = ?4)
    on conflict (scope_id, width, bucket_start) do update set
        succeeded = succeeded + excluded.succeeded,
        failed = failed + excluded.failed,
        cancelled = cancelled + excluded.cancelled,
        started = started + excluded.started,
        stopped = stopped + excluded.stopped,
        duration_ms = duration_ms + excluded.duration_ms";

/// Writes the deltas.
pub(super) fn write(connection: &Connection, deltas: &Deltas) -> Result<(), StoreError> {
    let mut counters = connection.prepare_cached(COUNTERS).checked()?;
    let mut last_run = connection.prepare_cached(LAST_RUN).checked()?;
    for (id, job) in &deltas.jobs {
        let key = Key::from(*id);
        let sums = params![
            key,
            job.succeeded,
            job.failed,
            job.cancelled,
            job.duration_ms,
            job.reset_failures,
            job.failures,
            job.partial
        ];
        counters.execute(sums).checked()?;
        if let Some(last) = job.last {
            let (started, completed) = (last.started_at.map(Ts), Ts(last.completed_at));
            last_run
                .execute(params![key, terminal_code(last.state), started, completed, last.duration_ms])
                .checked()?;
        }
    }
    let mut durations = connection.prepare_cached(DURATIONS).checked()?;
    for ((id, bucket), count) in &deltas.durations {
        durations.execute(params![Key::from(*id), bucket.number(), count]).checked()?;
    }
    let mut rollups = connection.prepare_cached(ROLLUPS).checked()?;
    for (key, (tenant, bucket)) in &deltas.rollups {
        let row = params![
            Key(key.scope_id),
            key.width,
            Ts(key.start),
            Key::from(*tenant),
            bucket.succeeded,
            bucket.failed,
            bucket.cancelled,
            bucket.started,
            bucket.stopped,
            bucket.duration_ms
        ];
        rollups.execute(row).checked()?;
    }
    Ok(())
}
