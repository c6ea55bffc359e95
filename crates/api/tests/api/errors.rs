//! The shape of every refusal, and the headers of every answer.

use std::io::{Read, Write};
use std::sync::Arc;

use horarium_api::ApiConfig;
use horarium_auth::Role;
use horarium_auth::api_key::ApiKey;
use horarium_domain::ApiKeyId;
use horarium_test_databases::SqliteFile;
use insta::assert_json_snapshot;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{TestApp, http_job, redacted};

const JOBS: &str = "/api/v1/scheduler/jobs";

#[tokio::test]
async fn an_unknown_path_is_a_404_for_everybody() {
    let app = TestApp::start().await;
    assert_json_snapshot!(app.anonymous().get("/nowhere").await.problem(404));
    for path in ["/api/v1/nowhere", "/api/v1/scheduler/nowhere", "/api/v1/scheduler/jobs/", "/"] {
        app.anonymous().get(path).await.problem(404);
        app.owner().get(path).await.problem(404);
    }
}

#[tokio::test]
async fn the_lists_of_other_systems_clients_are_also_there_with_a_slash_at_the_end() {
    let app = TestApp::start().await;
    let admin = app.as_role(Role::SystemAdmin).with_header("x-tenantid", "org-1");
    let lists = [(app.owner(), "/job"), (app.owner(), "/api/job"), (app.owner(), "/api/integrations/jobs")];
    for (caller, path) in lists.into_iter().chain([(admin, "/api/v1/admin/jobs")]) {
        let listed = caller.get(path).await.expect(200).json();
        let slashed = caller.get(&format!("{path}/")).await.expect(200).json();
        assert_eq!(redacted(slashed), redacted(listed), "{path}");
    }
    let submitted = app.owner().post("/job/", json!({"operation": {"type": "node.uptime.get"}})).await.expect(201);
    app.owner().get(&format!("/job/{}", submitted.member("job_id"))).await.expect(200);
    let entry = app.owner().get("/api/v1/audit?limit=1").await.expect(200).json()["items"][0].clone();
    assert_eq!((&entry["action"], &entry["route"]), (&json!("create_agent_job"), &json!("/job/")));
    let refused = app.owner().delete("/job/").await.expect(405);
    assert_eq!(refused.header("allow"), "GET, HEAD, OPTIONS, POST");
}

#[tokio::test]
async fn a_wrong_method_is_a_405_that_says_what_is_right() {
    let app = TestApp::start().await;
    let refused = app.owner().patch(JOBS, json!({})).await;
    assert_json_snapshot!(refused.problem(405));
    assert_eq!(refused.header("allow"), "GET, HEAD, OPTIONS, POST");
    let refused = app.anonymous().call("/health/live").await;
    refused.problem(405);
    assert_eq!(refused.header("allow"), "GET, HEAD, OPTIONS");
    let trace = app.owner().send(Method::TRACE, JOBS, None).await;
    trace.problem(405);
    let workflows = app.owner().delete("/api/v1/scheduler/workflows").await;
    workflows.problem(405);
    assert_eq!(workflows.header("allow"), "GET, HEAD, OPTIONS, POST");
}

#[tokio::test]
async fn options_tell_the_methods_and_open_nothing_to_other_origins() {
    let app = TestApp::start().await;
    let preflight = app
        .anonymous()
        .with_header("origin", "https://evil.example")
        .with_header("access-control-request-method", "POST");
    let answer = preflight.send(Method::OPTIONS, JOBS, None).await.expect(204);
    assert_eq!(answer.header("allow"), "GET, HEAD, OPTIONS, POST");
    let answered = app.owner().with_header("origin", "https://evil.example").get(JOBS).await.expect(200);
    for headers in [&answer.headers, &answered.headers] {
        assert!(!headers.keys().any(|name| name.as_str().starts_with("access-control-")), "{headers:?}");
    }
}

#[tokio::test]
async fn head_is_get_without_the_body() {
    let app = TestApp::start().await;
    let got = app.owner().get(JOBS).await.expect(200);
    let head = app.owner().head(JOBS).await.expect(200);
    assert!(head.bytes.is_empty());
    assert_eq!(head.header("content-length"), got.header("content-length"));
    app.anonymous().head(JOBS).await.expect(401);
    app.owner().head("/api/v1/events").await.expect(200);
    app.owner().head("/nowhere").await.expect(404);
}

