//! How long the server waits for agents.

use std::time::Duration;

/// How long the server waits for agents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AgentTiming {
    /// How often agents are told to send a heartbeat.
    pub heartbeat: Duration,
    /// How long a lease lasts unless a heartbeat extends it.
    pub lease: Duration,
    /// How long an agent may be silent and still be alive. At least as long as a lease: an agent may lose its work and
    /// be there all the same.
    pub alive: Duration,
    /// How long a host may stay silent before its part of an execution counts as failed.
    pub broadcast_timeout: Duration,
}

/// How long an agent may be silent and still be alive, however short the timeout. Who is late on a machine that is busy
/// must not be left out of a broadcast; who is dead costs it no more than the timeout, and is named.
const ALIVE: Duration = Duration::from_secs(15);

impl AgentTiming {
    /// What suits a broadcast timeout: heartbeats every five seconds, or as often as the timeout needs, and leases of
    /// three heartbeats, or of two where the timeout is very short. What a host loses (because its agent starts again, or
    /// the answer that gave it the work was lost) can be given to it again before it counts as silent, for a lease is
    /// shorter than the timeout unless that is below three seconds.
    pub fn of(broadcast_timeout: Duration) -> Self {
        let seconds = broadcast_timeout.as_secs();
        let heartbeat = (seconds / 6).clamp(1, 5);
        let lease = (3 * heartbeat).min(seconds.div_ceil(2)).max(2);
        let (heartbeat, lease) = (Duration::from_secs(heartbeat), Duration::from_secs(lease));
        Self { heartbeat, lease, alive: ALIVE, broadcast_timeout }
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
    fn an_agent_is_alive_for_as_long_as_it_has_leases_and_for_three_heartbeats() {
        for seconds in 1..=3600 {
            let timing = AgentTiming::of(Duration::from_secs(seconds));
            assert!(timing.heartbeat < timing.lease && timing.lease <= timing.alive, "{timing:?}");
            assert!(timing.alive >= 3 * timing.heartbeat, "{timing:?}");
        }
    }

    #[test]
    fn half_a_minute_of_patience_takes_a_heartbeat_every_five_seconds() {
        let timing = AgentTiming::default();
        assert_eq!((timing.heartbeat, timing.lease), (Duration::from_secs(5), Duration::from_secs(15)));
    }
}
