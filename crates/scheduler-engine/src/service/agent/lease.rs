//! Handing out work to agents that ask for it and wait.

use std::sync::Arc;
use std::time::Duration;

use horarium_domain::agent::protocol::{LeasedTask, MAX_LEASED_TASKS, MAX_WAIT_SECONDS};
use horarium_domain::agent::{Agent, AgentTask};
use horarium_domain::store::{StoreError, TaskRequest};
use horarium_domain::{AgentId, TenantId};
use tokio::time::Instant;

use super::{AgentService, secrets};
use crate::core::Core;
use crate::service::ServiceError;

/// How often, at least, a waiting call looks by itself whether there is work; it is told when there is.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Tasks that were leased for a caller, their secrets open. If it is gone before it takes them, they are given back.
#[derive(Debug)]
pub struct Leased {
    core: Arc<Core>,
    tenant: TenantId,
    tasks: Vec<AgentTask>,
}

impl Leased {
    const fn nothing(core: Arc<Core>, tenant: TenantId) -> Self {
        Self { core, tenant, tasks: Vec::new() }
    }

    /// Takes them, to be sent without delay.
    pub fn take(mut self) -> Vec<LeasedTask> {
        std::mem::take(&mut self.tasks).into_iter().map(wire_task).collect()
    }
}

impl Drop for Leased {
    fn drop(&mut self) {
        if !self.tasks.is_empty() {
            self.core.agents.give_back(self.tenant, self.tasks.iter().map(AgentTask::lease));
        }
    }
}

impl AgentService {
    /// Gives an agent up to `max` tasks, waiting up to `wait` for the first; none when the wait is over, while the agent
    /// is drained or leaving, and once it has registered again or left since the call began. All the time it waits
    /// counts as a sign of life. More tasks and a longer wait than there can be mean as much as there can be.
    ///
    /// # Errors
    /// [`ServiceError::NotFound`]; [`ServiceError::Invalid`] when `max` is 0.
    pub async fn lease(&self, tenant: TenantId, id: AgentId, max: u32, wait: Duration) -> Result<Leased, ServiceError> {
        if max == 0 {
            return Err(ServiceError::invalid("max", format!("must be 1 to {MAX_LEASED_TASKS}; more means that")));
        }
        let limit = max.min(MAX_LEASED_TASKS) as usize;
        let end = Instant::now() + wait.min(Duration::from_secs(u64::from(MAX_WAIT_SECONDS)));
        let interval = LOOK_INTERVAL.min(self.timing().heartbeat);
        let news = self.core.agents.asker(tenant);
        let mut session = None;
        loop {
            // Listening begins before looking, so nothing that comes in between is missed.
            let told = news.notified();
            tokio::pin!(told);
            told.as_mut().enable();
            // Read each time: somebody may have drained it while it waited.
            let agent = self.core.store.agent(tenant, id).await?;
            if *session.get_or_insert(agent.session) != agent.session {
                return Ok(Leased::nothing(Arc::clone(&self.core), tenant));
            }
            self.heard_of(&agent);
            let leased = self.try_lease(agent, limit).await?;
            if !leased.tasks.is_empty() || Instant::now() >= end {
                return Ok(leased);
            }
            let next = end.min(Instant::now() + interval);
            tokio::select! {
                () = &mut told => {}
                () = tokio::time::sleep_until(next) => {}
            }
        }
    }

    /// Leases what there is. A caller that goes away cannot stop that halfway: it is done, and then given back.
    async fn try_lease(&self, agent: Agent, limit: usize) -> Result<Leased, ServiceError> {
        let core = Arc::clone(&self.core);
        let mut leased = Leased::nothing(core, agent.tenant_id);
        if agent.draining || agent.leaving {
            return Ok(leased);
        }
        let (now, timing) = (self.core.now(), self.timing());
        let request = TaskRequest {
            tenant_id: agent.tenant_id,
            hostname: agent.hostname,
            operations: agent.operations,
            limit,
            now,
            lease_until: now + timing.lease,
            deadline_at: now + timing.broadcast_timeout,
        };
        let work = tokio::spawn(async move {
            let tasks = leased.core.store.lease_tasks(&request).await?;
            leased.tasks = secrets::opened(&leased.core, leased.tenant, tasks).await?;
            Ok::<_, StoreError>(leased)
        });
        Ok(work.await.map_err(|error| StoreError::Unavailable(error.to_string()))??)
    }
}

fn wire_task(task: AgentTask) -> LeasedTask {
    LeasedTask {
        lease_token: task.lease().to_string(),
        execution_id: task.execution_id,
        operation: task.operation,
        data: task.data,
        timeout_seconds: task.timeout_seconds,
        attempt: u32::from(task.attempt),
    }
}
