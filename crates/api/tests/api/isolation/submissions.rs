//! The calls that make executions.

use serde_json::{Value, json};

use super::calls::Step;
use super::jobs::JOBS;
use super::model::{Admission, JOB_NAMES, NewRun, OPERATIONS};
use super::world::{OF, World};
use horarium_domain::execution::ExecutionState::Failed;

const DEDUPE_KEYS: [Option<&str>; 3] = [Some("order-1"), Some("order-2"), None];
const TARGETS: [&str; 4] = ["_all", "_any", "web-2", "group:web"];

impl Step {
    /// What is worked on: the same words for both where the call is one that is repeated.
    fn payload(&self) -> Value {
        json!({"text": if self.has_key { "the same" } else { OF[self.who] }})
    }

    fn dedupe_key(&self) -> Option<&'static str> {
        DEDUPE_KEYS[self.pick / 2 % DEDUPE_KEYS.len()]
    }
}

impl World {
    /// What a submission is answered, unless it is a duplicate.
    fn admission(&self, step: Step, job: &str, is_there: bool, accepted: u16) -> u16 {
        match (is_there, self.model(step.who).is_full(job)) {
            (false, _) => 404,
            (true, true) => 429,
            (true, false) => accepted,
        }
    }

    pub(super) async fn trigger_job(&mut self, step: Step) {
        let Some((name, id)) = self.job(step) else { return };
        let status = self.admission(step, &name, !step.theirs, 202);
        let answer = self.post(step, &format!("{JOBS}/{id}/trigger"), Value::Null).await.expect(status);
        if status == 202 {
            self.model_mut(step.who).add_run(answer.json().as_str().unwrap(), NewRun::of(&name));
        }
    }

    pub(super) async fn retry(&mut self, step: Step) {
        let Some(run) = self.run(step, |run| run.state == Failed) else { return };
        // The source document answers 400 when what is to be retried does not exist.
        let can = !step.theirs && run.state == Failed;
        let status = if can { self.admission(step, &run.job, true, 202) } else { 400 };
        let answer = self.post(step, &format!("/api/v1/executions/{}/retry", run.id), Value::Null).await.expect(status);
        if status == 202 {
            let again = NewRun { target: run.target, hosts: run.hosts, ..NewRun::of(&run.job) };
            self.model_mut(step.who).add_run(answer.json().as_str().unwrap(), again);
        }
    }

    pub(super) async fn trigger_as_admin(&mut self, step: Step) {
        let name = step.job_name();
        let status = self.admission(step, name, self.model(step.who).jobs.contains_key(name), 200);
        let body = json!({"jobName": name});
        let Some(answer) = self.once(step, "/api/v1/admin/jobs/trigger", body, status).await else { return };
        match status {
            200 => {
                let id = answer.json()["data"]["executionId"].as_str().unwrap().to_owned();
                self.model_mut(step.who).add_run(&id, NewRun::of(name));
            }
            404 => assert_eq!(answer.json()["error"]["code"], "JOB_NOT_FOUND"),
            _ => {}
        }
    }

    pub(super) async fn submit_integration(&mut self, step: Step) {
        let kind = JOB_NAMES[1 + step.pick % 2];
        let key = step.dedupe_key();
        let live = key.and_then(|key| self.model(step.who).live_with_key(kind, key)).map(|run| run.id.clone());
        let is_there = self.model(step.who).jobs.contains_key(kind);
        let status = if live.is_some() { 200 } else { self.admission(step, kind, is_there, 202) };
        let body = json!({"kind": kind, "payload": step.payload(), "dedupeKey": key});
        let Some(answer) = self.once(step, "/api/integrations/jobs", body, status).await else { return };
        match status {
            202 => {
                let new = NewRun { dedupe_key: key, ..NewRun::of(kind) };
                self.model_mut(step.who).add_run(&answer.member("id"), new);
                let same = key.and_then(|key| self.model(1 - step.who).live_with_key(kind, key));
                if same.is_some() {
                    self.tally.note("a dedupe key that lives at the other's too");
                }
            }
            200 => assert_eq!(Some(answer.member("id")), live),
            _ => {}
        }
    }

    pub(super) async fn submit_operation(&mut self, step: Step) {
        let target = TARGETS[step.pick % TARGETS.len()];
        let status = self.admission(step, OPERATIONS, true, 201);
        let body = json!({
            "operation": {"type": "node.uptime.get", "data": step.payload()},
            "target_hostname": target,
        });
        let Some(answer) = self.once(step, "/job", body, status).await else { return };
        if !self.model(step.who).jobs.contains_key(OPERATIONS) {
            // The first of a tenant's operations makes the job that they all are executions of.
            let jobs = self.get(step.who, &format!("{JOBS}?search={OPERATIONS}")).await.expect(200).json();
            self.model_mut(step.who).add_job(OPERATIONS, jobs["items"][0]["id"].as_str().unwrap());
        }
        if status == 201 {
            let hosts = self.model(step.who).reached_by(target);
            let new = NewRun { target: Some(target), hosts, ..NewRun::of(OPERATIONS) };
            self.model_mut(step.who).add_run(&answer.member("job_id"), new);
        }
    }

