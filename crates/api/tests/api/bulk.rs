//! Bulk submission.

use horarium_api::ApiConfig;
use horarium_auth::Role;
use insta::assert_json_snapshot;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{TestApp, http_job};

const BULK: &str = "/api/v1/executions/bulk";

#[tokio::test]
async fn a_batch_is_accepted_in_order_with_duplicates_told() {
    let app = TestApp::start().await;
    let job = app.owner().create_job(http_job("importer")).await;
    let body = json!([
        {"jobId": job, "payload": {"n": 1}, "uniqueKey": "a"},
        {"jobName": "importer", "payload": {"n": 2}, "uniqueKey": "a"},
        {"jobName": "importer", "runAt": "2025-07-11T00:00:00Z", "priority": 3},
    ]);

    let answer = app.as_role(Role::Manager).post(BULK, body).await.expect(202);

    assert_json_snapshot!(answer.snapshot());
    let ids = answer.json()["ids"].clone();
    assert_eq!(ids[0], ids[1]);
    let first = app.owner().get(&format!("/api/v1/executions/{}", ids[0].as_str().unwrap())).await.expect(200).json();
    assert_eq!((first["payload"].clone(), first["trigger"].as_str()), (json!({"n": 1}), Some("Api")));
}

#[tokio::test]
async fn a_batch_may_come_as_lines() {
    let app = TestApp::start().await;
    app.owner().create_job(http_job("importer")).await;
    let lines = "{\"jobName\": \"importer\"}\r\n\n{\"jobName\":\"importer\",\"payload\":[1]}";
    let send = async |lines: &str| {
        app.owner().send(Method::POST, BULK, Some(("application/x-ndjson", lines.as_bytes().to_vec()))).await
    };
    assert_eq!(send(lines).await.expect(202).json()["accepted"], 2);
    let broken = send("{\"jobName\": \"importer\"}\n{oops}").await.problem(400);
    assert!(broken["detail"].as_str().unwrap().starts_with("Line 2 of the body is wrong"));
}

#[tokio::test]
async fn what_cannot_be_accepted_does_not_hold_up_the_rest() {
    let app = TestApp::start().await;
    app.owner().create_job(http_job("importer")).await;
    let body = json!([{"payload": 1}, {"jobName": "importer"}, {"jobName": "nobody"}, {"jobName": "importer", "priority": 500}]);
    let answer = app.owner().post(BULK, body).await.expect(202);
    assert_json_snapshot!(answer.snapshot());
}

#[tokio::test]
async fn a_batch_of_which_nothing_can_be_accepted_is_refused() {
    let app = TestApp::start().await;
    let theirs = app.as_role_in(Role::Owner, "org-2").create_job(http_job("theirs")).await;
    let refused = app.owner().post(BULK, json!([{"jobId": theirs}, {"jobName": "nobody", "jobId": theirs}])).await;
    assert_json_snapshot!(refused.problem(400));
    for body in [json!([]), json!({}), json!([{"jobId": "x"}])] {
        app.owner().post(BULK, body).await.problem(400);
    }
    app.owner().send(Method::POST, BULK, Some(("text/csv", b"a,b".to_vec()))).await.problem(415);
    app.as_role(Role::Read).post(BULK, json!([{"jobId": Uuid::nil()}])).await.problem(403);
}

#[tokio::test]
async fn full_queues_refuse_a_batch_with_429() {
    let app = TestApp::start().await;
    app.owner().create_job(http_job("importer")).await;
    app.owner().put("/api/v1/queues/default", json!({"maxLength": 0})).await.expect(200);
    let refused = app.owner().post(BULK, json!([{"jobName": "importer"}])).await;
    refused.problem(429);
    assert_eq!(refused.header("retry-after"), "5");
}

#[tokio::test]
async fn a_batch_holds_ten_thousand_and_has_its_own_limit_of_bytes() {
    let app = TestApp::with(ApiConfig { max_body_bytes: 1000, ..ApiConfig::default() }).await;
    app.owner().create_job(http_job("importer")).await;
    let batch = |size: usize| Value::Array(vec![json!({"jobName": "importer"}); size]);
    assert_eq!(app.owner().post(BULK, batch(10_000)).await.expect(202).json()["accepted"], 10_000);
    assert!(app.owner().post(BULK, batch(10_001)).await.problem(400)["detail"].as_str().unwrap().contains("10000"));
}
