//! The dialect's words for where a job stands.

use horarium_domain::execution::{ExecutionState, ExecutionSummary};
use horarium_domain::store::{ExecutionEnd, ExecutionFilter, StateCounts};
use serde::Serialize;
use utoipa::ToSchema;

/// Where a job stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum AgentJobStatus {
    /// It waits.
    Submitted,
    /// Agents work on it.
    Processing,
    /// Every host completed it.
    Completed,
    /// No host completed it, or it was cancelled.
    Failed,
    /// Some hosts completed it and others did not.
    PartialFailure,
}

/// The statuses by name.
pub(super) const STATUSES: &[(&str, AgentJobStatus)] = &[
    ("submitted", AgentJobStatus::Submitted),
    ("processing", AgentJobStatus::Processing),
    ("completed", AgentJobStatus::Completed),
    ("failed", AgentJobStatus::Failed),
    ("partial_failure", AgentJobStatus::PartialFailure),
];

impl AgentJobStatus {
    /// Of an execution.
    pub(super) const fn of(summary: &ExecutionSummary) -> Self {
        match summary.lifecycle.state {
            ExecutionState::Pending => Self::Submitted,
            ExecutionState::Running => Self::Processing,
            ExecutionState::Succeeded => Self::Completed,
            ExecutionState::Failed if summary.partial => Self::PartialFailure,
            // A cancelled job's error says "cancelled".
            ExecutionState::Failed | ExecutionState::Cancelled => Self::Failed,
        }
    }

    /// The executions of this status.
    pub(super) fn filter(self) -> ExecutionFilter {
        let (state, ends) = match self {
            Self::Submitted => (Some(ExecutionState::Pending), vec![]),
            Self::Processing => (Some(ExecutionState::Running), vec![]),
            Self::Completed => (None, vec![ExecutionEnd::Succeeded]),
            Self::Failed => (None, vec![ExecutionEnd::Failed, ExecutionEnd::Cancelled]),
            Self::PartialFailure => (None, vec![ExecutionEnd::PartlyFailed]),
        };
        ExecutionFilter { state, ends, ..ExecutionFilter::default() }
    }
}

/// How many jobs there are of each status, whatever is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct StatusCounts {
    submitted: u64,
    processing: u64,
    completed: u64,
    failed: u64,
    partial_failure: u64,
}

impl From<StateCounts> for StatusCounts {
    fn from(counts: StateCounts) -> Self {
        let StateCounts { pending, running, succeeded, failed, partly_failed, cancelled } = counts;
        Self {
            submitted: pending,
            processing: running,
            completed: succeeded,
            failed: failed + cancelled,
            partial_failure: partly_failed,
        }
    }
}

impl StatusCounts {
    /// All jobs.
    pub(super) const fn total(self) -> u64 {
        self.submitted + self.processing + self.completed + self.failed + self.partial_failure
    }
}
