//! API keys.

use std::time::Duration;

use horarium_auth::Role;
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::support::{TestApp, http_job};

const KEYS: &str = "/api/v1/keys";
const JOBS: &str = "/api/v1/scheduler/jobs";

#[tokio::test]
async fn a_key_is_shown_once_and_opens_what_its_scopes_say() {
    let app = TestApp::start().await;
    let made = app.owner().post(KEYS, json!({"name": "ci", "scopes": ["jobs:write", "jobs:read"]})).await.expect(201);
    let mut shown = made.snapshot();
    let text = made.member("key");
    assert!(text.starts_with("hrm_"));
    shown["key"] = json!("[key]");
    assert_json_snapshot!(shown);
    assert_eq!(made.header("location"), format!("{KEYS}/{}", made.member("id")));

    let machine = app.with_key(&text);
    let job = machine.post(JOBS, http_job("by-machine")).await.expect(201).json();
    assert_eq!(job["createdBy"], "ci");
    machine.call(&format!("{JOBS}/{}/trigger", job["id"].as_str().unwrap())).await.problem(403);

    let read = app.as_role(Role::Manager).get(made.header("location")).await.expect(200);
    assert_eq!(read.json()["key"], Value::Null);
    let list = app.as_role(Role::Manager).get(KEYS).await.expect(200);
    assert_eq!(list.json()["totalCount"], 1);
    assert!(!list.text().contains(&text) && !list.text().contains("hrm_"));
}

#[tokio::test]
async fn nobody_makes_or_rotates_a_key_that_may_do_more_than_they_may() {
    let app = TestApp::start().await;
    let all = app.owner().post(KEYS, json!({"name": "all", "scopes": ["*"]})).await.expect(201).member("id");
    let scopes = json!(["keys:manage", "keys:read", "jobs:read"]);
    let keeper = app.owner().post(KEYS, json!({"name": "keeper", "scopes": scopes})).await.expect(201).member("key");
    let keeper = app.with_key(&keeper);

    let refused = keeper.post(KEYS, json!({"name": "more", "scopes": ["jobs:write"]})).await.problem(400);
    assert!(refused["errors"]["scopes"][0].as_str().unwrap().contains("jobs:write"));
    keeper.call(&format!("{KEYS}/{all}/rotate")).await.problem(403);
    keeper.post(KEYS, json!({"name": "less", "scopes": ["jobs:read"]})).await.expect(201);
}

#[tokio::test]
async fn a_key_for_everything_is_not_one_for_the_admin_dialect_which_must_be_named() {
    let app = TestApp::start().await;
    let keeper = app.as_role(Role::SystemAdmin);
    for (scope, status) in [("*", 403), ("admin:jobs", 200)] {
        let key = keeper.post(KEYS, json!({"name": "key", "scopes": [scope]})).await.expect(201).member("key");
        let machine = app.with_key(&key).with_header("x-tenantid", "org-1");
        machine.get("/api/v1/admin/jobs").await.expect(status);
    }
    let refused = app.owner().post(KEYS, json!({"name": "key", "scopes": ["admin:jobs"]})).await.problem(400);
    assert!(refused["errors"]["scopes"][0].as_str().unwrap().contains("more than your own credential"));
}

#[tokio::test]
async fn a_rotated_key_has_a_new_secret_and_the_old_one_is_refused() {
    let app = TestApp::start().await;
    let made = app.owner().post(KEYS, json!({"name": "ci", "scopes": ["jobs:read"]})).await.expect(201);
    let path = format!("{KEYS}/{}", made.member("id"));

    let rotated = app.owner().call(&format!("{path}/rotate")).await.expect(200);

    assert_eq!(rotated.member("id"), made.member("id"));
    app.with_key(&rotated.member("key")).get(JOBS).await.expect(200);
    app.with_key(&made.member("key")).get(JOBS).await.problem(401);
}

#[tokio::test]
async fn a_revoked_key_is_refused_and_stays_in_the_list() {
    let app = TestApp::start().await;
    let made = app.owner().post(KEYS, json!({"name": "ci", "scopes": ["jobs:read"]})).await.expect(201);
    let path = format!("{KEYS}/{}", made.member("id"));
    app.with_key(&made.member("key")).get(JOBS).await.expect(200);

    app.owner().delete(&path).await.expect(204);
    app.owner().delete(&path).await.expect(204);

    app.with_key(&made.member("key")).get(JOBS).await.problem(401);
    assert_eq!(app.owner().get(&path).await.json()["status"], "Revoked");
    app.owner().call(&format!("{path}/rotate")).await.problem(409);
}

#[tokio::test]
async fn a_key_expires_when_it_says() {
    let app = TestApp::start().await;
    let body = json!({"name": "short", "scopes": ["jobs:read"], "expiresAt": "2025-07-10T15:00:00Z"});
    let key = app.owner().post(KEYS, body).await.expect(201).member("key");
    app.with_key(&key).get(JOBS).await.expect(200);
    app.advance(Duration::from_mins(10));
    assert_eq!(app.with_key(&key).get(JOBS).await.problem(401)["detail"], "The API key has expired.");
    let past = json!({"name": "past", "scopes": ["jobs:read"], "expiresAt": "2025-07-10T14:00:00Z"});
    assert!(app.owner().post(KEYS, past).await.problem(400)["errors"]["expiresAt"].is_array());
}

#[tokio::test]
async fn a_repeated_creation_neither_makes_a_second_key_nor_shows_the_first_again() {
    let app = TestApp::start().await;
    let caller = app.owner().with_header("idempotency-key", "k");
    let body = json!({"name": "ci", "scopes": ["jobs:read"]});
    let made = caller.post(KEYS, body.clone()).await.expect(201).member("key");
    let again = caller.post(KEYS, body).await;
    again.problem(409);
    assert!(!again.text().contains(&made));
    assert_eq!(app.owner().get(KEYS).await.json()["totalCount"], 1);
}

#[tokio::test]
async fn a_key_that_asks_for_nothing_or_for_what_there_is_not_is_refused() {
    let app = TestApp::start().await;
    for scopes in [json!([]), json!(["jobs:everything"]), json!(["tenants:any"])] {
        let refused = app.owner().post(KEYS, json!({"name": "x", "scopes": scopes})).await;
        assert!(refused.problem(400)["errors"]["scopes"].is_array());
    }
    assert!(
        app.owner().post(KEYS, json!({"name": " ", "scopes": ["*"]})).await.problem(400)["errors"]["name"].is_array()
    );
    let refused = app.owner().post(KEYS, json!({})).await.problem(400);
    assert_eq!(refused["errors"].as_object().unwrap().keys().collect::<Vec<_>>(), ["name", "scopes"]);
}
