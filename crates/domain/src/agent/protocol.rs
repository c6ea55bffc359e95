//! What an agent and the server say to each other: JSON over HTTP, below `/api/v1/agents`.
//!
//! | call | sends | answers |
//! | --- | --- | --- |
//! | `POST register` | [`RegisterRequest`] | [`RegisterResponse`] |
//! | `POST {agent_id}/lease` | [`LeaseRequest`] | a list of [`LeasedTask`], empty when the wait is over |
//! | `POST {agent_id}/report` | a list of [`Report`] | a list of [`ReportResult`], in the same order |
//! | `POST {agent_id}/heartbeat` | [`HeartbeatRequest`] | [`HeartbeatResponse`] |
//!
//! 404 means that the server does not know this agent any more: it registers again, and may still report what it leased
//! before, because it is the lease token that counts.
//!
//! The protocol grows by optional fields only: either side ignores fields that it does not know, and both treat one
//! that is missing as its default. What cannot be said that way gets a new path.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{AgentId, ExecutionId};

/// The most tasks that one lease call gives; a larger `max` means this.
pub const MAX_LEASED_TASKS: u32 = 100;

/// The longest that a lease call waits for work, in seconds; a longer `wait_seconds` means this.
pub const MAX_WAIT_SECONDS: u32 = 60;

/// The most reports in one call; more are a 400.
pub const MAX_REPORTS: usize = 500;

/// The most lease tokens in one heartbeat; more are a 400.
pub const MAX_RUNNING: usize = 1000;

/// An agent introduces itself: once at its start, and again whenever the server answers 404.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RegisterRequest {
    /// The host that it works on. Several processes may register for one host: they are one agent to the server, share
    /// its work, and a broadcast reaches one of them.
    pub hostname: String,
    /// What the host is, for `key:value` targets, such as `group` = `web.dev.us-east`.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// The names of the operations that it can do, such as those of [`BuiltInOperation`](super::BuiltInOperation).
    pub operations: Vec<String>,
    /// The version of its program, for people to read.
    #[serde(default)]
    pub version: String,
    /// What else is worth knowing about the host, for people to read: a flat object, such as `{"os": "linux"}`.
    #[serde(default)]
    pub facts: Map<String, Value>,
}

/// The agent is known now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegisterResponse {
    /// What it is called in the paths of the other calls.
    pub agent_id: AgentId,
    /// How often to send a heartbeat, at least. An agent that is silent for longer than it
    /// [may be](super::AgentTiming::alive) is no target any more.
    pub heartbeat_seconds: u32,
    /// How long a lease lasts unless a heartbeat extends it.
    pub lease_seconds: u32,
}

/// An agent asks for work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRequest {
    /// How many tasks it can take now, at least 1 (0 is a 400); see [`MAX_LEASED_TASKS`].
    #[serde(default = "LeaseRequest::default_max")]
    pub max: u32,
    /// How long the server holds the call open until there is work; 0 answers at once. See [`MAX_WAIT_SECONDS`].
    #[serde(default)]
    pub wait_seconds: u32,
}

impl LeaseRequest {
    const fn default_max() -> u32 {
        1
    }
}

/// One piece of work, the agent's until the lease ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LeasedTask {
    /// Names this lease, and nothing else: a later lease of the same work has another token, and fences this one out.
    pub lease_token: String,
    /// The execution that it belongs to. The same for every host of a broadcast and for every attempt, and so usable as
    /// an idempotency key together with the hostname.
    pub execution_id: ExecutionId,
    /// What to do; one of the operations that the agent registered with.
    pub operation: String,
    /// What the operation needs to know; its shape is the operation's own. `null` when there is nothing to know.
    #[serde(default)]
    pub data: Value,
    /// How long the agent may take, in seconds from now. It stops the work then and reports it as failed; a little
    /// later the server stops waiting.
    pub timeout_seconds: u32,
    /// Which try this is, from 1.
    pub attempt: u32,
}

/// How a task ended on an agent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TaskOutcome {
    /// It is done.
    Completed,
    /// It did not work; `error` says why.
    Failed,
    /// The agent does not have the operation, or is not allowed it; `error` says which. No other attempt is made here.
    Skipped,
    /// It was stopped because a heartbeat's answer said so.
    Cancelled,
    /// Handed back without a result, because the agent shuts down: the work may go to another agent at once, and the
    /// attempt does not count.
    Released,
}

/// What became of one task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The token of the lease that it was done under.
    pub lease_token: String,
    /// How it ended.
    pub outcome: TaskOutcome,
    /// What the operation gave; also of a failed one, as far as there is anything (such as a program's output).
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub data: Value,
    /// Whether the operation changed anything on the host. `None` when that is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<bool>,
    /// Why it did not work.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether another attempt may help; only read when it failed. A refusal, such as a path outside the allowed
    /// roots, is not worth another.
    #[serde(default = "Report::default_retryable", skip_serializing_if = "is_true")]
    pub retryable: bool,
    /// How long it took on the host, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
}

impl Report {
    const fn default_retryable() -> bool {
        true
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_true(value: &bool) -> bool {
    *value
}

/// What the server did with one report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportResult {
    /// The report's token.
    pub lease_token: String,
    /// What became of it.
    pub status: ReportStatus,
    /// Why it was not recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What became of a report. The agent is done with it in each case, and never sends it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportStatus {
    /// It is recorded, and durable.
    Accepted,
    /// The lease is over: the work timed out, was cancelled, was given to another, or was reported already. Nothing was
    /// recorded.
    Stale,
    /// The report cannot be read; `error` says why. Nothing was recorded, and the lease runs on.
    Invalid,
}

/// An agent is alive, and works on these.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HeartbeatRequest {
    /// The tokens of everything that it has leased and not yet seen reported; their leases are extended.
    #[serde(default)]
    pub running: Vec<String>,
    /// Whether it is shutting down: it takes no further work and is no target any more. A later heartbeat without it,
    /// or a registration, takes that back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
}

/// What the agent should know.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct HeartbeatResponse {
    /// Those of the `running` tokens whose work is to be stopped: it was cancelled, or its lease is over. A report of
    /// it is welcome (`cancelled`) and may be stale.
    #[serde(default)]
    pub stop: Vec<String>,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_missing_has_its_default() {
        let lease: LeaseRequest = serde_json::from_value(json!({})).unwrap();
        assert_eq!(lease, LeaseRequest { max: 1, wait_seconds: 0 });

        let report: Report = serde_json::from_value(json!({"lease_token": "t", "outcome": "failed"})).unwrap();
        assert!(report.retryable);
        assert_eq!((report.data, report.changed, report.error), (Value::Null, None, None));
    }

    #[test]
    fn what_goes_without_saying_is_not_said() {
        let report = Report {
            lease_token: "t".into(),
            outcome: TaskOutcome::Completed,
            data: json!({"hostname": "web-1"}),
            changed: Some(false),
            error: None,
            retryable: true,
            duration_ms: None,
        };
        let written = serde_json::to_value(&report).unwrap();
        assert_eq!(
            written,
            json!({"lease_token": "t", "outcome": "completed", "data": {"hostname": "web-1"}, "changed": false})
        );
        assert_eq!(serde_json::from_value::<Report>(written).unwrap(), report);
    }

    #[test]
    fn fields_of_later_versions_are_ignored() {
        let answer: HeartbeatResponse = serde_json::from_value(json!({"stop": ["t"], "news": 1})).unwrap();
        assert_eq!(answer.stop, ["t"]);
    }
}
