//! Lists of executions, newest first, and how many there are.
//!
//! The history may hold millions of rows, so a total comes from counters wherever the filter allows it, and live
//! executions are found in the queue. Only a filter by start time counts rows of the history.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool};
use diesel_async::RunQueryDsl;
use horarium_domain::execution::ExecutionState;
use horarium_domain::page::PageRequest;
use horarium_domain::store::{ExecutionEnd, ExecutionFilter};
use horarium_domain::{ExecutionId, TenantId};

use super::row::{ExecutionRow, LiveRow, SummaryRow};
use super::{Answer, with_job_and_queue};
use crate::conn::{Conn, on};
use crate::decode::terminal_code;
use crate::error::About;
use crate::schema::{at, execution_queue, executions, job_counters, jobs, key};

/// Rows of lists, for the database of an `on!` expression.
macro_rules! summaries {
    () => {
        with_job_and_queue!()
            .select((ExecutionRow::as_select(), jobs::name, Option::<LiveRow>::as_select()))
            .into_boxed::<Db>()
    };
}

/// What the two databases say differently.
trait Dialect {
    /// Which executions failed in part, in the words of the index that holds these few alone.
    const PARTIAL: &'static str;
}

impl Dialect for diesel::pg::Pg {
    const PARTIAL: &'static str = "executions.partial";
}

impl Dialect for diesel::sqlite::Sqlite {
    const PARTIAL: &'static str = "executions.partial = 1";
}

/// Narrows a boxed query on the history, joined with the queue, to a tenant and a filter.
///
/// The range of one id and the same id says "equal" in a way that fixes the index: told of an equality, PostgreSQL may
/// prefer to walk all tenants' executions backwards, which is quick for a busy tenant and ruinous for an idle one.
macro_rules! of_history {
    ($query:expr, $tenant:expr, $filter:expr) => {{
        let filter: &ExecutionFilter = $filter;
        let tenant = key($tenant);
        let mut query = match filter.job_id {
            None => $query.filter(executions::tenant_id.between(tenant, tenant)),
            Some(job) => {
                $query.filter(executions::job_id.between(key(job), key(job))).filter(executions::tenant_id.eq(tenant))
            }
        };
        if let Some(state) = filter.state {
            query = query.filter(executions::state.nullable().eq(terminal_code(state)));
        }
        if filter.ends == [ExecutionEnd::PartlyFailed] {
            query = query.filter(sql::<Bool>(<Db as Dialect>::PARTIAL));
        } else if !filter.ends.is_empty() {
            let codes = filter.ends.iter().filter_map(|end| terminal_code(state_of(*end)));
            query = query.filter(executions::state.eq_any(codes.collect::<Vec<_>>()));
            let named = |end| filter.ends.contains(&end);
            if named(ExecutionEnd::PartlyFailed) != named(ExecutionEnd::Failed) {
                // Of what failed, only one kind.
                let of_kind = executions::partial.eq(named(ExecutionEnd::PartlyFailed));
                query = query.filter(executions::state.ne(FAILED).or(of_kind));
            }
        }
        // While an execution lives the queue tells when it started, afterwards the history does; never both.
        if let Some(from) = filter.started_from {
            let live = execution_queue::started_at.nullable().ge(at(from));
            query = query.filter(live.or(executions::started_at.ge(at(from))));
        }
        if let Some(to) = filter.started_to {
            let live = execution_queue::started_at.nullable().le(at(to));
            query = query.filter(live.or(executions::started_at.le(at(to))));
        }
        query
    }};
}

/// The code of the state that has two kinds.
const FAILED: i16 = 3;

const fn state_of(end: ExecutionEnd) -> ExecutionState {
    match end {
        ExecutionEnd::Succeeded => ExecutionState::Succeeded,
        ExecutionEnd::Failed | ExecutionEnd::PartlyFailed => ExecutionState::Failed,
        ExecutionEnd::Cancelled => ExecutionState::Cancelled,
    }
}

/// Narrows a boxed query on the queue to a tenant and a filter for what lives.
macro_rules! of_queue {
    ($query:expr, $tenant:expr, $filter:expr) => {{
        let filter: &ExecutionFilter = $filter;
        let mut query = $query.filter(execution_queue::tenant_id.eq(key($tenant)));
        if let Some(job) = filter.job_id {
            query = query.filter(execution_queue::job_id.eq(key(job)));
        }
        query = match filter.state {
            Some(ExecutionState::Running) => query.filter(execution_queue::state.eq(1)),
            Some(ExecutionState::Pending) => query.filter(execution_queue::state.ne(1)),
            _ => query,
        };
        if let Some(from) = filter.started_from {
            query = query.filter(execution_queue::started_at.ge(at(from)));
        }
        if let Some(to) = filter.started_to {
            query = query.filter(execution_queue::started_at.le(at(to)));
        }
        query
    }};
}

/// One numbered page, and how many there are in all.
pub(super) async fn page(
    conn: &mut Conn,
    tenant: TenantId,
    filter: &ExecutionFilter,
    page: PageRequest,
) -> Answer<(Vec<SummaryRow>, u64)> {
    let total = count(conn, tenant, filter).await?;
    let offset = i64::try_from(page.offset()).unwrap_or(i64::MAX);
    // Asking for no more than there are spares the search for one more through the whole history.
    let wanted = i64::from(page.size).min(total.saturating_sub(offset));
    let rows = if wanted > 0 { newest(conn, tenant, filter, None, wanted, offset).await? } else { Vec::new() };
    Ok((rows, u64::try_from(total).unwrap_or(0)))
}

