//! A node that runs agent jobs, and an agent that does exactly what a test says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use horarium_domain::agent::protocol::{
    HeartbeatRequest, LeasedTask, RegisterRequest, Report, ReportStatus, TaskOutcome,
};
use horarium_domain::agent::{AgentTask, AgentTiming, TaskState};
use horarium_domain::execution::{Execution, ExecutionState};
use horarium_domain::job::{Job, JobConfiguration, JobSpec, JobType};
use horarium_domain::{AgentId, ExecutionId, TenantId};
use horarium_scheduler_engine::service::{Actor, AgentService, NewAgentJob, TenantPolicy};
use horarium_scheduler_engine::{AgentExecutor, Core, Engine, EngineConfig, Registry, Services};
use serde_json::{Value, json};

use crate::support::{World, config, pass};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const MINUTE: Duration = Duration::from_mins(1);
pub(crate) const OPERATION: &str = "node.uptime.get";

/// A node that runs agent jobs.
pub(crate) fn node(world: &World, config: EngineConfig) -> (Arc<Core>, Services, Engine) {
    node_over(world.core(), config)
}

/// A node on which hosts may be silent for this long.
pub(crate) fn node_with_timeout(world: &World, broadcast_timeout: Duration) -> (Arc<Core>, Services, Engine) {
    let core = world.core();
    assert!(core.wait_for_agents(AgentTiming::of(broadcast_timeout)));
    node_over(core, config("a"))
}

fn node_over(core: Arc<Core>, config: EngineConfig) -> (Arc<Core>, Services, Engine) {
    let registry = Registry::new().with(JobType::Agent, AgentExecutor::new(core.clone()));
    let engine = Engine::start(core.clone(), registry, config);
    let services = Services::new(&core, TenantPolicy::without_jobs());
    (core, services, engine)
}

/// An agent that does exactly what a test says.
pub(crate) struct Agent {
    pub(crate) service: AgentService,
    pub(crate) tenant: TenantId,
    pub(crate) id: AgentId,
}

impl Agent {
    pub(crate) async fn join(world: &World, services: &Services, hostname: &str) -> Self {
        Self::join_as(world, services, hostname, "web.dev", &[OPERATION]).await
    }

    pub(crate) async fn join_as(
        world: &World,
        services: &Services,
        hostname: &str,
        group: &str,
        operations: &[&str],
    ) -> Self {
        let request = RegisterRequest {
            hostname: hostname.to_owned(),
            labels: BTreeMap::from([("group".to_owned(), group.to_owned())]),
            operations: operations.iter().map(|name| (*name).to_owned()).collect(),
            version: "test".to_owned(),
            facts: serde_json::Map::new(),
        };
        let agent = services.agents.register(world.tenant, request).await.unwrap();
        Self { service: services.agents.clone(), tenant: world.tenant, id: agent.id }
    }

    /// Waits for a task.
    pub(crate) async fn take(&self) -> LeasedTask {
        let mut leased = self.service.lease(self.tenant, self.id, 1, MINUTE).await.unwrap().take();
        assert_eq!(leased.len(), 1, "a task comes");
        leased.remove(0)
    }

    pub(crate) async fn finds_nothing(&self) -> bool {
        self.service.lease(self.tenant, self.id, 10, Duration::ZERO).await.unwrap().take().is_empty()
    }

    pub(crate) async fn report(
        &self,
        task: &LeasedTask,
        outcome: TaskOutcome,
        data: Value,
        error: Option<&str>,
    ) -> ReportStatus {
        let report = Report {
            lease_token: task.lease_token.clone(),
            outcome,
            data,
            changed: Some(false),
            error: error.map(str::to_owned),
            retryable: true,
            duration_ms: Some(5),
        };
        self.service.report(self.tenant, self.id, vec![Ok(report)]).await.unwrap()[0].status
    }

    pub(crate) async fn complete(&self, task: &LeasedTask, data: Value) {
        assert_eq!(self.report(task, TaskOutcome::Completed, data, None).await, ReportStatus::Accepted);
    }

    pub(crate) async fn fail(&self, task: &LeasedTask, error: &str) {
        assert_eq!(self.report(task, TaskOutcome::Failed, Value::Null, Some(error)).await, ReportStatus::Accepted);
    }

    /// Says that it lives; answers which of what it works on is to be stopped.
    pub(crate) async fn beat(&self, running: &[&LeasedTask]) -> Vec<String> {
        let running = running.iter().map(|task| task.lease_token.clone()).collect();
        let request = HeartbeatRequest { running, leaving: false };
        self.service.heartbeat(self.tenant, self.id, request).await.unwrap().stop
    }

    /// Works on a task for a while, as an agent that is well does.
    pub(crate) async fn work(&self, task: &LeasedTask, time: Duration) {
        let mut left = time;
        while left > Duration::ZERO {
            pass(left.min(5 * SECOND)).await;
            left = left.saturating_sub(5 * SECOND);
            assert!(self.beat(&[task]).await.is_empty());
        }
    }
}

pub(crate) fn actor(world: &World) -> Actor {
    Actor::new(world.tenant, "alice")
}

pub(crate) async fn submit(world: &World, services: &Services, target: Option<&str>) -> ExecutionId {
    let new =
        NewAgentJob { operation: OPERATION.to_owned(), data: json!({"unit": "s"}), target: target.map(str::to_owned) };
    services.agent_jobs.submit(&actor(world), new).await.unwrap().0
}

pub(crate) async fn tasks(world: &World, id: ExecutionId) -> Vec<AgentTask> {
    world.store.agent_tasks(world.tenant, &[id]).await.unwrap()
}

pub(crate) async fn states(world: &World, id: ExecutionId) -> Vec<(String, TaskState)> {
    let tasks = tasks(world, id).await;
    tasks.into_iter().map(|task| (task.hostname().unwrap_or("nobody").to_owned(), task.state)).collect()
}

pub(crate) fn named<const N: usize>(states: [(&str, TaskState); N]) -> Vec<(String, TaskState)> {
    states.map(|(host, state)| (host.to_owned(), state)).to_vec()
}

pub(crate) async fn ends(world: &World, id: ExecutionId, state: ExecutionState) -> Execution {
    world.until(id, state, 3 * MINUTE).await
}

/// A job of the scheduler dialect.
pub(crate) async fn agent_job(world: &World, target: &str, change: impl FnOnce(&mut JobSpec)) -> Job {
    let configuration = json!({"operation": OPERATION, "target": target});
    world
        .job("uptime", |spec| {
            spec.configuration = JobConfiguration::parse(JobType::Agent, &configuration).unwrap();
            change(spec);
        })
        .await
}
