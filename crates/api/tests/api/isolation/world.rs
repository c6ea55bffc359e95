//! The two tenants, their credentials, and what every answer to them is checked for.

use horarium_auth::Role;
use reqwest::Method;
use serde_json::{Value, json};

use super::model::Model;
use crate::support::{Answer, Client, TestApp};

/// The server, and two tenants with what they have.
pub(super) struct World {
    pub(super) app: TestApp,
    tenants: [Tenant; 2],
}

struct Tenant {
    owner: Client,
    admin: Client,
    agent: Client,
    machine: Client,
    model: Model,
}

/// What is asked for with POST and changes nothing.
const UNAUDITED: [&str; 4] = ["/job/status", "/jobs/status", "/jobs/id/status", "/heartbeat"];

impl World {
    pub(super) async fn start() -> Self {
        let app = TestApp::start().await;
        let [a, b] = ["org-1", "org-2"].map(|slug| Tenant {
            owner: app.as_role_in(Role::Owner, slug),
            admin: app.as_role_in(Role::SystemAdmin, slug).with_header("x-tenantid", slug),
            agent: app.as_role_in(Role::Agent, slug),
            machine: app.anonymous(),
            model: Model::default(),
        });
        let mut world = Self { app, tenants: [a, b] };
        for who in 0..2 {
            let key = world.call(who, Method::POST, "/api/v1/keys", json!({"name": "m", "scopes": ["*"]})).await;
            let key = key.expect(201);
            world.model_mut(who).add_key(&key.member("id"));
            world.tenants[who].machine = world.app.with_key(&key.member("key"));
        }
        world
    }

    pub(super) fn model(&self, who: usize) -> &Model {
        &self.tenants[who].model
    }

    pub(super) fn model_mut(&mut self, who: usize) -> &mut Model {
        &mut self.tenants[who].model
    }

    /// Checks that an answer names neither the other tenant nor any of its things.
    fn check(&self, who: usize, answer: &Answer, path: &str) {
        let text = answer.text();
        // A refusal names what it was asked for.
        let leaked = self.model(1 - who).ids.iter().find(|id| answer.status < 300 && text.contains(id.as_str()));
        assert!(leaked.is_none(), "tenant {who} is shown {leaked:?} at {path}: {text}");
        let other = ["of org-1", "of org-2"][1 - who];
        assert!(!text.contains(other), "tenant {who} is shown who did something '{other}' at {path}: {text}");
    }

    fn caller(&self, who: usize, path: &str) -> &Client {
        let tenant = &self.tenants[who];
        if path.starts_with("/v1/toolkit") || path.starts_with("/paid") {
            &tenant.machine
        } else if path.starts_with("/api/v1/admin/") {
            &tenant.admin
        } else if path.ends_with("/register") || path.ends_with("/heartbeat") {
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
    pub(super) async fn call(&mut self, who: usize, method: Method, path: &str, body: Value) -> Answer {
        let caller = self.caller(who, path).clone();
        let answer = match body {
            Value::Null => caller.send(method, path, None).await,
            body => caller.json(method, path, body).await,
        };
        if !UNAUDITED.iter().any(|end| path.ends_with(end)) {
            self.model_mut(who).audited += 1;
        }
        self.check(who, &answer, path);
        answer
    }

    /// A tenant's audit log. Not checked as other answers are: its own refused calls name what it had guessed.
    pub(super) async fn audit_log(&self, who: usize) -> Vec<Value> {
        let log = self.tenants[who].owner.get("/api/v1/audit/export").await.expect(200).text();
        log.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}
