//! The hot path: accepting, claiming, renewing and settling executions, in batches.

use async_trait::async_trait;
use serde_json::Value;

use super::{AcceptanceNote, StoreError};
use crate::execution::{Event, ExecutionState, Lifecycle, NewExecution, Output, Trigger};
use crate::{ExecutionId, JobId, NodeId, TenantId, Timestamp};

/// A worker's right to an execution. The fence grows with every claim, so a right that was lost is recognised and
/// what is done in its name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lease {
    /// To which execution.
    pub execution_id: ExecutionId,
    /// The fencing token.
    pub fence: i32,
}

/// What became of one [`NewExecution`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Enqueued {
    /// It is durable. Also the answer to the same id submitted again, whatever became of it since; it is not run twice.
    Accepted,
    /// A live execution of the job has the same unique key; this is it.
    Duplicate(ExecutionId),
    /// The queue holds as many waiting executions as it may; those of a later time count, those that run do not.
    QueueFull {
        /// How many that is.
        max_length: u32,
    },
    /// The tenant has no such job, or it is deleted.
    NoSuchJob,
}

/// A node asks for work.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// Which node.
    pub node: NodeId,
    /// Its name, as executions show it.
    pub worker: String,
    /// How many at most.
    pub limit: usize,
    /// The present; also the start of the attempts.
    pub now: Timestamp,
    /// Until when the leases hold unless renewed.
    pub lease_until: Timestamp,
}

/// A claimed execution, with all that running it needs beside its job's definition.
#[derive(Debug, Clone, PartialEq)]
pub struct Claimed {
    /// The right to it.
    pub lease: Lease,
    /// Whose.
    pub tenant_id: TenantId,
    /// Of which job.
    pub job_id: JobId,
    /// The version of that job's definition, for a cache of definitions.
    pub job_version: i64,
    /// State Running, with this attempt counted.
    pub lifecycle: Lifecycle,
    /// What it is to work on.
    pub payload: Option<Value>,
    /// Why it came into being.
    pub trigger: Trigger,
    /// When it was due.
    pub scheduled_for: Timestamp,
    /// When it was accepted.
    pub created_at: Timestamp,
    /// All tries, the first one included, where its submitter said other than the job's retry policy.
    pub max_attempts: Option<u16>,
    /// Whether it is counted under a limit: its end makes room for another.
    pub limited: bool,
}

/// What the state machine decided about a running execution.
#[derive(Debug, Clone, PartialEq)]
pub enum Decision {
    /// It is over.
    Finish {
        /// Succeeded or Failed. (Cancelling goes through [`ExecutionQueue::cancel`].)
        state: ExecutionState,
        /// What it gave back.
        output: Option<Output>,
        /// Why it failed.
        error: Option<String>,
        /// How many items its handler said it processed.
        items_processed: Option<i64>,
        /// Whether it is Failed although part of the work is done: some hosts of a broadcast succeeded.
        partial: bool,
    },
    /// It goes back to the queue.
    Requeue {
        /// When it may be claimed again.
        run_at: Timestamp,
    },
}

/// The end of one attempt, to be written.
#[derive(Debug, Clone, PartialEq)]
pub struct Settlement {
    /// In whose right; a stale one changes nothing.
    pub lease: Lease,
    /// Whose execution.
    pub tenant_id: TenantId,
    /// Of which job.
    pub job_id: JobId,
    /// The lifecycle afterwards.
    pub next: Lifecycle,
    /// Who ran the attempt.
    pub worker: String,
    /// When the attempt started.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// What becomes of the execution.
    pub decision: Decision,
    /// What to record beside it.
    pub event: Option<Event>,
    /// Apply only if the lease had run out by this instant: the reaper must not take what was renewed meanwhile.
    pub only_if_expired_at: Option<Timestamp>,
}

/// Whether a [`Settlement`] was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// It is durable.
    Applied,
    /// The lease was no longer held: nothing was written.
    Stale,
}

/// A running execution whose worker stopped renewing its lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExpiredLease {
    /// The right that ran out.
    pub lease: Lease,
    /// Whose.
    pub tenant_id: TenantId,
    /// Of which job.
    pub job_id: JobId,
    /// State Running.
    pub lifecycle: Lifecycle,
    /// Who had it.
    pub worker: String,
    /// When the attempt started.
    pub started_at: Timestamp,
}

/// What a promotion did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Promoted {
    /// How many became claimable.
    pub count: usize,
    /// When the next one will be due, if any waits for its time; in the past when the limit left some over.
    pub next_at: Option<Timestamp>,
}

/// What a cancellation met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CancelOutcome {
    /// It waited; it will not start.
    WasPending,
    /// It ran; its worker is to be told, and what it still reports is refused.
    WasRunning,
    /// It was over already.
    AlreadyTerminal(ExecutionState),
}

