//! The calls about what the dialects share: keys, agents and queues.

use reqwest::Method;
use serde_json::{Value, json};

use super::Step;
use super::world::World;

const HOSTNAMES: [&str; 2] = ["web-1", "web-2"];

impl Step {
    fn hostname(&self) -> &'static str {
        HOSTNAMES[self.pick % HOSTNAMES.len()]
    }
}

impl World {
    pub(super) async fn make_key(&mut self, step: Step) {
        let answer = self.post(step, "/api/v1/keys", json!({"name": "ci", "scopes": ["jobs:read"]})).await.expect(201);
        self.model_mut(step.who).add_key(&answer.member("id"));
    }

    pub(super) async fn revoke_key(&mut self, step: Step) {
        let keys = &self.model(step.whose()).keys;
        // Not the one that is still needed, unless it is the other's and stays as it is.
        let place = if step.theirs { step.pick % keys.len() } else { 1 + step.pick % keys.len() };
        let Some(id) = keys.get(place).map(|key| key.id.clone()) else { return };
        let status = if step.theirs { 404 } else { 204 };
        self.call(step.who, Method::DELETE, &format!("/api/v1/keys/{id}"), Value::Null).await.expect(status);
        if !step.theirs {
            self.model_mut(step.who).keys[place].is_revoked = true;
        }
    }

    pub(super) async fn register_agent(&mut self, step: Step) {
        let hostname = step.hostname();
        let body = json!({"hostname": hostname, "operations": ["node.uptime.get"]});
        let id = self.post(step, "/api/v1/agents/register", body).await.expect(200).member("agent_id");
        let model = self.model_mut(step.who);
        let before = model.agents.insert(hostname.to_owned(), id.clone());
        assert!(before.is_none_or(|before| before == id), "the same hostname is the same agent");
        model.ids.push(id);
    }

    fn of_agent(&self, step: Step, status: u16) -> u16 {
        if self.model(step.who).agents.contains_key(step.hostname()) { status } else { 404 }
    }

    pub(super) async fn drain_agent(&mut self, step: Step) {
        let status = self.of_agent(step, 200);
        let path = format!("/api/v1/agents/{}", step.hostname());
        self.post(step, &format!("{path}/drain"), Value::Null).await.expect(status);
        let shown = self.get(step.who, &path).await.expect(status);
        assert!(status == 404 || shown.member("state") == "draining");
    }

    pub(super) async fn heartbeat(&mut self, step: Step) {
        let Some(id) = self.model(step.whose()).agents.values().cycle().nth(step.pick).cloned() else { return };
        let status = if step.theirs { 404 } else { 200 };
        self.post(step, &format!("/api/v1/agents/{id}/heartbeat"), json!({"running": []})).await.expect(status);
    }

    pub(super) async fn delete_agent(&mut self, step: Step) {
        let status = self.of_agent(step, 204);
        let path = format!("/api/v1/agents/{}", step.hostname());
        self.call(step.who, Method::DELETE, &path, Value::Null).await.expect(status);
        self.model_mut(step.who).agents.remove(step.hostname());
    }

    pub(super) async fn limit_queue(&mut self, step: Step) {
        let most = [None, Some(6), Some(3)][step.pick % 3];
        let body = json!({"maxLength": most});
        self.call(step.who, Method::PUT, "/api/v1/queues/default", body).await.expect(200);
        self.model_mut(step.who).max_length = most;
    }
}
