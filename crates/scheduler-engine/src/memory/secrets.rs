//! Sealed secrets in executions, agents' tasks and callbacks.

use async_trait::async_trait;
use horarium_domain::secret::SEALED_PREFIX;
use horarium_domain::store::{SecretHolder, SecretStore, StoreError, StoredSecrets};
use horarium_domain::{AgentTaskId, ExecutionId, TenantId};
use serde_json::Value;
use uuid::Uuid;

use super::MemoryStore;
use super::state::State;

#[async_trait]
impl SecretStore for MemoryStore {
    async fn secrets_after(
        &self,
        holder: SecretHolder,
        after: Option<(TenantId, Uuid)>,
        limit: usize,
    ) -> Result<Vec<StoredSecrets>, StoreError> {
        let all = of(&self.state(), holder);
        Ok(all.into_iter().filter(|found| after.is_none_or(|(_, id)| found.id > id)).take(limit).collect())
    }

    async fn replace_secrets(
        &self,
        holder: SecretHolder,
        _tenant: TenantId,
        id: Uuid,
        document: &Value,
    ) -> Result<(), StoreError> {
        let mut state = self.state();
        match holder {
            SecretHolder::Execution => {
                if let Some(record) = state.executions.get_mut(&ExecutionId::from_uuid(id)) {
                    record.accepted.payload = Some(document.clone());
                }
            }
            SecretHolder::AgentTask => {
                if let Some(task) = state.agent_tasks.get_mut(&AgentTaskId::from_uuid(id)) {
                    task.data = document.clone();
                }
            }
            SecretHolder::Callback => {
                if let Some(record) = state.callbacks.get_mut(&ExecutionId::from_uuid(id)) {
                    record.callback.asked.url = document.as_str().map(str::to_owned);
                }
            }
        }
        Ok(())
    }
}

fn of(state: &State, holder: SecretHolder) -> Vec<StoredSecrets> {
    let is_sealed = |found: &StoredSecrets| found.document.to_string().contains(SEALED_PREFIX);
    match holder {
        SecretHolder::Execution => {
            let executions = state.executions.values().filter_map(|record| {
                let accepted = &record.accepted;
                Some(StoredSecrets {
                    id: accepted.id.as_uuid(),
                    tenant_id: accepted.tenant_id,
                    owner: accepted.job_id.as_uuid(),
                    document: accepted.payload.clone()?,
                })
            });
            executions.filter(is_sealed).collect()
        }
        SecretHolder::AgentTask => {
            let tasks = state.agent_tasks.values().map(|task| StoredSecrets {
                id: task.id.as_uuid(),
                tenant_id: task.tenant_id,
                owner: task.execution_id.as_uuid(),
                document: task.data.clone(),
            });
            tasks.filter(is_sealed).collect()
        }
        SecretHolder::Callback => {
            let callbacks = state.callbacks.iter().filter_map(|(id, record)| {
                Some(StoredSecrets {
                    id: id.as_uuid(),
                    tenant_id: state.executions.get(id)?.accepted.tenant_id,
                    owner: id.as_uuid(),
                    document: Value::from(record.callback.asked.url.clone()?),
                })
            });
            callbacks.collect()
        }
    }
}
