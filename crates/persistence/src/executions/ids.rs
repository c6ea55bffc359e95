//! Which executions a list shows: their ids, newest first.
//!
//! The history may hold millions of rows, and none of its indexes tells a state or a start, which the end of an
//! execution would have to write. So each kind of execution is looked for where there are few others:
//!
//! * those that wait or run, in the queue;
//! * those that succeeded, among all, of which they are nearly all;
//! * those that ended otherwise, each way of its own, by an index of these alone;
//! * those that started in a span, by their ids: nobody starts before it is accepted, and who started later than a
//!   minute after that ended later, too, and was noted in `late_ends`.

use diesel::dsl::{exists, sql};
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;
use horarium_domain::execution::ExecutionState;
use horarium_domain::id::first_uuid_at;
use horarium_domain::store::{ExecutionEnd, ExecutionFilter};
use horarium_domain::{ExecutionId, TenantId, Timestamp};

use super::Answer;
use crate::conn::{Conn, on};
use crate::error::About;
use crate::hot::{SKEW, first_in_time};
use crate::schema::{at, execution_queue, executions, jobs, key, late_ends};

/// How many notes of late ends are followed at a time.
const LATE_AT_ONCE: i64 = 1000;

/// How an execution that is over is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ending {
    /// Any, over or not.
    Any,
    /// It succeeded.
    Well,
    /// By the code of another end.
    Otherwise(i16),
}

impl Ending {
    const fn of(end: ExecutionEnd) -> Self {
        match end {
            ExecutionEnd::Succeeded => Self::Well,
            ExecutionEnd::Failed => Self::Otherwise(3),
            ExecutionEnd::Cancelled => Self::Otherwise(4),
            ExecutionEnd::PartlyFailed => Self::Otherwise(5),
        }
    }

    /// Those that a filter shows, each of which is a look of its own.
    fn shown_by(filter: &ExecutionFilter) -> Vec<Self> {
        if filter.state.is_none() && filter.ends.is_empty() {
            return vec![Self::Any];
        }
        ExecutionEnd::ALL.into_iter().filter(|end| filter.shows_end(*end)).map(Self::of).collect()
    }
}

/// Narrows a boxed query on the queue to a tenant and a filter for what lives. The state stands in the text: that is how
/// the databases know that the index of what runs will do.
macro_rules! of_queue {
    ($query:expr, $tenant:expr, $filter:expr) => {{
        let filter: &ExecutionFilter = $filter;
        let mut query = $query.filter(execution_queue::tenant_id.eq(key($tenant)));
        if let Some(job) = filter.job_id {
            query = query.filter(execution_queue::job_id.eq(key(job)));
        }
        if filter.state == Some(ExecutionState::Pending) {
            query = query.filter(sql::<Bool>("execution_queue.state <> 1"));
        } else if filter.state == Some(ExecutionState::Running) || filter.is_by_start() {
            // What waits has not started.
            query = query.filter(sql::<Bool>("execution_queue.state = 1"));
        }
        if let Some(from) = filter.started_from {
            query = query.filter(execution_queue::started_at.ge(at(from)));
        }
        if let Some(to) = filter.started_to {
            query = query.filter(execution_queue::started_at.le(at(to)));
        }
        query
    }};
}

/// Narrows a boxed query on the history to a tenant, a filter and one way to end.
macro_rules! of_history {
    ($query:expr, $tenant:expr, $filter:expr, $ending:expr) => {{
        let filter: &ExecutionFilter = $filter;
        let mut query = match filter.job_id {
            None => $query.filter(executions::tenant_id.eq(key($tenant))),
            // Whose the job is, is asked once. Of each execution, it would bring the index of the tenant's into play.
            Some(job) => $query
                .filter(executions::job_id.eq(key(job)))
                .filter(exists(jobs::table.filter(jobs::id.eq(key(job))).filter(jobs::tenant_id.eq(key($tenant))))),
        };
        query = match $ending {
            Ending::Any => query,
            Ending::Well => query.filter(executions::state.eq(SUCCEEDED)),
            Ending::Otherwise(code) => query.filter(executions::ended_otherwise.eq(code)),
        };
        if let Some(from) = filter.started_from {
            query = query.filter(executions::started_at.ge(at(from)));
        }
        if let Some(to) = filter.started_to {
            query = query.filter(executions::started_at.le(at(to)));
        }
        query
    }};
}

/// Narrows a boxed query on the history to executions by their ids.
macro_rules! named {
    ($query:expr, $ids:expr) => {{
        let ids: &[ExecutionId] = $ids;
        let mut query = $query.filter(executions::id.eq_any(ids.iter().map(|id| key(*id))));
        if let (true, Some(first), Some(last)) = (<Db as Days>::KEPT, ids.iter().min(), ids.iter().max()) {
            query = query.filter(executions::id.between(key(*first), key(*last)));
        }
        query
    }};
}

pub(super) use named;

