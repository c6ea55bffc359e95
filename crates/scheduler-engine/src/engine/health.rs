//! Whether the loops turn: what readiness is told by.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use super::EngineConfig;

/// A loop that a node cannot work without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoopName {
    /// Slots to executions.
    Planner,
    /// Waiting to claimable.
    Promoter,
    /// Claims to attempts.
    Dispatcher,
    /// Ends to the store.
    Completer,
    /// Leases.
    Heart,
    /// Lost leases.
    Reaper,
    /// Due callbacks to deliveries.
    Notifier,
    /// Agents' leases and deadlines.
    AgentKeeper,
}

impl LoopName {
    const ALL: [Self; 8] = [
        Self::Planner,
        Self::Promoter,
        Self::Dispatcher,
        Self::Completer,
        Self::Heart,
        Self::Reaper,
        Self::Notifier,
        Self::AgentKeeper,
    ];

    /// The loop's name, for people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Planner => "planner",
            Self::Promoter => "promoter",
            Self::Dispatcher => "dispatcher",
            Self::Completer => "completer",
            Self::Heart => "heart",
            Self::Reaper => "reaper",
            Self::Notifier => "notifier",
            Self::AgentKeeper => "agent keeper",
        }
    }
}

/// When each loop last finished a round without an error.
#[derive(Debug)]
pub struct LoopHealth {
    // Held for an instant, never over I/O.
    rounds: Mutex<[Option<Instant>; LoopName::ALL.len()]>,
    patience: Duration,
    claims: bool,
}

impl LoopHealth {
    pub(crate) fn new(config: &EngineConfig) -> Self {
        let slowest = (config.lease / 3).max(config.reaper_interval).max(config.poll_interval);
        Self {
            rounds: Mutex::new([None; LoopName::ALL.len()]),
            patience: slowest * 3 + Duration::from_secs(5),
            claims: config.claims(),
        }
    }

    pub(crate) fn round(&self, name: LoopName) {
        self.rounds.lock().unwrap_or_else(std::sync::PoisonError::into_inner)[name as usize] = Some(Instant::now());
    }

    /// The loops that have not finished a round for too long, or not yet a first one.
    pub fn stalled(&self) -> Vec<LoopName> {
        let rounds = self.rounds.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        LoopName::ALL
            .into_iter()
            .filter(|name| self.claims || *name != LoopName::Dispatcher)
            .filter(|name| rounds[*name as usize].is_none_or(|at| at.elapsed() > self.patience))
            .collect()
    }
}