/// Executions older than `before`, newest first.
pub(super) async fn newest(
    conn: &mut Conn,
    tenant: TenantId,
    filter: &ExecutionFilter,
    before: Option<ExecutionId>,
    limit: i64,
    offset: i64,
) -> Answer<Vec<SummaryRow>> {
    if is_live(filter) {
        return newest_live(conn, tenant, filter, before, limit, offset).await;
    }
    on!(conn, c => {
        let mut query = of_history!(summaries!(), tenant, filter);
        if let Some(before) = before {
            query = query.filter(executions::id.lt(key(before)));
        }
        let query = match filter.job_id {
            None => query.order((executions::tenant_id.desc(), executions::id.desc())),
            Some(_) => query.order((executions::job_id.desc(), executions::id.desc())),
        };
        query.limit(limit).offset(offset).load(c).await
    })
    .about("executions")
}

/// The same for those that wait or run: found in the queue, then read.
async fn newest_live(
    conn: &mut Conn,
    tenant: TenantId,
    filter: &ExecutionFilter,
    before: Option<ExecutionId>,
    limit: i64,
    offset: i64,
) -> Answer<Vec<SummaryRow>> {
    let ids: Vec<ExecutionId> = on!(conn, c => {
        let mut query = of_queue!(execution_queue::table.select(execution_queue::id).into_boxed::<Db>(), tenant, filter);
        if let Some(before) = before {
            query = query.filter(execution_queue::id.lt(key(before)));
        }
        query.order(execution_queue::id.desc()).limit(limit).offset(offset).load(c).await
    })
    .about("execution_queue")?;
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    // What changed its state since is no longer what was asked for.
    on!(conn, c => {
        of_queue!(summaries!(), tenant, filter)
            .filter(executions::tenant_id.eq(key(tenant)))
            .filter(executions::id.eq_any(ids.iter().map(|id| key(*id))))
            .order(executions::id.desc())
            .load(c)
            .await
    })
    .about("executions")
}

/// Whether only executions that wait or run are asked for.
fn is_live(filter: &ExecutionFilter) -> bool {
    filter.state.is_some_and(|state| !state.is_terminal())
}

async fn count(conn: &mut Conn, tenant: TenantId, filter: &ExecutionFilter) -> Answer<i64> {
    let by_start = filter.started_from.is_some() || filter.started_to.is_some();
    if is_live(filter) {
        live(conn, tenant, filter).await
    } else if by_start {
        on!(conn, c => {
            let query = with_job_and_queue!().count().into_boxed::<Db>();
            of_history!(query, tenant, filter).get_result(c).await
        })
        .about("executions")
    } else if filter.state.is_some() || !filter.ends.is_empty() {
        over(conn, tenant, filter).await
    } else {
        Ok(live(conn, tenant, filter).await? + over(conn, tenant, filter).await?)
    }
}

/// How many wait or run.
async fn live(conn: &mut Conn, tenant: TenantId, filter: &ExecutionFilter) -> Answer<i64> {
    on!(conn, c => {
        of_queue!(execution_queue::table.count().into_boxed::<Db>(), tenant, filter).get_result(c).await
    })
    .about("execution_queue")
}

/// How many are over, from the counters of the jobs.
async fn over(conn: &mut Conn, tenant: TenantId, filter: &ExecutionFilter) -> Answer<i64> {
    const ENDS: [(ExecutionEnd, &str); 4] = [
        (ExecutionEnd::Succeeded, "succeeded"),
        (ExecutionEnd::Failed, "failed - partial"),
        (ExecutionEnd::PartlyFailed, "partial"),
        (ExecutionEnd::Cancelled, "cancelled"),
    ];
    let counted: Vec<&str> = ENDS
        .iter()
        .filter(|(end, _)| filter.ends.is_empty() || filter.ends.contains(end))
        .filter(|(end, _)| filter.state.is_none_or(|state| state == state_of(*end)))
        .map(|(_, column)| *column)
        .collect();
    if counted.is_empty() {
        return Ok(0);
    }
    let sum = format!("cast(coalesce(sum({}), 0) as bigint)", counted.join(" + "));
    on!(conn, c => {
        let mut query = job_counters::table
            .filter(job_counters::tenant_id.eq(key(tenant)))
            .select(sql::<BigInt>(&sum))
            .into_boxed::<Db>();
        if let Some(job) = filter.job_id {
            query = query.filter(job_counters::job_id.eq(key(job)));
        }
        query.get_result(c).await
    })
    .about("job_counters")
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::sqlite::plan_of;

    #[test]
    fn what_failed_in_part_is_found_without_a_walk_through_the_history() {
        type Db = diesel::sqlite::Sqlite;
        let tenant = TenantId::from_uuid(Uuid::nil());
        let filter = ExecutionFilter { ends: vec![ExecutionEnd::PartlyFailed], ..ExecutionFilter::default() };
        let plan = plan_of(
            &of_history!(summaries!(), tenant, &filter).order((executions::tenant_id.desc(), executions::id.desc())),
        );
        assert!(plan.contains("executions USING INDEX executions_partial"), "{plan}");
        assert!(!plan.contains("ORDER BY"), "{plan}");
    }
}
