//! Agents and their tasks.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use horarium_domain::agent::{Agent, AgentTask, HandOn, HeldTask, TaskEnd, TaskLease, TaskState};
use horarium_domain::execution::Event;
use horarium_domain::store::{
    AgentStore, Excuse, Heartbeat, Registration, Reported, StoreError, SweptTasks, TaskRequest, WaitingTasks,
};
use horarium_domain::{AgentId, ExecutionId, TenantId, Timestamp};

use super::MemoryStore;
use super::record::Stage;
use super::state::State;

const NOT_FOUND: StoreError = StoreError::NotFound("agent");

#[async_trait]
impl AgentStore for MemoryStore {
    async fn register_agent(&self, registration: Registration) -> Result<Agent, StoreError> {
        let Registration { id, tenant_id, hostname, labels, operations, facts, version, now } = registration;
        let mut state = self.state();
        if !state.tenants.contains_key(&tenant_id) {
            return Err(StoreError::NotFound("tenant"));
        }
        let known = state.agent_named(tenant_id, &hostname).ok().map(|agent| &*agent);
        let (id, registered_at, draining, session) = known
            .map_or((id, now, false, 1), |agent| (agent.id, agent.registered_at, agent.draining, agent.session + 1));
        let agent = Agent {
            id,
            tenant_id,
            hostname,
            labels,
            operations,
            facts,
            version,
            draining,
            leaving: false,
            session,
            registered_at,
            last_seen_at: now,
        };
        state.agents.insert(id, agent.clone());
        Ok(agent)
    }

    async fn agent(&self, tenant: TenantId, id: AgentId) -> Result<Agent, StoreError> {
        self.state().agents.get(&id).filter(|agent| agent.tenant_id == tenant).cloned().ok_or(NOT_FOUND)
    }

    async fn agent_named(&self, tenant: TenantId, hostname: &str) -> Result<Agent, StoreError> {
        self.state().agent_named(tenant, hostname).cloned()
    }

