//! One run of a job, and the state machine that says how it may change.

mod capture;
mod event;
mod history;
mod lifecycle;
mod record;

pub use capture::{Capture, DEFAULT_OUTPUT_LIMIT, output_of};
pub use event::{Event, EventKind};
pub use history::{Moment, MomentKind};
pub use lifecycle::{Command, Effect, ExecutionState, Failure, Lifecycle, Rejection, Transition, decide};
pub use record::{Attempt, AttemptOutcome, Execution, ExecutionSummary, NewExecution, Output, Trigger};
