//! Turning due slots into executions, exactly once over any number of nodes.

use async_trait::async_trait;

use super::{SkippedSlots, StoreError};
use crate::execution::NewExecution;
use crate::job::{ConcurrencyPolicy, Job};
use crate::{ExecutionId, JobId, TenantId, Timestamp};

/// A job whose next slot has come.
#[derive(Debug, Clone, PartialEq)]
pub struct DueSlot {
    /// The job.
    pub job: Job,
    /// Its next slot.
    pub slot: Timestamp,
}

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
    /// Jobs of active tenants whose next slot is at or before `now`, soonest first.
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueSlot>, StoreError>;

    /// When the soonest next slot of any job of an active tenant is.
    async fn next_slot_at(&self) -> Result<Option<Timestamp>, StoreError>;

    /// Advances each job from its slot to the next one and accepts its executions, all or nothing per firing;
    /// the answers are in the order of the batch. An execution that a full queue refuses is recorded as a skipped slot.
    async fn fire(&self, batch: Vec<Firing>) -> Result<Vec<FireOutcome>, StoreError>;
}
