//! Turning due slots into executions, exactly once over any number of nodes.

use std::sync::Arc;

use async_trait::async_trait;

use super::{SkippedSlots, StoreError};
use crate::execution::NewExecution;
use crate::job::{ConcurrencyPolicy, QueueName};
use crate::schedule::{MisfirePolicy, Schedule};
use crate::{ExecutionId, JobId, TenantId, Timestamp};

/// A job's next slot, which has come, with as much of the job's definition as a decision about it takes.
#[derive(Debug, Clone, PartialEq)]
pub struct DueSlot {
    /// Whose job.
    pub tenant_id: TenantId,
    /// Which job.
    pub job_id: JobId,
    /// Its next slot.
    pub slot: Timestamp,
    /// What makes its slots. Jobs that have the same one may share it.
    pub schedule: Arc<Schedule>,
    /// What becomes of missed slots.
    pub misfire_policy: MisfirePolicy,
    /// What becomes of a slot while an earlier execution lives.
    pub concurrency: ConcurrencyPolicy,
    /// The queue of its executions.
    pub queue: QueueName,
    /// Their priority.
    pub priority: i16,
}

/// Decides about a slot that is due; it does so by what it is given alone, and may be asked twice about the same slot.
pub type Decide = Arc<dyn Fn(DueSlot) -> Firing + Send + Sync>;

/// What the planner decided about a due job.
#[derive(Debug, Clone, PartialEq)]
pub struct Firing {
    /// Whose job.
    pub tenant_id: TenantId,
    /// Which job.
    pub job_id: JobId,
    /// The next slot that the decision was made on; if it is no longer the stored one, nothing is written.
    pub slot: Timestamp,
    /// The slot after it; `None` when the schedule has ended.
    pub next: Option<Timestamp>,
    /// The executions to accept.
    pub executions: Vec<NewExecution>,
    /// The slots that fire nothing, with the reason.
    pub skipped: Vec<SkippedSlots>,
    /// Forbid: accept nothing while an execution of the job is live, and record the slots as skipped instead; so of
    /// several executions the first is accepted. Replace: if there is any execution to accept, cancel the live ones
    /// first, in the name of "schedule".
    pub concurrency: ConcurrencyPolicy,
    /// The present.
    pub now: Timestamp,
}

/// What became of a [`Firing`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FireOutcome {
    /// Written.
    Fired {
        /// How many executions were accepted: fewer than asked if Forbid or a full queue held them back.
        accepted: usize,
        /// The running executions that Replace cancelled; their workers are to be told.
        cancelled: Vec<ExecutionId>,
    },
    /// Another node fired the slot, or the job changed: nothing was written.
    Superseded,
}

/// The schedules of all tenants.
#[async_trait]
pub trait PlanningStore: Send + Sync {
    /// Jobs of active tenants whose next slot is at or before `now`, soonest first; those of one instant in any order.
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueSlot>, StoreError>;

    /// Fires what is due: [`due`](Self::due), the decisions and [`fire`](Self::fire) as one. Answers what was decided
    /// and what became of it.
    ///
    /// Any number of callers share the work: one passes over slots that another is firing at this moment, so that fewer
    /// than `limit` answers do not say that nothing else is due.
    async fn fire_due(
        &self,
        now: Timestamp,
        limit: usize,
        decide: Decide,
    ) -> Result<Vec<(Firing, FireOutcome)>, StoreError>;

    /// When the soonest next slot of any job of an active tenant is.
    async fn next_slot_at(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Advances each job from its slot to the next one and accepts its executions, all or nothing per firing;
    /// the answers are in the order of the batch. An execution that a full queue refuses is recorded as a skipped slot.
    async fn fire(&self, batch: Vec<Firing>) -> Result<Vec<FireOutcome>, StoreError>;
}
