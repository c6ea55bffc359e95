//! Executions as readers see them, and the figures about them.

pub(crate) mod event;
mod figures;
mod groups;
pub(crate) mod ids;
mod list;
mod recent;
mod row;

use std::cmp::Reverse;
use std::collections::HashMap;

use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use horarium_domain::execution::{Event, Execution, ExecutionState, ExecutionSummary};
use horarium_domain::page::{Page, PageRequest};
use horarium_domain::stats::{DashboardStats, DurationHistogram, JobCounters};
use horarium_domain::store::{
    Counted, CursorPage, ExecutionFilter, ExecutionStore, Recent, RollupWindow, SkippedSlots, StateCounts, StoreError,
    TimelineData,
};
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};

use crate::conn::{Conn, on};
use crate::decode::Row;
use crate::error::{About, Fault};
use crate::schema::{execution_events, execution_queue, executions, jobs, key, skipped_slots};
use crate::store::SqlStore;
use row::{DetailRow, EventRow, ExecutionRow, LiveRow, SummaryRow};

/// The most events that one execution is shown with. Ten lost workers and a thousand attempts lie well below.
const MAX_EVENTS: usize = 5_000;

/// Executions with their job's name and what the queue tells of those that live.
/// A job that is being purged takes its executions out of sight first.
macro_rules! with_job_and_queue {
    () => {
        executions::table
            .inner_join(jobs::table.on(jobs::id.eq(executions::job_id)))
            .left_join(execution_queue::table.on(execution_queue::id.eq(executions::id)))
    };
}

pub(crate) use with_job_and_queue;

#[async_trait]
impl ExecutionStore for SqlStore {
    async fn execution(&self, tenant: TenantId, id: ExecutionId) -> Result<Execution, StoreError> {
        self.executions_in_full(tenant, &[id]).await?.pop().ok_or(StoreError::NotFound("execution"))
    }

    async fn executions_in_full(&self, tenant: TenantId, ids: &[ExecutionId]) -> Result<Vec<Execution>, StoreError> {
        let (found, events) = self.read(async |conn| full(conn, tenant, ids).await).await?;
        let mut events_of = HashMap::<ExecutionId, Vec<EventRow>>::new();
        for event in events {
            events_of.entry(event.execution_id()).or_default().push(event);
        }
        let mut executions = HashMap::with_capacity(found.len());
        for (row, job_name, live, detail) in found {
            let mut events = events_of.remove(&row.id()).unwrap_or_default();
            events.truncate(MAX_EVENTS);
            executions.insert(row.id(), row::execution((row, job_name, live), detail, events)?);
        }
        Ok(ids.iter().filter_map(|id| executions.remove(id)).collect())
    }

    async fn executions(
        &self,
        tenant: TenantId,
        filter: &ExecutionFilter,
        page: PageRequest,
    ) -> Result<Page<ExecutionSummary>, StoreError> {
        let page = self.read_history(async |conn| list::page(conn, tenant, filter, page).await).await?;
        Ok(Page { items: summaries(page.items, filter.state)?, total: page.total, is_capped: page.is_capped })
    }

    async fn count_executions(
        &self,
        tenant: TenantId,
        filter: &ExecutionFilter,
        most: u64,
    ) -> Result<Counted, StoreError> {
        self.read_history(async |conn| list::count(conn, tenant, filter, Some(most)).await).await
    }

    async fn executions_before(
        &self,
        tenant: TenantId,
        filter: &ExecutionFilter,
        before: Option<ExecutionId>,
        limit: usize,
    ) -> Result<CursorPage<ExecutionSummary>, StoreError> {
        let page = self.read_history(async |conn| list::before(conn, tenant, filter, before, limit).await).await?;
        Ok(CursorPage { items: summaries(page.items, filter.state)?, next: page.next })
    }

