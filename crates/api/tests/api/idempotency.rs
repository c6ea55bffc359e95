//! `Idempotency-Key`.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use horarium_api::ApiConfig;
use horarium_auth::Role;
use horarium_scheduler_engine::memory::{Disturbance, MemoryStore};
use insta::assert_json_snapshot;
use serde_json::json;

use crate::support::{Client, TestApp, http_job, until};

const JOBS: &str = "/api/v1/scheduler/jobs";

#[tokio::test]
async fn a_repeated_request_is_given_its_first_answer() {
    let app = TestApp::start().await;
    let caller = app.owner().with_header("idempotency-key", "create-1");
    let first = caller.post(JOBS, http_job("once")).await.expect(201);
    let again = caller.post(JOBS, http_job("once")).await.expect(201);

    assert_eq!(again.json(), first.json());
    for header in ["location", "etag", "content-type"] {
        assert_eq!(again.header(header), first.header(header), "{header}");
    }
    assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
    assert_eq!(app.owner().get(JOBS).await.json()["totalCount"], 1);

    let path = format!("{JOBS}/{}", first.member("id"));
    let caller = app.owner().with_header("idempotency-key", "trigger-1");
    let first = caller.call(&format!("{path}/trigger")).await.expect(202);
    assert_eq!(caller.call(&format!("{path}/trigger")).await.expect(202).json(), first.json());
    let caller = app.owner().with_header("idempotency-key", "delete-1");
    caller.delete(&path).await.expect(204);
    caller.delete(&path).await.expect(204);
}

#[tokio::test]
async fn a_question_that_is_posted_is_answered_afresh_each_time() {
    let app = TestApp::start().await;
    let machine = app.machine(&["executions:read"]).await.with_header("idempotency-key", "poll");
    for path in ["/v1/toolkit/jobs/status", "/paid/get/all/jobs/id/status"] {
        let before = machine.post(path, json!({})).await.expect(200).json()["response"].clone();
        let (_, execution) = app.owner().trigger_new_job(&path.replace('/', ".")).await;
        let after = machine.post(path, json!({})).await.expect(200).json()["response"].clone();
        assert!(before.get(&execution).is_none() && after.get(&execution).is_some(), "{path}: {after}");
    }
}

#[tokio::test]
async fn a_key_is_good_for_one_request() {
    let app = TestApp::start().await;
    let caller = app.owner().with_header("idempotency-key", "k");
    caller.post(JOBS, http_job("one")).await.expect(201);
    assert_json_snapshot!(caller.post(JOBS, http_job("two")).await.problem(422));
    caller.call("/api/v1/scheduler/admin/pause-all").await.problem(422);
}

#[tokio::test]
async fn a_key_belongs_to_its_caller_and_its_tenant() {
    let app = TestApp::start().await;
    app.owner().with_header("idempotency-key", "k").post(JOBS, http_job("one")).await.expect(201);
    app.as_role(Role::Read).with_header("idempotency-key", "k").post(JOBS, http_job("one")).await.problem(422);
    let elsewhere = app.as_role_in(Role::Owner, "org-2").with_header("idempotency-key", "k");
    elsewhere.post(JOBS, http_job("one")).await.expect(201);
}

#[tokio::test]
async fn a_refused_request_may_be_sent_again_under_its_key() {
    let app = TestApp::start().await;
    let other = app.owner().create_job(http_job("wanted")).await;
    let caller = app.owner().with_header("idempotency-key", "k");
    caller.post(JOBS, http_job("wanted")).await.problem(409);
    app.owner().delete(&format!("{JOBS}/{other}")).await.expect(204);
    caller.post(JOBS, http_job("wanted")).await.expect(201);
}

#[tokio::test]
async fn an_answer_is_kept_for_a_day() {
    let app = TestApp::start().await;
    let job = app.owner().create_job(http_job("daily")).await;
    let key = app.owner().post("/api/v1/keys", json!({"name": "k", "scopes": ["*"]})).await.expect(201).member("key");
    let caller = app.with_key(&key).with_header("idempotency-key", "k");
    let path = format!("{JOBS}/{job}/trigger");
    let first = caller.call(&path).await.expect(202).json();
    app.advance(Duration::from_hours(23));
    assert_eq!(caller.call(&path).await.expect(202).json(), first);
    app.advance(Duration::from_hours(2));
    assert_ne!(caller.call(&path).await.expect(202).json(), first);
}

#[tokio::test]
async fn a_malformed_key_is_refused() {
    let app = TestApp::start().await;
    for key in ["two words", &"x".repeat(256), ""] {
        let refused = app.owner().with_header("idempotency-key", key).post(JOBS, http_job("x")).await;
        assert!(refused.problem(400)["errors"]["Idempotency-Key"].is_array(), "{key}");
    }
    app.owner().with_header("idempotency-key", &"x".repeat(255)).post(JOBS, http_job("x")).await.expect(201);
}

