//! The jobs of one group, taken together.

use std::cmp::Reverse;

use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Nullable, Text};
use diesel_async::RunQueryDsl;
use horarium_domain::execution::{ExecutionState, ExecutionSummary};
use horarium_domain::job::LastRun;
use horarium_domain::stats::GroupFigures;
use horarium_domain::store::{CursorPage, ExecutionFilter, GroupFilter, GroupStore, StoreError};
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};
use uuid::Uuid;

use super::{Answer, ids, list, summaries};
use crate::conn::{Conn, on};
use crate::decode::Row;
use crate::error::About;
use crate::schema::{Id, Ts, executions, job_counters, jobs, key};
use crate::store::SqlStore;
use crate::text::storable;

/// What waits and runs. The jobs of the group come first, so that the queue is only looked at where they are in it.
const LIVE: &str = "select \
    coalesce(sum(case when q.state = 1 then 0 else 1 end), 0) as pending, \
    coalesce(sum(case when q.state = 1 then 1 else 0 end), 0) as running, \
    min(case when q.state <> 1 then q.run_at end) as oldest_due_at \
    from jobs j join execution_queue q on q.job_id = j.id \
    where j.tenant_id = $1 and j.job_group = $2";

/// From how many jobs on it is asked first, in one statement, which of them a page may be of.
const MANY_JOBS: usize = 20;

#[derive(QueryableByName)]
struct JobRow {
    #[diesel(sql_type = Id)]
    job_id: JobId,
}

#[derive(QueryableByName)]
struct LiveRow {
    #[diesel(sql_type = BigInt)]
    pending: i64,
    #[diesel(sql_type = BigInt)]
    running: i64,
    #[diesel(sql_type = Nullable<Ts>)]
    oldest_due_at: Option<Timestamp>,
}

/// What is over of one job.
#[derive(Queryable, Selectable)]
#[diesel(table_name = job_counters)]
struct OverRow {
    job_id: JobId,
    failed: i64,
    last_state: Option<i16>,
    last_started_at: Option<Timestamp>,
    last_completed_at: Option<Timestamp>,
    last_duration_ms: Option<i64>,
}

impl OverRow {
    fn last_run(&self) -> Result<Option<LastRun>, StoreError> {
        let (Some(state), Some(completed_at)) = (self.last_state, self.last_completed_at) else { return Ok(None) };
        let state = Row::new("job_counters", self.job_id).terminal_state("last_state", state)?;
        Ok(Some(LastRun { started_at: self.last_started_at, completed_at, state, duration_ms: self.last_duration_ms }))
    }
}

#[async_trait]
impl GroupStore for SqlStore {
    async fn group_figures(&self, tenant: TenantId, group: &str) -> Result<GroupFigures, StoreError> {
        let group = storable(group);
        self.read(async |conn| figures(conn, tenant, &group).await).await
    }

    async fn executions_of_group(
        &self,
        tenant: TenantId,
        filter: &GroupFilter,
        before: Option<ExecutionId>,
        limit: usize,
    ) -> Result<CursorPage<ExecutionSummary>, StoreError> {
        let page = self
            .read_history(async |conn| {
                let mut found = Vec::new();
                // One look at the index for each job: told of all at once, a database may walk through the history of
                // everything else that the tenant runs.
                let mut jobs = jobs_of(conn, tenant, filter).await?;
                if jobs.len() > MANY_JOBS {
                    jobs = newest_jobs(conn, tenant, filter, before, list::one_more(limit)).await?;
                }
                for job in jobs {
                    let of_job = ExecutionFilter { job_id: Some(job), ..of_state(filter) };
                    found.extend(ids::newest(conn, tenant, &of_job, before, list::one_more(limit), 0).await?);
                }
                found.sort_unstable_by_key(|id| Reverse(*id));
                list::page_of(conn, tenant, found, limit).await
            })
            .await?;
        Ok(CursorPage { items: summaries(page.items, filter.state)?, next: page.next })
    }
}

async fn figures(conn: &mut Conn, tenant: TenantId, group: &str) -> Answer<GroupFigures> {
    let live: LiveRow = on!(conn, c => {
        sql_query(LIVE).bind::<Id, _>(key(tenant)).bind::<Text, _>(group).get_result(c).await
    })
    .about("execution_queue")?;
    let query = job_counters::table
        .inner_join(jobs::table.on(jobs::id.eq(job_counters::job_id)))
        .filter(jobs::tenant_id.eq(key(tenant)))
        .filter(jobs::job_group.eq(group));
    let over: Vec<OverRow> = on!(conn, c => query.select(OverRow::as_select()).load(c).await).about("job_counters")?;
    Ok(GroupFigures {
        pending: live.pending.unsigned_abs(),
        running: live.running.unsigned_abs(),
        failed: over.iter().map(|row| row.failed).sum(),
        oldest_due_at: live.oldest_due_at,
        last_run: last_run(conn, &over).await?,
    })
}

