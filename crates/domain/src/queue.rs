//! Queues: where executions wait, and the limits an operator sets on them.

use crate::Timestamp;
use crate::fair_share::DEFAULT_WEIGHT;
use crate::job::QueueName;

/// The limits of one tenant's queue. A queue that nobody configured has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueLimits {
    /// Which queue.
    pub name: QueueName,
    /// How many of its executions may run at once, over all nodes.
    pub max_concurrency: Option<u32>,
    /// How many executions may wait in it; one more is refused.
    pub max_length: Option<u32>,
    /// How many of its executions may start per second, over all nodes.
    pub rate_limit_per_second: Option<u32>,
    /// Whether nothing of it starts.
    pub paused: bool,
    /// Its part of its tenant's starts while more waits than can start, beside the tenant's other queues: each that has
    /// another weight than [`DEFAULT_WEIGHT`] by itself, and all the rest together with that one.
    pub weight: u32,
}

impl QueueLimits {
    /// A queue without limits.
    pub const fn none(name: QueueName) -> Self {
        Self {
            name,
            max_concurrency: None,
            max_length: None,
            rate_limit_per_second: None,
            paused: false,
            weight: DEFAULT_WEIGHT,
        }
    }

    /// Whether claiming from it must count, wait or weigh: such executions leave the fast path.
    pub const fn is_gated(&self) -> bool {
        self.weight != DEFAULT_WEIGHT
            || self.paused
            || self.max_concurrency.is_some()
            || self.rate_limit_per_second.is_some()
    }
}

/// A queue as lists show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueSummary {
    /// Its limits.
    pub limits: QueueLimits,
    /// How many executions wait in it, those of a later time included.
    pub pending: u64,
    /// How many of its executions run.
    pub running: u64,
    /// When the oldest one that is due and still waits became due.
    pub oldest_due_at: Option<Timestamp>,
}
