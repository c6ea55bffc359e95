//! How long the server waits for agents.

use std::time::Duration;

/// How long the server waits for agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentTiming {
    /// How often agents are told to send a heartbeat.
    pub heartbeat: Duration,
    /// How long a lease lasts unless a heartbeat extends it; an agent that is silent for longer is gone.
    pub lease: Duration,
    /// How long a host may stay silent before its part of an execution counts as failed.
    pub broadcast_timeout: Duration,
}

impl AgentTiming {
    /// What suits a broadcast timeout: heartbeats every five seconds, or as often as the timeout needs, and leases of
    /// three heartbeats.
    pub fn of(broadcast_timeout: Duration) -> Self {
        let heartbeat = Duration::from_secs((broadcast_timeout.as_secs() / 3).clamp(1, 5));
        Self { heartbeat, lease: heartbeat * 3, broadcast_timeout }
    }
}

impl Default for AgentTiming {
    /// A host may be silent for 30 seconds.
    fn default() -> Self {
        Self::of(Duration::from_secs(30))
    }
}
