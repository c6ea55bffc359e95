//! The jobs of one group, taken together.

use async_trait::async_trait;

use super::{CursorPage, StoreError};
use crate::execution::{ExecutionState, ExecutionSummary};
use crate::stats::GroupFigures;
use crate::{ExecutionId, TenantId};

/// Which executions of a group a list shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupFilter {
    /// Of the jobs of this group.
    pub group: String,
    /// Only of the jobs of this name.
    pub job_name: Option<String>,
    /// Only in this state.
    pub state: Option<ExecutionState>,
}

/// What concerns all jobs of a group, deleted ones included: what they left behind is there until it is pruned or they
/// are purged. Nothing costs more for a longer history; a list costs one look at an index for each job of the group.
#[async_trait]
pub trait GroupStore: Send + Sync {
    /// The figures of a group; those of a group that nobody is in are zero.
    async fn group_figures(&self, tenant: TenantId, group: &str) -> Result<GroupFigures, StoreError>;

    /// Up to `limit` executions older than `before`, newest first.
    async fn executions_of_group(
        &self,
        tenant: TenantId,
        filter: &GroupFilter,
        before: Option<ExecutionId>,
        limit: usize,
    ) -> Result<CursorPage<ExecutionSummary>, StoreError>;
}