/// The run that succeeded or failed last. Counters only tell a job's very last run, so behind a cancellation the
/// job's newest executions are looked at, if its cancellation is late enough to hide what is sought.
async fn last_run(conn: &mut Conn, jobs: &[OverRow]) -> Answer<Option<LastRun>> {
    let mut last: Option<LastRun> = None;
    let mut hidden = Vec::new();
    for row in jobs {
        match row.last_run()? {
            Some(run) if run.state == ExecutionState::Cancelled => hidden.push((row.job_id, run.completed_at)),
            run => last = later(last, run),
        }
    }
    for (job, cancelled_at) in hidden {
        if last.is_none_or(|last| last.completed_at < cancelled_at) {
            last = later(last, last_uncancelled(conn, job).await?);
        }
    }
    Ok(last)
}

async fn last_uncancelled(conn: &mut Conn, job: JobId) -> Answer<Option<LastRun>> {
    type Found = (ExecutionId, i16, Option<Timestamp>, Option<Timestamp>);
    let query = executions::table
        .filter(executions::job_id.eq(key(job)))
        .order((executions::job_id.desc(), executions::id.desc()))
        .limit(GroupFigures::LOOK_BACK as i64)
        .select((executions::id, executions::state, executions::started_at, executions::completed_at));
    let newest: Vec<Found> = on!(conn, c => query.load(c).await).about("executions")?;
    let mut last = None;
    for (id, state, started_at, completed_at) in newest {
        // Without an end it lives.
        let Some(completed_at) = completed_at else { continue };
        let state = Row::new("executions", id).terminal_state("state", state)?;
        if state != ExecutionState::Cancelled {
            let took = started_at.map(|started_at| completed_at.since(started_at));
            let duration_ms = took.map(|took| i64::try_from(took.as_millis()).unwrap_or(i64::MAX));
            last = later(last, Some(LastRun { started_at, completed_at, state, duration_ms }));
        }
    }
    Ok(last)
}

fn later(a: Option<LastRun>, b: Option<LastRun>) -> Option<LastRun> {
    a.into_iter().chain(b).max_by_key(|run| run.completed_at)
}

/// What a filter asks of executions.
fn of_state(filter: &GroupFilter) -> ExecutionFilter {
    ExecutionFilter { state: filter.state, ..ExecutionFilter::default() }
}

/// Of the jobs that a filter means, those which the `limit` newest executions before `before` are of, and some more: as
/// many as that with the newest ones of each kind that is looked for.
async fn newest_jobs(
    conn: &mut Conn,
    tenant: TenantId,
    filter: &GroupFilter,
    before: Option<ExecutionId>,
    limit: i64,
) -> Answer<Vec<JobId>> {
    let before = before.unwrap_or_else(|| ExecutionId::from_uuid(Uuid::max()));
    let name = filter.job_name.as_deref().map(|name| storable(name).into_owned());
    let mut found = Vec::new();
    for kind in ids::kinds(&of_state(filter)) {
        let statement = format!(
            "select n.job_id from (select j.id as job_id, \
            (select e.id from {kind} and e.job_id = j.id and e.id < $1 order by e.id desc limit 1) as newest \
            from jobs j where j.tenant_id = $2 and j.job_group = $3 and ($4 is null or j.name = $4)) n \
            where n.newest is not null order by n.newest desc limit $5"
        );
        let jobs: Vec<JobRow> = on!(conn, c => {
            let query = sql_query(statement).bind::<Id, _>(key(before)).bind::<Id, _>(key(tenant));
            let query = query.bind::<Text, _>(storable(&filter.group).into_owned()).bind::<Nullable<Text>, _>(name.clone());
            query.bind::<BigInt, _>(limit).load(c).await
        })
        .about("jobs")?;
        found.extend(jobs.into_iter().map(|row| row.job_id));
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// The jobs that a filter means.
async fn jobs_of(conn: &mut Conn, tenant: TenantId, filter: &GroupFilter) -> Answer<Vec<JobId>> {
    on!(conn, c => {
        let mut query = jobs::table
            .filter(jobs::tenant_id.eq(key(tenant)))
            .filter(jobs::job_group.eq(storable(&filter.group).into_owned()))
            .select(jobs::id)
            .into_boxed::<Db>();
        if let Some(name) = &filter.job_name {
            query = query.filter(jobs::name.eq(storable(name).into_owned()));
        }
        query.load(c).await
    })
    .about("jobs")
}
