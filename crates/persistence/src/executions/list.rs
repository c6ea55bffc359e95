//! Lists of executions, newest first, and how many there are.
//!
//! Their ids come first, from indexes alone; only those that are shown are read. A total comes from counters wherever the
//! filter allows it; of those that started in a span, only so many are counted.

use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::BigInt;
use diesel_async::RunQueryDsl;
use horarium_domain::page::{Page, PageRequest};
use horarium_domain::store::{Counted, CursorPage, ExecutionEnd, ExecutionFilter};
use horarium_domain::{ExecutionId, TenantId};

use super::ids::{Days, named};
use super::row::{ExecutionRow, LiveRow, SummaryRow};
use super::{Answer, ids, with_job_and_queue};
use crate::conn::{Conn, on};
use crate::error::About;
use crate::schema::{execution_queue, executions, job_counters, jobs, key};

/// One numbered page, and how many there are in all.
pub(super) async fn page(
    conn: &mut Conn,
    tenant: TenantId,
    filter: &ExecutionFilter,
    page: PageRequest,
) -> Answer<Page<SummaryRow>> {
    let offset = i64::try_from(page.offset()).unwrap_or(i64::MAX);
    let size = i64::from(page.size);
    let (ids, total, is_capped) = if filter.is_by_start() && !filter.is_live() {
        let counted = i64::try_from(ExecutionFilter::MAX_COUNTED).unwrap_or(i64::MAX);
        let reach = offset.saturating_add(size).max(counted + 1);
        let found = ids::newest(conn, tenant, filter, None, reach, 0).await?;
        let total = found.len() as u64;
        let ids = found.into_iter().skip(usize::try_from(offset).unwrap_or(usize::MAX)).take(page.size as usize);
        (ids.collect(), total.min(ExecutionFilter::MAX_COUNTED), total > ExecutionFilter::MAX_COUNTED)
    } else {
        let total = count(conn, tenant, filter, None).await?.count;
        // Asking for no more than there are spares the search for one more through the whole history.
        let wanted = size.min(i64::try_from(total).unwrap_or(i64::MAX).saturating_sub(offset));
        let ids = if wanted > 0 { ids::newest(conn, tenant, filter, None, wanted, offset).await? } else { Vec::new() };
        (ids, total, false)
    };
    Ok(Page { items: rows(conn, tenant, &ids).await?, total, is_capped })
}

/// Executions older than `before`, newest first.
pub(super) async fn before(
    conn: &mut Conn,
    tenant: TenantId,
    filter: &ExecutionFilter,
    before: Option<ExecutionId>,
    limit: usize,
) -> Answer<CursorPage<SummaryRow>> {
    let found = ids::newest(conn, tenant, filter, before, one_more(limit), 0).await?;
    page_of(conn, tenant, found, limit).await
}

/// How many to ask for to see whether anything follows so many.
pub(super) fn one_more(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX).saturating_add(1)
}

/// The first `limit` executions of those found, and whether there are more.
pub(super) async fn page_of(
    conn: &mut Conn,
    tenant: TenantId,
    mut found: Vec<ExecutionId>,
    limit: usize,
) -> Answer<CursorPage<SummaryRow>> {
    let more = found.len() > limit;
    found.truncate(limit);
    let next = if more { found.last().copied() } else { None };
    Ok(CursorPage { items: rows(conn, tenant, &found).await?, next })
}

/// The query for the rows of executions of a tenant.
macro_rules! rows {
    ($tenant:expr, $found:expr) => {{
        let query = with_job_and_queue!()
            .select((ExecutionRow::as_select(), jobs::name, Option::<LiveRow>::as_select()))
            .into_boxed::<Db>();
        named!(query.filter(executions::tenant_id.eq(key($tenant))), $found)
    }};
}

/// The rows of executions that were found, in any order: to come in that of their ids, all between them would be read.
async fn rows(conn: &mut Conn, tenant: TenantId, found: &[ExecutionId]) -> Answer<Vec<SummaryRow>> {
    if found.is_empty() {
        return Ok(Vec::new());
    }
    on!(conn, c => rows!(tenant, found).load(c).await).about("executions")
}

/// How many there are. Of those that have no counters, up to `most` are counted if it is given.
pub(super) async fn count(
    conn: &mut Conn,
    tenant: TenantId,
    filter: &ExecutionFilter,
    most: Option<u64>,
) -> Answer<Counted> {
    let up_to = |count| Counted::up_to(most.unwrap_or(u64::MAX), count);
    let reach = most.map(|most| i64::try_from(most).unwrap_or(i64::MAX));
    if filter.is_live() {
        return Ok(up_to(ids::count_live(conn, tenant, filter, reach).await?));
    }
    if filter.is_by_start() {
        let one_more = reach.unwrap_or(i64::MAX).saturating_add(1);
        return Ok(up_to(ids::newest(conn, tenant, filter, None, one_more, 0).await?.len() as u64));
    }
    let live = if filter.state.is_some() || !filter.ends.is_empty() {
        Counted::default()
    } else {
        up_to(ids::count_live(conn, tenant, filter, reach).await?)
    };
    Ok(Counted { count: live.count + over(conn, tenant, filter).await?, is_capped: live.is_capped })
}

/// How many are over, from the counters of the jobs.
async fn over(conn: &mut Conn, tenant: TenantId, filter: &ExecutionFilter) -> Answer<u64> {
    let counted = ExecutionEnd::ALL.into_iter().filter(|end| filter.shows_end(*end)).map(|end| match end {
        ExecutionEnd::Succeeded => "succeeded",
        ExecutionEnd::Failed => "failed - partial",
        ExecutionEnd::PartlyFailed => "partial",
        ExecutionEnd::Cancelled => "cancelled",
    });
    let counted: Vec<&str> = counted.collect();
    if counted.is_empty() {
        return Ok(0);
    }
    let sum = format!("cast(coalesce(sum({}), 0) as bigint)", counted.join(" + "));
    let counted: i64 = on!(conn, c => {
        let mut query = job_counters::table
            .filter(job_counters::tenant_id.eq(key(tenant)))
            .select(sql::<BigInt>(&sum))
            .into_boxed::<Db>();
        if let Some(job) = filter.job_id {
            query = query.filter(job_counters::job_id.eq(key(job)));
        }
        query.get_result(c).await
    })
    .about("job_counters")?;
    Ok(counted.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::sqlite::plan_of;

    #[test]
    fn what_is_shown_is_looked_up_by_its_ids() {
        type Db = diesel::sqlite::Sqlite;
        let (tenant, id) = (TenantId::from_uuid(Uuid::nil()), ExecutionId::from_uuid(Uuid::nil()));
        let plan = plan_of(&rows!(tenant, &[id, id]));
        assert!(plan.contains("executions_by_tenant (tenant_id=? AND id=?)") || plan.contains("(id=?)"), "{plan}");
        assert!(!plan.contains("id>?"), "{plan}");
    }
}