    async fn agents(
        &self,
        tenant: TenantId,
        seen_since: Option<Timestamp>,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Agent>, StoreError> {
        let state = self.state();
        let asked_for = |agent: &&Agent| {
            agent.tenant_id == tenant
                && seen_since.is_none_or(|since| agent.last_seen_at >= since)
                && after.is_none_or(|after| agent.hostname.as_str() > after)
        };
        let mut agents: Vec<Agent> = state.agents.values().filter(asked_for).cloned().collect();
        agents.sort_by(|one, other| one.hostname.cmp(&other.hostname));
        agents.truncate(limit);
        Ok(agents)
    }

    async fn drain_agent(&self, tenant: TenantId, hostname: &str, draining: bool) -> Result<Agent, StoreError> {
        let mut state = self.state();
        let agent = state.agent_named(tenant, hostname)?;
        agent.draining = draining;
        Ok(agent.clone())
    }

    async fn delete_agent(&self, tenant: TenantId, hostname: &str) -> Result<(), StoreError> {
        let mut state = self.state();
        let id = state.agent_named(tenant, hostname)?.id;
        state.agents.remove(&id);
        Ok(())
    }

    async fn prune_agents(&self, before: Timestamp) -> Result<u64, StoreError> {
        let mut state = self.state();
        let known = state.agents.len();
        state.agents.retain(|_, agent| agent.draining || agent.last_seen_at >= before);
        Ok((known - state.agents.len()) as u64)
    }

    async fn agent_heartbeat(&self, heartbeat: &Heartbeat) -> Result<Vec<TaskLease>, StoreError> {
        let mut state = self.state();
        let agent = state.agents.get_mut(&heartbeat.agent_id).filter(|agent| agent.tenant_id == heartbeat.tenant_id);
        let agent = agent.ok_or(NOT_FOUND)?;
        agent.last_seen_at = heartbeat.now;
        agent.leaving = heartbeat.leaving;
        agent.session += i64::from(heartbeat.leaving);
        let mut held = Vec::new();
        for lease in &heartbeat.running {
            if let Some(task) = state.leased(heartbeat.tenant_id, *lease) {
                task.lease_until = Some(heartbeat.lease_until);
                task.deadline_at = heartbeat.deadline_at;
                held.push(*lease);
            }
        }
        Ok(held)
    }

    async fn note_agents(&self, agents: &[AgentId], now: Timestamp) -> Result<(), StoreError> {
        let mut state = self.state();
        for id in agents {
            if let Some(agent) = state.agents.get_mut(id) {
                agent.last_seen_at = now;
            }
        }
        Ok(())
    }

    async fn open_tasks(&self, tasks: &[AgentTask]) -> Result<(), StoreError> {
        let mut state = self.state();
        if tasks.iter().any(|task| state.execution(task.tenant_id, task.execution_id).is_err()) {
            return Err(StoreError::NotFound("execution"));
        }
        for task in tasks {
            let same = |known: &&mut AgentTask| known.execution_id == task.execution_id && known.host == task.host;
            match state.agent_tasks.values_mut().find(same) {
                None => {
                    state.agent_tasks.insert(task.id, task.clone());
                }
                Some(known) if known.round < task.round && may_be_repaired(known) => {
                    let AgentTask { id, fence, attempt, created_at, .. } = *known;
                    let state = TaskState::Pending;
                    let again = AgentTask { id, fence, attempt, created_at, state, ..task.clone() };
                    *known = AgentTask { ended_at: None, error: None, ..again };
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    async fn agent_tasks(&self, tenant: TenantId, executions: &[ExecutionId]) -> Result<Vec<AgentTask>, StoreError> {
        let state = self.state();
        let of = |task: &&AgentTask| task.tenant_id == tenant && executions.contains(&task.execution_id);
        let mut tasks: Vec<AgentTask> = state.agent_tasks.values().filter(of).cloned().collect();
        tasks.sort_by(|one, other| (one.execution_id, &one.host).cmp(&(other.execution_id, &other.host)));
        Ok(tasks)
    }

    async fn held_tasks(
        &self,
        tenant: TenantId,
        hostnames: &[String],
        limit: usize,
    ) -> Result<Vec<HeldTask>, StoreError> {
        let state = self.state_for("held_tasks")?;
        let held = state.agent_tasks.values().filter_map(|task| {
            let hostname = task.hostname.clone().filter(|hostname| hostnames.contains(hostname))?;
            let is_held = task.tenant_id == tenant && task.state == TaskState::Leased;
            let leased_at = task.leased_at.filter(|_| is_held)?;
            let AgentTask { execution_id, attempt, .. } = *task;
            Some(HeldTask { execution_id, hostname, operation: task.operation.clone(), attempt, leased_at })
        });
        let mut held: Vec<HeldTask> = held.take(limit).collect();
        held.sort_by(|one, other| (&one.hostname, one.leased_at).cmp(&(&other.hostname, other.leased_at)));
        Ok(held)
    }

    async fn awaiting_agents(&self, executions: &[ExecutionId]) -> Result<Vec<ExecutionId>, StoreError> {
        let state = self.state();
        let open =
            |id: &ExecutionId| state.agent_tasks.values().any(|task| task.execution_id == *id && task.state.is_open());
        Ok(executions.iter().copied().filter(open).collect())
    }

    async fn lease_tasks(&self, request: &TaskRequest) -> Result<Vec<AgentTask>, StoreError> {
        let mut state = self.state();
        let may_take = |task: &&mut AgentTask| {
            task.tenant_id == request.tenant_id
                && task.state == TaskState::Pending
                && match &task.host {
                    Some(host) => *host == request.hostname,
                    None => request.operations.contains(&task.operation),
                }
        };
        let taken = state.agent_tasks.values_mut().filter(may_take).take(request.limit).map(|task| {
            task.state = TaskState::Leased;
            task.fence += 1;
            task.attempt += 1;
            task.hostname = Some(request.hostname.clone());
            task.leased_at = Some(request.now);
            task.lease_until = Some(request.lease_until);
            task.deadline_at = request.deadline_at;
            task.clone()
        });
        Ok(taken.collect())
    }

    async fn return_tasks(&self, tenant: TenantId, leases: &[TaskLease]) -> Result<(), StoreError> {
        let mut state = self.state();
        for lease in leases {
            if let Some(task) = state.leased(tenant, *lease) {
                task.state = TaskState::Pending;
                task.attempt -= 1;
                task.hostname.clone_from(&task.host);
                task.leased_at = None;
                task.lease_until = None;
            }
        }
        Ok(())
    }

    async fn report_tasks(
        &self,
        tenant: TenantId,
        ends: Vec<TaskEnd>,
        now: Timestamp,
    ) -> Result<Vec<Reported>, StoreError> {
        let mut state = self.state();
        let record = |end: TaskEnd| {
            let Some(task) = state.leased(tenant, end.lease) else { return Reported::Stale };
            let id = task.execution_id;
            if end.state == TaskState::Pending {
                let event = task.hand_on(HandOn::Released, now);
                state.note(event);
            } else {
                task.state = end.state;
                task.lease_until = None;
                task.ended_at = Some(now);
                task.result = end.result;
                task.changed = end.changed;
                task.error = end.error;
                task.retryable = end.retryable;
                task.duration_ms = end.duration_ms;
            }
            Reported::Recorded(id)
        };
        Ok(ends.into_iter().map(record).collect())
    }

    async fn excuse_silence(&self, excuse: &Excuse) -> Result<(), StoreError> {
        let Excuse { unheard_since, until, now, lease, alive, patience } = *excuse;
        let mut state = self.state();
        let latest = state.agents.values().map(|agent| agent.last_seen_at).filter(|sign| *sign < until).max();
        if latest.is_some_and(|sign| sign > unheard_since) {
            return Ok(());
        }
        for task in state.agent_tasks.values_mut().filter(|task| task.state.is_open()) {
            task.deadline_at = task.deadline_at.max(now + patience);
            task.lease_until = task.lease_until.map(|until| until.max(now + lease));
        }
        let was_alive = |agent: &&mut Agent| latest.is_some_and(|sign| agent.last_seen_at >= sign - alive);
        for agent in state.agents.values_mut().filter(was_alive) {
            agent.last_seen_at = now;
        }
        Ok(())
    }

    async fn sweep_tasks(&self, now: Timestamp, patience: Duration) -> Result<SweptTasks, StoreError> {
        let mut state = self.state();
        let State { executions, agents, agent_tasks, .. } = &mut *state;
        let mut swept = SweptTasks::default();
        let mut waiting = BTreeMap::<TenantId, WaitingTasks>::new();
        let mut noted = Vec::new();
        for task in agent_tasks.values_mut().filter(|task| task.state.is_open()) {
            let execution = executions.get(&task.execution_id);
            let is_over = execution.is_none_or(|record| matches!(record.stage, Stage::Over(_)));
            let is_held = task.lease_until.is_some_and(|until| until > now);
            if task.deadline_at <= now && !is_held && !task.is_broadcast {
                let may_take = |agent: &&Agent| {
                    agent.tenant_id == task.tenant_id && agent.may_take(task.host.as_deref(), &task.operation)
                };
                let heard = agents.values().filter(may_take).map(|agent| agent.last_seen_at).max();
                task.deadline_at = heard.map_or(task.deadline_at, |heard| task.deadline_at.max(heard + patience));
            }
            if is_over {
                task.state = TaskState::Cancelled;
            } else if !is_held && (task.deadline_at <= now || task.is_used_up()) {
                task.state = TaskState::TimedOut;
                task.error = Some(AgentTask::TIMEOUT.to_owned());
                task.retryable = true;
            } else if !is_held && task.state == TaskState::Leased {
                noted.push(task.hand_on(HandOn::Lost, now));
            }
            if task.state.is_open() {
                if task.state == TaskState::Pending {
                    let nothing =
                        WaitingTasks { tenant_id: task.tenant_id, count: 0, latest_deadline: task.deadline_at };
                    let waiting = waiting.entry(task.tenant_id).or_insert(nothing);
                    waiting.count += 1;
                    waiting.latest_deadline = waiting.latest_deadline.max(task.deadline_at);
                }
            } else {
                task.lease_until = None;
                task.ended_at = Some(now);
                swept.ended.push(task.execution_id);
            }
        }
        for event in noted {
            state.note(event);
        }
        swept.ended.sort_unstable();
        swept.ended.dedup();
        swept.waiting = waiting.into_values().collect();
        Ok(swept)
    }
}

fn may_be_repaired(task: &AgentTask) -> bool {
    matches!(task.state, TaskState::Failed | TaskState::TimedOut) && task.retryable
}

impl State {
    fn agent_named(&mut self, tenant: TenantId, hostname: &str) -> Result<&mut Agent, StoreError> {
        let mut agents = self.agents.values_mut().filter(|agent| agent.tenant_id == tenant);
        agents.find(|agent| agent.hostname == hostname).ok_or(NOT_FOUND)
    }

    /// Adds to the history of an execution that is there.
    fn note(&mut self, event: Event) {
        self.change(event.execution_id, |record| record.events.push(event));
    }

    /// The task that a lease is the right to, if it still is.
    fn leased(&mut self, tenant: TenantId, lease: TaskLease) -> Option<&mut AgentTask> {
        let task = self.agent_tasks.get_mut(&lease.task_id).filter(|task| task.tenant_id == tenant)?;
        (task.fence == lease.fence && task.state == TaskState::Leased).then_some(task)
    }
}
