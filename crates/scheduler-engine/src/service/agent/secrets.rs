//! The secrets in what agents are to do: opened with the lease, and not before.

use horarium_domain::TenantId;
use horarium_domain::agent::{AgentTask, TaskEnd, TaskState};
use horarium_domain::secret::{Document, SecretError};
use horarium_domain::store::StoreError;
use tracing::error;

use super::report;
use crate::core::Core;
use crate::secrets::{Secrets, Unopened};

/// Leased tasks with their secrets open. One whose secrets do not open here fails, as an attempt of any other job would.
pub(super) async fn opened(
    core: &Core,
    tenant: TenantId,
    leased: Vec<AgentTask>,
) -> Result<Vec<AgentTask>, StoreError> {
    let mut open = Vec::with_capacity(leased.len());
    let mut failed = Vec::new();
    for mut task in leased {
        let secrets = Secrets::of_execution(&*core.secrets, tenant, task.execution_id);
        match secrets.open(Document::AgentData, &mut task.data) {
            Ok(_) => open.push(task),
            Err(unopened) => {
                error!(execution = %task.execution_id, "an agent cannot be handed its task: {unopened}");
                failed.push(unusable(&task, &unopened));
            }
        }
    }
    if !failed.is_empty() {
        let reported = core.store.report_tasks(tenant, failed, core.now()).await?;
        core.agents.answered(report::executions(&reported));
    }
    Ok(open)
}

fn unusable(task: &AgentTask, unopened: &Unopened) -> TaskEnd {
    TaskEnd {
        lease: task.lease(),
        state: TaskState::Failed,
        result: None,
        changed: None,
        error: Some(unopened.to_string()),
        // Another node may have the key that this one lacks; a secret that was altered opens nowhere.
        retryable: matches!(unopened.error, SecretError::UnknownKey { .. }),
        duration_ms: None,
    }
}