    async fn recent_executions(
        &self,
        tenant: TenantId,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<(ExecutionId, Recent)>, StoreError> {
        self.read(async |conn| recent::recent(conn, tenant, since, limit).await).await
    }

    async fn record_event(&self, tenant: TenantId, event: Event) -> Result<(), StoreError> {
        self.write(async |conn| event::record(conn, tenant, &event).await).await
    }

    async fn skipped_slots(&self, tenant: TenantId, job: JobId, limit: usize) -> Result<Vec<SkippedSlots>, StoreError> {
        type SkippedRow = (i64, Timestamp, Timestamp, i64, String, Timestamp);
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows: Vec<SkippedRow> = self
            .read(async |conn| {
                let query = skipped_slots::table
                    .filter(skipped_slots::job_id.eq(key(job)))
                    .filter(skipped_slots::tenant_id.eq(key(tenant)))
                    .order(skipped_slots::seq.desc())
                    .limit(limit)
                    .select((
                        skipped_slots::seq,
                        skipped_slots::first_slot,
                        skipped_slots::last_slot,
                        skipped_slots::count,
                        skipped_slots::reason,
                        skipped_slots::recorded_at,
                    ));
                on!(conn, c => query.load(c).await).about("skipped_slots")
            })
            .await?;
        rows.into_iter()
            .map(|(seq, first, last, count, reason, recorded_at)| {
                let place = Row::new("skipped_slots", format_args!("{job}, {seq}"));
                let count = place.value("count", u64::try_from(count))?;
                Ok(SkippedSlots { first, last, count, reason, recorded_at })
            })
            .collect()
    }

    async fn state_counts(&self, tenant: TenantId) -> Result<StateCounts, StoreError> {
        self.read(async |conn| figures::state_counts(conn, tenant).await).await
    }

    async fn dashboard(&self, tenant: TenantId, now: Timestamp) -> Result<DashboardStats, StoreError> {
        self.read(async |conn| figures::dashboard(conn, tenant, now).await).await
    }

    async fn timeline(
        &self,
        tenant: TenantId,
        job: Option<JobId>,
        window: RollupWindow,
    ) -> Result<TimelineData, StoreError> {
        self.read(async |conn| figures::timeline(conn, tenant, job, window).await).await
    }

    async fn running_jobs(&self, tenant: TenantId, jobs: &[JobId]) -> Result<Vec<JobId>, StoreError> {
        self.read(async |conn| figures::running_jobs(conn, tenant, jobs).await).await
    }

    async fn job_statistics(
        &self,
        tenant: TenantId,
        job: JobId,
    ) -> Result<(JobCounters, DurationHistogram), StoreError> {
        self.read(async |conn| figures::job_statistics(conn, tenant, job).await).await
    }
}

type FullRow = (ExecutionRow, String, Option<LiveRow>, DetailRow);

/// The rows of executions, and their events in the order of recording.
async fn full(conn: &mut Conn, tenant: TenantId, ids: &[ExecutionId]) -> Answer<(Vec<FullRow>, Vec<EventRow>)> {
    let keys = || ids.iter().map(|id| key(*id));
    let found: Vec<FullRow> = on!(conn, c => {
        with_job_and_queue!()
            .filter(executions::tenant_id.eq(key(tenant)))
            .filter(executions::id.eq_any(keys()))
            .select((
                ExecutionRow::as_select(),
                jobs::name,
                Option::<LiveRow>::as_select(),
                DetailRow::as_select(),
            ))
            .load(c)
            .await
    })
    .about("executions")?;
    if found.is_empty() {
        return Ok((found, Vec::new()));
    }
    let most = i64::try_from(MAX_EVENTS.saturating_mul(ids.len())).unwrap_or(i64::MAX);
    let events: Vec<EventRow> = on!(conn, c => {
        execution_events::table
            .filter(execution_events::execution_id.eq_any(keys()))
            .filter(execution_events::tenant_id.eq(key(tenant)))
            .order(execution_events::seq.asc())
            .limit(most)
            .select(EventRow::as_select())
            .load(c)
            .await
    })
    .about("execution_events")?;
    Ok((found, events))
}

/// What rows tell, newest first, but for those that are no longer in the state that was asked for.
fn summaries(rows: Vec<SummaryRow>, state: Option<ExecutionState>) -> Result<Vec<ExecutionSummary>, StoreError> {
    let mut items: Vec<ExecutionSummary> = rows.into_iter().map(row::summary).collect::<Result<_, _>>()?;
    items.sort_unstable_by_key(|item| Reverse(item.id));
    items.retain(|item| state.is_none_or(|state| item.lifecycle.state == state));
    Ok(items)
}

/// Keeps the closures' error type in one place.
pub(crate) type Answer<T> = Result<T, Fault>;
