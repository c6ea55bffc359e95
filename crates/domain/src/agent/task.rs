//! One host's part of an execution.

use std::fmt;
use std::str::FromStr;

use serde_json::Value;

use crate::execution::{Event, EventKind};
use crate::{AgentTaskId, ExecutionId, TenantId, Timestamp};

/// Where a task stands. All but the first two are final, until another attempt of the execution puts it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TaskState {
    /// Waits for an agent.
    Pending,
    /// An agent has it.
    Leased,
    /// Done, and well.
    Completed,
    /// Done, and not well.
    Failed,
    /// The host's agent does not have the operation.
    Skipped,
    /// The host was silent for too long.
    TimedOut,
    /// The execution was over before the host answered.
    Cancelled,
}

impl TaskState {
    /// Every state, by its code in the databases.
    pub const ALL: [Self; 7] =
        [Self::Pending, Self::Leased, Self::Completed, Self::Failed, Self::Skipped, Self::TimedOut, Self::Cancelled];

    /// Whether an answer is still awaited.
    pub const fn is_open(self) -> bool {
        match self {
            Self::Pending | Self::Leased => true,
            Self::Completed | Self::Failed | Self::Skipped | Self::TimedOut | Self::Cancelled => false,
        }
    }
}

/// An agent's right to a task. The fence grows with every lease, so a right that was lost is recognised.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TaskLease {
    /// To which task.
    pub task_id: AgentTaskId,
    /// The fencing token.
    pub fence: i32,
}

/// The text is no lease token.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it is no lease token of this server")]
pub struct InvalidLeaseToken;

impl fmt::Display for TaskLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.task_id.as_uuid().simple(), self.fence)
    }
}

impl FromStr for TaskLease {
    type Err = InvalidLeaseToken;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (task, fence) = text.split_once('.').ok_or(InvalidLeaseToken)?;
        let task_id = task.parse().map_err(|_| InvalidLeaseToken)?;
        Ok(Self { task_id, fence: fence.parse().map_err(|_| InvalidLeaseToken)? })
    }
}

/// Why a task is taken from its agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandOn {
    /// The agent let its lease run out.
    Lost,
    /// The agent handed it back, because it shuts down.
    Released,
}

/// One host's part of an execution, or the whole of it where any agent may take it.
#[derive(Debug, Clone, PartialEq)]
pub struct AgentTask {
    /// Its id.
    pub id: AgentTaskId,
    /// Whose.
    pub tenant_id: TenantId,
    /// Of which execution.
    pub execution_id: ExecutionId,
    /// The host that it is for; `None` when any agent may take it.
    pub host: Option<String>,
    /// Whether it is one answer of a broadcast: its host must have taken it by the deadline. Any other task waits for an
    /// agent that is busy as long as that one lives; see [`Agent::may_take`](super::Agent::may_take).
    pub is_broadcast: bool,
    /// The host that has or had it, which for a host of its own is that one.
    pub hostname: Option<String>,
    /// What to do.
    pub operation: String,
    /// What the operation needs to know.
    pub data: Value,
    /// How long the agent may take, in seconds.
    pub timeout_seconds: u32,
    /// Where it stands.
    pub state: TaskState,
    /// How often it was leased, as a fencing token.
    pub fence: i32,
    /// Leases that were not handed back.
    pub attempt: u16,
    /// For which counted attempt of the execution it was last made open.
    pub round: u16,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its host has been silent for too long, unless something is heard before.
    pub deadline_at: Timestamp,
    /// When the latest lease began.
    pub leased_at: Option<Timestamp>,
    /// Until when that lease holds; `None` when nobody has it.
    pub lease_until: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What the operation gave.
    pub result: Option<Value>,
    /// Whether the operation changed anything on the host.
    pub changed: Option<bool>,
    /// Why it did not work.
    pub error: Option<String>,
    /// Whether another attempt may help.
    pub retryable: bool,
    /// How long it took on the host, in milliseconds, as the agent says.
    pub duration_ms: Option<i64>,
}

impl AgentTask {
    /// What a host of no answer is said to have failed of.
    pub const TIMEOUT: &'static str = "timeout: agent did not respond";