    pub(super) async fn retry_operation(&mut self, step: Step) {
        let Some(run) = self.run(step, |run| run.state.is_terminal()) else { return };
        let is_live = !step.theirs && !run.state.is_terminal();
        let status = if is_live { 409 } else { self.admission(step, &run.job, !step.theirs, 201) };
        let answer = self.post(step, &format!("/job/{}/retry", run.id), Value::Null).await.expect(status);
        if status == 201 {
            let model = self.model_mut(step.who);
            let hosts = run.target.and_then(|target| model.reached_by(target));
            let again = NewRun { target: run.target, hosts, ..NewRun::of(&run.job) };
            model.add_run(&answer.member("job_id"), again);
        }
    }

    pub(super) async fn submit_as_toolkit(&mut self, step: Step) {
        // A job is named, or given by its id.
        let (name, job, is_there) = if let Some((name, id)) = self.job(step).filter(|_| step.theirs) {
            (name, id, false)
        } else {
            let name = step.job_name().to_owned();
            (name.clone(), name, self.model(step.who).jobs.contains_key(step.job_name()))
        };
        let status = self.admission(step, &name, is_there, 202);
        let reference = (!step.has_key).then(|| format!("order {}", OF[step.who]));
        let body = json!({
            "job": job,
            "payload": step.payload(),
            "id": reference,
            "webhook_url": "https://example.com/hook",
        });
        let Some(answer) = self.once(step, "/v1/toolkit/jobs", body, status).await else { return };
        if status == 202 {
            let new = NewRun { reference, ..NewRun::of(&name) };
            self.model_mut(step.who).add_run(&answer.member("job_id"), new);
        }
    }

    /// Several at once: two by the names of their jobs, under a dedupe key, and one by the id of a job.
    pub(super) async fn submit_batch(&mut self, step: Step) {
        let key = step.dedupe_key();
        let entry = |job: &str| json!({"jobName": job, "uniqueKey": key, "payload": step.payload()});
        let (first, second) = (step.job_name(), JOB_NAMES[(step.pick + 1) % JOB_NAMES.len()]);
        let mut entries = vec![entry(first), entry(second)];
        let mut asked: Vec<(String, Option<&'static str>, bool)> = Vec::new();
        for name in [first, second] {
            asked.push((name.to_owned(), key, self.model(step.who).jobs.contains_key(name)));
        }
        if let Some((name, id)) = self.job(step) {
            entries.push(json!({"jobId": id, "payload": step.payload()}));
            asked.push((name, None, !step.theirs));
        }
        let mut model = self.model(step.who).clone();
        let admissions: Vec<_> = asked.iter().map(|(job, key, is_there)| model.admit(job, *key, *is_there)).collect();
        let taken =
            admissions.iter().filter(|admission| !matches!(admission, Admission::Missing | Admission::Full)).count();
        let status = match taken {
            0 if admissions.iter().all(|admission| *admission == Admission::Full) => 429,
            0 => 400,
            _ => 202,
        };
        let answer = self.post(step, "/api/v1/executions/bulk", Value::Array(entries)).await.expect(status);
        if status != 202 {
            return;
        }
        let answer = answer.json();
        let statuses: Vec<_> = answer["rejections"].as_array().unwrap().iter().map(|told| &told["status"]).collect();
        let expected = admissions.iter().filter_map(Admission::rejection).map(Value::from).collect::<Vec<_>>();
        assert_eq!(statuses, expected.iter().collect::<Vec<_>>(), "{answer}");
        for ((admission, id), (job, key, _)) in admissions.into_iter().zip(answer["ids"].as_array().unwrap()).zip(asked)
        {
            match admission {
                Admission::Accepted => {
                    let new = NewRun { dedupe_key: key, ..NewRun::of(&job) };
                    self.model_mut(step.who).add_run(id.as_str().unwrap(), new);
                }
                Admission::Duplicate(live) => {
                    // The first of the batch may be what the second is a duplicate of.
                    assert!(live.is_none_or(|live| *id == live), "{answer}");
                    self.tally.note("a duplicate in a batch");
                }
                Admission::Missing | Admission::Full => assert!(id.is_null(), "{answer}"),
            }
        }
    }
}
