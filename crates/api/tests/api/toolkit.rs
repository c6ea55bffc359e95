//! The toolkit dialect, against the examples of its source document.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use horarium_api::ApiConfig;
use horarium_auth::Role;
use horarium_domain::NodeId;
use horarium_domain::execution::{Failure, Output};
use horarium_domain::job::JobType;
use horarium_scheduler_engine::{Engine, EngineConfig, Executor, Outcome, Registry, Run};
use insta::assert_json_snapshot;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{TestApp, assert_has_the_shape_of, http_job};

const STATUSES: &str = "/v1/toolkit/jobs/status";
const ALL_STATUSES: &str = "/paid/get/all/jobs/id/status";
const SUBMIT: &str = "/v1/toolkit/jobs";
const STATUS: &str = "/v1/toolkit/job/status";

impl TestApp {
    /// Starts an engine that echoes the payload of code jobs, and fails those that say so.
    fn start_engine(&self) -> Engine {
        let node = NodeId::from_uuid(Uuid::from_u128(7));
        let registry = Registry::new().with(JobType::CodeExecution, Echo);
        Engine::start(Arc::clone(&self.core), registry, EngineConfig::new(node, "test-node"))
    }
}

struct Echo;

#[async_trait]
impl Executor for Echo {
    async fn execute(&self, run: Run) -> Outcome {
        let payload = run.payload.unwrap_or_default();
        if payload["fail"] == true {
            return Outcome::failed(Failure::permanent("told to fail"));
        }
        Outcome::Succeeded {
            output: Some(Output { text: payload.to_string(), truncated: false }),
            items_processed: None,
        }
    }
}

fn code_job(name: &str) -> Value {
    json!({"name": name, "jobType": "CodeExecution", "jobConfiguration": {"handlerType": "echo"}})
}

/// An envelope without what differs from run to run.
fn steady(mut envelope: Value) -> Value {
    for name in ["run_time", "queue_time", "total_time"] {
        if envelope[name].is_number() {
            let seconds = envelope[name].as_f64().unwrap();
            assert!(
                (seconds * 1000.0 - (seconds * 1000.0).round()).abs() < 1e-6,
                "{name} has three decimals: {seconds}"
            );
            envelope[name] = json!("[seconds]");
        }
    }
    for name in ["pid", "process_id", "queue_id"] {
        if envelope[name].is_number() {
            assert!(envelope[name].is_u64(), "{name} is a whole number");
            envelope[name] = json!(format!("[{name}]"));
        }
    }
    if envelope["response"]["job_status"].is_string() {
        envelope["response"] = steady(envelope["response"].take());
    }
    if envelope["response"]["build_number"].is_string() {
        envelope["response"] = steady(envelope["response"].take());
    }
    envelope
}

#[tokio::test]
async fn both_paths_list_the_status_of_every_recent_job() {
    let app = TestApp::start().await;
    let machine = app.machine(&["executions:read"]).await;
    let (job, done) = app.owner().trigger_new_job("a").await;
    app.fail_next("boom", Duration::from_secs(1)).await;
    let running = app.owner().trigger(&job).await;
    app.claim().await;
    let queued = app.owner().trigger(&job).await;
    for path in [STATUSES, ALL_STATUSES] {
        let answer = machine.post(path, json!({"since_seconds": 3600})).await.expect(200);
        let told = answer.json()["response"].clone();
        assert_eq!(told, json!({&queued: "queued", &running: "running", &done: "done"}));
        // Newest first, as the text has it.
        let places = [&queued, &running, &done].map(|id| answer.text().find(id.as_str()).unwrap());
        assert!(places.is_sorted(), "{places:?}");
        assert!(answer.json().get("truncated").is_none());
    }
    let example = machine.post(ALL_STATUSES, json!({"since_seconds": 3600})).await;
    assert_has_the_shape_of(include_str!("documents/toolkit_statuses.json"), &example.json());
    let mut example = steady(example.snapshot());
    example["response"] = json!("[statuses]");
    assert_json_snapshot!("toolkit_statuses", example);

    // Another tenant's key shows its own.
    let stranger = app.machine_of("org-2", &["*"]).await;
    assert_eq!(stranger.post(STATUSES, json!({})).await.expect(200).json()["response"], json!({}));
}

#[tokio::test]
async fn a_callers_name_for_its_request_comes_back_with_the_answer() {
    let app = TestApp::start().await;
    let machine = app.machine(&["*"]).await;
    app.owner().create_job(http_job("a")).await;
    let submitted = json!({"job": "a", "id": "the job's", "webhook_url": "https://example.com/hook"});
    let job = machine.post(SUBMIT, submitted).await.expect(202).member("job_id");
    let unknown = Uuid::from_u128(7);
    for (path, body, status) in [
        (STATUSES, json!({"id": "mine"}), 200),
        (ALL_STATUSES, json!({"id": "mine"}), 200),
        (STATUS, json!({"job_id": job, "id": "mine"}), 200),
        (STATUS, json!({"job_id": unknown, "id": "mine"}), 404),
    ] {
        assert_eq!(machine.post(path, body).await.expect(status).member("id"), "mine");
    }
    assert_eq!(machine.post(STATUS, json!({"job_id": job})).await.expect(200).member("id"), "the job's");
    assert_eq!(machine.call(STATUSES).await.expect(200).json()["id"], Value::Null);
}