#[tokio::test]
async fn of_many_at_once_under_one_key_one_is_carried_out() {
    let app = TestApp::start().await;
    let job = app.owner().create_job(http_job("busy")).await;
    let caller = app.owner().with_header("idempotency-key", "k");
    let path = format!("{JOBS}/{job}/trigger");
    let calls = (0..10).map(|_| caller.call(&path));
    let answers = futures_util::future::join_all(calls).await;

    let accepted: Vec<_> =
        answers.iter().filter(|answer| answer.status == 202).map(super::support::Answer::json).collect();
    assert!(!accepted.is_empty() && accepted.iter().all(|id| *id == accepted[0]));
    for answer in answers.iter().filter(|answer| answer.status != 202) {
        answer.problem(409);
        assert_eq!(answer.header("retry-after"), "1");
    }
    let history = app.owner().get(&format!("{JOBS}/{job}/executions")).await.json();
    assert_eq!(history["totalCount"], 1);
}

/// The ids of all executions of the caller's tenant.
async fn executions(caller: &Client) -> BTreeSet<String> {
    let told = caller.post("/v1/toolkit/jobs/status", json!({})).await.expect(200).json();
    told["response"].as_object().unwrap().keys().cloned().collect()
}

/// The same as soon as there are any but these.
async fn executions_beside(caller: &Client, before: &BTreeSet<String>) -> BTreeSet<String> {
    until("it is accepted", async || {
        let now = executions(caller).await;
        if now.len() > before.len() { Ok(now.difference(before).cloned().collect()) } else { Err(now) }
    })
    .await
}

#[tokio::test]
async fn what_a_node_accepted_before_it_died_is_not_accepted_again_by_another() {
    let operation = json!({"operation": {"type": "node.uptime.get", "data": {}}});
    let bulk =
        json!([{"jobName": "work", "uniqueKey": "a"}, {"jobName": "work", "uniqueKey": "a"}, {"jobName": "work"}]);
    let cases = [
        ("/v1/toolkit/jobs", json!({"job": "work"})),
        ("/v1/toolkit/jobs", json!({"job": "work", "webhook_url": "https://example.com/hook"})),
        ("/job", operation),
        ("/api/v1/scheduler/jobs/{job}/trigger", json!({"payload": 1})),
        ("/api/v1/scheduler/executions/{failed}/retry", json!({})),
        ("/api/integrations/jobs", json!({"kind": "work", "dedupeKey": "a"})),
        ("/api/v1/executions/bulk", bulk),
    ];
    for (path, body) in cases {
        for is_over in [false, true] {
            let store = Arc::new(MemoryStore::new());
            let config = ApiConfig { submit_wait: Duration::from_millis(1), ..ApiConfig::default() };
            let dying = TestApp::on(store.clone(), config.clone()).await;
            let other = TestApp::on(store.clone(), config.clone()).await;
            let mut work = http_job("work");
            work["group"] = json!("integration");
            work["retryPolicy"] = json!({"maxAttempts": 1});
            let job = dying.owner().create_job(work).await;
            dying.owner().trigger(&job).await;
            let failed = dying.fail_next("boom", Duration::ZERO).await;
            let path = path.replace("{job}", &job).replace("{failed}", &failed);
            let scope = json!({"name": "k", "scopes": ["*"]});
            let key = dying.owner().post("/api/v1/keys", scope).await.expect(201).member("key");
            let before = executions(&other.with_key(&key)).await;

            // What it accepts is durable, and nobody hears of it.
            store.disturb(Disturbance { latency: Duration::from_hours(1), ..Disturbance::default() });
            let caller = dying.with_key(&key).with_header("idempotency-key", "k");
            let first = tokio::spawn({
                let (path, body) = (path.clone(), body.clone());
                async move { caller.post(&path, body).await }
            });
            let accepted = executions_beside(&other.with_key(&key), &before).await;
            first.abort();
            drop(dying);
            store.disturb(Disturbance::default());
            if is_over {
                for _ in &accepted {
                    other.succeed_next("", Duration::ZERO).await;
                }
            }

            other.advance(config.request_timeout + Duration::from_secs(61));
            let again = other.with_key(&key).with_header("idempotency-key", "k").post(&path, body.clone()).await;
            assert!((200..300).contains(&again.status), "{path}, {is_over}: {}", again.text());
            assert!(accepted.iter().all(|id| again.text().contains(id)), "{path}, {is_over}: {}", again.text());
            assert_eq!(executions_beside(&other.with_key(&key), &before).await, accepted, "{path}, {is_over}");
        }
    }
}

#[tokio::test]
async fn what_was_accepted_without_its_node_hearing_of_it_is_not_accepted_again() {
    let store = Arc::new(MemoryStore::new());
    let app = TestApp::on(store.clone(), ApiConfig::default()).await;
    let job = app.owner().create_job(http_job("work")).await;
    let caller = app.owner().with_header("idempotency-key", "k");
    let path = format!("{JOBS}/{job}/trigger");
    store.disturb(Disturbance { answers_lost: true, ..Disturbance::default() });
    caller.call(&path).await.problem(503);
    store.disturb(Disturbance::default());
    let accepted = caller.call(&path).await.expect(202).json();
    let history = app.owner().get(&format!("{JOBS}/{job}/executions")).await.json();
    assert_eq!((&history["totalCount"], &history["items"][0]["id"]), (&json!(1), &accepted));
}
