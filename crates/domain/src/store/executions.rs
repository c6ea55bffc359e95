//! Reading executions and their figures.

use async_trait::async_trait;

use super::StoreError;
use crate::execution::{Event, Execution, ExecutionState, ExecutionSummary};
use crate::page::{Page, PageRequest};
use crate::stats::{DashboardStats, DurationHistogram, JobCounters, RollupBucket};
use crate::{ExecutionId, JobId, TenantId, Timestamp};

/// Which executions a list shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ExecutionFilter {
    /// Only of this job.
    pub job_id: Option<JobId>,
    /// Only in this state.
    pub state: Option<ExecutionState>,
    /// Only those whose latest attempt started at or after this. One that waits, for its first attempt or for another
    /// one, has not started.
    pub started_from: Option<Timestamp>,
    /// Only those whose latest attempt started at or before this, in the same sense.
    pub started_to: Option<Timestamp>,
    /// Only those that are over, and ended in one of these ways; any, over or not, when none is named.
    pub ends: Vec<ExecutionEnd>,
}

impl ExecutionFilter {
    /// The most that are counted of those that started in a span; all else has counters.
    pub const MAX_COUNTED: u64 = 1000;

    /// The most that a list's head counts of those that wait or run.
    pub const MAX_LIVE_COUNTED: u64 = 10_000;

    /// Whether a span is given in which they started.
    pub const fn is_by_start(&self) -> bool {
        self.started_from.is_some() || self.started_to.is_some()
    }

    /// Whether it shows executions alone that wait or run.
    pub fn is_live(&self) -> bool {
        self.ends.is_empty() && self.state.is_some_and(|state| !state.is_terminal())
    }

    /// Whether it shows executions that ended so.
    pub fn shows_end(&self, end: ExecutionEnd) -> bool {
        (self.ends.is_empty() || self.ends.contains(&end)) && self.state.is_none_or(|state| state == end.state())
    }
}

/// How an execution ended, told more finely than by its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ExecutionEnd {
    /// Well.
    Succeeded,
    /// Not well.
    Failed,
    /// Not well, though some hosts of a broadcast succeeded.
    PartlyFailed,
    /// Somebody stopped it.
    Cancelled,
}

impl ExecutionEnd {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Succeeded, Self::Failed, Self::PartlyFailed, Self::Cancelled];

    /// The state of executions that ended so.
    pub const fn state(self) -> ExecutionState {
        match self {
            Self::Succeeded => ExecutionState::Succeeded,
            Self::Failed | Self::PartlyFailed => ExecutionState::Failed,
            Self::Cancelled => ExecutionState::Cancelled,
        }
    }
}

/// How many of a tenant's executions that are kept stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StateCounts {
    /// They wait.
    pub pending: u64,
    /// They run.
    pub running: u64,
    /// They ended well.
    pub succeeded: u64,
    /// They failed, and no host of a broadcast succeeded.
    pub failed: u64,
    /// They failed, though some hosts of a broadcast succeeded.
    pub partly_failed: u64,
    /// They were cancelled.
    pub cancelled: u64,
}

/// How many executions a filter shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counted {
    /// So many, or as many of them as were counted.
    pub count: u64,
    /// Whether there are more than were counted.
    pub is_capped: bool,
}

impl Counted {
    /// Of so many, `most` are counted.
    pub fn up_to(most: u64, count: u64) -> Self {
        Self { count: count.min(most), is_capped: count > most }
    }
}

/// One page of a list that is walked with a cursor.
#[derive(Debug, Clone, PartialEq)]
pub struct CursorPage<T> {
    /// This page's items.
    pub items: Vec<T>,
    /// Where the next page begins; `None` when nothing follows this page.
    pub next: Option<ExecutionId>,
}

/// Slots in a row that fired nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SkippedSlots {
    /// The first of them.
    pub first: Timestamp,
    /// The last of them.
    pub last: Timestamp,
    /// How many.
    pub count: u64,
    /// Why, for people.
    pub reason: String,
    /// When that was decided.
    pub recorded_at: Timestamp,
}