#[tokio::test]
async fn the_listing_looks_back_ten_minutes_or_as_far_as_it_is_told() {
    let app = TestApp::start().await;
    let machine = app.machine(&["*"]).await;
    let (_, id) = app.owner().trigger_new_job("a").await;
    let listed = async |body: Option<Value>| {
        let answer = match body {
            Some(body) => machine.post(STATUSES, body).await,
            None => machine.call(STATUSES).await,
        };
        answer.expect(200).json()["response"].as_object().unwrap().len()
    };
    app.advance(Duration::from_secs(599));
    for body in [None, Some(json!({})), Some(json!({"since_seconds": 600})), Some(json!({"since_seconds": 599.5}))] {
        assert_eq!(listed(body).await, 1);
    }
    let empty = machine.send(Method::POST, STATUSES, Some(("application/json", Vec::new()))).await;
    assert_eq!(empty.expect(200).json()["response"].as_object().unwrap().len(), 1);
    assert_eq!(listed(Some(json!({"since_seconds": 598.5}))).await, 0);
    app.advance(Duration::from_secs(2));
    assert_eq!(listed(None).await, 0);
    assert_eq!(listed(Some(json!({"since_seconds": 1e30}))).await, 1);
    // What changes is recent again, however old it is.
    app.succeed_next("{}", Duration::from_secs(1)).await;
    assert_eq!(listed(Some(json!({"since_seconds": 0}))).await, 1);
    let told = machine.call(STATUSES).await.json();
    assert_eq!(told["response"][&id], "done");
    for wrong in
        [json!({"since_seconds": -1}), json!({"since_seconds": "600"}), json!([]), json!({"since_seconds": [1]})]
    {
        let refused = machine.post(STATUSES, wrong).await.expect(400).json();
        assert_eq!((refused["code"].as_u64(), &refused["response"]), (Some(400), &Value::Null), "{refused}");
    }
}

#[tokio::test]
async fn a_key_is_the_only_credential() {
    let app = TestApp::start().await;
    let machine = app.machine(&["*"]).await;
    let refusals = [
        app.anonymous().post(STATUSES, json!({})).await,
        app.owner().post(ALL_STATUSES, json!({})).await,
        app.with_key("hrm_nonsense").get("/v1/toolkit/authenticate").await,
        app.owner().get("/v1/toolkit/authenticate").await,
    ];
    for refused in refusals {
        assert_eq!(refused.expect(401).json(), json!({"message": "Unauthorized"}));
    }
    let told = machine.get("/v1/toolkit/authenticate").await.expect(200);
    assert_json_snapshot!("toolkit_authenticate", steady(told.snapshot()));
    // A token beside the key neither helps nor hurts.
    let both = machine.clone().with_header("authorization", "Bearer nonsense");
    both.get("/v1/toolkit/authenticate").await.expect(200);

    let reader = app.machine(&["executions:read"]).await;
    let refused = reader.post(SUBMIT, json!({"job": "a"})).await.expect(403).json();
    assert_eq!(refused["code"], 403);
    assert_eq!(refused["response"], Value::Null);
}

#[tokio::test]
async fn every_refusal_is_an_envelope() {
    let app = TestApp::with(ApiConfig { max_body_bytes: 1000, ..ApiConfig::default() }).await;
    let machine = app.machine(&["*"]).await;
    let text = async |body: &str| machine.send(Method::POST, SUBMIT, Some(("application/json", body.into()))).await;
    let refusals = [
        (400, text("{\"job\": }").await),
        (400, text("{}").await),
        (404, machine.get("/v1/toolkit/nowhere").await),
        (404, app.anonymous().get("/paid/nowhere").await),
        (404, machine.post(SUBMIT, json!({"job": "nobody"})).await),
        (405, machine.get(STATUSES).await),
        (413, text(&format!("{{\"job\": \"{}\"}}", "x".repeat(2000))).await),
        (415, machine.send(Method::POST, SUBMIT, Some(("text/plain", "{}".into()))).await),
    ];
    for (status, refused) in refusals {
        let refused = refused.expect(status);
        assert_eq!(refused.header("content-type"), "application/json");
        assert!(!refused.header("x-request-id").is_empty());
        let envelope = refused.json();
        assert_eq!(envelope["code"], status, "{envelope}");
        assert_eq!(envelope["response"], Value::Null);
        assert!(!envelope["message"].as_str().unwrap().is_empty());
        assert!(Uuid::try_parse(envelope["job_id"].as_str().unwrap()).is_ok());
        assert_eq!(envelope["build_number"], "1.2.3");
    }
    let refused = machine.get("/v1/toolkit/nowhere").await;
    assert_json_snapshot!("toolkit_refusal", steady(refused.snapshot()));
    let wrong = machine.post(SUBMIT, json!({"job": "a", "webhook_url": "ftp://x"})).await;
    assert!(wrong.expect(400).json()["message"].as_str().unwrap().starts_with("webhook_url: "));
}