/// Whether a database keeps the history by days, and opens those alone that a range of ids is of. The other would go
/// through all that lies in the range.
pub(super) trait Days {
    const KEPT: bool;
}

impl Days for diesel::pg::Pg {
    const KEPT: bool = true;
}

impl Days for diesel::sqlite::Sqlite {
    const KEPT: bool = false;
}

/// The code of what ended well.
const SUCCEEDED: i16 = 2;

/// The newest of the history that end so: of those that started in a span, all but those that ended late.
macro_rules! newest_of_history {
    ($tenant:expr, $filter:expr, $ending:expr, $before:expr) => {{
        let query = executions::table.select(executions::id).into_boxed::<Db>();
        let mut query = of_history!(query, $tenant, $filter, $ending).order(executions::id.desc());
        if let Some(before) = $before {
            query = query.filter(executions::id.lt(key(before)));
        }
        if let Some(from) = $filter.started_from {
            query = query.filter(executions::id.ge(key(first_started(from))));
        }
        if let Some(to) = $filter.started_to {
            let accepted_later = ExecutionId::from_uuid(first_uuid_at(to + SKEW));
            query = query.filter(executions::id.lt(key(accepted_later)));
        }
        query
    }};
}

/// The oldest id that an execution which started at `from` has, unless its end is noted as late.
fn first_started(from: Timestamp) -> ExecutionId {
    ExecutionId::from_uuid(first_in_time(from))
}

/// The kinds of executions that a filter of a state shows, each as a table `e` and a condition on it.
pub(super) fn kinds(filter: &ExecutionFilter) -> Vec<String> {
    if filter.is_live() {
        let comparison = if filter.state == Some(ExecutionState::Running) { "=" } else { "<>" };
        return vec![format!("execution_queue e where e.state {comparison} 1")];
    }
    let of_history = |ending| match ending {
        Ending::Any => vec!["execution_queue e where true".to_owned(), "executions e where true".to_owned()],
        Ending::Well => vec![format!("executions e where e.state = {SUCCEEDED}")],
        Ending::Otherwise(code) => vec![format!("executions e where e.ended_otherwise = {code}")],
    };
    Ending::shown_by(filter).into_iter().flat_map(of_history).collect()
}

/// Up to `limit` of the executions older than `before` that a filter shows, after the `offset` newest of them.
pub(super) async fn newest(
    conn: &mut Conn,
    tenant: TenantId,
    filter: &ExecutionFilter,
    before: Option<ExecutionId>,
    limit: i64,
    offset: i64,
) -> Answer<Vec<ExecutionId>> {
    if filter.is_live() {
        return live(conn, tenant, filter, before, limit, offset).await;
    }
    let endings = Ending::shown_by(filter);
    if let ([ending], false) = (&endings[..], filter.is_by_start()) {
        return of_history(conn, tenant, filter, *ending, before, limit, offset).await;
    }
    let reach = limit.saturating_add(offset);
    let mut ids = Vec::new();
    // First what lives: what ends meanwhile is then seen twice instead of not at all.
    if endings == [Ending::Any] {
        ids = live(conn, tenant, filter, before, reach, 0).await?;
    }
    for ending in &endings {
        ids.extend(of_history(conn, tenant, filter, *ending, before, reach, 0).await?);
    }
    if let Some(from) = filter.started_from {
        let first = first_started(from);
        let in_time = ids.iter().filter(|id| **id >= first).count();
        // All that ended late are older than these.
        let missing = usize::try_from(reach).unwrap_or(usize::MAX).saturating_sub(in_time);
        if missing > 0 {
            let before = before.map_or(first, |before| before.min(first));
            ids.extend(late(conn, tenant, filter, from, before, missing).await?);
        }
    }
    ids.sort_unstable_by(|one, other| other.cmp(one));
    ids.dedup();
    let (skipped, wanted) = (usize::try_from(offset).unwrap_or(usize::MAX), usize::try_from(limit).unwrap_or(0));
    Ok(ids.into_iter().skip(skipped).take(wanted).collect())
}

/// How many wait or run. Where there are more than `most`, one more than that is answered.
pub(super) async fn count_live(
    conn: &mut Conn,
    tenant: TenantId,
    filter: &ExecutionFilter,
    most: Option<i64>,
) -> Answer<u64> {
    if let Some(most) = most {
        let beyond: Option<ExecutionId> = on!(conn, c => {
            let query = execution_queue::table.select(execution_queue::id).into_boxed::<Db>();
            of_queue!(query, tenant, filter).offset(most).limit(1).get_result(c).await.optional()
        })
        .about("execution_queue")?;
        if beyond.is_some() {
            return Ok(most.unsigned_abs() + 1);
        }
    }
    let counted: i64 = on!(conn, c => {
        of_queue!(execution_queue::table.count().into_boxed::<Db>(), tenant, filter).get_result(c).await
    })
    .about("execution_queue")?;
    Ok(counted.unsigned_abs())
}