/// A span of rollup buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RollupWindow {
    /// The width of the stored buckets: one of [`ROLLUP_WIDTHS`](crate::stats::ROLLUP_WIDTHS).
    pub width: std::time::Duration,
    /// The first bucket's start.
    pub from: Timestamp,
    /// The end of the last bucket, exclusive.
    pub to: Timestamp,
}

/// What a timeline is drawn from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TimelineData {
    /// The buckets that hold something, by their start, oldest first.
    pub buckets: Vec<(Timestamp, RollupBucket)>,
    /// When the attempts started that are running now, as (instant, how many), grouped by the window's width.
    pub running_since: Vec<(Timestamp, i64)>,
}

/// How far an execution is, as [`ExecutionStore::recent_executions`] tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Recent {
    /// It waits.
    Waiting,
    /// It runs.
    Running,
    /// It is over, one way or another.
    Over,
}

/// Executions as readers see them. All reads tell of committed work only.
#[async_trait]
pub trait ExecutionStore: Send + Sync {
    /// One execution in full.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn execution(&self, tenant: TenantId, id: ExecutionId) -> Result<Execution, StoreError>;

    /// Executions in full, in the order of `ids`, without those that there are not.
    async fn executions_in_full(&self, tenant: TenantId, ids: &[ExecutionId]) -> Result<Vec<Execution>, StoreError>;

    /// One numbered page, newest first. Of those that started in a span, [`ExecutionFilter::MAX_COUNTED`] are counted.
    async fn executions(
        &self,
        tenant: TenantId,
        filter: &ExecutionFilter,
        page: PageRequest,
    ) -> Result<Page<ExecutionSummary>, StoreError>;

    /// How many executions a filter shows: those that are over as the counters tell, and up to `most` of those that wait or
    /// run. Of those that started in a span, up to `most` are counted.
    async fn count_executions(
        &self,
        tenant: TenantId,
        filter: &ExecutionFilter,
        most: u64,
    ) -> Result<Counted, StoreError>;

    /// Up to `limit` executions older than `before`, newest first.
    async fn executions_before(
        &self,
        tenant: TenantId,
        filter: &ExecutionFilter,
        before: Option<ExecutionId>,
        limit: usize,
    ) -> Result<CursorPage<ExecutionSummary>, StoreError>;

    /// A tenant's executions that were made at or after `since` (as their ids tell, to the millisecond), or that
    /// changed since: an attempt started, was taken back for another one, or was the last. Newest first, up to `limit`,
    /// each with its state, where every end counts as [`Recent::Over`]. What waits in the queue
    /// [`QueueName::SYSTEM`](crate::job::QueueName::SYSTEM) is Horarium's own business and left out.
    async fn recent_executions(
        &self,
        tenant: TenantId,
        since: Timestamp,
        limit: usize,
    ) -> Result<Vec<(ExecutionId, Recent)>, StoreError>;

    /// Adds an event to a tenant's execution.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn record_event(&self, tenant: TenantId, event: Event) -> Result<(), StoreError>;

    /// The slots of a job that fired nothing, the last recorded first.
    async fn skipped_slots(&self, tenant: TenantId, job: JobId, limit: usize) -> Result<Vec<SkippedSlots>, StoreError>;

    /// How many of a tenant's executions stand where, from counters.
    async fn state_counts(&self, tenant: TenantId) -> Result<StateCounts, StoreError>;

    /// A tenant at a glance, at `now`.
    async fn dashboard(&self, tenant: TenantId, now: Timestamp) -> Result<DashboardStats, StoreError>;

    /// The rollup of a tenant, or of one of its jobs, over a window. Jobs have only the wider of the two.
    async fn timeline(
        &self,
        tenant: TenantId,
        job: Option<JobId>,
        window: RollupWindow,
    ) -> Result<TimelineData, StoreError>;

    /// Those of a tenant's jobs of which an execution is Running, in any order.
    async fn running_jobs(&self, tenant: TenantId, jobs: &[JobId]) -> Result<Vec<JobId>, StoreError>;

    /// A job's counters and the histogram of how long its runs took, over the whole history that is kept.
    ///
    /// # Errors
    /// [`StoreError::NotFound`].
    async fn job_statistics(
        &self,
        tenant: TenantId,
        job: JobId,
    ) -> Result<(JobCounters, DurationHistogram), StoreError>;
}
