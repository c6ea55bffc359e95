//! Housekeeping.

use std::collections::BTreeSet;
use std::time::Duration;

use async_trait::async_trait;
use horarium_domain::stats::ROLLUP_WIDTHS;
use horarium_domain::store::{Conflict, Drift, MaintenanceStore, Released, StoreError};
use horarium_domain::{ExecutionId, TenantId, Timestamp};

use super::MemoryStore;
use super::record::Stage;

/// The five-minute buckets serve views of up to a day.
const FINE_ROLLUPS_KEPT: Duration = Duration::from_hours(2 * 24);
/// The longest view reaches back 90 days.
const HISTORY_KEPT: Duration = Duration::from_hours(92 * 24);

#[async_trait]
impl MaintenanceStore for MemoryStore {
    /// Nothing is kept by days.
    async fn prepare_history(&self, _now: Timestamp) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn release_history(&self, _tenant: TenantId, before: Timestamp) -> Result<Released, StoreError> {
        Ok(Released { executions: 0, singly_before: before })
    }

    async fn prune_executions(&self, tenant: TenantId, before: Timestamp, limit: usize) -> Result<u64, StoreError> {
        let mut state = self.state();
        let ended_before = state.executions.values().filter(|record| {
            record.accepted.tenant_id == tenant
                && matches!(&record.stage, Stage::Over(end) if end.completed_at < before)
        });
        let doomed: BTreeSet<ExecutionId> = ended_before.take(limit).map(|record| record.accepted.id).collect();
        if !doomed.is_empty() {
            state.remove_executions(|record| doomed.contains(&record.accepted.id));
        }
        Ok(doomed.len() as u64)
    }

    async fn delete_execution(&self, tenant: TenantId, id: ExecutionId) -> Result<(), StoreError> {
        let mut state = self.state();
        if !state.execution(tenant, id)?.state().is_terminal() {
            return Err(StoreError::Conflict(Conflict::ExecutionRunning));
        }
        state.remove_executions(|record| record.accepted.id == id);
        Ok(())
    }

    async fn prune_rollups(&self, now: Timestamp) -> Result<u64, StoreError> {
        let mut state = self.state();
        let [fine, _] = ROLLUP_WIDTHS;
        let mut removed = state.rollups.len();
        state.rollups.retain(|key, _| {
            let kept = if key.width == fine { FINE_ROLLUPS_KEPT } else { HISTORY_KEPT };
            key.start >= now - kept
        });
        removed -= state.rollups.len();
        for record in state.jobs.values_mut() {
            removed += record.skipped.len();
            record.skipped.retain(|slots| slots.recorded_at >= now - HISTORY_KEPT);
            removed -= record.skipped.len();
        }
        Ok(removed as u64)
    }

    /// Counters are read off the executions each time, so none can differ from them.
    async fn reconcile_counters(&self, _tenant: TenantId) -> Result<Vec<Drift>, StoreError> {
        Ok(Vec::new())
    }

    /// Limits are looked up at each claim, so nothing is ever outside them.
    async fn sweep_gates(&self) -> Result<u64, StoreError> {
        Ok(0)
    }

    async fn check(&self) -> Result<(), StoreError> {
        Ok(())
    }

    async fn database_time(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }
}