async fn live(
    conn: &mut Conn,
    tenant: TenantId,
    filter: &ExecutionFilter,
    before: Option<ExecutionId>,
    limit: i64,
    offset: i64,
) -> Answer<Vec<ExecutionId>> {
    on!(conn, c => {
        let mut query = of_queue!(execution_queue::table.select(execution_queue::id).into_boxed::<Db>(), tenant, filter);
        if let Some(before) = before {
            query = query.filter(execution_queue::id.lt(key(before)));
        }
        query.order(execution_queue::id.desc()).limit(limit).offset(offset).load(c).await
    })
    .about("execution_queue")
}

async fn of_history(
    conn: &mut Conn,
    tenant: TenantId,
    filter: &ExecutionFilter,
    ending: Ending,
    before: Option<ExecutionId>,
    limit: i64,
    offset: i64,
) -> Answer<Vec<ExecutionId>> {
    on!(conn, c => {
        newest_of_history!(tenant, filter, ending, before).limit(limit).offset(offset).load(c).await
    })
    .about("executions")
}

/// At least `wanted` of those accepted before `before` that started after `from`, the newest ones, or all there are. What
/// is noted is found by when it ended, so this costs something for each late end since `from`.
async fn late(
    conn: &mut Conn,
    tenant: TenantId,
    filter: &ExecutionFilter,
    from: Timestamp,
    mut before: ExecutionId,
    wanted: usize,
) -> Answer<Vec<ExecutionId>> {
    let mut found = Vec::new();
    while found.len() < wanted {
        let query = late_ends::table
            .filter(late_ends::tenant_id.eq(key(tenant)))
            .filter(late_ends::completed_at.ge(at(from)))
            .filter(late_ends::execution_id.lt(key(before)))
            .order(late_ends::execution_id.desc())
            .limit(LATE_AT_ONCE)
            .select(late_ends::execution_id);
        let noted: Vec<ExecutionId> = on!(conn, c => query.load(c).await).about("late_ends")?;
        let Some(oldest) = noted.last() else { break };
        for ending in Ending::shown_by(filter) {
            let started: Vec<ExecutionId> = on!(conn, c => {
                let query = executions::table.select(executions::id).into_boxed::<Db>();
                named!(of_history!(query, tenant, filter, ending), &noted).load(c).await
            })
            .about("executions")?;
            found.extend(started);
        }
        before = *oldest;
    }
    Ok(found)
}

/// What lists look for in the history, each with the statement that a database is sent.
#[cfg(test)]
macro_rules! looks {
    ($db:ty) => {{
        type Db = $db;
        let tenant = TenantId::from_uuid(uuid::Uuid::nil());
        let (now, all) = (Timestamp::from_seconds(1_763_812_800), ExecutionFilter::default());
        let job_id = Some(horarium_domain::JobId::from_uuid(uuid::Uuid::nil()));
        let of_job = ExecutionFilter { job_id, ..all.clone() };
        let in_a_span = |filter: &ExecutionFilter| ExecutionFilter {
            started_from: Some(now),
            started_to: Some(now),
            ..filter.clone()
        };
        let whose = [
            ("a tenant's", all.clone()),
            ("a job's", of_job.clone()),
            ("in a span, a tenant's", in_a_span(&all)),
            ("in a span, a job's", in_a_span(&of_job)),
        ];
        let mut looks: Vec<(String, String)> = Vec::new();
        for (whose, filter) in &whose {
            for (which, ending) in
                [("", Ending::Any), (" successes", Ending::Well), (" failures", Ending::Otherwise(3))]
            {
                let query = newest_of_history!(tenant, filter, ending, None::<ExecutionId>).limit(50).offset(0);
                let text = diesel::debug_query::<Db, _>(&query).to_string();
                let (sql, _values) = text.rsplit_once(" -- binds:").unwrap();
                looks.push((format!("{whose}{which}"), sql.to_owned()));
            }
        }
        looks
    }};
}

/// What lists look for in the history, each with its statement for PostgreSQL.
#[cfg(test)]
pub(crate) fn looks_on_postgres() -> Vec<(String, String)> {
    looks!(diesel::pg::Pg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sqlite::plan_of_statement;

    #[test]
    fn on_sqlite_lists_read_an_index_in_its_order() {
        for (what, sql) in looks!(diesel::sqlite::Sqlite) {
            let index = match (what.contains("job's"), what.contains("failures")) {
                (false, false) => "executions_by_tenant (",
                (true, false) => "executions_by_job (",
                (false, true) => "executions_ended_otherwise (",
                (true, true) => "executions_by_job_ended_otherwise (",
            };
            let plan = plan_of_statement(&sql);
            assert!(plan.contains(&format!("INDEX {index}")), "{what}: {plan}");
            assert!(!plan.contains("ORDER BY"), "{what}: {plan}");
        }
    }
}
