//! Dropping the days of the history that no tenant keeps any more.
//!
//! A day is read once, to take what it held out of the counters; then its partition goes as a whole. Of that, only the
//! last step is in anybody's way, and it touches no row but those that outlive their day: what still waits or runs, what
//! ended long after it was accepted, and what belongs to tenants that keep more than most. They move to
//! `executions_other`.

use std::collections::BTreeMap;

use horarium_domain::stats::DurationBucket;
use horarium_domain::store::{Released, StoreError};
use horarium_domain::{JobId, TenantId, Timestamp};
use tokio_postgres::Row;
use uuid::Uuid;

use super::PostgresHot;
use super::counters::Counters;
use super::days::{self, DAY, Part, Table};
use super::reconcile::{occupied_buckets, run_ms};
use super::session::{self, Session};
use super::values::{Ts, column};
use crate::error::Fault;
use crate::hot::drift::{Tallies, compare};

const KEEP_FROM: &str = "
    insert into retention (tenant_id, kept_from) select t.id, $2::timestamptz from tenants t where t.id = $1
    on conflict (tenant_id) do update set kept_from = excluded.kept_from";

/// A day with more executions that outlive it stays, and the others of that day are deleted one by one.
const MOST_MOVED: i64 = 10_000;

/// How many callbacks or agents' tasks one transaction deletes.
const BELONGINGS: i64 = 1000;

/// A partition is read as a whole, which the hot connections' settings are not made for; and in few groups.
const FOR_A_SCAN: &str = "set local enable_seqscan = on; set local enable_sort = off; \
                          set local plan_cache_mode = force_custom_plan";

/// That an execution `e` outlives its day: `$1` and `$2` are what is [`Kept`].
macro_rules! stays {
    () => {
        "e.state = 0 or e.completed_at >= $1 or e.tenant_id = any($2::uuid[])"
    };
}

impl PostgresHot {
    pub(super) async fn release(&self, tenant: TenantId, before: Timestamp) -> Result<Released, StoreError> {
        let (executions, late_ends) = session::run(&self.pool, async |session: &Session| {
            let keep = session.statement(KEEP_FROM).await?;
            session.run(&keep, &[&tenant.as_uuid(), &Ts(before)]).await?;
            Ok::<_, Fault>((
                days::parts(session, Table::Executions).await?,
                days::parts(session, Table::LateEnds).await?,
            ))
        })
        .await?;
        // Tenants with the same retention release a day one after the other: so long nothing is deleted row by row that
        // is dropped as a whole once the last of them has, and no row of those is moved that are about to.
        let patient_until = before - DAY;
        let mut dropped = 0;
        for part in executions.iter().chain(&late_ends).filter(|part| part.to <= before) {
            match self.release_part(part, part.to <= patient_until, tenant).await {
                Ok(executions) => dropped += executions,
                Err(StoreError::Unavailable(reason)) => {
                    let part = &part.name;
                    tracing::warn!(part, reason, "a day of the history could not be dropped; the next run tries again");
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Released { executions: dropped, singly_before: patient_until })
    }

    /// Drops a partition if nobody keeps it, or if those few rows can be moved that are kept; answers how many of the
    /// tenant's executions that took.
    async fn release_part(&self, part: &Part, may_move: bool, tenant: TenantId) -> Result<u64, StoreError> {
        let kept = session::run(&self.pool, async |session: &Session| {
            days::begin_among_others(session).await?;
            let kept = Kept::of(session, part, may_move).await?;
            session.commit().await?;
            Ok::<_, Fault>(kept)
        });
        let Some(kept) = kept.await? else { return Ok(0) };
        if part.table == Table::Executions {
            self.forget_belongings(part, &kept).await?;
        }
        session::run(&self.pool, async |session: &Session| {
            let counters = Counters::prepare(session).await?;
            days::begin_alone(session).await?;
            // Again: another node may have been quicker, or a tenant keep more than it did.
            let dropped = match (Kept::of(session, part, may_move).await?, part.table) {
                (None, _) => 0,
                (Some(kept), Table::Executions) => drop_executions(session, part, &kept, tenant, &counters).await?,
                (Some(kept), Table::Events | Table::LateEnds) => {
                    drop_late_ends(session, part, &kept).await?;
                    0
                }
            };
            session.commit().await?;
            Ok::<_, Fault>(dropped)
        })
        .await
    }

    /// Deletes what belongs to the executions of a day that do not outlive it.
    async fn forget_belongings(&self, part: &Part, kept: &Kept) -> Result<(), StoreError> {
        for (table, key) in [("callbacks", "execution_id"), ("agent_tasks", "id")] {
            let (of_day, stays) = (part.condition_on("b.execution_id"), stays!());
            let delete = format!(
                "delete from {table} where {key} = any(array(
                     select b.{key} from {table} b where {of_day} and not exists (
                         select from executions e
                         where e.tenant_id = b.tenant_id and e.id = b.execution_id and ({stays})
                     )
                     limit {BELONGINGS}
                 ))"
            );
            loop {
                let deleted = session::run(&self.pool, async |session: &Session| {
                    session.execute(delete.as_str(), &[&Ts(kept.from), &kept.by]).await.map_err(session::fault)
                })
                .await?;
                if deleted == 0 {
                    break;
                }
            }
        }
        Ok(())
    }
}

