//! Jobs, and executions brought to a state without an engine: the store is told what a worker would have told it.

use std::collections::BTreeMap;
use std::time::Duration;

use horarium_domain::agent::{AgentTask, TaskState};
use horarium_domain::execution::{ExecutionState, Lifecycle, Output};
use horarium_domain::store::{ClaimRequest, Claimed, Decision, Registration, Settled, Settlement};
use horarium_domain::{JobId, NodeId};
use horarium_scheduler_engine::service::{JobInput, NewAgentJob, TriggerInput};
use serde_json::json;
use uuid::Uuid;

use super::TestApp;

/// What agents are asked to do.
const OPERATION: &str = "node.status";

/// How long a claim holds.
const LEASE: Duration = Duration::from_secs(30);

impl TestApp {
    /// A job of `org-1` that calls a URL, by a schedule if one is given.
    pub(crate) async fn job(&self, name: &str, cron: Option<&str>) -> JobId {
        let input = JobInput {
            name: Some(name.to_owned()),
            job_type: Some("HttpCall".to_owned()),
            job_configuration: Some(json!({"url": "https://example.com/hook", "method": "POST"})),
            schedule_type: cron.map(|_| "Cron".to_owned()),
            schedule_expression: cron.map(str::to_owned),
            ..JobInput::default()
        };
        self.services.jobs.create(&self.actor().await, &input).await.unwrap().job.id
    }

    /// Triggers a job and has a worker begin with it.
    pub(crate) async fn begin(&self, job: JobId) -> Claimed {
        self.services.executions.trigger(&self.actor().await, job, TriggerInput::default()).await.unwrap();
        self.claim().await
    }

    /// Has a worker begin with what is next.
    pub(crate) async fn claim(&self) -> Claimed {
        let request = ClaimRequest {
            node: NodeId::from_uuid(Uuid::from_u128(7)),
            worker: "worker-1".to_owned(),
            limit: 1,
            now: self.core.now(),
            lease_until: self.core.now() + LEASE,
        };
        self.core.store.claim(&request).await.unwrap().remove(0)
    }

    /// Has all of some agents do something, and a worker begin with it: what each host answered by then.
    pub(crate) async fn broadcast(&self, hosts: &[(&str, TaskState)]) -> Claimed {
        let (actor, now, ids) = (self.actor().await, self.core.now(), &self.core.ids);
        for (host, _) in hosts {
            let registration = Registration {
                id: ids.agent(now),
                tenant_id: actor.tenant,
                hostname: (*host).to_owned(),
                labels: BTreeMap::new(),
                operations: vec![OPERATION.to_owned()],
                facts: serde_json::Map::new(),
                version: "1.0.0".to_owned(),
                now,
            };
            self.core.store.register_agent(registration).await.unwrap();
        }
        let operation =
            NewAgentJob { operation: OPERATION.to_owned(), data: json!({}), target: Some("_all".to_owned()) };
        self.services.agent_jobs.submit(&actor, operation).await.unwrap();
        let claimed = self.claim().await;
        let task = |(host, state): &(&str, TaskState)| {
            let new =
                AgentTask::new(ids.agent_task(now), actor.tenant, claimed.lease.execution_id, OPERATION, 300, now);
            AgentTask {
                state: *state,
                is_broadcast: true,
                attempt: 1,
                leased_at: Some(now),
                ended_at: (!state.is_open()).then_some(now + LEASE),
                error: (*state == TaskState::Failed).then(|| "the disk is full".to_owned()),
                result: (*state == TaskState::Completed).then(|| json!({"log": vec!["all is well"; 500]})),
                ..new.for_host(host)
            }
        };
        let tasks: Vec<AgentTask> = hosts.iter().map(task).collect();
        self.core.store.open_tasks(&tasks).await.unwrap();
        claimed
    }

    /// Has what was begun end so, after a second.
    pub(crate) async fn end(&self, claimed: &Claimed, state: ExecutionState) {
        let error = (state == ExecutionState::Failed).then(|| "it broke".to_owned());
        self.end_with(claimed, state, None, error).await;
    }

    /// The same with what it gave back, or what went wrong.
    pub(crate) async fn end_with(
        &self,
        claimed: &Claimed,
        state: ExecutionState,
        output: Option<&str>,
        error: Option<String>,
    ) {
        let took = Duration::from_secs(1);
        self.advance(took);
        let output = output.map(|text| Output { text: text.to_owned(), truncated: false });
        let decision = Decision::Finish { state, output, error, items_processed: None, partial: false };
        let settlement = Settlement {
            lease: claimed.lease,
            tenant_id: claimed.tenant_id,
            job_id: claimed.job_id,
            next: Lifecycle { state, ..claimed.lifecycle },
            worker: "worker-1".to_owned(),
            started_at: self.core.now() - took,
            ended_at: self.core.now(),
            decision,
            event: None,
            only_if_expired_at: None,
        };
        assert_eq!(self.core.store.settle(vec![settlement]).await.unwrap(), [Settled::Applied]);
    }
}