/// The queue that executions wait in, over all tenants.
#[async_trait]
pub trait ExecutionQueue: Send + Sync {
    /// Accepts executions; the answers are in the order of the batch. Those whose `run_at` has not come wait for
    /// [`promote`](Self::promote). A duplicate within the batch is a duplicate of the first. What room a queue has goes to
    /// the first of the batch, one by one.
    async fn enqueue(&self, batch: Vec<NewExecution>) -> Result<Vec<Enqueued>, StoreError> {
        self.enqueue_noted(batch, Vec::new()).await
    }

    /// Accepts executions as [`enqueue`](Self::enqueue) does, and adds to the audit log what is to be noted of them in
    /// the same transaction: nothing is accepted without its entry, and no entry tells of what was not accepted. An entry
    /// that is there already, by its id, stays as it is.
    async fn enqueue_noted(
        &self,
        batch: Vec<NewExecution>,
        notes: Vec<AcceptanceNote>,
    ) -> Result<Vec<Enqueued>, StoreError>;

    /// [`enqueue_noted`](Self::enqueue_noted), and [`Signal::Work`] as soon as it is committed: other nodes hear of it sooner than by
    /// a [`publish`](Self::publish) of its own. That is a hint as well; the answers do not say whether it got through.
    async fn enqueue_and_tell(
        &self,
        batch: Vec<NewExecution>,
        notes: Vec<AcceptanceNote>,
    ) -> Result<Vec<Enqueued>, StoreError>;

    /// Leases up to `limit` due executions to a worker, highest priority first within a tenant, and fairly across
    /// tenants: each with due work gets a share of the batch by its weight, and what one leaves the others take. Limits
    /// of tenants (concurrency, rate), of queues (concurrency, rate, pause), of concurrency keys (concurrency, rate)
    /// and of jobs (`max_concurrency`, Forbid, Replace) are kept across all nodes, counting what is really running;
    /// what they hold back holds back nothing else, and what is under a limit is not starved by what is not. Queues of
    /// a tenant that have a weight of their own take turns by it with each other and with all the rest, and priority
    /// counts within each. Weights hold over a few claims, however small those are. A rate limit is a token bucket that
    /// holds one second's worth. Within a tenant the answers are in the order of priority, then of age. What was
    /// accepted runs, even if its tenant is no longer active or its job is deleted.
    async fn claim(&self, request: &ClaimRequest) -> Result<Vec<Claimed>, StoreError>;

    /// Writes the ends of attempts, with counters and rollups; the answers are in the order of the batch, and failures
    /// in a row are counted in that order. An attempt that ended before it started, by two clocks, took no time. A job's
    /// latest run is the one that ended last, in whatever order ends are written.
    async fn settle(&self, batch: Vec<Settlement>) -> Result<Vec<Settled>, StoreError>;

    /// Extends leases, and answers which of them are still held. The rest were cancelled or taken over.
    async fn renew(&self, leases: &[Lease], lease_until: Timestamp) -> Result<Vec<Lease>, StoreError>;

    /// Running executions whose lease ran out before `now`, longest ago first.
    async fn expired(&self, now: Timestamp, limit: usize) -> Result<Vec<ExpiredLease>, StoreError>;

    /// Makes up to `limit` waiting executions claimable whose time has come, the longest due first.
    async fn promote(&self, now: Timestamp, limit: usize) -> Result<Promoted, StoreError>;

    /// Cancels a tenant's execution, recording who did it as the source of an event
    /// [`Cancelled`](crate::execution::EventKind::Cancelled): with the running attempt's number and start, or with
    /// number 0 when none ran.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] when the tenant has no such execution.
    async fn cancel(
        &self,
        tenant: TenantId,
        id: ExecutionId,
        by: &str,
        now: Timestamp,
    ) -> Result<CancelOutcome, StoreError>;

    /// Records how far running executions are, in percent, the last word of the batch on each; stale leases are ignored.
    async fn note_progress(&self, batch: &[(Lease, u8)]) -> Result<(), StoreError>;

    /// Tells other nodes on the same database that work has come, and which running executions were cancelled.
    /// A hint: polling finds the same a little later. Not part of any transaction.
    async fn publish(&self, signal: Signal) -> Result<(), StoreError>;

    /// Waits for a hint from another node. A store whose nodes cannot tell each other never answers.
    async fn next_signal(&self) -> Result<Signal, StoreError>;
}

/// A hint from one node to the others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signal {
    /// There is work to claim.
    Work,
    /// Jobs changed: cached plans and limits are stale.
    Schedules,
    /// These running executions are to stop.
    Cancelled(Vec<ExecutionId>),
    /// Text that the engine relays among its own nodes (live events); at most 7,000 bytes.
    Relay(String),
}
