//! The calls about jobs and executions that are there, and the work on them.

use horarium_domain::execution::ExecutionState::{Cancelled, Failed, Pending, Running, Succeeded};
use reqwest::Method;
use serde_json::{Value, json};

use super::calls::{Call, Step};
use super::model::{JOB_NAMES, OPERATIONS, Run, is_integration, queue_of};
use super::views::agents_word;
use super::world::{OF, World};
use crate::five_dialects::Dialect;
use crate::support::http_job;

pub(super) const JOBS: &str = "/api/v1/scheduler/jobs";

/// The name of the only job with a schedule, whose time does not come.
pub(super) const WEEKLY: &str = "weekly";

impl Step {
    pub(super) fn job_name(&self) -> &'static str {
        JOB_NAMES[self.pick % JOB_NAMES.len()]
    }
}

/// That one, as it is created.
pub(super) fn weekly_job() -> Value {
    let mut body = http_job(WEEKLY);
    body["scheduleType"] = json!("Interval");
    body["intervalSeconds"] = json!(7 * 24 * 60 * 60);
    body
}

/// A job of a tenant, as it is created.
pub(super) fn new_job(name: &str) -> Value {
    let mut body = http_job(name);
    body["queue"] = json!(queue_of(name));
    if is_integration(name) {
        body["group"] = json!("integration");
    }
    body
}

impl World {
    /// The name and the id of a job, the caller's or the other's.
    pub(super) fn job(&self, step: Step) -> Option<(String, String)> {
        let jobs = &self.model(step.whose()).jobs;
        let own = JOB_NAMES.iter().filter_map(|name| jobs.get_key_value(*name));
        own.cycle().nth(step.pick).map(|(name, job)| (name.clone(), job.id.clone()))
    }

    /// An execution, the caller's or the other's; most often one of those that the call is for.
    pub(super) fn run(&self, step: Step, is_for: impl Fn(&Run) -> bool) -> Option<Run> {
        let runs = &self.model(step.whose()).runs;
        let fit: Vec<_> = runs.iter().filter(|run| is_for(run)).collect();
        let any = runs.iter().cycle().nth(step.pick);
        fit.iter().copied().cycle().nth(step.pick).filter(|_| !step.pick.is_multiple_of(4)).or(any).cloned()
    }

    pub(super) async fn create_job(&mut self, step: Step) {
        let name = step.job_name();
        let is_taken = self.model(step.who).jobs.contains_key(name);
        let Some(answer) = self.once(step, JOBS, new_job(name), if is_taken { 409 } else { 201 }).await else { return };
        if !is_taken {
            self.model_mut(step.who).add_job(name, &answer.member("id"));
        }
    }

    pub(super) async fn read_job(&mut self, step: Step) {
        let Some((name, id)) = self.job(step) else { return };
        let status = step.of_thing(200);
        let job = self.get(step.who, &format!("{JOBS}/{id}")).await.expect(status).json();
        assert!(step.theirs || job["name"] == name, "{job}");
        for path in [
            format!("{JOBS}/{id}/preview"),
            format!("{JOBS}/{id}/executions"),
            format!("/api/v1/executions?jobId={id}"),
        ] {
            self.get(step.who, &path).await.expect(status);
        }
        self.tally.answered(step, status);
    }

    pub(super) async fn change_job(&mut self, step: Step) {
        let Some((name, id)) = self.job(step) else { return };
        let status = step.of_thing(200);
        let job = &self.model(step.whose()).jobs[&name];
        let (path, body, is_paused) = match step.pick % 3 {
            0 => (format!("{JOBS}/{id}/pause"), None, true),
            1 => (format!("{JOBS}/{id}/resume"), None, false),
            _ => {
                let number = self.model(step.who).audited.len();
                let description = format!("Change {number} {}", OF[step.who]);
                (format!("{JOBS}/{id}"), Some(json!({"description": description})), job.is_paused)
            }
        };
        let is_changed = body.is_some() || is_paused != job.is_paused;
        let method = if body.is_some() { Method::PUT } else { Method::POST };
        self.send(step, method, &path, body.unwrap_or_default()).await.expect(status);
        if status == 200 && is_changed {
            self.model_mut(step.who).change_job(&name, is_paused);
        }
    }

    pub(super) async fn set_all_paused(&mut self, step: Step, paused: bool) {
        let jobs = &self.model(step.who).jobs;
        let others: Vec<_> =
            jobs.iter().filter(|(_, job)| job.is_paused != paused).map(|(name, _)| name.clone()).collect();
        let path = format!("/api/v1/scheduler/admin/{}-all", if paused { "pause" } else { "resume" });
        assert_eq!(self.post(step, &path, Value::Null).await.expect(200).json(), others.len());
        for name in others {
            self.model_mut(step.who).change_job(&name, paused);
        }
    }

    pub(super) async fn delete_job(&mut self, step: Step) {
        let Some((name, id)) = self.job(step) else { return };
        let is_running = self.model(step.who).count(Running, |job| job == name) > 0;
        let status = step.of_thing(if is_running { 409 } else { 204 });
        let path = format!("{JOBS}/{id}?hardDelete=true");
        self.send(step, Method::DELETE, &path, Value::Null).await.expect(status);
        if status == 204 {
            self.model_mut(step.who).remove_job(&name);
        }
    }