    /// How often it may be leased, besides once for each earlier round, which had its answer: a task that takes its
    /// agents down with it is given up.
    pub const MAX_LEASES: u16 = 5;

    /// One of the first round that waits, without data, for any agent that has the operation. Its deadline is `now`: how
    /// long its host may be silent is for whoever opens it to say.
    pub fn new(
        id: AgentTaskId,
        tenant_id: TenantId,
        execution_id: ExecutionId,
        operation: impl Into<String>,
        timeout_seconds: u32,
        now: Timestamp,
    ) -> Self {
        Self {
            id,
            tenant_id,
            execution_id,
            host: None,
            is_broadcast: false,
            hostname: None,
            operation: operation.into(),
            data: Value::Null,
            timeout_seconds,
            state: TaskState::Pending,
            fence: 0,
            attempt: 0,
            round: 1,
            created_at: now,
            deadline_at: now,
            leased_at: None,
            lease_until: None,
            ended_at: None,
            result: None,
            changed: None,
            error: None,
            retryable: true,
            duration_ms: None,
        }
    }

    /// The same, for this host alone.
    #[must_use]
    pub fn for_host(self, hostname: &str) -> Self {
        Self { host: Some(hostname.to_owned()), hostname: Some(hostname.to_owned()), ..self }
    }

    /// The same, over before it began, because its host's agent does not have the operation.
    #[must_use]
    pub fn skipped(self, now: Timestamp) -> Self {
        let error = Some(format!("the agent does not have the operation '{}'", self.operation));
        Self { state: TaskState::Skipped, ended_at: Some(now), error, retryable: false, ..self }
    }

    /// Whether it is given up when its lease runs out.
    pub const fn is_used_up(&self) -> bool {
        self.attempt >= Self::MAX_LEASES.saturating_add(self.round.saturating_sub(1))
    }

    /// The host's name, as far as it is known.
    pub fn hostname(&self) -> Option<&str> {
        self.hostname.as_deref().or(self.host.as_deref())
    }

    /// The right that the present lease gives.
    pub const fn lease(&self) -> TaskLease {
        TaskLease { task_id: self.id, fence: self.fence }
    }

    /// Takes it from the agent that has it, so that it waits for the next; answers what is noted of that in the
    /// execution's history, where the lost lease would leave no trace otherwise.
    pub fn hand_on(&mut self, why: HandOn, at: Timestamp) -> Event {
        let attempt = self.attempt;
        let (counts, told) = match why {
            HandOn::Lost => (true, "lease lost: the agent did not renew it"),
            HandOn::Released => (false, "handed back by the agent unfinished"),
        };
        self.attempt = if counts { attempt } else { attempt.saturating_sub(1) };
        let event = Event {
            execution_id: self.execution_id,
            at,
            kind: EventKind::HandedOn,
            attempt,
            attempt_started_at: self.leased_at,
            source: self.hostname().unwrap_or("unknown host").to_owned(),
            message: format!("{told}; handed out again, attempt {}", self.attempt + 1),
            error: None,
        };
        self.state = TaskState::Pending;
        self.hostname.clone_from(&self.host);
        self.leased_at = None;
        self.lease_until = None;
        event
    }
}

/// A task that an agent has now, without what it is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldTask {
    /// Of which execution.
    pub execution_id: ExecutionId,
    /// The host that has it.
    pub hostname: String,
    /// What it does.
    pub operation: String,
    /// Which of its leases this is, counted from 1.
    pub attempt: u16,
    /// When the lease began.
    pub leased_at: Timestamp,
}

/// How a task ended, as its agent reports it.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskEnd {
    /// In whose right; a stale one changes nothing.
    pub lease: TaskLease,
    /// [`Completed`](TaskState::Completed), [`Failed`](TaskState::Failed), [`Skipped`](TaskState::Skipped) or
    /// [`Cancelled`](TaskState::Cancelled); [`Pending`](TaskState::Pending) hands it back without counting the lease.
    pub state: TaskState,
    /// What the operation gave.
    pub result: Option<Value>,
    /// Whether it changed anything.
    pub changed: Option<bool>,
    /// Why it did not work.
    pub error: Option<String>,
    /// Whether another attempt may help.
    pub retryable: bool,
    /// How long it took, in milliseconds.
    pub duration_ms: Option<i64>,
}
