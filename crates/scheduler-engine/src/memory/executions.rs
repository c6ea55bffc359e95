//! Executions as readers see them, and their figures.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use horarium_domain::execution::{Event, Execution, ExecutionState, ExecutionSummary};
use horarium_domain::id::first_uuid_at;
use horarium_domain::job::{JobStatus, QueueName};
use horarium_domain::page::{Page, PageRequest};
use horarium_domain::stats::{
    DashboardStats, DurationBucket, DurationHistogram, JobCounters, ROLLUP_WIDTHS, RollupBucket, UpcomingRun,
};
use horarium_domain::store::{
    Counted, CursorPage, ExecutionEnd, ExecutionFilter, ExecutionStore, Recent, RollupWindow, SkippedSlots,
    StateCounts, StoreError, TimelineData,
};
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};

use super::MemoryStore;
use super::jobs::page_of;
use super::record::{ExecutionRecord, Stage};
use super::state::State;

const DAY: Duration = Duration::from_hours(24);
const HOUR: Duration = Duration::from_hours(1);
/// How many slots to come the dashboard names.
const NEXT_RUNS: usize = 10;

#[async_trait]
impl ExecutionStore for MemoryStore {
    async fn execution(&self, tenant: TenantId, id: ExecutionId) -> Result<Execution, StoreError> {
        let state = self.state();
        let record = state.execution(tenant, id)?;
        Ok(record.detail(state.job_name(record.accepted.job_id)))
    }

    async fn executions_in_full(&self, tenant: TenantId, ids: &[ExecutionId]) -> Result<Vec<Execution>, StoreError> {
        let state = self.state();
        let found = ids.iter().filter_map(|id| state.execution(tenant, *id).ok());
        Ok(found.map(|record| record.detail(state.job_name(record.accepted.job_id))).collect())
    }

    async fn executions(
        &self,
        tenant: TenantId,
        filter: &ExecutionFilter,
        page: PageRequest,
    ) -> Result<Page<ExecutionSummary>, StoreError> {
        let state = self.state();
        let found: Vec<_> = state.newest_first(tenant, filter).collect();
        let items = page_of(&found, page).map(|record| state.summary_of(record)).collect();
        let (total, most) = (found.len() as u64, ExecutionFilter::MAX_COUNTED);
        let is_capped = filter.is_by_start() && total > most;
        Ok(Page { items, total: if is_capped { most } else { total }, is_capped })
    }

    async fn count_executions(
        &self,
        tenant: TenantId,
        filter: &ExecutionFilter,
        most: u64,
    ) -> Result<Counted, StoreError> {
        let state = self.state_for("count_executions")?;
        let has_counter = |record: &&ExecutionRecord| record.state().is_terminal() && !filter.is_by_start();
        let (over, rest): (Vec<_>, Vec<_>) = state.newest_first(tenant, filter).partition(has_counter);
        let rest = Counted::up_to(most, rest.len() as u64);
        Ok(Counted { count: rest.count + over.len() as u64, is_capped: rest.is_capped })
    }

    async fn executions_before(
        &self,
        tenant: TenantId,
        filter: &ExecutionFilter,
        before: Option<ExecutionId>,
        limit: usize,
    ) -> Result<CursorPage<ExecutionSummary>, StoreError> {
        let state = self.state_for("executions_before")?;
        let older = |record: &&ExecutionRecord| before.is_none_or(|before| record.accepted.id < before);
        let mut found = state.newest_first(tenant, filter).filter(older);
        let items: Vec<_> = found.by_ref().take(limit).map(|record| state.summary_of(record)).collect();
        let next = found.next().and_then(|_| items.last()).map(|last| last.id);
        Ok(CursorPage { items, next })
    }

