//! Query parameters that several routes read.

use horarium_domain::Timestamp;
use horarium_domain::execution::ExecutionState;

use crate::http::QueryFields;

/// The states of an execution by their names in this dialect.
pub(crate) const STATUSES: &[(&str, ExecutionState)] = &[
    (ExecutionState::Pending.as_str(), ExecutionState::Pending),
    (ExecutionState::Running.as_str(), ExecutionState::Running),
    (ExecutionState::Succeeded.as_str(), ExecutionState::Succeeded),
    (ExecutionState::Failed.as_str(), ExecutionState::Failed),
    (ExecutionState::Cancelled.as_str(), ExecutionState::Cancelled),
];

/// `fromDate` and `toDate`, which bound `startedAt`, both included.
pub(crate) fn started_between(fields: &mut QueryFields<'_>) -> (Option<Timestamp>, Option<Timestamp>) {
    let (from, to) = (fields.instant("fromDate"), fields.instant("toDate"));
    if from.zip(to).is_some_and(|(from, to)| to < from) {
        fields.problem("toDate", "must not be before fromDate");
    }
    (from, to)
}
