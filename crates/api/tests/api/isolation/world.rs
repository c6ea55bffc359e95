//! The two tenants, their credentials, and what every answer to them is checked for.

use std::time::Duration;

use horarium_api::ApiConfig;
use horarium_auth::Role;
use horarium_domain::agent::AgentTiming;
use horarium_domain::store::{Claimed, SharedStore};
use reqwest::Method;
use serde_json::{Value, json};

use super::agents::HOSTNAMES;
use super::calls::{Call, Step};
use super::jobs::{JOBS, WEEKLY, new_job, weekly_job};
use super::model::{JOB_NAMES, Kept, Model, QUEUES, Queue};
use super::tally::Tally;
use super::views::{LATELY, View, ids};
use crate::events::Stream;
use crate::support::{Answer, Client, TestApp};

/// The tenants.
pub(super) const SLUGS: [&str; 2] = ["org-1", "org-2"];

/// What is in every text of theirs, and in none that the other may see.
pub(super) const OF: [&str; 2] = ["of org-1", "of org-2"];

/// How long it is until something happens again, now and then. The tokens are good for an hour.
const A_WHILE: Duration = Duration::from_mins(3);

/// However the clock is moved, agents are alive and have what they leased.
const PATIENT: AgentTiming = AgentTiming {
    heartbeat: Duration::from_secs(5),
    lease: Duration::from_hours(24),
    alive: Duration::from_hours(24),
    broadcast_timeout: Duration::from_hours(24),
};

/// What is asked for with POST and changes nothing, and what agents say all the time.
const UNAUDITED: [&str; 6] = ["/job/status", "/jobs/status", "/jobs/id/status", "/heartbeat", "/lease", "/report"];

/// The server, and two tenants with what they have.
pub(super) struct World {
    pub(super) app: TestApp,
    /// What a worker holds, of both tenants.
    pub(super) claimed: Vec<Claimed>,
    pub(super) tally: Tally,
    tenants: [Tenant; 2],
}

struct Tenant {
    owner: Client,
    admin: Client,
    agent: Client,
    machine: Client,
    events: Stream,
    model: Model,
}

impl World {
    /// Both tenants have their jobs, queues that are soon full, and an agent at work.
    pub(super) async fn start(store: SharedStore) -> Self {
        let app = TestApp::on(store, ApiConfig::default()).await;
        assert!(app.core.wait_for_agents(PATIENT), "nothing has asked yet");
        let tenant = async |slug| {
            let owner = app.as_role_in(Role::Owner, slug);
            Tenant {
                events: Stream::open(&owner, "").await,
                owner,
                admin: app.as_role_in(Role::SystemAdmin, slug).with_header("x-tenantid", slug),
                agent: app.as_role_in(Role::Agent, slug),
                machine: app.anonymous(),
                model: Model::default(),
            }
        };
        let tenants = [tenant(SLUGS[0]).await, tenant(SLUGS[1]).await];
        let mut world = Self { app, claimed: Vec::new(), tally: Tally::default(), tenants };
        for who in 0..2 {
            world.furnish(who).await;
        }
        for who in 0..2 {
            for call in [Call::SubmitOperation, Call::StartWork] {
                let step = Step { who, call, theirs: false, has_key: false, pick: 1, view: View::Agents };
                world.take(step).await;
            }
            assert!(!world.model(who).leases().is_empty(), "an agent of each is at work");
        }
        world
    }