#[tokio::test]
async fn a_body_must_be_json_say_so_and_be_sound() {
    let app = TestApp::start().await;
    let send = async |media: &str, body: &str| {
        app.owner().send(Method::POST, JOBS, Some((media, body.as_bytes().to_vec()))).await
    };
    assert_json_snapshot!("wrong_media_type", send("text/plain", "{}").await.problem(415));
    send("application/x-www-form-urlencoded", "a=b").await.problem(415);
    send("application/json; charset=latin1", "{}").await.problem(415);
    send("application/json; charset=\"UTF-8\"", "{}").await.problem(400);
    assert_json_snapshot!("broken_json", send("application/json", "{\"name\": }").await.problem(400));
    assert_json_snapshot!("no_object", send("application/json", "[]").await.problem(400));
    send("application/json", "").await.problem(400);
    send("application/json", r#"{"name": "a", "retryPolicy": [1]}"#).await.problem(400);
    send("application/json", "{} {}").await.problem(400);
    send("application/json", r#"{"name": "a", "name": "b"}"#).await.problem(400);
    assert_json_snapshot!(
        "wrong_type",
        send("application/json; charset=utf-8", r#"{"tags": ["a", 5]}"#).await.problem(400)
    );
    assert_json_snapshot!(
        "deep_wrong_type",
        send("application/merge-patch+json", r#"{"retryPolicy": {"maxAttempts": "many"}}"#).await.problem(400)
    );
    let zipped = app.owner().with_header("content-encoding", "gzip");
    zipped.post(JOBS, http_job("zipped")).await.problem(415);
}

#[tokio::test]
async fn an_empty_body_is_an_object_that_lacks_every_field() {
    let app = TestApp::start().await;
    let owner = app.owner();
    let machine = app.machine(&["*"]).await;
    let keeper = app.as_role(Role::SystemAdmin).with_header("x-tenantid", "org-1");

    assert_eq!(owner.call(JOBS).await.problem(400)["errors"]["name"][0], "is required");
    assert_eq!(owner.call("/api/integrations/jobs").await.problem(400)["errors"]["kind"][0], "is required");
    assert_eq!(owner.call("/api/v1/executions/bulk").await.problem(400)["detail"], "The batch is empty.");
    let refused = owner.call("/job").await.expect(400).json();
    assert_eq!((&refused["code"], &refused["error"]), (&json!(400), &json!("operation is required")));
    for (path, field) in [("/v1/toolkit/jobs", "job"), ("/v1/toolkit/job/status", "job_id")] {
        assert_eq!(machine.call(path).await.expect(400).json()["message"], format!("{field}: is required"));
    }
    let refused = keeper.call("/api/v1/admin/jobs/trigger").await.expect(400).json();
    assert_eq!(refused["error"]["details"]["errors"]["jobName"][0], "is required");

    // Nothing is of no media type; something is of its own.
    owner.send(Method::POST, "/job", Some(("text/plain", b" \n".to_vec()))).await.expect(400);
    let refused = owner.send(Method::POST, "/job", Some(("text/plain", b"{}".to_vec()))).await.expect(415).json();
    assert_eq!(refused["code"], 415);
}

#[tokio::test]
async fn a_body_that_is_too_large_is_a_413_announced_or_not() {
    let app = TestApp::with(ApiConfig { max_body_bytes: 1000, ..ApiConfig::default() }).await;
    let mut body = http_job("large");
    body["description"] = json!("x".repeat(2000));
    assert_json_snapshot!(app.owner().post(JOBS, body.clone()).await.problem(413));
    let keyed = app.owner().with_header("idempotency-key", "k1");
    keyed.post(JOBS, body).await.problem(413);

    // In chunks, without a length: the reading itself must stop.
    let token = app.token(Role::Owner, "org-1");
    let address = app.address().to_owned();
    let answer = tokio::task::spawn_blocking(move || {
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        write!(
            socket,
            "POST {JOBS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        for _ in 0..4 {
            write!(socket, "200\r\n{}\r\n", " ".repeat(512)).unwrap();
        }
        write!(socket, "0\r\n\r\n").unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    });
    assert!(answer.await.unwrap().starts_with("HTTP/1.1 413 "));
}

#[tokio::test]
async fn a_path_id_that_is_no_uuid_is_a_404() {
    let app = TestApp::start().await;
    for id in ["7", "abc", "%00", "..%2f..", "b2e4c1d0-1234-4abc-8def-00000000000"] {
        app.owner().get(&format!("{JOBS}/{id}")).await.problem(404);
        app.owner().get(&format!("/api/v1/scheduler/executions/{id}")).await.problem(404);
    }
}

#[tokio::test]
async fn nul_is_refused_by_field() {
    let app = TestApp::start().await;
    let refused = app.owner().get(&format!("{JOBS}?search=a%00b")).await;
    assert!(refused.problem(400)["errors"]["search"].is_array());
    let mut body = http_job("nul");
    body["description"] = json!("a\0b");
    assert!(app.owner().post(JOBS, body).await.problem(400)["errors"]["description"].is_array());
}

#[tokio::test]
async fn answers_are_compressed_for_those_who_ask_and_streams_never() {
    let app = TestApp::start().await;
    let zipped = app.anonymous().with_header("accept-encoding", "gzip").get("/openapi.json").await.expect(200);
    assert_eq!(zipped.header("content-encoding"), "gzip");
    let stream = app.owner().with_header("accept-encoding", "gzip").head("/api/v1/events").await.expect(200);
    assert_eq!(stream.header("content-encoding"), "");
    let picky = app.owner().with_header("accept-encoding", "compress, identity;q=0").get(JOBS).await;
    picky.problem(406);
}

#[tokio::test]
async fn a_sane_request_id_comes_back_and_any_other_is_replaced() {
    let app = TestApp::start().await;
    let answer = app.owner().with_header("x-request-id", "trace-7").get(JOBS).await;
    assert_eq!(answer.header("x-request-id"), "trace-7");
    let refused = app.anonymous().with_header("x-request-id", "trace-8").get("/nowhere").await;
    assert_eq!(refused.header("x-request-id"), "trace-8");
    let answer = app.owner().with_header("x-request-id", "two words").get(JOBS).await;
    assert!(Uuid::try_parse(answer.header("x-request-id")).is_ok());
}

#[tokio::test]
async fn every_answer_carries_the_headers_that_keep_a_browser_safe() {
    let app = TestApp::start().await;
    for path in [JOBS, "/nowhere", "/health", "/docs/", "/openapi.json"] {
        let answer = app.owner().get(path).await;
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(answer.header("x-frame-options"), "DENY", "{path}");
        assert_eq!(answer.header("referrer-policy"), "no-referrer", "{path}");
        assert!(answer.header("content-security-policy").contains("default-src 'none'"), "{path}");
        assert!(!answer.header("cache-control").is_empty(), "{path}");
    }
    assert_eq!(app.owner().get(JOBS).await.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_defect_is_told_in_each_dialects_shape_and_with_nothing_of_the_inside() {
    // A database without tables can answer nothing.
    let file = SqliteFile::new();
    let app = TestApp::on(Arc::new(file.store().await), ApiConfig::default()).await;
    let key = ApiKey::generate(ApiKeyId::from_uuid(Uuid::from_u128(7)), [7; 32]).reveal();
    let keeper = app.as_role(Role::SystemAdmin).with_header("x-tenantid", "org-1");
    let detail = "An internal error occurred. It has been logged.";
    for path in [JOBS, "/api/integrations/jobs/metrics", "/api/v1/keys"] {
        assert_eq!(app.owner().get(path).await.problem(500)["detail"], detail, "{path}");
    }
    let envelope = keeper.get("/api/v1/admin/jobs").await.expect(500).json();
    assert_eq!(
        (&envelope["message"], &envelope["error"]),
        (&json!("Server error"), &json!({"code": "SERVER_ERROR", "details": {"reason": detail}}))
    );
    for path in ["/job", "/api/job"] {
        let refused = app.owner().get(path).await.expect(500).json();
        assert_eq!(refused, json!({"error": detail, "code": 500}), "{path}");
    }
    for path in ["/v1/toolkit/jobs/status", "/paid/get/all/jobs/id/status"] {
        let envelope = app.with_key(&key).call(path).await.expect(500).json();
        let told = (&envelope["code"], &envelope["message"], &envelope["response"]);
        assert_eq!(told, (&json!(500), &json!(detail), &Value::Null), "{path}");
    }
}

#[tokio::test]
async fn a_request_that_takes_too_long_is_given_up() {
    let app = TestApp::with(ApiConfig { request_timeout: std::time::Duration::ZERO, ..ApiConfig::default() }).await;
    let refused = app.anonymous().with_header("x-request-id", "slow-1").get("/health/live").await;
    // The very first poll may already answer; a body that never comes cannot.
    assert!(refused.status == 200 || refused.status == 503);
    let token = app.token(Role::Owner, "org-1");
    let address = app.address().to_owned();
    let answer = tokio::task::spawn_blocking(move || {
        let mut socket = std::net::TcpStream::connect(address).unwrap();
        write!(
            socket,
            "POST {JOBS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Type: application/json\r\n\
             X-Request-Id: slow-2\r\nContent-Length: 10\r\nConnection: close\r\n\r\n"
        )
        .unwrap();
        let mut answer = String::new();
        socket.read_to_string(&mut answer).unwrap();
        answer
    });
    let answer = answer.await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
    assert!(answer.contains("x-request-id: slow-2") && answer.contains("application/problem+json"), "{answer}");
}

#[tokio::test]
async fn a_tenant_that_sends_too_much_is_slowed_down_and_the_others_are_not() {
    let config = ApiConfig { rate_limits: "tenant=3".parse().unwrap(), ..ApiConfig::default() };
    let app = TestApp::with(config).await;
    for _ in 0..3 {
        app.owner().get(JOBS).await.expect(200);
    }
    let refused = app.owner().get(JOBS).await;
    assert_json_snapshot!(refused.problem(429));
    assert_eq!(refused.header("retry-after"), "1");
    app.as_role_in(Role::Owner, "org-2").get(JOBS).await.expect(200);
    app.anonymous().get("/health/live").await.expect(200);
    app.advance(std::time::Duration::from_secs(1));
    app.owner().get(JOBS).await.expect(200);
}