/// Which rows of a partition are kept when it is dropped.
struct Kept {
    /// What ended from here on, of those who let go of the day.
    from: Timestamp,
    /// Everything of these tenants, who do not.
    by: Vec<Uuid>,
}

impl Kept {
    /// `None` when the partition is not to be dropped, or is gone. Nobody drops partitions meanwhile.
    async fn of(session: &Session, part: &Part, may_move: bool) -> Result<Option<Self>, Fault> {
        if !days::parts(session, part.table).await?.contains(part) {
            return Ok(None);
        }
        let name = &part.name;
        // One index probe for each tenant that has something in it.
        let who = format!(
            "with recursive who (tenant_id) as (
                 (select tenant_id from {name} order by tenant_id limit 1)
                 union all
                 select (select p.tenant_id from {name} p where p.tenant_id > w.tenant_id order by p.tenant_id limit 1)
                 from who w where w.tenant_id is not null
             )
             select w.tenant_id, r.kept_from from who w left join retention r on r.tenant_id = w.tenant_id
             where w.tenant_id is not null"
        );
        let tenants = session.query(who.as_str(), &[]).await.map_err(session::fault)?;
        let mut kept = Self { from: Timestamp::MAX, by: Vec::new() };
        for row in &tenants {
            match column::<Option<Ts>>(row, 1, "retention")? {
                Some(Ts(from)) if from >= part.to => kept.from = kept.from.min(from),
                Some(_) | None => kept.by.push(column(row, 0, "retention")?),
            }
        }
        if kept.by.is_empty() {
            return Ok(Some(kept));
        }
        if !may_move || kept.by.len() == tenants.len() {
            return Ok(None);
        }
        let most = format!(
            "select count(*) from (select from {name} where tenant_id = any($1::uuid[]) limit {MOST_MOVED} + 1) x"
        );
        let row = session.query_one(most.as_str(), &[&kept.by]).await.map_err(session::fault)?;
        let moved: i64 = column(&row, 0, "retention")?;
        Ok((moved <= MOST_MOVED).then_some(kept))
    }
}

/// Drops a day's late ends.
async fn drop_late_ends(session: &Session, part: &Part, kept: &Kept) -> Result<(), Fault> {
    let name = &part.name;
    execute(session, &format!("alter table late_ends detach partition {name}")).await?;
    let keep = format!("insert into late_ends select p.* from {name} p where p.tenant_id = any($1::uuid[])");
    session.execute(keep.as_str(), &[&kept.by]).await.map_err(session::fault)?;
    execute(session, &format!("drop table {name}")).await
}