    async fn recent_executions(
        &self,
        tenant: TenantId,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<(ExecutionId, Recent)>, StoreError> {
        let first = first_uuid_at(since);
        let state = self.state();
        let all = ExecutionFilter::default();
        let recent = state.newest_first(tenant, &all).filter(|record| {
            let is_new = record.accepted.id.as_uuid() >= first;
            let changed = record.changed_at().is_some_and(|at| at >= since);
            (is_new || changed) && record.accepted.queue != QueueName::SYSTEM
        });
        let told = recent.map(|record| {
            let standing = match &record.stage {
                Stage::Waiting { .. } => Recent::Waiting,
                Stage::Running(_) => Recent::Running,
                Stage::Over(_) => Recent::Over,
            };
            (record.accepted.id, standing)
        });
        Ok(told.take(limit).collect())
    }

    async fn record_event(&self, tenant: TenantId, event: Event) -> Result<(), StoreError> {
        let mut state = self.state();
        let id = state.execution(tenant, event.execution_id)?.accepted.id;
        state.change(id, |record| record.events.push(event));
        Ok(())
    }

    async fn skipped_slots(&self, tenant: TenantId, job: JobId, limit: usize) -> Result<Vec<SkippedSlots>, StoreError> {
        let state = self.state_for("skipped_slots")?;
        let skipped = state.job(tenant, job).map_or(&[][..], |record| &record.skipped);
        Ok(skipped.iter().rev().take(limit).cloned().collect())
    }

    async fn state_counts(&self, tenant: TenantId) -> Result<StateCounts, StoreError> {
        let state = self.state();
        let mut counts = StateCounts::default();
        for record in state.executions.values().filter(|record| record.accepted.tenant_id == tenant) {
            let count = match (record.ended_as(), record.state()) {
                (None, ExecutionState::Running) => &mut counts.running,
                (None, _) => &mut counts.pending,
                (Some(ExecutionEnd::Succeeded), _) => &mut counts.succeeded,
                (Some(ExecutionEnd::Failed), _) => &mut counts.failed,
                (Some(ExecutionEnd::PartlyFailed), _) => &mut counts.partly_failed,
                (Some(ExecutionEnd::Cancelled), _) => &mut counts.cancelled,
            };
            *count += 1;
        }
        Ok(counts)
    }

    async fn dashboard(&self, tenant: TenantId, now: Timestamp) -> Result<DashboardStats, StoreError> {
        let state = self.state_for("dashboard")?;
        let [width, _] = ROLLUP_WIDTHS;
        let of_day = state.rollup_sum(tenant, width, (now - DAY).floor_to(width));
        let today = state.rollup_sum(tenant, width, now.floor_to(DAY));
        let jobs = |status| state.live_jobs(tenant).filter(|record| record.job.status() == status).count() as u64;
        let live = |count: fn(&super::lanes::Lane) -> usize| {
            state.lanes.of(tenant).map(|(_, lane)| count(lane)).sum::<usize>() as u64
        };
        let mut slots: Vec<_> = state
            .live_jobs(tenant)
            .filter_map(|record| record.next_run_at.map(|slot| (slot, record.job.id, &record.job.spec.name)))
            .collect();
        slots.sort_unstable();
        let within_the_hour = |run_at: &Timestamp| *run_at <= now + HOUR;
        let starting = state.executions.values().filter(|record| record.accepted.tenant_id == tenant);
        let starting =
            starting.filter(|record| matches!(&record.stage, Stage::Waiting { run_at, .. } if within_the_hour(run_at)));
        Ok(DashboardStats {
            total_jobs: state.live_jobs(tenant).count() as u64,
            enabled_jobs: jobs(JobStatus::Active),
            paused_jobs: jobs(JobStatus::Paused),
            succeeded: of_day.succeeded,
            failed: of_day.failed,
            executions_today: today.succeeded + today.failed + today.cancelled,
            duration_ms: of_day.duration_ms,
            running: live(|lane| lane.running.len()),
            pending: live(super::lanes::Lane::pending),
            upcoming: (slots.iter().filter(|(slot, ..)| within_the_hour(slot)).count() + starting.count()) as u64,
            next_runs: slots
                .into_iter()
                .take(NEXT_RUNS)
                .map(|(next_run, job_id, name)| UpcomingRun { job_id, job_name: name.clone(), next_run })
                .collect(),
        })
    }

    async fn timeline(
        &self,
        tenant: TenantId,
        job: Option<JobId>,
        window: RollupWindow,
    ) -> Result<TimelineData, StoreError> {
        let state = self.state_for("timeline")?;
        let buckets = state.rollups.iter().filter(|(key, _)| {
            key.tenant == tenant
                && key.job == job
                && key.width == window.width
                && (window.from..window.to).contains(&key.start)
        });
        let buckets = buckets.map(|(key, bucket)| (key.start, *bucket)).collect();
        let mut running_since = BTreeMap::<Timestamp, i64>::new();
        for (key, lane) in state.lanes.of(tenant) {
            if job.is_none_or(|job| job == key.job) {
                let running = lane.running.iter().filter_map(|id| state.executions.get(id)?.started_at());
                running.for_each(|at| *running_since.entry(at.floor_to(window.width)).or_default() += 1);
            }
        }
        Ok(TimelineData { buckets, running_since: running_since.into_iter().collect() })
    }

    async fn running_jobs(&self, tenant: TenantId, jobs: &[JobId]) -> Result<Vec<JobId>, StoreError> {
        let state = self.state();
        let runs = |job: &&JobId| state.lanes.of_job(tenant, **job).any(|lane| !lane.running.is_empty());
        Ok(jobs.iter().filter(runs).copied().collect())
    }

    async fn job_statistics(
        &self,
        tenant: TenantId,
        job: JobId,
    ) -> Result<(JobCounters, DurationHistogram), StoreError> {
        let state = self.state_for("job_statistics")?;
        state.job(tenant, job)?;
        let (mut counters, mut durations) = (JobCounters::default(), DurationHistogram::default());
        for record in state.executions.values().filter(|record| record.accepted.job_id == job) {
            match record.state() {
                ExecutionState::Pending => counters.pending += 1,
                ExecutionState::Running => counters.running += 1,
                ExecutionState::Succeeded => counters.succeeded += 1,
                ExecutionState::Failed => counters.failed += 1,
                ExecutionState::Cancelled => counters.cancelled += 1,
            }
            if let Stage::Over(end) = &record.stage
                && end.state != ExecutionState::Cancelled
                && let Some(ms) = end.duration_ms()
            {
                counters.duration_ms += ms;
                durations.add(DurationBucket::of_ms(ms), 1);
            }
        }
        Ok((counters, durations))
    }
}

impl State {
    /// A tenant's executions that a filter shows.
    fn newest_first(&self, tenant: TenantId, filter: &ExecutionFilter) -> impl Iterator<Item = &ExecutionRecord> {
        let ExecutionFilter { job_id, state, started_from, started_to, ends } = filter.clone();
        self.executions.values().rev().filter(move |record| {
            record.accepted.tenant_id == tenant
                && job_id.is_none_or(|job| record.accepted.job_id == job)
                && state.is_none_or(|state| record.state() == state)
                && (ends.is_empty() || record.ended_as().is_some_and(|end| ends.contains(&end)))
                && started_from.is_none_or(|from| record.started_at().is_some_and(|at| at >= from))
                && started_to.is_none_or(|to| record.started_at().is_some_and(|at| at <= to))
        })
    }

    pub(super) fn summary_of(&self, record: &ExecutionRecord) -> ExecutionSummary {
        record.summary(self.job_name(record.accepted.job_id))
    }

    /// All of a tenant's rollup from `from` on.
    fn rollup_sum(&self, tenant: TenantId, width: Duration, from: Timestamp) -> RollupBucket {
        let buckets = self
            .rollups
            .iter()
            .filter(|(key, _)| key.tenant == tenant && key.job.is_none() && key.width == width && key.start >= from);
        buckets.fold(RollupBucket::default(), |sum, (_, bucket)| RollupBucket {
            succeeded: sum.succeeded + bucket.succeeded,
            failed: sum.failed + bucket.failed,
            cancelled: sum.cancelled + bucket.cancelled,
            started: sum.started + bucket.started,
            stopped: sum.stopped + bucket.stopped,
            duration_ms: sum.duration_ms + bucket.duration_ms,
        })
    }
}
