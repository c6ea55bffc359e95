//! The state machine, as a pure function: [`decide`].
//!
//! Nothing else in Horarium decides what becomes of an execution. The engine asks here, then has the store write
//! the answer under a guard (state, fence), so that a decision made on stale knowledge changes nothing.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Timestamp;
use crate::execution::EventKind;
use crate::retry::RetryPolicy;

/// Where an execution stands. The last three are terminal: they never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ExecutionState {
    /// Waits for a worker, for its start time, or for its next attempt.
    Pending,
    /// A worker holds a lease on it.
    Running,
    /// Done, and well.
    Succeeded,
    /// Done, and not well: no attempt is left.
    Failed,
    /// Stopped by somebody before it was done.
    Cancelled,
}

impl ExecutionState {
    /// Every state, in the order of an execution's life.
    pub const ALL: [Self; 5] = [Self::Pending, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled];

    /// Whether the execution is over.
    pub const fn is_terminal(self) -> bool {
        match self {
            Self::Pending | Self::Running => false,
            Self::Succeeded | Self::Failed | Self::Cancelled => true,
        }
    }

    /// The state's name, as the scheduler dialect writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Running => "Running",
            Self::Succeeded => "Succeeded",
            Self::Failed => "Failed",
            Self::Cancelled => "Cancelled",
        }
    }
}

impl fmt::Display for ExecutionState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ExecutionState {
    type Err = ();

    /// Reads a state's name without regard to case.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|state| state.as_str().eq_ignore_ascii_case(text)).ok_or(())
    }
}

/// The part of an execution that the state machine reads and writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lifecycle {
    /// Where it stands.
    pub state: ExecutionState,
    /// Attempts started and not taken back; while Running, the number of the present one. Counted from 1.
    pub attempt: u16,
    /// How many of those ended because their worker was lost.
    pub lost: u16,
}

impl Lifecycle {
    /// A new execution: Pending, never tried.
    pub const NEW: Self = Self { state: ExecutionState::Pending, attempt: 0, lost: 0 };

    /// Attempts that count against the retry policy: those that were not lost with their worker.
    pub const fn counted_attempts(self) -> u16 {
        self.attempt.saturating_sub(self.lost)
    }
}

/// Why an attempt failed, as far as it matters to what follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// What happened, for people.
    pub error: String,
    /// The HTTP status that the target answered, if one did.
    pub http_status: Option<u16>,
    /// `false` when another attempt cannot help (a malformed configuration, a refused address).
    pub retryable: bool,
    /// Whether part of the work is done: some hosts of a broadcast succeeded.
    pub partial: bool,
}

impl Failure {
    /// A failure that another attempt may repair.
    pub fn retryable(error: impl Into<String>) -> Self {
        Self { error: error.into(), http_status: None, retryable: true, partial: false }
    }

    /// A failure that no further attempt can repair.
    pub fn permanent(error: impl Into<String>) -> Self {
        Self { error: error.into(), http_status: None, retryable: false, partial: false }
    }

    /// The same failure, of a work that is done in part.
    #[must_use]
    pub const fn in_part(mut self) -> Self {
        self.partial = true;
        self
    }

    /// The same failure, with the HTTP status that the target answered.
    #[must_use]
    pub fn with_http_status(mut self, status: u16) -> Self {
        self.http_status = Some(status);
        self
    }
}

/// What is asked of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// A worker takes it.
    Claim,
    /// The worker reports success.
    Succeed,
    /// The worker reports failure.
    Fail(Failure),
    /// Somebody stops it.
    Cancel,
    /// The attempt ran longer than the job allows.
    TimeOut,
    /// The worker stopped renewing its lease.
    LeaseExpired,
    /// Somebody wants a failed execution run again, as a new one.
    Retry,
    /// The attempt is taken back and does not count: the handler asked for a later time, or the worker shuts down.
    Snooze {
        /// When it may be claimed again.
        until: Timestamp,
    },
    /// The worker tells how far it is, 0..=100 percent.
    Progress(u8),
}

impl Command {
    /// The command's name, for messages and tables.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Claim => "Claim",
            Self::Succeed => "Succeed",
            Self::Fail(_) => "Fail",
            Self::Cancel => "Cancel",
            Self::TimeOut => "TimeOut",
            Self::LeaseExpired => "LeaseExpired",
            Self::Retry => "Retry",
            Self::Snooze { .. } => "Snooze",
            Self::Progress(_) => "Progress",
        }
    }
}

