//! `Idempotency-Key`.

use std::time::Duration;

use horarium_auth::Role;
use insta::assert_json_snapshot;
use serde_json::json;

use crate::support::{TestApp, http_job};

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
