//! The jobs of one group, taken together.

use async_trait::async_trait;
use horarium_domain::execution::{ExecutionState, ExecutionSummary};
use horarium_domain::job::LastRun;
use horarium_domain::stats::GroupFigures;
use horarium_domain::store::{CursorPage, GroupFilter, GroupStore, StoreError};
use horarium_domain::{ExecutionId, TenantId};

use super::MemoryStore;
use super::record::{ExecutionRecord, JobRecord, Stage};
use super::state::State;

#[async_trait]
impl GroupStore for MemoryStore {
    async fn group_figures(&self, tenant: TenantId, group: &str) -> Result<GroupFigures, StoreError> {
        let state = self.state_for("group_figures")?;
        let mut figures = GroupFigures::default();
        let mut due = Vec::new();
        for record in state.executions.values().filter(|record| state.is_of_group(record, tenant, group)) {
            match &record.stage {
                Stage::Waiting { run_at, .. } => {
                    figures.pending += 1;
                    due.push(*run_at);
                }
                Stage::Running(_) => figures.running += 1,
                Stage::Over(end) => figures.failed += i64::from(end.state == ExecutionState::Failed),
            }
        }
        figures.oldest_due_at = due.into_iter().min();
        let jobs = state.jobs.values().filter(|record| record.is_of_group(tenant, group));
        figures.last_run = jobs.filter_map(|record| state.last_uncancelled(record)).max_by_key(|run| run.completed_at);
        Ok(figures)
    }

    async fn executions_of_group(
        &self,
        tenant: TenantId,
        filter: &GroupFilter,
        before: Option<ExecutionId>,
        limit: usize,
    ) -> Result<CursorPage<ExecutionSummary>, StoreError> {
        let state = self.state_for("executions_of_group")?;
        let GroupFilter { group, job_name, state: wanted } = filter;
        let mut found = state.executions.values().rev().filter(|record| {
            state.is_of_group(record, tenant, group)
                && before.is_none_or(|before| record.accepted.id < before)
                && wanted.is_none_or(|wanted| record.state() == wanted)
                && job_name.as_ref().is_none_or(|name| state.job_name(record.accepted.job_id) == name)
        });
        let items: Vec<_> = found.by_ref().take(limit).map(|record| state.summary_of(record)).collect();
        let next = found.next().and_then(|_| items.last()).map(|last| last.id);
        Ok(CursorPage { items, next })
    }
}

impl JobRecord {
    fn is_of_group(&self, tenant: TenantId, group: &str) -> bool {
        self.job.tenant_id == tenant && self.job.spec.group.as_deref() == Some(group)
    }
}

impl State {
    fn is_of_group(&self, record: &ExecutionRecord, tenant: TenantId, group: &str) -> bool {
        self.jobs.get(&record.accepted.job_id).is_some_and(|job| job.is_of_group(tenant, group))
    }

    /// The job's run that succeeded or failed last, as far as it is looked for.
    fn last_uncancelled(&self, job: &JobRecord) -> Option<LastRun> {
        let last_run = job.last_run?;
        if last_run.state != ExecutionState::Cancelled {
            return Some(last_run);
        }
        let newest = self.executions.values().rev().filter(|record| record.accepted.job_id == job.job.id);
        let ends = newest.take(GroupFigures::LOOK_BACK).filter_map(|record| match &record.stage {
            Stage::Over(end) if end.state != ExecutionState::Cancelled => Some(LastRun {
                started_at: end.started_at,
                completed_at: end.completed_at,
                state: end.state,
                duration_ms: end.duration_ms(),
            }),
            Stage::Waiting { .. } | Stage::Running(_) | Stage::Over(_) => None,
        });
        ends.max_by_key(|run| run.completed_at)
    }
}
