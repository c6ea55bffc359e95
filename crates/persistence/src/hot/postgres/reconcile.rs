//! Recounting a tenant's job counters from its history.

use horarium_domain::stats::DurationBucket;
use horarium_domain::store::{Drift, StoreError};
use horarium_domain::{JobId, TenantId};
use tokio_postgres::Row;
use uuid::Uuid;

use super::PostgresHot;
use super::counters::Counters;
use super::session::{self, Session};
use super::values::column;
use crate::error::Fault;
use crate::hot::drift::{Tallies, compare};

/// How long an execution `e` ran, in whole milliseconds, as `hot::rollup::run_ms` reckons; null when that is not counted.
/// A double holds microseconds exactly for far longer than anything runs, and is twice as fast as `extract`.
macro_rules! run_ms {
    () => {
        "case when e.state in (2, 3) and e.started_at is not null then greatest(0,
             round(date_part('epoch', e.completed_at - e.started_at) * 1000000)::int8 / 1000) end"
    };
}
pub(super) use run_ms;

/// One statement, so one snapshot: the history and what counts it, as of the same instant. `$2` holds the shortest
/// duration of each bucket, in milliseconds, so that the database sorts durations exactly as settling does.
/// State 5 counts those of state 3 that failed only in part.
const COUNT: &str = concat!(
    "
    with ended as (
        select e.job_id, e.state, e.partial, ",
    run_ms!(),
    " as ms
        from executions e join jobs j on j.id = e.job_id
        where e.tenant_id = $1 and e.state <> 0
    )
    select job_id, 'history', state::int4, width_bucket(ms, $2::int8[]), count(*), coalesce(sum(ms), 0)::int8
    from ended group by job_id, state, width_bucket(ms, $2::int8[])
    union all
    select job_id, 'history', 5, null, count(*), 0 from ended where partial group by job_id
    union all
    select c.job_id, 'counters', d.state, null, d.count, d.ms
    from job_counters c cross join lateral (values (2, c.succeeded, c.duration_ms), (3, c.failed, 0),
        (4, c.cancelled, 0), (5, c.partial, 0)) as d (state, count, ms)
    where c.tenant_id = $1
    union all
    select h.job_id, 'durations', h.bucket::int4, null, h.count, 0
    from job_counters c join job_durations h on h.job_id = c.job_id
    where c.tenant_id = $1"
);

const ADD_MISSING: &str = "
    insert into job_counters (job_id, tenant_id)
    select j.id, j.tenant_id from jobs j where j.id = any($1::uuid[])
      and not exists (select from job_counters c where c.job_id = j.id)
    order by j.id
    on conflict (job_id) do nothing";

/// The history is read as a whole, which the hot connections' settings are not made for.
const FOR_A_SCAN: &str = "begin; set local enable_seqscan = on; set local enable_hashjoin = on; \
                          set local plan_cache_mode = force_custom_plan";

impl PostgresHot {
    pub(super) async fn reconcile(&self, tenant: TenantId) -> Result<Vec<Drift>, StoreError> {
        let buckets = occupied_buckets();
        let shortest: Vec<i64> = buckets.iter().map(|(shortest, _)| *shortest).collect();
        session::run(&self.pool, async |session: &Session| {
            let count = session.statement(COUNT).await?;
            let add_missing = session.statement(ADD_MISSING).await?;
            let counters = Counters::prepare(session).await?;
            session.batch_execute(FOR_A_SCAN).await.map_err(session::fault)?;
            let (mut stored, mut counted) = (Tallies::new(), Tallies::new());
            for row in session.rows(&count, &[&tenant.as_uuid(), &shortest]).await? {
                tally(&row, &buckets, &mut stored, &mut counted)?;
            }
            let (drifts, deltas) = compare(&stored, &counted);
            let jobs: Vec<Uuid> = deltas.jobs.keys().map(|id| id.as_uuid()).collect();
            let missing: session::Parameters<'_> = &[&jobs];
            tokio::try_join!(
                biased;
                session.run(&add_missing, missing),
                counters.write(session, &deltas),
                session.commit()
            )?;
            Ok::<_, Fault>(drifts)
        })
        .await
    }
}

/// The buckets that some duration falls into, with the shortest one that does.
pub(super) fn occupied_buckets() -> Vec<(i64, DurationBucket)> {
    let mut buckets = vec![(0, DurationBucket::of_ms(0))];
    while let Some((from, bucket)) = buckets.last().copied().filter(|(_, bucket)| *bucket < DurationBucket::MAX) {
        // The buckets ascend, so the first duration beyond this one is found by bisection.
        let (mut within, mut beyond) = (from, from.max(1) * 2);
        while beyond - within > 1 {
            let middle = within + (beyond - within) / 2;
            if DurationBucket::of_ms(middle) > bucket { beyond = middle } else { within = middle }
        }
        buckets.push((beyond, DurationBucket::of_ms(beyond)));
    }
    buckets
}

fn tally(
    row: &Row,
    buckets: &[(i64, DurationBucket)],
    stored: &mut Tallies,
    counted: &mut Tallies,
) -> Result<(), Fault> {
    const TABLE: &str = "job_counters";
    let job = JobId::from_uuid(column(row, 0, TABLE)?);
    let kind: i32 = column(row, 2, TABLE)?;
    let count: i64 = column(row, 4, TABLE)?;
    let ms: i64 = column(row, 5, TABLE)?;
    let source: &str = column(row, 1, TABLE)?;
    if source == "durations" {
        let bucket = DurationBucket::from_number(i64::from(kind));
        *stored.entry(job).or_default().durations.entry(bucket).or_default() += count;
        return Ok(());
    }
    let tally = if source == "history" { counted.entry(job).or_default() } else { stored.entry(job).or_default() };
    match kind {
        2 => tally.succeeded += count,
        3 => tally.failed += count,
        4 => tally.cancelled += count,
        5 => tally.partial += count,
        other => {
            let detail = format!("an execution's state is {other}");
            return Err(StoreError::Inconsistent { table: "executions", key: job.to_string(), detail }.into());
        }
    }
    tally.duration_ms += ms;
    let position: Option<i32> = column(row, 3, TABLE)?;
    // Numbered from 1, as width_bucket does.
    let bucket = position.and_then(|position| usize::try_from(position - 1).ok()).and_then(|index| buckets.get(index));
    if let Some((_, bucket)) = bucket {
        *tally.durations.entry(*bucket).or_default() += count;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_duration_falls_into_the_bucket_that_begins_at_or_before_it() {
        let buckets = occupied_buckets();
        assert!(buckets.is_sorted_by(|a, b| a.0 < b.0 && a.1 < b.1));
        for ms in (0..5000).chain((13..41).map(|power| (1_i64 << power) - 1)).chain((13..41).map(|power| 1 << power)) {
            let index = buckets.partition_point(|(shortest, _)| *shortest <= ms) - 1;
            assert_eq!(buckets[index].1, DurationBucket::of_ms(ms), "{ms} ms");
        }
    }
}