/// What must be written for a transition to have happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Effect {
    /// Lease it to the worker and count the attempt.
    Start,
    /// Take it off the queue and record its end.
    Finish,
    /// Put it back on the queue.
    Requeue {
        /// When it may be claimed again.
        run_at: Timestamp,
    },
    /// Record the progress; the state stays.
    NoteProgress(u8),
    /// Leave it as it is and enqueue a new execution whose retry parent it is.
    SpawnRetry,
}

/// A legal change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Transition {
    /// The execution afterwards.
    pub next: Lifecycle,
    /// What the store writes.
    pub effect: Effect,
    /// The event to record, where the change is out of the ordinary. The ordinary ones (submitted, started,
    /// completed) are columns of the execution and need no row of their own.
    pub event: Option<EventKind>,
}

/// The state machine refuses a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an execution that is {state} cannot take the command {command}")]
pub struct Rejection {
    /// Where the execution stands.
    pub state: ExecutionState,
    /// The command's name.
    pub command: &'static str,
}

/// Decides what a command makes of an execution, at `now`, under `policy`, with `unit` drawn from `[0, 1)` for the
/// backoff's jitter.
///
/// # Errors
/// [`Rejection`] for every command that the state does not allow; a terminal state allows none that changes it.
pub fn decide(
    current: Lifecycle,
    command: &Command,
    now: Timestamp,
    policy: &RetryPolicy,
    unit: f64,
) -> Result<Transition, Rejection> {
    use ExecutionState::{Cancelled, Failed, Pending, Running, Succeeded};

    let finish = |state, event| Transition { next: Lifecycle { state, ..current }, effect: Effect::Finish, event };
    match (current.state, command) {
        (Pending, Command::Claim) => Ok(Transition {
            next: Lifecycle { state: Running, attempt: current.attempt.saturating_add(1), ..current },
            effect: Effect::Start,
            event: None,
        }),
        (Pending | Running, Command::Cancel) => Ok(finish(Cancelled, Some(EventKind::Cancelled))),
        (Running, Command::Succeed) => Ok(finish(Succeeded, None)),
        (Running, Command::Fail(failure)) => {
            let again = failure.retryable && policy.retries_status(failure.http_status);
            Ok(after_failure(current, again, EventKind::AttemptFailed, now, policy, unit))
        }
        (Running, Command::TimeOut) => Ok(after_failure(current, true, EventKind::AttemptTimedOut, now, policy, unit)),
        (Running, Command::LeaseExpired) => {
            let lost = current.lost.saturating_add(1);
            let event = Some(EventKind::AttemptLost);
            Ok(if lost < RetryPolicy::MAX_LOST_ATTEMPTS {
                let next = Lifecycle { state: Pending, lost, ..current };
                Transition { next, effect: Effect::Requeue { run_at: now }, event }
            } else {
                Transition { next: Lifecycle { state: Failed, lost, ..current }, effect: Effect::Finish, event }
            })
        }
        (Running, Command::Snooze { until }) => Ok(Transition {
            next: Lifecycle { state: Pending, attempt: current.attempt.saturating_sub(1), ..current },
            effect: Effect::Requeue { run_at: (*until).max(now) },
            event: Some(EventKind::Snoozed),
        }),
        (Running, Command::Progress(percent)) => {
            Ok(Transition { next: current, effect: Effect::NoteProgress((*percent).min(100)), event: None })
        }
        (Failed, Command::Retry) => {
            Ok(Transition { next: current, effect: Effect::SpawnRetry, event: Some(EventKind::Retried) })
        }
        (
            Pending,
            Command::Succeed
            | Command::Fail(_)
            | Command::TimeOut
            | Command::LeaseExpired
            | Command::Retry
            | Command::Snooze { .. }
            | Command::Progress(_),
        )
        | (Running, Command::Claim | Command::Retry)
        | (Succeeded | Failed | Cancelled, _) => Err(Rejection { state: current.state, command: command.name() }),
    }
}

fn after_failure(
    current: Lifecycle,
    retryable: bool,
    event: EventKind,
    now: Timestamp,
    policy: &RetryPolicy,
    unit: f64,
) -> Transition {
    let counted = current.counted_attempts();
    if retryable && counted < policy.max_attempts {
        Transition {
            next: Lifecycle { state: ExecutionState::Pending, ..current },
            effect: Effect::Requeue { run_at: now + policy.delay_after(counted, unit) },
            event: Some(event),
        }
    } else {
        // The last attempt's failure is the execution's own; its columns tell it, as they do a success.
        Transition {
            next: Lifecycle { state: ExecutionState::Failed, ..current },
            effect: Effect::Finish,
            event: (event != EventKind::AttemptFailed).then_some(event),
        }
    }
}
