//! The calls that change something or ask for one thing: what each is answered, and what of it the model keeps.

use std::time::Duration;

use horarium_domain::execution::ExecutionState::{Cancelled, Failed, Pending, Running, Succeeded};
use reqwest::Method;
use serde_json::{Value, json};

use super::Step;
use super::model::{JOB_NAMES, OPERATIONS, Run, is_integration};
use super::views::agents_word;
use super::world::World;
use crate::five_dialects::Dialect;
use crate::support::{Answer, http_job};

const JOBS: &str = "/api/v1/scheduler/jobs";
const DEDUPE_KEYS: [Option<&str>; 3] = [None, Some("order-1"), Some("order-2")];

/// What a tenant does, or a worker for whoever waits.
#[derive(Debug, Clone, Copy)]
pub(super) enum Call {
    CreateJob,
    TriggerJob,
    DeleteJob,
    CancelExecution,
    RetryExecution,
    TriggerAsAdmin,
    SubmitIntegration,
    SubmitOperation,
    RetryOperation,
    DeleteOperation,
    SubmitAsToolkit,
    ReadExecution,
    MakeKey,
    RevokeKey,
    RegisterAgent,
    DrainAgent,
    HeartbeatOfAgent,
    DeleteAgent,
    LimitQueue,
    StartWork,
    Succeed,
    Fail,
}

impl Call {
    /// Some more than once: without jobs and executions there is little to see.
    pub(super) const ALL: &'static [Self] = &[
        Self::CreateJob,
        Self::CreateJob,
        Self::CreateJob,
        Self::CreateJob,
        Self::TriggerJob,
        Self::TriggerJob,
        Self::DeleteJob,
        Self::CancelExecution,
        Self::RetryExecution,
        Self::RetryExecution,
        Self::TriggerAsAdmin,
        Self::TriggerAsAdmin,
        Self::SubmitIntegration,
        Self::SubmitIntegration,
        Self::SubmitOperation,
        Self::RetryOperation,
        Self::RetryOperation,
        Self::DeleteOperation,
        Self::SubmitAsToolkit,
        Self::SubmitAsToolkit,
        Self::ReadExecution,
        Self::ReadExecution,
        Self::MakeKey,
        Self::RevokeKey,
        Self::RegisterAgent,
        Self::DrainAgent,
        Self::HeartbeatOfAgent,
        Self::DeleteAgent,
        Self::LimitQueue,
        Self::StartWork,
        Self::Succeed,
        Self::Succeed,
        Self::Fail,
        Self::Fail,
    ];
}

impl Step {
    /// Whose thing it is about.
    pub(super) fn whose(&self) -> usize {
        if self.theirs { 1 - self.who } else { self.who }
    }

    fn job_name(&self) -> &'static str {
        JOB_NAMES[self.pick % JOB_NAMES.len()]
    }
}

impl World {
    /// Makes a call and checks its answer. One about something that is not there yet is left out.
    pub(super) async fn take(&mut self, step: Step) {
        match step.call {
            Call::CreateJob => self.create_job(step).await,
            Call::TriggerJob => self.trigger_job(step).await,
            Call::DeleteJob => self.delete_job(step).await,
            Call::CancelExecution => self.cancel(step).await,
            Call::RetryExecution => self.retry(step).await,
            Call::TriggerAsAdmin => self.trigger_as_admin(step).await,
            Call::SubmitIntegration => self.submit_integration(step).await,
            Call::SubmitOperation => self.submit_operation(step).await,
            Call::RetryOperation => self.retry_operation(step).await,
            Call::DeleteOperation => self.delete_operation(step).await,
            Call::SubmitAsToolkit => self.submit_as_toolkit(step).await,
            Call::ReadExecution => self.read_execution(step).await,
            Call::MakeKey => self.make_key(step).await,
            Call::RevokeKey => self.revoke_key(step).await,
            Call::RegisterAgent => self.register_agent(step).await,
            Call::DrainAgent => self.drain_agent(step).await,
            Call::HeartbeatOfAgent => self.heartbeat(step).await,
            Call::DeleteAgent => self.delete_agent(step).await,
            Call::LimitQueue => self.limit_queue(step).await,
            Call::StartWork | Call::Succeed | Call::Fail => self.work(step).await,
        }
    }

