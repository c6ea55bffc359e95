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
    /// three heartbeats, or of two where the timeout is very short. What a host loses (because its agent starts again, or
    /// the answer that gave it the work was lost) can be given to it again before it counts as silent, for a lease is
    /// shorter than the timeout unless that is below three seconds.
    pub fn of(broadcast_timeout: Duration) -> Self {
        let seconds = broadcast_timeout.as_secs();
        let heartbeat = (seconds / 6).clamp(1, 5);
        let lease = (3 * heartbeat).min(seconds.div_ceil(2)).max(2);
        Self { heartbeat: Duration::from_secs(heartbeat), lease: Duration::from_secs(lease), broadcast_timeout }
    }
}

impl Default for AgentTiming {
    /// A host may be silent for 30 seconds.
    fn default() -> Self {
        Self::of(Duration::from_secs(30))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_outlives_a_late_heartbeat_and_ends_before_the_timeout() {
        for seconds in 3..=3600 {
            let timing = AgentTiming::of(Duration::from_secs(seconds));
            assert!(timing.lease >= 2 * timing.heartbeat, "{timing:?}");
            assert!(timing.lease < timing.broadcast_timeout, "{timing:?}");
        }
    }

    #[test]
    fn half_a_minute_of_patience_takes_a_heartbeat_every_five_seconds() {
        let timing = AgentTiming::default();
        assert_eq!((timing.heartbeat, timing.lease), (Duration::from_secs(5), Duration::from_secs(15)));
    }
}
