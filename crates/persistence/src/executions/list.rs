//! Lists of executions, newest first, and how many there are.
//!
//! The history may hold millions of rows, so a total comes from counters wherever the filter allows it, and a list of
//! live executions starts from the queue. Only a filter by start time counts rows.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;
use horarium_domain::execution::ExecutionState;
use horarium_domain::page::PageRequest;
use horarium_domain::store::ExecutionFilter;
use horarium_domain::{ExecutionId, TenantId};

use super::row::{ExecutionRow, LiveRow, SummaryRow};
use super::{Answer, with_job_and_queue};
use crate::conn::{Conn, on};
use crate::decode::terminal_code;
use crate::error::About;
use crate::schema::{at, execution_queue, executions, job_counters, jobs, key};

/// The columns of a [`SummaryRow`], for the database of an `on!` expression.
macro_rules! summary_columns {
    () => {
        (ExecutionRow::as_select(), jobs::name, Option::<LiveRow>::as_select())
    };
}

/// Narrows a boxed query on the history, joined with the queue, to a tenant and a filter.
macro_rules! filtered {
    ($query:expr, $tenant:expr, $filter:expr) => {{
        let filter: &ExecutionFilter = $filter;
        let mut query = $query.filter(executions::tenant_id.eq(key($tenant)));
        if let Some(job) = filter.job_id {
            query = query.filter(executions::job_id.eq(key(job)));
        }
        query = match filter.state {
            None => query,
            Some(ExecutionState::Running) => query.filter(execution_queue::state.eq(1)),
            Some(ExecutionState::Pending) => query.filter(execution_queue::state.ne(1)),
            Some(over) => query.filter(executions::state.nullable().eq(terminal_code(over))),
        };
        // While an execution lives the queue tells when it started, afterwards the history does; never both.
        if let Some(from) = filter.started_from {
            query = query
                .filter(execution_queue::started_at.nullable().ge(at(from)).or(executions::started_at.ge(at(from))));
        }
        if let Some(to) = filter.started_to {
            query =
                query.filter(execution_queue::started_at.nullable().le(at(to)).or(executions::started_at.le(at(to))));
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
    if filter.state.is_some_and(|state| !state.is_terminal()) {
        return on!(conn, c => {
            let from = execution_queue::table
                .inner_join(executions::table.on(executions::id.eq(execution_queue::id)))
                .inner_join(jobs::table.on(jobs::id.eq(execution_queue::job_id)))
                .select(summary_columns!())
                .into_boxed::<Db>();
            let mut query = filtered!(from, tenant, filter);
            if let Some(before) = before {
                query = query.filter(execution_queue::id.lt(key(before)));
            }
            query.order(execution_queue::id.desc()).limit(limit).offset(offset).load(c).await
        })
        .about("execution_queue");
    }
    on!(conn, c => {
        let mut query = filtered!(with_job_and_queue!().select(summary_columns!()).into_boxed::<Db>(), tenant, filter);
        if let Some(before) = before {
            query = query.filter(executions::id.lt(key(before)));
        }
        query.order(executions::id.desc()).limit(limit).offset(offset).load(c).await
    })
    .about("executions")
}

async fn count(conn: &mut Conn, tenant: TenantId, filter: &ExecutionFilter) -> Answer<i64> {
    if filter.started_from.is_some() || filter.started_to.is_some() {
        return on!(conn, c => {
            filtered!(with_job_and_queue!().count().into_boxed::<Db>(), tenant, filter).get_result(c).await
        })
        .about("executions");
    }
    match filter.state {
        Some(state) if !state.is_terminal() => live(conn, tenant, filter).await,
        Some(_) => over(conn, tenant, filter).await,
        None => Ok(live(conn, tenant, filter).await? + over(conn, tenant, filter).await?),
    }
}

/// Those that wait or run, as far as the filter's job and state go.
async fn live(conn: &mut Conn, tenant: TenantId, filter: &ExecutionFilter) -> Answer<i64> {
    on!(conn, c => {
        let mut query = execution_queue::table
            .filter(execution_queue::tenant_id.eq(key(tenant)))
            .count()
            .into_boxed::<Db>();
        if let Some(job) = filter.job_id {
            query = query.filter(execution_queue::job_id.eq(key(job)));
        }
        match filter.state {
            Some(ExecutionState::Running) => query = query.filter(execution_queue::state.eq(1)),
            Some(ExecutionState::Pending) => query = query.filter(execution_queue::state.ne(1)),
            _ => {}
        }
        query.get_result(c).await
    })
    .about("execution_queue")
}

/// Those that are over, from the counters of the jobs.
async fn over(conn: &mut Conn, tenant: TenantId, filter: &ExecutionFilter) -> Answer<i64> {
    let sum = match filter.state {
        Some(ExecutionState::Succeeded) => "cast(coalesce(sum(succeeded), 0) as bigint)",
        Some(ExecutionState::Failed) => "cast(coalesce(sum(failed), 0) as bigint)",
        Some(ExecutionState::Cancelled) => "cast(coalesce(sum(cancelled), 0) as bigint)",
        _ => "cast(coalesce(sum(succeeded + failed + cancelled), 0) as bigint)",
    };
    on!(conn, c => {
        let mut query = job_counters::table
            .filter(job_counters::tenant_id.eq(key(tenant)))
            .select(sql::<BigInt>(sum))
            .into_boxed::<Db>();
        if let Some(job) = filter.job_id {
            query = query.filter(job_counters::job_id.eq(key(job)));
        }
        query.get_result(c).await
    })
    .about("job_counters")
}
