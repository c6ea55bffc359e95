//! A node that runs agent jobs, and agents that speak the protocol and do exactly what a test says.

use std::time::Duration;

use horarium_auth::Role;
use horarium_domain::NodeId;
use horarium_domain::agent::AgentTask;
use horarium_domain::job::JobType;
use horarium_domain::store::Claimed;
use horarium_scheduler_engine::{AgentExecutor, AgentKeeper, Engine, EngineConfig, Registry};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Client, TestApp, until};

/// An agent.
pub(crate) struct TestAgent {
    client: Client,
    pub(crate) id: String,
}

impl TestApp {
    /// Starts the loops of a node that runs agent jobs; they end when it is dropped.
    pub(crate) fn run_agent_jobs(&self) -> Engine {
        let registry = Registry::new().with(JobType::Agent, AgentExecutor::new(self.core.clone()));
        let config = EngineConfig::new(NodeId::from_uuid(Uuid::from_u128(7)), "test-node");
        Engine::start(self.core.clone(), registry, config)
    }

    /// An agent of `org-1`.
    pub(crate) async fn agent(&self, hostname: &str) -> TestAgent {
        self.agent_as(hostname, "web.dev", &["node.uptime.get", "node.hostname.get"]).await
    }

    /// An agent of a group, with operations.
    pub(crate) async fn agent_as(&self, hostname: &str, group: &str, operations: &[&str]) -> TestAgent {
        let client = self.as_role(Role::Agent);
        let registration = json!({
            "hostname": hostname,
            "labels": {"group": group},
            "operations": operations,
            "version": "1.2.3",
            "facts": {"os": "linux"},
        });
        let answer = client.post("/api/v1/agents/register", registration).await.expect(200);
        TestAgent { client, id: answer.member("agent_id") }
    }

    /// Divides what was claimed among hosts, or leaves it to any agent, as an attempt at an agent job does.
    pub(crate) async fn open_tasks(&self, claimed: &Claimed, hosts: Option<&[String]>) {
        let (now, is_broadcast) = (self.now(), hosts.is_some());
        let task = || {
            let (id, execution) = (self.core.ids.agent_task(now), claimed.lease.execution_id);
            let task = AgentTask::new(id, claimed.tenant_id, execution, "node.uptime.get", 60, now);
            AgentTask { is_broadcast, deadline_at: now + Duration::from_hours(1), ..task }
        };
        let tasks: Vec<_> =
            hosts.map_or_else(|| vec![task()], |hosts| hosts.iter().map(|host| task().for_host(host)).collect());
        self.core.store.open_tasks(&tasks).await.unwrap();
    }

    /// Goes over open tasks, as a node does all the time.
    pub(crate) async fn sweep_tasks(&self) {
        AgentKeeper::new(self.core.clone()).tick().await.unwrap();
    }

    /// Waits until a job has this status, and gives it.
    pub(crate) async fn job_until(&self, id: &str, status: &str) -> Value {
        until(&format!("the job is {status}"), async || {
            let job = self.owner().get(&format!("/job/{id}")).await.expect(200).json();
            if job["status"] == status { Ok(job) } else { Err(job) }
        })
        .await
    }
}

impl TestAgent {
    pub(crate) async fn call(&self, what: &str, body: Value) -> Value {
        self.client.post(&format!("/api/v1/agents/{}/{what}", self.id), body).await.expect(200).json()
    }

    /// Waits for a task.
    pub(crate) async fn take(&self) -> Value {
        let leased = self.call("lease", json!({"max": 1, "wait_seconds": 10})).await;
        assert_eq!(leased.as_array().unwrap().len(), 1, "a task comes: {leased}");
        leased[0].clone()
    }

    /// Reports a task.
    pub(crate) async fn report(&self, task: &Value, mut report: Value) -> Value {
        report["lease_token"] = task["lease_token"].clone();
        self.call("report", json!([report])).await[0].clone()
    }
}
