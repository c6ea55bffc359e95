//! An agent, as the server knows it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::AgentTiming;
use crate::{AgentId, TenantId, Timestamp};

/// The most characters of a hostname.
pub const HOSTNAME_CHARS: usize = 253;

/// A remote worker of one tenant. Its hostname is unique there: whoever registers under it again is the same agent.
#[derive(Debug, Clone, PartialEq)]
pub struct Agent {
    /// Its id.
    pub id: AgentId,
    /// Whose.
    pub tenant_id: TenantId,
    /// The host that it works on.
    pub hostname: String,
    /// What the host is, for `key:value` targets.
    pub labels: BTreeMap<String, String>,
    /// What it can do, by name.
    pub operations: Vec<String>,
    /// What else it told of its host, for people.
    pub facts: Map<String, Value>,
    /// The version of its program, for people.
    pub version: String,
    /// Whether somebody drains it. That outlasts a restart of the agent.
    pub draining: bool,
    /// Whether it said that it is shutting down. A registration takes that back.
    pub leaving: bool,
    /// One more with every registration, and whenever it says that it leaves: a call for work from before may be that
    /// of a process that is gone, and is given nothing.
    pub session: i64,
    /// When it first registered.
    pub registered_at: Timestamp,
    /// When it was last heard of. Calls other than heartbeats are noted at most once in a heartbeat's interval.
    pub last_seen_at: Timestamp,
}

/// An agent's standing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AgentState {
    /// It takes work.
    Alive,
    /// It finishes what it has and takes no more.
    Draining,
    /// Nothing was heard of it for longer than an agent [may be silent](AgentTiming::alive), or it has left.
    Gone,
}

impl AgentState {
    /// The state's name, as the API writes it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Draining => "draining",
            Self::Gone => "gone",
        }
    }
}

impl Agent {
    /// Its standing at `now`. One that leaves sends heartbeats until it has finished what it has: when they stop, it is
    /// gone.
    pub fn state(&self, now: Timestamp, timing: AgentTiming) -> AgentState {
        let silence = if self.leaving { 2 * timing.heartbeat } else { timing.alive };
        if now.since(self.last_seen_at) > silence {
            AgentState::Gone
        } else if self.draining || self.leaving {
            AgentState::Draining
        } else {
            AgentState::Alive
        }
    }

    /// Whether it can take what is for this host, or, without one, what any agent with the operation may take. One that
    /// drains or leaves takes nothing.
    pub fn may_take(&self, host: Option<&str>, operation: &str) -> bool {
        let is_for_it = host.map_or_else(|| self.has_operation(operation), |host| self.hostname == host);
        is_for_it && !self.draining && !self.leaving
    }

    /// Whether it can do this.
    pub fn has_operation(&self, operation: &str) -> bool {
        self.operations.iter().any(|known| known == operation)
    }
}

/// The text is no hostname of an agent.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a hostname is 1 to {HOSTNAME_CHARS} letters, digits, '-', '.' and '_', and does not begin with '_'")]
pub struct InvalidHostname;

/// Checks a hostname. What begins with `_` or holds a `:` would be taken for another kind of target.
pub fn check_hostname(text: &str) -> Result<(), InvalidHostname> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    if (1..=HOSTNAME_CHARS).contains(&text.len()) && !text.starts_with('_') && text.chars().all(allowed) {
        Ok(())
    } else {
        Err(InvalidHostname)
    }
}
