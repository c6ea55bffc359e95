//! Jobs, and executions brought to a state without an engine: the store is told what a worker would have told it.

use std::time::Duration;

use horarium_auth::Role;
use horarium_domain::NodeId;
use horarium_domain::execution::{Event, EventKind, ExecutionState, Lifecycle, Output};
use horarium_domain::store::{ClaimRequest, Claimed, Decision, Settled, Settlement};
use horarium_scheduler_engine::EngineConfig;
use horarium_scheduler_engine::engine::Reaper;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Client, TestApp};

/// How long a claim holds.
const LEASE: Duration = Duration::from_secs(30);

/// A job that calls a URL when it is triggered.
pub(crate) fn http_job(name: &str) -> Value {
    json!({
        "name": name,
        "jobType": "HttpCall",
        "jobConfiguration": {"url": "https://example.com/hook", "method": "POST"},
    })
}

impl Client {
    /// Makes a job; its id.
    pub(crate) async fn create_job(&self, body: Value) -> String {
        self.post("/api/v1/scheduler/jobs", body).await.expect(201).member("id")
    }

    /// Makes a job that waits to be triggered, and triggers it; the ids of both.
    pub(crate) async fn trigger_new_job(&self, name: &str) -> (String, String) {
        let job = self.create_job(http_job(name)).await;
        let execution = self.trigger(&job).await;
        (job, execution)
    }

    /// Triggers a job; the execution's id.
    pub(crate) async fn trigger(&self, job: &str) -> String {
        let answer = self.call(&format!("/api/v1/scheduler/jobs/{job}/trigger")).await.expect(202);
        answer.json().as_str().unwrap().to_owned()
    }
}

impl TestApp {
    /// Starts the next attempt of whatever is due.
    pub(crate) async fn claim(&self) -> Claimed {
        let request = ClaimRequest {
            node: NodeId::from_uuid(Uuid::from_u128(7)),
            worker: "test-node".to_owned(),
            limit: 1,
            now: self.now(),
            lease_until: self.now() + LEASE,
        };
        self.core.store.claim(&request).await.unwrap().pop().expect("something is due")
    }

    /// Loses the node that claimed: its leases run out, and another one notices.
    pub(crate) async fn lose_node(&self) {
        self.advance(LEASE + Duration::from_secs(1));
        let other = EngineConfig::new(NodeId::from_uuid(Uuid::from_u128(8)), "other-node");
        Reaper::new(self.core.clone(), other).tick().await.unwrap();
    }

    /// Runs whatever is due for a time and ends it well; its id.
    pub(crate) async fn succeed_next(&self, output: &str, took: Duration) -> String {
        let claimed = self.claim().await;
        self.advance(took);
        self.succeed(&claimed, output, took).await;
        claimed.lease.execution_id.to_string()
    }

    /// Ends well what was claimed so long ago.
    pub(crate) async fn succeed(&self, claimed: &Claimed, output: &str, took: Duration) {
        let output = Some(Output { text: output.to_owned(), truncated: false });
        let decision = Decision::Finish {
            state: ExecutionState::Succeeded,
            output,
            error: None,
            items_processed: Some(3),
            partial: false,
        };
        self.settle(claimed, took, decision, None).await;
    }

    /// Runs whatever is due, looks at it while it runs, and ends it well.
    pub(crate) async fn running(&self, look: impl AsyncFnOnce()) {
        let claimed = self.claim().await;
        look().await;
        let (state, took) = (ExecutionState::Succeeded, Duration::from_secs(1));
        self.advance(took);
        let decision = Decision::Finish { state, output: None, error: None, items_processed: None, partial: false };
        self.settle(&claimed, took, decision, None).await;
    }

    /// Runs whatever is due for a time and has it fail for good; its id.
    pub(crate) async fn fail_next(&self, error: &str, took: Duration) -> String {
        let claimed = self.claim().await;
        self.advance(took);
        self.fail(&claimed, error, took).await;
        claimed.lease.execution_id.to_string()
    }

    /// Has what was claimed so long ago fail for good.
    pub(crate) async fn fail(&self, claimed: &Claimed, error: &str, took: Duration) {
        let error = Some(error.to_owned());
        let decision = Decision::Finish {
            state: ExecutionState::Failed,
            output: None,
            error,
            items_processed: None,
            partial: false,
        };
        self.settle(claimed, took, decision, None).await;
    }

    /// Runs whatever is due for a time and has it fail in a way that is tried again at once.
    pub(crate) async fn fail_attempt(&self, error: &str, took: Duration) {
        let claimed = self.claim().await;
        self.advance(took);
        self.try_again(&claimed, error, took).await;
    }

    /// Has the attempt that was claimed so long ago fail in a way that is tried again at once.
    pub(crate) async fn try_again(&self, claimed: &Claimed, error: &str, took: Duration) {
        let event = Event {
            execution_id: claimed.lease.execution_id,
            at: self.now(),
            kind: EventKind::AttemptFailed,
            attempt: claimed.lifecycle.attempt,
            attempt_started_at: Some(self.now() - took),
            source: "test-node".to_owned(),
            message: "tried again at once".to_owned(),
            error: Some(error.to_owned()),
        };
        self.settle(claimed, took, Decision::Requeue { run_at: self.now() }, Some(event)).await;
    }

    async fn settle(&self, claimed: &Claimed, took: Duration, decision: Decision, event: Option<Event>) {
        let state = match &decision {
            Decision::Finish { state, .. } => *state,
            Decision::Requeue { .. } => ExecutionState::Pending,
        };
        let settlement = Settlement {
            lease: claimed.lease,
            tenant_id: claimed.tenant_id,
            job_id: claimed.job_id,
            next: Lifecycle { state, ..claimed.lifecycle },
            worker: "test-node".to_owned(),
            started_at: self.now() - took,
            ended_at: self.now(),
            decision,
            event,
            only_if_expired_at: None,
        };
        assert_eq!(self.core.store.settle(vec![settlement]).await.unwrap(), [Settled::Applied]);
    }

    /// A machine of `org-1` with a key that may do these things.
    pub(crate) async fn machine(&self, scopes: &[&str]) -> Client {
        self.machine_of("org-1", scopes).await
    }

    /// A machine of a tenant.
    pub(crate) async fn machine_of(&self, tenant: &str, scopes: &[&str]) -> Client {
        let owner = self.as_role_in(Role::Owner, tenant);
        let made = owner.post("/api/v1/keys", json!({"name": "machine", "scopes": scopes})).await.expect(201);
        self.with_key(&made.member("key"))
    }

    /// An owner of `org-1`, who may do all that these tests need done.
    pub(crate) fn owner(&self) -> Client {
        self.as_role(Role::Owner)
    }
}
