//! Limits of concurrency keys.

use horarium_auth::Role;
use reqwest::Method;
use serde_json::json;

use crate::support::{TestApp, http_job};

const LIMITS: &str = "/api/v1/limits";

#[tokio::test]
async fn limits_of_a_key_are_set_as_a_whole() {
    let app = TestApp::start().await;
    // A key is any text, encoded where a path needs it.
    let path = format!("{LIMITS}/eu%2Facme%20%2B%20Co%20100%25");
    let body = json!({"maxConcurrency": 1, "rateLimitPerSecond": 10});
    let set = app.owner().put(&path, body).await.expect(200).json();
    assert_eq!(set, json!({"key": "eu/acme + Co 100%", "maxConcurrency": 1, "rateLimitPerSecond": 10}));
    let reader = app.as_role(Role::Read);
    assert_eq!(reader.get(&path).await.expect(200).json(), set);
    assert_eq!(reader.get(LIMITS).await.expect(200).json(), json!({"items": [set], "nextCursor": null}));
    assert_eq!(app.as_role_in(Role::Read, "org-2").get(LIMITS).await.json()["items"], json!([]));

    let lifted = app.owner().put(&path, json!({"rateLimitPerSecond": 5})).await.expect(200).json();
    assert_eq!((lifted["maxConcurrency"].is_null(), lifted["rateLimitPerSecond"].as_u64()), (true, Some(5)));
    let refused = app.owner().send(Method::PUT, &path, None).await.problem(400);
    assert!(refused["detail"].as_str().unwrap().contains("or {} to lift them both"), "{refused}");
    app.owner().put(&path, json!({})).await.expect(200);
    assert_eq!(reader.get(LIMITS).await.json()["items"], json!([]));
}

#[tokio::test]
async fn the_list_is_walked_by_key() {
    let app = TestApp::start().await;
    for key in ["c", "a", "b"] {
        app.owner().put(&format!("{LIMITS}/{key}"), json!({"maxConcurrency": 1})).await.expect(200);
    }
    let page = async |query: &str| {
        let page = app.owner().get(&format!("{LIMITS}?{query}")).await.expect(200).json();
        let keys: Vec<_> = page["items"].as_array().unwrap().iter().map(|limits| limits["key"].clone()).collect();
        (json!(keys), page["nextCursor"].clone())
    };
    assert_eq!(page("").await, (json!(["a", "b", "c"]), json!(null)));
    assert_eq!(page("limit=2").await, (json!(["a", "b"]), json!("b")));
    assert_eq!(page("limit=2&cursor=b").await, (json!(["c"]), json!(null)));
    app.owner().get(&format!("{LIMITS}?cursor=%00")).await.problem(400);
}

#[tokio::test]
async fn what_has_a_key_waits_until_there_is_room_for_it() {
    let app = TestApp::start().await;
    let job = app.owner().create_job(http_job("mailer")).await;
    app.owner().put(&format!("{LIMITS}/acme"), json!({"maxConcurrency": 1})).await.expect(200);
    let trigger = format!("/api/v1/scheduler/jobs/{job}/trigger");
    app.owner().post(&trigger, json!({"concurrencyKey": " acme "})).await.expect(202);
    let batch = json!([
        {"jobId": job, "concurrencyKey": "acme"},
        {"jobId": job, "concurrencyKey": "other"},
        {"jobId": job},
    ]);
    let batch = app.owner().post("/api/v1/executions/bulk", batch).await;
    assert_eq!(batch.json()["accepted"], 3);

    let key_of = async |id: horarium_domain::ExecutionId| {
        let path = format!("/api/v1/scheduler/executions/{id}");
        app.owner().get(&path).await.expect(200).json()["concurrencyKey"].clone()
    };
    let mut started = Vec::new();
    for _ in 0..3 {
        started.push(key_of(app.claim().await.lease.execution_id).await);
    }
    started.sort_by_key(ToString::to_string);
    assert_eq!(json!(started), json!(["acme", "other", null]));
    app.owner().put(&format!("{LIMITS}/acme"), json!({"maxConcurrency": 2})).await.expect(200);
    assert_eq!(key_of(app.claim().await.lease.execution_id).await, json!("acme"));
}

#[tokio::test]
async fn a_job_may_bound_what_runs_with_each_key() {
    let app = TestApp::start().await;
    let mut job = http_job("mailer");
    job["maxConcurrencyPerKey"] = json!(1);
    let job = app.owner().create_job(job).await;
    let path = format!("/api/v1/scheduler/jobs/{job}");
    assert_eq!(app.owner().get(&path).await.json()["maxConcurrencyPerKey"], 1);
    for key in ["acme", "acme", "globex"] {
        app.owner().post(&format!("{path}/trigger"), json!({"concurrencyKey": key})).await.expect(202);
    }
    for _ in 0..2 {
        app.claim().await;
    }
    let totals = app.core.store.queue_totals(app.now()).await.unwrap();
    assert_eq!((totals.0, totals.1), (1, 2), "the second of the same customer waits");
    let lifted = app.owner().put(&path, json!({"maxConcurrencyPerKey": 0})).await.expect(200).json();
    assert!(lifted["maxConcurrencyPerKey"].is_null(), "{lifted}");
    app.claim().await;
    app.owner().put(&path, json!({"maxConcurrencyPerKey": -1})).await.problem(400);
}

#[tokio::test]
async fn keys_and_limits_that_make_no_sense_are_refused_by_field() {
    let app = TestApp::start().await;
    let body = json!({"maxConcurrency": 0, "rateLimitPerSecond": 100_001});
    let refused = app.owner().put(&format!("{LIMITS}/acme"), body).await.problem(400);
    let fields: Vec<_> = refused["errors"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["maxConcurrency", "rateLimitPerSecond"]);
    app.owner().put(&format!("{LIMITS}/%20acme"), json!({})).await.problem(400);
    app.owner().get(&format!("{LIMITS}/%20acme")).await.problem(404);
    app.as_role(Role::Write).put(&format!("{LIMITS}/acme"), json!({})).await.problem(403);
    let job = app.owner().create_job(http_job("mailer")).await;
    let trigger = format!("/api/v1/scheduler/jobs/{job}/trigger");
    let refused = app.owner().post(&trigger, json!({"concurrencyKey": "two\nlines"})).await.problem(400);
    assert!(refused["errors"]["concurrencyKey"].is_array(), "{refused}");
}
