//! Queues.

use horarium_auth::Role;
use insta::assert_json_snapshot;
use reqwest::Method;
use serde_json::json;

use crate::support::{TestApp, http_job};

const QUEUES: &str = "/api/v1/queues";

#[tokio::test]
async fn limits_are_set_as_a_whole() {
    let app = TestApp::start().await;
    let body = json!({"maxConcurrency": 4, "maxLength": 100, "rateLimitPerSecond": 10, "paused": true, "weight": 300});
    let set = app.owner().put(&format!("{QUEUES}/mail"), body).await.expect(200);
    assert_json_snapshot!(set.json());
    assert_eq!(app.as_role(Role::Read).get(&format!("{QUEUES}/mail")).await.expect(200).json(), set.json());
    assert_eq!(
        app.as_role(Role::Read).get(QUEUES).await.expect(200).json(),
        json!({"items": [set.json()], "nextCursor": null})
    );

    let lifted = app.owner().put(&format!("{QUEUES}/mail"), json!({"maxLength": 5})).await.expect(200).json();
    assert_eq!((lifted["maxConcurrency"].is_null(), lifted["paused"].as_bool()), (true, Some(false)));
    assert_eq!(lifted["weight"], 100);
    assert_eq!(app.as_role_in(Role::Read, "org-2").get(QUEUES).await.json()["items"], json!([]));
}

#[tokio::test]
async fn nothing_lifts_no_limits() {
    let app = TestApp::start().await;
    let owner = app.owner();
    let path = format!("{QUEUES}/mail");
    let set = owner.put(&path, json!({"maxLength": 5, "paused": true})).await.expect(200).json();
    for nothing in [None, Some(("application/json", b"".to_vec())), Some(("application/json", b"null".to_vec()))] {
        let refused = owner.send(Method::PUT, &path, nothing).await.problem(400);
        assert!(refused["detail"].as_str().unwrap().contains("or {} to lift them all"), "{refused}");
    }
    assert_eq!(owner.get(&path).await.json(), set);
    assert!(owner.put(&path, json!({})).await.expect(200).json()["maxLength"].is_null());
}

#[tokio::test]
async fn the_list_is_walked_by_name() {
    let app = TestApp::start().await;
    for name in ["c", "a", "b"] {
        app.owner().put(&format!("{QUEUES}/{name}"), json!({"paused": true})).await.expect(200);
    }
    let page = async |query: &str| {
        let page = app.owner().get(&format!("{QUEUES}?{query}")).await.expect(200).json();
        let names: Vec<_> = page["items"].as_array().unwrap().iter().map(|queue| queue["name"].clone()).collect();
        (json!(names), page["nextCursor"].clone())
    };
    assert_eq!(page("").await, (json!(["a", "b", "c"]), json!(null)));
    assert_eq!(page("limit=2").await, (json!(["a", "b"]), json!("b")));
    assert_eq!(page("limit=2&cursor=b").await, (json!(["c"]), json!(null)));
    assert_eq!(page("limit=3").await.1, json!(null));
    for wrong in ["0", "1001", "x"] {
        app.owner().get(&format!("{QUEUES}?limit={wrong}")).await.problem(400);
    }
}

#[tokio::test]
async fn a_full_queue_refuses_with_429_and_says_when_to_try_again() {
    let app = TestApp::start().await;
    let job = app.owner().create_job(http_job("mailer")).await;
    app.owner().put(&format!("{QUEUES}/default"), json!({"maxLength": 1})).await.expect(200);
    app.owner().trigger(&job).await;

    let refused = app.owner().call(&format!("/api/v1/scheduler/jobs/{job}/trigger")).await;
    assert_json_snapshot!(refused.problem(429));
    assert_eq!(refused.header("retry-after"), "5");
    let queue = app.owner().get(&format!("{QUEUES}/default")).await.json();
    assert_eq!((queue["pending"].as_u64(), queue["oldestDueAt"].as_str()), (Some(1), Some("2025-07-10T14:50:00.000Z")));
}

#[tokio::test]
async fn limits_that_make_no_sense_are_refused_by_field() {
    let app = TestApp::start().await;
    let body = json!({"maxConcurrency": 0, "maxLength": -1, "rateLimitPerSecond": 0, "weight": 0});
    let refused = app.owner().put(&format!("{QUEUES}/mail"), body).await.problem(400);
    let fields: Vec<_> = refused["errors"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["maxConcurrency", "maxLength", "rateLimitPerSecond", "weight"]);
    app.owner().put(&format!("{QUEUES}/no%20spaces"), json!({})).await.problem(400);
    app.owner().get(&format!("{QUEUES}/no%20spaces")).await.problem(404);
    app.as_role(Role::Write).put(&format!("{QUEUES}/mail"), json!({})).await.problem(403);
}
