//! The definition of a job and what is known of its runs.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::execution::ExecutionState;
use crate::job::JobConfiguration;
use crate::retry::RetryPolicy;
use crate::schedule::{MisfirePolicy, Schedule};
use crate::{JobId, TenantId, Timestamp};

/// What happens when an execution comes due while another of the same job is Pending or Running.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub enum ConcurrencyPolicy {
    /// Both run, up to `max_concurrency` at a time.
    #[default]
    Allow,
    /// A scheduled slot is skipped; one that somebody triggered waits its turn.
    Forbid,
    /// The earlier one is cancelled.
    Replace,
}

impl ConcurrencyPolicy {
    /// Every policy.
    pub const ALL: [Self; 3] = [Self::Allow, Self::Forbid, Self::Replace];

    /// The policy's name, as the scheduler dialect writes it and the databases store it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "Allow",
            Self::Forbid => "Forbid",
            Self::Replace => "Replace",
        }
    }
}

/// The name of a queue: 1 to 100 letters, digits, `_`, `-`, `.` and `:`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct QueueName(String);

/// The text is no queue name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a queue's name is 1 to 100 letters, digits, '_', '-', '.' and ':'")]
pub struct InvalidQueueName;

impl QueueName {
    /// Where executions wait when nothing else is said.
    pub const DEFAULT: &'static str = "default";

    /// Where Horarium's own work for a tenant waits (deliveries of callbacks, tests of the queue), so that no limit of
    /// the tenant's other queues holds it up.
    pub const SYSTEM: &'static str = "system";

    /// The queue [`SYSTEM`](Self::SYSTEM).
    pub fn system() -> Self {
        Self(Self::SYSTEM.to_owned())
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for QueueName {
    fn default() -> Self {
        Self(Self::DEFAULT.to_owned())
    }
}

impl FromStr for QueueName {
    type Err = InvalidQueueName;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for QueueName {
    type Error = InvalidQueueName;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ':');
        if (1..=100).contains(&text.len()) && text.chars().all(allowed) {
            Ok(Self(text))
        } else {
            Err(InvalidQueueName)
        }
    }
}

impl From<QueueName> for String {
    fn from(name: QueueName) -> Self {
        name.0
    }
}

impl fmt::Display for QueueName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What its owner says of a job: everything that a create or an update may set.
#[derive(Debug, Clone, PartialEq)]
pub struct JobSpec {
    /// Unique among the tenant's jobs that are not deleted; 1 to 200 characters.
    pub name: String,
    /// For people.
    pub description: Option<String>,
    /// What to run.
    pub configuration: JobConfiguration,
    /// When to run it.
    pub schedule: Schedule,
    /// What to do about slots that nobody fired in time.
    pub misfire_policy: MisfirePolicy,
    /// How often to try.
    pub retry_policy: RetryPolicy,
    /// Seconds that one attempt may take; at least 1.
    pub timeout_seconds: u32,
    /// Whether the schedule fires. A disabled job can still be triggered by hand.
    pub is_enabled: bool,
    /// For people and filters.
    pub tags: Vec<String>,
    /// Where its executions wait.
    pub queue: QueueName,
    /// -100..=100; the higher goes first within its tenant.
    pub priority: i16,
    /// A family of jobs, such as `integration`.
    pub group: Option<String>,
    /// What to do when executions overlap.
    pub concurrency_policy: ConcurrencyPolicy,
    /// How many may run at once; `None` for no limit.
    pub max_concurrency: Option<u32>,
    /// How many with the same concurrency key may run at once; `None` for no limit.
    pub max_concurrency_per_key: Option<u32>,
}

impl JobSpec {
    /// The group of the jobs that every tenant has: Horarium makes them, in the name of `system` as well.
    pub const BUILT_IN_GROUP: &'static str = "system";

    /// [`timeout_seconds`](Self::timeout_seconds) where nobody chose it.
    pub const DEFAULT_TIMEOUT_SECONDS: u32 = 300;

