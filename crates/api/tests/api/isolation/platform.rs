//! The calls about what the dialects share: keys, secrets, queues and limits.

use horarium_domain::execution::ExecutionState::Pending;
use reqwest::Method;
use serde_json::{Value, json};

use super::calls::Step;
use super::model::{CONCURRENCY_KEYS, QUEUES, Queue, queue_of};
use super::world::{OF, SLUGS, World};

impl World {
    pub(super) async fn make_key(&mut self, step: Step) {
        let body = json!({"name": format!("ci {}", OF[step.who]), "scopes": ["jobs:read"]});
        let answer = self.post(step, "/api/v1/keys", body).await.expect(201);
        let model = self.model_mut(step.who);
        model.add_key(&answer.member("id"));
        model.ids.push(answer.member("key"));
    }

    /// A key, the caller's or the other's; the caller's not the one that it still needs.
    fn key(&self, step: Step) -> Option<(usize, String)> {
        let keys = &self.model(step.whose()).keys;
        let place = if step.theirs { step.pick % keys.len() } else { 1 + step.pick % keys.len() };
        Some((place, keys.get(place)?.id.clone()))
    }

    pub(super) async fn read_key(&mut self, step: Step) {
        let Some((_, id)) = self.key(step) else { return };
        let status = step.of_thing(200);
        self.get(step.who, &format!("/api/v1/keys/{id}")).await.expect(status);
        self.tally.answered(step, status);
    }

    pub(super) async fn rotate_key(&mut self, step: Step) {
        let Some((place, id)) = self.key(step) else { return };
        let is_revoked = self.model(step.whose()).keys[place].is_revoked;
        let status = step.of_thing(if is_revoked { 409 } else { 200 });
        let answer = self.post(step, &format!("/api/v1/keys/{id}/rotate"), Value::Null).await.expect(status);
        if status == 200 {
            self.model_mut(step.who).ids.push(answer.member("key"));
        }
    }

    pub(super) async fn revoke_key(&mut self, step: Step) {
        let Some((place, id)) = self.key(step) else { return };
        let path = format!("/api/v1/keys/{id}");
        self.send(step, Method::DELETE, &path, Value::Null).await.expect(step.of_thing(204));
        if !step.theirs {
            self.model_mut(step.who).keys[place].is_revoked = true;
        }
    }

    pub(super) async fn read_webhook_secret(&mut self, step: Step) {
        let secret = self.get(step.who, "/api/v1/webhook-secret").await.expect(200).member("secret");
        let model = self.model_mut(step.who);
        assert_eq!(*model.webhook_secret.get_or_insert(secret.clone()), secret);
        model.ids.push(secret);
    }

    pub(super) async fn rotate_webhook_secret(&mut self, step: Step) {
        let secret = self.post(step, "/api/v1/webhook-secret/rotate", Value::Null).await.expect(200).member("secret");
        let model = self.model_mut(step.who);
        assert_ne!(model.webhook_secret.replace(secret.clone()).as_ref(), Some(&secret));
        model.ids.push(secret);
    }

    /// A header that names a tenant widens nothing.
    pub(super) async fn name_the_other(&mut self, step: Step) {
        let header = ["x-tenantid", "x-organization-id"][step.pick % 2];
        let caller = self.owner(step.who).with_header(header, SLUGS[1 - step.who]);
        let status = caller.get("/api/v1/scheduler/jobs").await.expect(403).status;
        self.tally.answered(step, status);
    }

    pub(super) async fn limit_queue(&mut self, step: Step) {
        let name = QUEUES[step.pick % 2];
        let max_length = [Some(2), Some(4), None][step.pick / 2 % 3];
        let is_paused = name == "mail" && (step.pick / 6).is_multiple_of(2);
        let body = json!({"maxLength": max_length, "paused": is_paused});
        self.send(step, Method::PUT, &format!("/api/v1/queues/{name}"), body).await.expect(200);
        let other = self.model(1 - step.who);
        if !is_paused && other.queue(name).is_paused && other.count(Pending, |job| queue_of(job) == name) > 0 {
            self.tally.note("a queue runs while the other's of that name waits");
        }
        self.model_mut(step.who).queues.insert(name, Queue { max_length, is_paused });
    }

    pub(super) async fn limit_key(&mut self, step: Step) {
        let key = CONCURRENCY_KEYS[step.pick % 2];
        let most = [Some(1), Some(2), None][step.pick / 2 % 3];
        let body = json!({"maxConcurrency": most});
        self.send(step, Method::PUT, &format!("/api/v1/limits/{key}"), body).await.expect(200);
        let limits = &mut self.model_mut(step.who).key_limits;
        match most {
            Some(most) => limits.insert(key, most),
            None => limits.remove(key),
        };
    }
}
