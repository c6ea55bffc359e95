//! Jobs, and executions brought to a state without an engine: the store is told what a worker would have told it.

use std::time::Duration;

use horarium_domain::execution::{ExecutionState, Lifecycle};
use horarium_domain::store::{ClaimRequest, Claimed, Decision, Settled, Settlement};
use horarium_domain::{JobId, NodeId};
use horarium_scheduler_engine::service::{JobInput, TriggerInput};
use serde_json::json;
use uuid::Uuid;

use super::TestApp;

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
        let request = ClaimRequest {
            node: NodeId::from_uuid(Uuid::from_u128(7)),
            worker: "worker-1".to_owned(),
            limit: 1,
            now: self.core.now(),
            lease_until: self.core.now() + LEASE,
        };
        self.core.store.claim(&request).await.unwrap().remove(0)
    }

    /// Has what was begun end so, after a second.
    pub(crate) async fn end(&self, claimed: &Claimed, state: ExecutionState) {
        let took = Duration::from_secs(1);
        self.advance(took);
        let error = (state == ExecutionState::Failed).then(|| "it broke".to_owned());
        let decision = Decision::Finish { state, output: None, error, items_processed: None, partial: false };
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