    /// The name and the id of a job, the caller's or the other's.
    fn job(&self, step: Step) -> Option<(String, String)> {
        let jobs = &self.model(step.whose()).jobs;
        let own = JOB_NAMES.iter().filter_map(|name| jobs.get_key_value(*name));
        own.cycle().nth(step.pick).map(|(name, id)| (name.clone(), id.clone()))
    }

    /// An execution, the caller's or the other's.
    fn run(&self, step: Step) -> Option<Run> {
        self.model(step.whose()).runs.iter().cycle().nth(step.pick).cloned()
    }

    pub(super) async fn post(&mut self, step: Step, path: &str, body: Value) -> Answer {
        self.call(step.who, Method::POST, path, body).await
    }

    /// What a submission is answered: that it is accepted, unless there is no such thing or the caller's queue is full.
    fn admission(&self, step: Step, is_there: bool, accepted: u16) -> u16 {
        match (is_there, self.model(step.who).is_full()) {
            (false, _) => 404,
            (true, true) => 429,
            (true, false) => accepted,
        }
    }

    async fn create_job(&mut self, step: Step) {
        let name = step.job_name();
        let mut body = http_job(name);
        if is_integration(name) {
            body["group"] = json!("integration");
        }
        let is_taken = self.model(step.who).jobs.contains_key(name);
        let answer = self.post(step, JOBS, body).await.expect(if is_taken { 409 } else { 201 });
        if !is_taken {
            self.model_mut(step.who).add_job(name, &answer.member("id"));
        }
    }

    async fn trigger_job(&mut self, step: Step) {
        let Some((name, id)) = self.job(step) else { return };
        let status = self.admission(step, !step.theirs, 202);
        let answer = self.post(step, &format!("{JOBS}/{id}/trigger"), Value::Null).await.expect(status);
        if status == 202 {
            self.model_mut(step.who).add_run(&name, answer.json().as_str().unwrap(), None);
        }
    }

    async fn delete_job(&mut self, step: Step) {
        let Some((name, id)) = self.job(step) else { return };
        let is_running = self.model(step.who).count(Running, |job| job == name) > 0;
        let status = match (step.theirs, is_running) {
            (true, _) => 404,
            (false, true) => 409,
            (false, false) => 204,
        };
        let path = format!("{JOBS}/{id}?hardDelete=true");
        self.call(step.who, Method::DELETE, &path, Value::Null).await.expect(status);
        if status == 204 {
            let model = self.model_mut(step.who);
            model.jobs.remove(&name);
            model.runs.retain(|run| run.job != name);
        }
    }

    async fn cancel(&mut self, step: Step) {
        let Some(run) = self.run(step) else { return };
        let status = match (step.theirs, run.state.is_terminal()) {
            (true, _) => 404,
            (false, true) => 409,
            (false, false) => 200,
        };
        let path = format!("/api/v1/scheduler/executions/{}/cancel", run.id);
        self.post(step, &path, Value::Null).await.expect(status);
        if status == 200 {
            self.model_mut(step.who).set_state(&run.id, Cancelled);
        }
    }

    async fn retry(&mut self, step: Step) {
        let Some(run) = self.run(step) else { return };
        // The source document answers 400 when what is to be retried does not exist.
        let can = !step.theirs && run.state == Failed;
        let status = if can { self.admission(step, true, 202) } else { 400 };
        let answer = self.post(step, &format!("/api/v1/executions/{}/retry", run.id), Value::Null).await.expect(status);
        if status == 202 {
            self.model_mut(step.who).add_run(&run.job, answer.json().as_str().unwrap(), None);
        }
    }

    async fn trigger_as_admin(&mut self, step: Step) {
        let name = step.job_name();
        let status = self.admission(step, self.model(step.who).jobs.contains_key(name), 200);
        let answer = self.post(step, "/api/v1/admin/jobs/trigger", json!({"jobName": name})).await.expect(status);
        match status {
            200 => self.model_mut(step.who).add_run(name, answer.json()["data"]["executionId"].as_str().unwrap(), None),
            404 => assert_eq!(answer.json()["error"]["code"], "JOB_NOT_FOUND"),
            _ => {}
        }
    }

    async fn submit_integration(&mut self, step: Step) {
        let kind = JOB_NAMES[1 + step.pick % 2];
        let key = DEDUPE_KEYS[step.pick / 2 % DEDUPE_KEYS.len()];
        let live = key.and_then(|key| self.model(step.who).live_with_key(kind, key)).map(|run| run.id.clone());
        let is_there = self.model(step.who).jobs.contains_key(kind);
        let status = if live.is_some() { 200 } else { self.admission(step, is_there, 202) };
        let body = json!({"kind": kind, "payload": {"n": 1}, "dedupeKey": key});
        let answer = self.post(step, "/api/integrations/jobs", body).await.expect(status);
        match status {
            202 => self.model_mut(step.who).add_run(kind, &answer.member("id"), key),
            200 => assert_eq!(Some(answer.member("id")), live),
            _ => {}
        }
    }

