//! From stored values to the domain's, strictly: what cannot be is an error that names the row.

use std::fmt::Display;

use horarium_domain::execution::ExecutionState;
use horarium_domain::store::StoreError;

/// The row that is being decoded.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    table: &'static str,
    key: String,
}

impl Row {
    /// The row of `table` whose key is `key`.
    pub(crate) fn new(table: &'static str, key: impl Display) -> Self {
        Self { table, key: key.to_string() }
    }

    /// The row makes no sense, because of `detail`.
    pub(crate) fn inconsistent(&self, detail: impl Display) -> StoreError {
        StoreError::Inconsistent { table: self.table, key: self.key.clone(), detail: detail.to_string() }
    }

    /// The value of a column, which fits the domain's type or is wrong.
    pub(crate) fn value<T, E: Display>(&self, column: &str, value: Result<T, E>) -> Result<T, StoreError> {
        value.map_err(|error| self.inconsistent(format_args!("{column}: {error}")))
    }

    /// The one of `all` whose name is stored.
    pub(crate) fn named<T: Copy>(
        &self,
        column: &str,
        stored: &str,
        all: &[T],
        name: fn(T) -> &'static str,
    ) -> Result<T, StoreError> {
        all.iter()
            .copied()
            .find(|one| name(*one) == stored)
            .ok_or_else(|| self.inconsistent(format_args!("{column}: '{stored}' is none of the known values")))
    }

    /// The terminal state of a code.
    pub(crate) fn terminal_state(&self, column: &str, code: i16) -> Result<ExecutionState, StoreError> {
        TERMINAL_STATES
            .iter()
            .find(|(known, _)| *known == code)
            .map(|(_, state)| *state)
            .ok_or_else(|| self.inconsistent(format_args!("{column}: {code} is no terminal state")))
    }
}

/// How the ends of executions are stored.
const TERMINAL_STATES: [(i16, ExecutionState); 3] =
    [(2, ExecutionState::Succeeded), (3, ExecutionState::Failed), (4, ExecutionState::Cancelled)];

/// The code of a terminal state; `None` for the others, which the queue tells.
pub(crate) fn terminal_code(state: ExecutionState) -> Option<i16> {
    TERMINAL_STATES.iter().find(|(_, known)| *known == state).map(|(code, _)| *code)
}