    async fn furnish(&mut self, who: usize) {
        let key = self.call(who, Method::POST, "/api/v1/keys", json!({"name": "m", "scopes": ["*"]}), None).await;
        let key = key.expect(201);
        self.model_mut(who).add_key(&key.member("id"));
        self.tenants[who].machine = self.app.with_key(&key.member("key"));
        // What has the same name is not the same.
        for (name, max_length) in QUEUES.into_iter().zip([4 + who, 2 + who]) {
            let limits = Queue { max_length: Some(max_length), is_paused: name == "mail" && who == 0 };
            let body = json!({"maxLength": max_length, "paused": limits.is_paused});
            self.call(who, Method::PUT, &format!("/api/v1/queues/{name}"), body, None).await.expect(200);
            self.model_mut(who).queues.insert(name, limits);
        }
        for name in JOB_NAMES {
            let job = self.call(who, Method::POST, JOBS, new_job(name), None).await.expect(201);
            self.model_mut(who).add_job(name, &job.member("id"));
        }
        let weekly = self.call(who, Method::POST, JOBS, weekly_job(), None).await.expect(201);
        self.model_mut(who).add_job(WEEKLY, &weekly.member("id"));
        // One of them has a host more.
        for hostname in &HOSTNAMES[who..] {
            self.register(who, hostname).await;
        }
    }

    pub(super) fn model(&self, who: usize) -> &Model {
        &self.tenants[who].model
    }

    pub(super) fn model_mut(&mut self, who: usize) -> &mut Model {
        &mut self.tenants[who].model
    }

    pub(super) fn owner(&self, who: usize) -> Client {
        self.tenants[who].owner.clone()
    }

    /// Checks that an answer names neither the other tenant nor any of its things.
    fn check(&self, who: usize, answer: &Answer, path: &str) {
        let text = answer.text();
        // A refusal names what it was asked for.
        let leaked = self.model(1 - who).ids.iter().find(|id| answer.status < 300 && text.contains(id.as_str()));
        assert!(leaked.is_none(), "tenant {who} is shown {leaked:?} at {path}: {text}");
        let other = OF[1 - who];
        assert!(!text.contains(other), "tenant {who} is shown what is '{other}' at {path}: {text}");
    }

    fn caller(&self, who: usize, path: &str) -> &Client {
        let tenant = &self.tenants[who];
        if path.starts_with("/v1/toolkit") || path.starts_with("/paid") {
            &tenant.machine
        } else if path.starts_with("/api/v1/admin/") {
            &tenant.admin
        } else if ["/register", "/heartbeat", "/lease", "/report"].iter().any(|end| path.ends_with(end)) {
            &tenant.agent
        } else {
            &tenant.owner
        }
    }

    /// Reads something.
    pub(super) async fn get(&self, who: usize, path: &str) -> Answer {
        let answer = self.caller(who, path).get(path).await;
        self.check(who, &answer, path);
        answer
    }

    /// Changes something, or asks with a body.
    pub(super) async fn call(
        &mut self,
        who: usize,
        method: Method,
        path: &str,
        body: Value,
        key: Option<&str>,
    ) -> Answer {
        let mut caller = self.caller(who, path).clone();
        if let Some(key) = key {
            caller = caller.with_header("idempotency-key", key);
        }
        let answer = match body {
            Value::Null => caller.send(method.clone(), path, None).await,
            body => caller.json(method.clone(), path, body).await,
        };
        if !UNAUDITED.iter().any(|end| path.ends_with(end)) {
            self.model_mut(who).audited.push((method, answer.status));
        }
        self.check(who, &answer, path);
        answer
    }

    /// Makes the call of a step.
    pub(super) async fn send(&mut self, step: Step, method: Method, path: &str, body: Value) -> Answer {
        let answer = self.call(step.who, method, path, body, None).await;
        self.tally.answered(step, answer.status);
        answer
    }

    pub(super) async fn post(&mut self, step: Step, path: &str, body: Value) -> Answer {
        self.send(step, Method::POST, path, body).await
    }