#[tokio::test]
async fn a_submission_with_a_webhook_is_answered_at_once() {
    let app = TestApp::start().await;
    let machine = app.machine(&["*"]).await;
    app.owner().create_job(code_job("echo")).await;
    let body = json!({"job": "echo", "payload": {"n": 1}, "id": "order-7", "webhook_url": "https://example.com/hook"});
    let accepted = machine.post(SUBMIT, body).await.expect(202);
    assert_json_snapshot!("toolkit_processing", steady(accepted.snapshot()));
    let id = accepted.member("job_id");

    let waiting = machine.post(STATUS, json!({"job_id": id})).await.expect(200);
    assert_json_snapshot!("toolkit_status_queued", steady(waiting.snapshot()));
    app.advance(Duration::from_millis(1_250));
    app.succeed_next("{\"n\": 2}", Duration::from_millis(500)).await;
    let over = machine.post(STATUS, json!({"job_id": id})).await.expect(200);
    let own = &over.json()["response"]["response"];
    assert_eq!((&own["run_time"], &own["queue_time"], &own["total_time"]), (&json!(0.5), &json!(1.25), &json!(1.75)));
    assert_eq!((&own["id"], &own["job_id"], &own["response"]), (&json!("order-7"), &json!(id), &json!({"n": 2})));
    assert_json_snapshot!("toolkit_status_done", steady(over.snapshot()));

    for unknown in [Uuid::from_u128(7).to_string(), "no-uuid".to_owned()] {
        let missing = machine.post(STATUS, json!({"job_id": unknown})).await.expect(404).json();
        assert_eq!((&missing["error"], &missing["job_id"]), (&json!("Job not found"), &json!(unknown)));
    }
    let stranger = app.machine_of("org-2", &["*"]).await;
    stranger.post(STATUS, json!({"job_id": id})).await.expect(404);
    machine.post(STATUS, json!({})).await.expect(400);
    machine.post(STATUS, json!({"job_id": 7})).await.expect(400);
}

#[tokio::test]
async fn a_submission_without_a_webhook_waits_for_the_end() {
    let app = TestApp::start().await;
    let machine = app.machine(&["*"]).await;
    let job = app.owner().create_job(code_job("echo")).await;
    let engine = app.start_engine();
    let done = machine.post(SUBMIT, json!({"job": "echo", "payload": {"n": 1}, "id": 7})).await.expect(200);
    assert_json_snapshot!("toolkit_finished", steady(done.snapshot()));
    let failed = machine.post(SUBMIT, json!({"job": job, "payload": {"fail": true}})).await.expect(500).json();
    assert_eq!((&failed["code"], &failed["message"]), (&json!(500), &json!("told to fail")));
    assert_eq!(failed["response"], Value::Null);
    // Work that failed was accepted all the same: a repetition does not do it again.
    let once = machine.clone().with_header("idempotency-key", "fails-once");
    let first = once.post(SUBMIT, json!({"job": job, "payload": {"fail": true}})).await.expect(500).json();
    let again = once.post(SUBMIT, json!({"job": job, "payload": {"fail": true}})).await.expect(500).json();
    assert_eq!(again["job_id"], first["job_id"]);
    once.post(SUBMIT, json!({"job": job})).await.expect(422);

    let tested = machine.get("/v1/toolkit/test").await.expect(200).json();
    assert_eq!((&tested["code"], &tested["message"]), (&json!(200), &json!("success")));
    // What Horarium does for itself is none of the caller's jobs.
    assert_eq!(machine.call(STATUSES).await.expect(200).json()["response"].as_object().unwrap().len(), 3);
    engine.shutdown().await;
}

#[tokio::test]
async fn a_wait_that_takes_too_long_is_answered_with_what_is_known() {
    let app = TestApp::with(ApiConfig { submit_wait: Duration::from_millis(50), ..ApiConfig::default() }).await;
    let machine = app.machine(&["*"]).await;
    app.owner().create_job(code_job("echo")).await;
    let waiting = machine.post(SUBMIT, json!({"job": "echo"})).await.expect(202).json();
    assert_eq!((&waiting["message"], &waiting["queue_length"]), (&json!("processing"), &json!(1)));
    assert_eq!(waiting["max_queue_length"], "unlimited");
    let refused = machine.get("/v1/toolkit/test").await.expect(503);
    assert_eq!(refused.json()["code"], 503);
    assert!(!refused.header("retry-after").is_empty());
}