    async fn submit_operation(&mut self, step: Step) {
        let status = self.admission(step, true, 201);
        let body = json!({"operation": {"type": "node.uptime.get", "data": {}}});
        let answer = self.post(step, "/job", body).await.expect(status);
        if !self.model(step.who).jobs.contains_key(OPERATIONS) {
            // The first of a tenant's operations makes the job that they all are executions of.
            let jobs = self.get(step.who, &format!("{JOBS}?search={OPERATIONS}")).await.expect(200).json();
            self.model_mut(step.who).add_job(OPERATIONS, jobs["items"][0]["id"].as_str().unwrap());
        }
        if status == 201 {
            self.model_mut(step.who).add_run(OPERATIONS, &answer.member("job_id"), None);
        }
    }

    async fn retry_operation(&mut self, step: Step) {
        let Some(run) = self.run(step) else { return };
        let is_live = !step.theirs && !run.state.is_terminal();
        let status = if is_live { 409 } else { self.admission(step, !step.theirs, 201) };
        let answer = self.post(step, &format!("/job/{}/retry", run.id), Value::Null).await.expect(status);
        if status == 201 {
            self.model_mut(step.who).add_run(&run.job, &answer.member("job_id"), None);
        }
    }

    async fn delete_operation(&mut self, step: Step) {
        let Some(run) = self.run(step) else { return };
        let status = match (step.theirs, run.state) {
            (true, _) => 404,
            (false, Running) => 409,
            (false, Pending | Succeeded | Failed | Cancelled) => 204,
        };
        self.call(step.who, Method::DELETE, &format!("/job/{}", run.id), Value::Null).await.expect(status);
        if status == 204 {
            let model = self.model_mut(step.who);
            model.runs.retain(|other| other.id != run.id);
        }
    }

    async fn submit_as_toolkit(&mut self, step: Step) {
        // A job is named, or given by its id.
        let name = step.job_name();
        let (job, is_there) = match self.job(step).filter(|_| step.theirs) {
            Some((_, id)) => (id, false),
            None => (name.to_owned(), self.model(step.who).jobs.contains_key(name)),
        };
        let status = self.admission(step, is_there, 202);
        let body = json!({"job": job, "payload": {"n": 1}, "webhook_url": "https://example.com/hook"});
        let answer = self.post(step, "/v1/toolkit/jobs", body).await.expect(status);
        if status == 202 {
            self.model_mut(step.who).add_run(name, &answer.member("job_id"), None);
        }
    }

    /// Reads an execution where a dialect shows a single one.
    async fn read_execution(&mut self, step: Step) {
        let Some(Run { id, state, .. }) = self.run(step) else { return };
        let status = if step.theirs { 404 } else { 200 };
        let asked = json!({"job_id": id});
        let scheduler = self.get(step.who, &format!("/api/v1/scheduler/executions/{id}")).await.expect(status).json();
        let operation = self.get(step.who, &format!("/api/job/{id}")).await.expect(status).json();
        let toolkit = self.post(step, "/v1/toolkit/job/status", asked).await.expect(status).json();
        if step.theirs {
            assert_eq!((&operation["code"], &toolkit["error"]), (&json!(404), &json!("Job not found")));
        } else {
            assert_eq!(scheduler["status"], Dialect::Scheduler.word(state));
            assert_eq!(operation["status"], agents_word(state));
            assert_eq!(toolkit["response"]["job_status"], Dialect::Toolkit.word(state));
        }
    }

    /// A worker takes the next of whoever has some.
    async fn work(&mut self, step: Step) {
        if (0..2).all(|who| self.model(who).count(Pending, |_| true) == 0) {
            return;
        }
        let took = Duration::from_millis(1);
        let (id, state) = match step.call {
            Call::Succeed => (self.app.succeed_next("{}", took).await, Succeeded),
            Call::Fail => (self.app.fail_next("boom", took).await, Failed),
            _ => (self.app.claim().await.lease.execution_id.to_string(), Running),
        };
        for who in 0..2 {
            self.model_mut(who).set_state(&id, state);
        }
    }
}
