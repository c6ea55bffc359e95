//! How a node works.

use std::time::Duration;

use horarium_domain::NodeId;

/// The settings of a node's engine. The defaults suit one machine that also does other things.
#[derive(Debug, Clone)]
pub struct EngineConfig {
    /// This process.
    pub node: NodeId,
    /// Its name, as executions show it.
    pub worker: String,
    /// How many attempts run at once. With 0 the node claims nothing: it accepts, plans, and keeps house.
    pub concurrency: usize,
    /// How many attempts that only wait run beside those; further ones take slots like any other.
    pub light_concurrency: usize,
    /// How many more each claimer may hold ahead at most, so that a slot never waits for the database: as many as slots
    /// come free for in a short while.
    pub prefetch: usize,
    /// How many are claimed at once.
    pub claim_batch: usize,
    /// How many claims may be under way at once: while the database answers one, it works on the next.
    pub claimers: usize,
    /// How many batches of ends may be written at once: while the database waits for the disk with one, it works on
    /// the next.
    pub completers: usize,
    /// How long a lease holds unless it is renewed, which happens three times as often.
    pub lease: Duration,
    /// How often expired leases are looked for.
    pub reaper_interval: Duration,
    /// How often work is looked for when nothing told of any.
    pub poll_interval: Duration,
    /// How long running attempts may go on after shutdown began.
    pub shutdown_grace: Duration,
    /// How long an attempt that was told to stop may take to do so before it is dropped.
    pub stop_grace: Duration,
    /// How late a slot may be fired and still count as on time.
    pub misfire_grace: Duration,
    /// How many missed slots of one job FireAll makes up for.
    pub max_missed_fires: usize,
    /// How long entries of the audit log are kept.
    pub audit_retention: Duration,
}

impl EngineConfig {
    /// Whether the node claims executions.
    pub(super) const fn claims(&self) -> bool {
        self.concurrency > 0
    }

    /// The defaults for a node of this id and name.
    pub fn new(node: NodeId, worker: impl Into<String>) -> Self {
        Self {
            node,
            worker: worker.into(),
            concurrency: 256,
            light_concurrency: 10_000,
            prefetch: 500,
            claim_batch: 500,
            claimers: 2,
            completers: 2,
            lease: Duration::from_secs(30),
            reaper_interval: Duration::from_secs(5),
            poll_interval: Duration::from_millis(500),
            shutdown_grace: Duration::from_secs(25),
            stop_grace: Duration::from_secs(5),
            misfire_grace: Duration::from_mins(1),
            max_missed_fires: 1000,
            audit_retention: Duration::from_hours(365 * 24),
        }
    }
}