#[tokio::test]
async fn a_full_queue_refuses_with_its_limit() {
    let app = TestApp::start().await;
    let machine = app.machine(&["*"]).await;
    app.owner().create_job(code_job("echo")).await;
    app.owner().put("/api/v1/queues/default", json!({"maxLength": 2})).await.expect(200);
    let body = json!({"job": "echo", "id": "mine", "webhook_url": "https://example.com/hook"});
    let submitted = futures_util::future::join_all((0..8).map(|_| machine.post(SUBMIT, body.clone()))).await;
    let (accepted, refused): (Vec<_>, Vec<_>) = submitted.into_iter().partition(|answer| answer.status == 202);
    assert_eq!((accepted.len(), refused.len()), (2, 6));
    assert_eq!(accepted[0].json()["max_queue_length"], 2);
    for refused in refused {
        let envelope = refused.expect(429);
        assert_eq!(envelope.header("retry-after"), "5");
        let envelope = envelope.json();
        assert_eq!(envelope["message"], "MAX_QUEUE_LENGTH (2) reached");
        assert_eq!((&envelope["code"], &envelope["id"]), (&json!(429), &json!("mine")));
        assert_eq!(envelope["queue_length"], 2);
    }
}

#[tokio::test]
async fn an_idempotency_key_keeps_a_submission_from_being_made_twice() {
    let app = TestApp::start().await;
    let machine = app.machine(&["*"]).await.with_header("idempotency-key", "k-1");
    app.owner().create_job(code_job("echo")).await;
    let body = json!({"job": "echo", "webhook_url": "https://example.com/hook"});
    let first = machine.post(SUBMIT, body.clone()).await.expect(202);
    let again = machine.post(SUBMIT, body).await.expect(202);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(first.member("job_id"), again.member("job_id"));
    let other = machine.post(SUBMIT, json!({"job": "echo"})).await.expect(422).json();
    assert_eq!(other["code"], 422);
}

#[tokio::test]
async fn the_secret_of_webhooks_is_for_keepers_of_keys() {
    let app = TestApp::start().await;
    let path = "/api/v1/webhook-secret";
    let first = app.owner().get(path).await.expect(200).member("secret");
    assert!(first.starts_with("whsec_"));
    assert_eq!(app.owner().get(path).await.member("secret"), first);
    app.as_role(Role::Write).get(path).await.problem(403);
    let rotated = app.owner().call(&format!("{path}/rotate")).await.expect(200).member("secret");
    assert_ne!(rotated, first);
    assert_eq!(app.owner().get(path).await.member("secret"), rotated);
    let other = app.as_role_in(Role::Owner, "org-2").get(path).await.expect(200).member("secret");
    assert_ne!(other, rotated);
}

#[tokio::test]
async fn a_job_of_the_scheduler_dialect_is_one_of_this_dialect_too() {
    let app = TestApp::start().await;
    let machine = app.machine(&["*"]).await;
    let (_, execution) = {
        let job = app.owner().create_job(http_job("seen")).await;
        let execution = app.owner().trigger(&job).await;
        (job, execution)
    };
    app.fail_next("boom", Duration::from_secs(2)).await;
    let told = machine.post(STATUS, json!({"job_id": execution})).await.expect(200).json();
    assert_eq!(told["response"]["job_status"], "done");
    assert_eq!(told["response"]["response"]["message"], "boom");
    assert_eq!(told["id"], Value::Null);
}

#[tokio::test]
async fn a_key_that_outlives_its_tenant_finds_no_jobs_and_does_not_bring_the_tenant_back() {
    let app = TestApp::start().await;
    let machine = app.machine_of("org-3", &["*"]).await;
    machine.call(ALL_STATUSES).await.expect(200);
    let keeper = app.as_role(Role::SuperAdmin);
    let tenant = app.core.store.tenant(&"org-3".parse().unwrap()).await.unwrap().id;
    keeper.delete(&format!("/api/v1/tenants/{tenant}")).await.expect(204);
    for path in [ALL_STATUSES, STATUSES] {
        let refused = machine.call(path).await.expect(404).json();
        assert_has_the_shape_of(include_str!("documents/toolkit_refusal.json"), &refused);
        assert_eq!((&refused["code"], &refused["message"]), (&json!(404), &json!("Jobs directory not found")));
        assert_eq!((&refused["id"], &refused["response"]), (&Value::Null, &Value::Null));
    }
    let tenants = keeper.get("/api/v1/tenants").await.expect(200).text();
    assert!(!tenants.contains(&tenant.to_string()), "{tenants}");
}
