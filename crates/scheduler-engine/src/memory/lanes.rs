//! Where live executions are found: those that may be claimed, those that wait for their time, those that run.
//!
//! A lane is what waits and runs of one job in one queue of one tenant with one concurrency key, or none. All in a lane are under the same limits, so a
//! claim looks at the heads of lanes and never at what stands behind them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use horarium_domain::concurrency::ConcurrencyKey;
use horarium_domain::execution::NewExecution;
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};

use super::record::{ExecutionRecord, Stage};

/// One lane.
#[derive(Default)]
pub(super) struct Lane {
    /// Claimable but for limits: highest priority first, then oldest first.
    pub(super) ready: BTreeSet<(Reverse<i16>, ExecutionId)>,
    /// Not yet due.
    pub(super) later: BTreeSet<ExecutionId>,
    pub(super) running: BTreeSet<ExecutionId>,
}

impl Lane {
    pub(super) fn pending(&self) -> usize {
        self.ready.len() + self.later.len()
    }

    fn is_empty(&self) -> bool {
        self.pending() == 0 && self.running.is_empty()
    }
}

/// Which lane of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LaneKey {
    pub(super) queue: String,
    pub(super) job: JobId,
    pub(super) key: Option<ConcurrencyKey>,
}

impl LaneKey {
    fn of(accepted: &NewExecution) -> Self {
        Self { queue: accepted.queue.clone(), job: accepted.job_id, key: accepted.concurrency_key.clone() }
    }
}

/// The lanes of one tenant.
pub(super) type TenantLanes = BTreeMap<LaneKey, Lane>;

/// All lanes.
#[derive(Default)]
pub(super) struct Lanes {
    by_tenant: BTreeMap<TenantId, TenantLanes>,
    /// Of all that are not yet due: when they will be.
    due: BTreeSet<(Timestamp, ExecutionId)>,
    /// Of all that run: until when.
    leases: BTreeSet<(Timestamp, ExecutionId)>,
}

impl Lanes {
    pub(super) fn insert(&mut self, record: &ExecutionRecord) {
        let accepted = &record.accepted;
        if let Stage::Over(_) = record.stage {
            return;
        }
        let key = LaneKey::of(accepted);
        let lane = self.by_tenant.entry(accepted.tenant_id).or_default().entry(key).or_default();
        match &record.stage {
            Stage::Waiting { ready: true, .. } => {
                lane.ready.insert((Reverse(accepted.priority), accepted.id));
            }
            Stage::Waiting { run_at, ready: false } => {
                lane.later.insert(accepted.id);
                self.due.insert((*run_at, accepted.id));
            }
            Stage::Running(attempt) => {
                lane.running.insert(accepted.id);
                self.leases.insert((attempt.lease_until, accepted.id));
            }
            Stage::Over(_) => {}
        }
    }

    pub(super) fn remove(&mut self, record: &ExecutionRecord) {
        let accepted = &record.accepted;
        let Some(lanes) = self.by_tenant.get_mut(&accepted.tenant_id) else { return };
        let key = LaneKey::of(accepted);
        let Some(lane) = lanes.get_mut(&key) else { return };
        match &record.stage {
            Stage::Waiting { ready: true, .. } => {
                lane.ready.remove(&(Reverse(accepted.priority), accepted.id));
            }
            Stage::Waiting { run_at, ready: false } => {
                lane.later.remove(&accepted.id);
                self.due.remove(&(*run_at, accepted.id));
            }
            Stage::Running(attempt) => {
                lane.running.remove(&accepted.id);
                self.leases.remove(&(attempt.lease_until, accepted.id));
            }
            Stage::Over(_) => {}
        }
        if lane.is_empty() {
            lanes.remove(&key);
        }
        if lanes.is_empty() {
            self.by_tenant.remove(&accepted.tenant_id);
        }
    }

    /// The tenants that have live executions, and those.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (TenantId, &TenantLanes)> {
        self.by_tenant.iter().map(|(tenant, lanes)| (*tenant, lanes))
    }

    /// A tenant's lanes.
    pub(super) fn of(&self, tenant: TenantId) -> impl Iterator<Item = (&LaneKey, &Lane)> {
        self.by_tenant.get(&tenant).into_iter().flatten()
    }

    /// The lanes of one of a tenant's queues.
    pub(super) fn of_queue<'a>(&'a self, tenant: TenantId, queue: &'a str) -> impl Iterator<Item = &'a Lane> {
        self.of(tenant).filter(move |(lane, _)| lane.queue == queue).map(|(_, lane)| lane)
    }

    /// The lanes of one of a tenant's jobs.
    pub(super) fn of_job(&self, tenant: TenantId, job: JobId) -> impl Iterator<Item = &Lane> {
        self.of(tenant).filter(move |(lane, _)| lane.job == job).map(|(_, lane)| lane)
    }

    /// The lanes of one of a tenant's concurrency keys.
    pub(super) fn of_key<'a>(&'a self, tenant: TenantId, key: &'a ConcurrencyKey) -> impl Iterator<Item = &'a Lane> {
        self.of(tenant).filter(move |(lane, _)| lane.key.as_ref() == Some(key)).map(|(_, lane)| lane)
    }

    /// The lanes of one of a tenant's jobs with one concurrency key.
    pub(super) fn of_key_of_job<'a>(
        &'a self,
        tenant: TenantId,
        job: JobId,
        key: &'a ConcurrencyKey,
    ) -> impl Iterator<Item = &'a Lane> {
        let lanes = self.of(tenant).filter(move |(lane, _)| lane.job == job && lane.key.as_ref() == Some(key));
        lanes.map(|(_, lane)| lane)
    }

    /// How many of a tenant's queue wait.
    pub(super) fn pending_in(&self, tenant: TenantId, queue: &str) -> usize {
        self.of_queue(tenant, queue).map(Lane::pending).sum()
    }

    /// What is not yet due, soonest first.
    pub(super) fn by_due_time(&self) -> impl Iterator<Item = (Timestamp, ExecutionId)> {
        self.due.iter().copied()
    }

    /// What runs, by the end of its lease.
    pub(super) fn by_lease(&self) -> impl Iterator<Item = (Timestamp, ExecutionId)> {
        self.leases.iter().copied()
    }
}