    pub(super) async fn cancel(&mut self, step: Step) {
        let Some(run) = self.run(step, |run| !run.state.is_terminal()) else { return };
        let status = step.of_thing(if run.state.is_terminal() { 409 } else { 200 });
        let path = format!("/api/v1/scheduler/executions/{}/cancel", run.id);
        self.post(step, &path, Value::Null).await.expect(status);
        if status == 200 {
            let now = self.app.now();
            let model = self.model_mut(step.who);
            model.set_state(&run.id, Cancelled, now);
            model.tell("executionCancelled", &run.id);
        }
    }

    /// Reads an execution where a dialect shows a single one.
    pub(super) async fn read_execution(&mut self, step: Step) {
        let Some(Run { id, state, hosts, reference, .. }) = self.run(step, |_| true) else { return };
        let status = step.of_thing(200);
        let asked = json!({"job_id": id});
        let scheduler = self.get(step.who, &format!("/api/v1/scheduler/executions/{id}")).await.expect(status).json();
        let operation = self.get(step.who, &format!("/api/job/{id}")).await.expect(status).json();
        let toolkit = self.post(step, "/v1/toolkit/job/status", asked).await.expect(status).json();
        if step.theirs {
            assert_eq!((&operation["code"], &toolkit["error"]), (&json!(404), &json!("Job not found")));
        } else {
            assert_eq!(scheduler["status"], Dialect::Scheduler.word(state));
            assert_eq!(scheduler["payload"]["agentRequest"]["hosts"], json!(hosts));
            assert_eq!(operation["status"], agents_word(state));
            assert_eq!(toolkit["response"]["job_status"], Dialect::Toolkit.word(state));
            assert_eq!(toolkit["id"], json!(reference));
        }
    }

    pub(super) async fn delete_operation(&mut self, step: Step) {
        let Some(run) = self.run(step, |run| run.state.is_terminal()) else { return };
        let status = step.of_thing(match run.state {
            Running => 409,
            Pending | Succeeded | Failed | Cancelled => 204,
        });
        self.send(step, Method::DELETE, &format!("/job/{}", run.id), Value::Null).await.expect(status);
        if status == 204 {
            let now = self.app.now();
            let model = self.model_mut(step.who);
            if run.state == Pending {
                model.set_state(&run.id, Cancelled, now);
                model.tell("executionCancelled", &run.id);
            }
            model.runs.retain(|other| other.id != run.id);
        }
    }

    /// A worker takes the next of whoever has some, or ends what it has.
    pub(super) async fn work(&mut self, step: Step) {
        let ends = step.call != Call::StartWork;
        self.forget_the_cancelled();
        // What agents have a part in is over when they have answered.
        let is_free = |id: String| (0..2).all(|who| self.model(who).tasks.iter().all(|task| task.execution != id));
        let held: Vec<_> = self.claimed.iter().map(|claimed| claimed.lease.execution_id.to_string()).collect();
        let free: Vec<_> = (0..held.len()).filter(|place| is_free(held[*place].clone())).collect();
        if ends && !free.is_empty() {
            let claimed = self.claimed.swap_remove(free[step.pick % free.len()]);
            return self.finish(&claimed, step.call).await;
        }
        if (0..2).all(|who| self.model(who).claimable() == 0) {
            return;
        }
        let claimed = self.app.claim().await;
        let id = claimed.lease.execution_id.to_string();
        let who = self.owner_of(&id);
        let now = self.app.now();
        let run = self.model(who).run(&id).clone();
        assert!(!self.model(who).queue(queue_of(&run.job)).is_paused, "{run:?} of tenant {who} was to wait");
        self.model_mut(who).set_state(&id, Running, now);
        let is_operation = run.job == OPERATIONS;
        if ends && !is_operation {
            return self.finish(&claimed, step.call).await;
        }
        if is_operation {
            self.app.open_tasks(&claimed, run.hosts.as_deref()).await;
            self.model_mut(who).open_tasks(&run);
        }
        self.claimed.push(claimed);
        if is_operation && !step.pick.is_multiple_of(3) {
            for pick in 0..self.model(who).agents.len() {
                self.lease_tasks(Step { who, call: Call::LeaseTasks, theirs: false, pick, ..step }).await;
            }
        }
    }

    /// Ends what was claimed.
    pub(super) async fn finish(&mut self, claimed: &horarium_domain::store::Claimed, how: Call) {
        let id = claimed.lease.execution_id.to_string();
        let who = self.owner_of(&id);
        let now = self.app.now();
        let took = now.since(self.model(who).started(&id));
        let error = format!("boom {}", OF[who]);
        let state = match how {
            Call::Fail => {
                self.app.fail(claimed, &error, took).await;
                Failed
            }
            Call::FailAttempt => {
                self.app.try_again(claimed, &error, took).await;
                Pending
            }
            _ => {
                self.app.succeed(claimed, OF[who], took).await;
                Succeeded
            }
        };
        self.model_mut(who).set_state(&id, state, now);
    }

    /// Whose execution it is.
    fn owner_of(&self, id: &str) -> usize {
        (0..2).find(|who| self.model(*who).runs.iter().any(|run| run.id == id)).expect("somebody submitted it")
    }

    /// What was cancelled while it ran is no longer held.
    fn forget_the_cancelled(&mut self) {
        let running =
            |id: String| (0..2).any(|who| self.model(who).runs.iter().any(|run| run.id == id && run.state == Running));
        let held = self.claimed.iter().filter(|claimed| running(claimed.lease.execution_id.to_string())).cloned();
        self.claimed = held.collect();
    }
}