/// Drops a day's executions with their events, and takes them out of the counters; answers how many of the tenant's.
async fn drop_executions(
    session: &Session,
    part: &Part,
    kept: &Kept,
    tenant: TenantId,
    counters: &Counters,
) -> Result<u64, Fault> {
    let held = Held::count(session, part, kept).await?;
    if held.staying > MOST_MOVED {
        return Ok(0);
    }
    let (mut tenants, mut ids) = (Vec::new(), Vec::new());
    if held.staying > 0 {
        let staying = format!(concat!("select e.id, e.tenant_id from {} e where ", stays!()), part.name);
        for row in session.query(staying.as_str(), &[&Ts(kept.from), &kept.by]).await.map_err(session::fault)? {
            ids.push(column::<Uuid>(&row, 0, "executions")?);
            tenants.push(column::<Uuid>(&row, 1, "executions")?);
        }
    }
    execute(session, "lock table executions, execution_events in access exclusive mode").await?;
    execute(session, &format!("alter table executions detach partition {}", part.name)).await?;
    // The queue tells of those that were accepted since they were counted, by a clock that is far off.
    let keep = format!(
        "insert into executions select p.* from (
             select * from unnest($1::uuid[], $2::uuid[]) as d (tenant_id, id)
             union select q.tenant_id, q.id from execution_queue q where {}
         ) d join {} p on p.tenant_id = d.tenant_id and p.id = d.id
         returning id",
        part.condition_on("q.id"),
        part.name
    );
    let moved = session.query(keep.as_str(), &[&tenants, &ids]).await.map_err(session::fault)?;
    let moved: Vec<Uuid> = moved.iter().map(|row| column(row, 0, "executions")).collect::<Result<_, Fault>>()?;
    for events in days::parts(session, Table::Events).await?.iter().filter(|e| (e.from, e.to) == (part.from, part.to)) {
        let Part { name, .. } = events;
        execute(session, &format!("alter table execution_events detach partition {name}")).await?;
        let keep = format!(
            "insert into execution_events overriding system value
             select e.* from {name} e where e.execution_id = any($1::uuid[])"
        );
        session.execute(keep.as_str(), &[&moved]).await.map_err(session::fault)?;
        execute(session, &format!("drop table {name}")).await?;
    }
    execute(session, &format!("drop table {}", part.name)).await?;
    // What is gone counts for nothing.
    let (_, deltas) = compare(&held.tallies, &Tallies::new());
    counters.write(session, &deltas).await?;
    Ok(held.of_tenants.get(&tenant).copied().unwrap_or(0))
}

/// What a day holds.
#[derive(Default)]
struct Held {
    /// How many outlive it.
    staying: i64,
    /// Of those that do not: what the counters say of them.
    tallies: Tallies,
    /// The same: how many of whom.
    of_tenants: BTreeMap<TenantId, u64>,
}

impl Held {
    /// Reads the day.
    async fn count(session: &Session, part: &Part, kept: &Kept) -> Result<Self, Fault> {
        let buckets = occupied_buckets();
        let shortest: Vec<i64> = buckets.iter().map(|(shortest, _)| *shortest).collect();
        let count = format!(
            concat!(
                "select e.job_id, e.tenant_id, e.state, e.partial, e.stays, width_bucket(e.ms, $3::int8[]), count(*),
                     coalesce(sum(e.ms), 0)::int8
                 from (
                     select e.job_id, e.tenant_id, e.state, e.partial, ",
                stays!(),
                " as stays, ",
                run_ms!(),
                " as ms from {} e
                 ) e
                 group by 1, 2, 3, 4, 5, 6"
            ),
            part.name
        );
        execute(session, FOR_A_SCAN).await?;
        let rows =
            session.query(count.as_str(), &[&Ts(kept.from), &kept.by, &shortest]).await.map_err(session::fault)?;
        let mut held = Self::default();
        for row in &rows {
            held.add(row, &buckets)?;
        }
        Ok(held)
    }

    fn add(&mut self, row: &Row, buckets: &[(i64, DurationBucket)]) -> Result<(), Fault> {
        const TABLE: &str = "executions";
        let job = JobId::from_uuid(column(row, 0, TABLE)?);
        let tenant = TenantId::from_uuid(column(row, 1, TABLE)?);
        let (state, partial): (i16, bool) = (column(row, 2, TABLE)?, column(row, 3, TABLE)?);
        let count: i64 = column(row, 6, TABLE)?;
        if column(row, 4, TABLE)? {
            self.staying += count;
            return Ok(());
        }
        *self.of_tenants.entry(tenant).or_default() += count.unsigned_abs();
        let tally = self.tallies.entry(job).or_default();
        match state {
            2 => tally.succeeded += count,
            3 => tally.failed += count,
            4 => tally.cancelled += count,
            other => {
                let detail = format!("an execution's state is {other}");
                return Err(StoreError::Inconsistent { table: TABLE, key: job.to_string(), detail }.into());
            }
        }
        if partial {
            tally.partial += count;
        }
        tally.duration_ms += column::<i64>(row, 7, TABLE)?;
        // Numbered from 1, as width_bucket does.
        let position: Option<i32> = column(row, 5, TABLE)?;
        let index = position.and_then(|position| usize::try_from(position - 1).ok());
        if let Some((_, bucket)) = index.and_then(|index| buckets.get(index)) {
            *tally.durations.entry(*bucket).or_default() += count;
        }
        Ok(())
    }
}

async fn execute(session: &Session, sql: &str) -> Result<(), Fault> {
    session.batch_execute(sql).await.map_err(session::fault)
}