    /// A job without a schedule, with the defaults for all that its owner may choose.
    pub fn new(name: impl Into<String>, configuration: impl Into<JobConfiguration>) -> Self {
        Self {
            name: name.into(),
            description: None,
            configuration: configuration.into(),
            schedule: Schedule::manual(),
            misfire_policy: MisfirePolicy::default(),
            retry_policy: RetryPolicy::default(),
            timeout_seconds: Self::DEFAULT_TIMEOUT_SECONDS,
            is_enabled: true,
            tags: Vec::new(),
            queue: QueueName::default(),
            priority: 0,
            group: None,
            concurrency_policy: ConcurrencyPolicy::default(),
            max_concurrency: None,
            max_concurrency_per_key: None,
        }
    }

    /// How many executions of this job may run at once, over all nodes; `None` for no limit.
    pub fn effective_max_concurrency(&self) -> Option<u32> {
        match self.concurrency_policy {
            ConcurrencyPolicy::Allow => self.max_concurrency,
            ConcurrencyPolicy::Forbid | ConcurrencyPolicy::Replace => Some(1),
        }
    }
}

/// A job's standing, in the scheduler dialect's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum JobStatus {
    /// Its schedule fires.
    Active,
    /// Somebody paused it.
    Paused,
    /// It is not enabled, or it is deleted.
    Disabled,
}

impl JobStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Active, Self::Paused, Self::Disabled];

    /// The status's name, as the scheduler dialect writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "Active",
            Self::Paused => "Paused",
            Self::Disabled => "Disabled",
        }
    }
}

/// A job: its definition and its identity.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its id.
    pub id: JobId,
    /// Whose.
    pub tenant_id: TenantId,
    /// What its owner says of it.
    pub spec: JobSpec,
    /// Whether its schedule is on hold.
    pub is_paused: bool,
    /// Whether it is deleted but its history kept.
    pub is_deleted: bool,
    /// Who made it.
    pub created_by: Option<String>,
    /// Who changed it last.
    pub last_modified_by: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When its definition last changed.
    pub updated_at: Timestamp,
    /// Counts the definition's changes, from 1; what `ETag` shows and `If-Match` compares.
    pub version: i64,
}

impl Job {
    /// A job that comes into being at `now`.
    pub fn new(id: JobId, tenant_id: TenantId, spec: JobSpec, now: Timestamp) -> Self {
        Self {
            id,
            tenant_id,
            spec,
            is_paused: false,
            is_deleted: false,
            created_by: None,
            last_modified_by: None,
            created_at: now,
            updated_at: now,
            version: 1,
        }
    }

    /// Paused, disabled or active.
    pub fn status(&self) -> JobStatus {
        if self.is_deleted || !self.spec.is_enabled {
            JobStatus::Disabled
        } else if self.is_paused {
            JobStatus::Paused
        } else {
            JobStatus::Active
        }
    }

    /// Whether its schedule fires.
    pub fn fires(&self) -> bool {
        self.status() == JobStatus::Active
    }

    /// The next slot strictly after `now`, if its schedule fires at all.
    pub fn next_slot(&self, now: Timestamp) -> Option<Timestamp> {
        if self.fires() { self.spec.schedule.next_after(now) } else { None }
    }
}

/// What is known of a job's latest run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LastRun {
    /// When it started; `None` when it was cancelled before it did.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub completed_at: Timestamp,
    /// How it ended.
    pub state: ExecutionState,
    /// How long its last attempt ran, in milliseconds.
    pub duration_ms: Option<i64>,
}

/// A job as lists and details show it.
#[derive(Debug, Clone, PartialEq)]
pub struct JobSummary {
    /// The job.
    pub job: Job,
    /// Its next slot, if it fires.
    pub next_run_at: Option<Timestamp>,
    /// Its latest run to end, if one has.
    pub last_run: Option<LastRun>,
    /// Runs that failed since the last one that succeeded.
    pub consecutive_failures: u32,
}