    /// Makes the call of a step under its `Idempotency-Key`, if it has one. It is answered with `status`, unless the key
    /// was used before: then nothing more is done, and there is nothing to be kept of it.
    pub(super) async fn once(&mut self, step: Step, path: &str, body: Value, status: u16) -> Option<Answer> {
        let Some(key) = step.key() else { return Some(self.post(step, path, body).await.expect(status)) };
        let request = (path.to_owned(), body.clone());
        let answer = self.call(step.who, Method::POST, path, body, Some(&key)).await;
        match self.model(step.who).kept.get(&key) {
            Some(kept) if kept.request == request => {
                let answer = answer.expect(kept.status);
                assert_eq!(answer.header("idempotency-replayed"), "true");
                assert_eq!(answer.bytes, kept.bytes, "{} is the first answer again", answer.text());
                let theirs = self.model(1 - step.who).kept.get(&key);
                if theirs.is_some_and(|theirs| theirs.request == request && theirs.bytes != answer.bytes) {
                    self.tally.note("a first answer is given again, and the other has its own");
                }
                self.tally.note("a first answer is given again");
                return None;
            }
            Some(_) => {
                answer.expect(422);
                self.tally.note("an Idempotency-Key is refused for another request");
                return None;
            }
            None => {}
        }
        let answer = answer.expect(status);
        assert_eq!(answer.header("idempotency-replayed"), "");
        self.tally.answered(step, status);
        if answer.status < 300 {
            if self.model(1 - step.who).kept.get(&key).is_some_and(|kept| kept.request == request) {
                self.tally.note("the other did the same under the same Idempotency-Key");
            }
            let kept = Kept { step, request, status, bytes: answer.bytes.clone() };
            self.model_mut(step.who).kept.insert(key, kept);
        }
        Some(answer)
    }

    /// Has both make a call that one of them made under an `Idempotency-Key`, the other before and after: each has an
    /// answer of its own.
    pub(super) async fn repeat(&mut self, step: Step) {
        let kept = &self.model(step.who).kept;
        let Some(again) = kept.values().cycle().nth(step.pick).map(|kept| kept.step) else { return };
        for who in [1 - step.who, step.who, 1 - step.who] {
            Box::pin(self.take(Step { who, ..again })).await;
        }
    }

    pub(super) fn let_time_pass(&self) {
        self.app.advance(A_WHILE);
    }

    /// A tenant's audit log, newest first. It names the ids that its own refused calls did.
    pub(super) async fn audit_log(&self, who: usize) -> Vec<Value> {
        let log = self.tenants[who].owner.get("/api/v1/audit/export").await.expect(200).text();
        assert!(!log.contains(OF[1 - who]), "tenant {who} is shown what the other did: {log}");
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Checks that each was told of what happened to its own things and of nothing else; what the walk met.
    pub(super) async fn end(mut self) -> Tally {
        for who in [1, 0] {
            let last = self.call(who, Method::POST, JOBS, new_job("last"), None).await.expect(201);
            self.model_mut(who).add_job("last", &last.member("id"));
        }
        for who in 0..2 {
            let mut told = Vec::new();
            let last = self.model(who).jobs["last"].id.clone();
            while told.last().is_none_or(|(_, id)| *id != last) {
                let event = self.tenants[who].events.event().await;
                let about = Some(&event.data["executionId"]).filter(|id| !id.is_null()).unwrap_or(&event.data["jobId"]);
                told.push((event.kind, about.as_str().unwrap().to_owned()));
            }
            // What is done to several at once is told in any order.
            let mut expected = self.model(who).events.clone();
            told.sort_unstable();
            expected.sort_unstable();
            assert_eq!(told, expected, "what tenant {who} is told");
        }
        self.clear_logs().await;
        self.tally
    }

    /// One of them deletes its history, long after; the other's is still there. Their tokens are over by then.
    async fn clear_logs(&mut self) {
        let long = Duration::from_hours(48);
        self.app.advance(long);
        let body = json!({"olderThanDays": 1});
        let cleared = self.tenants[0].machine.json(Method::DELETE, "/api/v1/scheduler/admin/clear-logs", body).await;
        assert_eq!(cleared.expect(200).json(), self.model(0).newest(|run| run.state.is_terminal()).len());
        let left = self.tenants[1].machine.get("/api/v1/executions?limit=200").await.expect(200).json();
        assert_eq!(ids(&left["items"]), self.model(1).newest(|_| true));
        self.look_at_what_changed_within(1, (long + A_WHILE * 2).as_secs() + LATELY).await;
    }
}
