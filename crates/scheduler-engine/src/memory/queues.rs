//! Queues.

use std::collections::BTreeSet;

use async_trait::async_trait;
use horarium_domain::job::QueueName;
use horarium_domain::queue::{QueueLimits, QueueSummary};
use horarium_domain::store::{QueueStore, StoreError};
use horarium_domain::{ExecutionId, TenantId, Timestamp};

use super::MemoryStore;
use super::lanes::Lane;
use super::record::{QueueRecord, Stage};
use super::state::State;

#[async_trait]
impl QueueStore for MemoryStore {
    async fn set_queue(&self, tenant: TenantId, limits: QueueLimits) -> Result<(), StoreError> {
        self.state().limit_queue(tenant, limits)
    }

    async fn pause_queue(&self, tenant: TenantId, name: &QueueName, paused: bool) -> Result<(), StoreError> {
        let mut state = self.state();
        let stored = state.queues.get(&(tenant, name.as_str().to_owned())).map(|record| record.limits.clone());
        let limits = stored.unwrap_or_else(|| QueueLimits::none(name.clone()));
        state.limit_queue(tenant, QueueLimits { paused, ..limits })
    }

    async fn queues(
        &self,
        tenant: TenantId,
        after: Option<&str>,
        limit: usize,
        now: Timestamp,
    ) -> Result<Vec<QueueSummary>, StoreError> {
        let state = self.state();
        let limited = state.queues.keys().filter(|(owner, _)| *owner == tenant).map(|(_, name)| name.as_str());
        let names: BTreeSet<&str> =
            limited.chain(state.lanes.of(tenant).map(|(lane, _)| lane.queue.as_str())).collect();
        let page = names.into_iter().filter(|name| after.is_none_or(|after| *name > after)).take(limit);
        page.map(|name| state.queue_summary(tenant, name, now)).collect()
    }

    async fn queue(&self, tenant: TenantId, name: &QueueName, now: Timestamp) -> Result<QueueSummary, StoreError> {
        self.state_for("queue")?.queue_summary(tenant, name.as_str(), now)
    }

    async fn queue_totals(&self, now: Timestamp) -> Result<(u64, u64, Option<Timestamp>), StoreError> {
        let state = self.state();
        let lanes: Vec<_> = state.lanes.iter().flat_map(|(_, lanes)| lanes.values()).collect();
        let pending = lanes.iter().map(|lane| lane.pending() as u64).sum();
        let running = lanes.iter().map(|lane| lane.running.len() as u64).sum();
        Ok((pending, running, state.oldest_due_at(lanes.into_iter(), now)))
    }
}

impl State {
    fn limit_queue(&mut self, tenant: TenantId, limits: QueueLimits) -> Result<(), StoreError> {
        if !self.tenants.contains_key(&tenant) {
            return Err(StoreError::NotFound("tenant"));
        }
        let key = (tenant, limits.name.as_str().to_owned());
        if limits == QueueLimits::none(limits.name.clone()) {
            self.queues.remove(&key);
        } else {
            let bucket = self.queues.get(&key).map(|stored| stored.bucket).unwrap_or_default();
            self.queues.insert(key, QueueRecord { limits, bucket });
        }
        Ok(())
    }

    fn queue_summary(&self, tenant: TenantId, name: &str, now: Timestamp) -> Result<QueueSummary, StoreError> {
        let limits = match self.queues.get(&(tenant, name.to_owned())) {
            Some(record) => record.limits.clone(),
            None => QueueLimits::none(name.parse().map_err(|error| StoreError::Inconsistent {
                table: "executions",
                key: name.to_owned(),
                detail: format!("its queue has an impossible name: {error}"),
            })?),
        };
        let running = self.lanes.of_queue(tenant, name).map(|lane| lane.running.len() as u64).sum();
        Ok(QueueSummary {
            limits,
            pending: self.lanes.pending_in(tenant, name) as u64,
            running,
            oldest_due_at: self.oldest_due_at(self.lanes.of_queue(tenant, name), now),
        })
    }

    /// When the oldest waiting execution became due, of those that are.
    fn oldest_due_at<'a>(&self, lanes: impl Iterator<Item = &'a Lane>, now: Timestamp) -> Option<Timestamp> {
        let run_at = |id: &ExecutionId| match self.executions.get(id)?.stage {
            Stage::Waiting { run_at, .. } => Some(run_at),
            Stage::Running(_) | Stage::Over(_) => None,
        };
        let waiting = lanes.flat_map(|lane| lane.ready.iter().map(|(_, id)| id).chain(&lane.later));
        waiting.filter_map(run_at).filter(|run_at| *run_at <= now).min()
    }
}
