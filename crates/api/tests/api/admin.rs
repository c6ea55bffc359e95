//! The admin dialect: a job's statistics by its name, triggering, the list, and one envelope for everything.

use std::time::Duration;

use horarium_api::ApiConfig;
use horarium_auth::Role;
use horarium_domain::Timestamp;
use insta::assert_json_snapshot;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Client, TestApp, assert_has_the_shape_of, http_job};

const JOBS: &str = "/api/v1/admin/jobs";

impl TestApp {
    /// A system administrator of `org-1` who names that tenant.
    fn admin(&self) -> Client {
        self.as_role(Role::SystemAdmin).with_header("x-tenantid", "org-1")
    }
}

impl Client {
    async fn stats(&self, job: &str) -> Value {
        self.get(&format!("{JOBS}/{job}/stats")).await.expect(200).json()["data"].take()
    }
}

/// Checks that an answer is a refusal in the envelope, and gives it.
#[track_caller]
fn refusal(answer: &Answer, status: u16, code: &str) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/json", "{}", answer.text());
    assert!(!answer.header("x-request-id").is_empty());
    let envelope = answer.snapshot();
    assert_eq!((&envelope["success"], &envelope["data"]), (&json!(false), &Value::Null), "{envelope}");
    assert_eq!(envelope["error"]["code"], code, "{envelope}");
    assert!(!envelope["message"].as_str().unwrap().is_empty(), "{envelope}");
    assert!(envelope["timestamp"].as_str().unwrap().parse::<Timestamp>().is_ok(), "{envelope}");
    envelope
}

fn every_six_hours(name: &str) -> Value {
    let mut job = http_job(name);
    job["scheduleType"] = json!("Cron");
    job["scheduleExpression"] = json!("0 */6 * * *");
    job
}

#[tokio::test]
async fn the_statistics_of_a_job_look_as_in_the_document() {
    let app = TestApp::start().await;
    let job = app.owner().create_job(every_six_hours("tokenExpiry")).await;
    for seconds in [42, 38] {
        app.owner().trigger(&job).await;
        app.succeed_next("", Duration::from_secs(seconds)).await;
    }
    let answer = app.admin().get("/api/v1/admin/jobs/tokenExpiry/stats").await.expect(200);
    assert_has_the_shape_of(include_str!("documents/admin_stats.json"), &answer.json());
    assert_json_snapshot!(answer.snapshot());
}

#[tokio::test]
async fn a_job_that_never_ran_has_zeros_and_nulls() {
    let app = TestApp::start().await;
    app.owner().create_job(http_job("never ran: v1.0_a-b")).await;
    assert_json_snapshot!(app.admin().get(&format!("{JOBS}/never%20ran:%20v1.0_a-b/stats")).await.expect(200).json());
}

#[tokio::test]
async fn every_state_has_its_word_and_its_count() {
    let app = TestApp::start().await;
    let job = app.owner().create_job(http_job("busy")).await;
    for seconds in [1, 125] {
        app.owner().trigger(&job).await;
        app.succeed_next("", Duration::from_secs(seconds)).await;
    }
    app.owner().trigger(&job).await;
    app.fail_next("boom", Duration::from_millis(850)).await;
    let cancelled = app.owner().trigger(&job).await;
    app.owner().call(&format!("/api/v1/executions/{cancelled}/cancel")).await.expect(200);
    app.owner().trigger(&job).await;
    app.claim().await;
    for _ in 0..9 {
        app.owner().trigger(&job).await;
    }

    let stats = app.admin().stats("busy").await;
    assert_eq!(stats["status"], "running");
    let expected = json!({"pending": 9, "processing": 1, "failed": 1, "completed": 2, "cancelled": 1});
    assert_eq!(stats["queue"], expected);
    assert_eq!(stats["performance"]["successRate"], "66.7%");
    assert_eq!(stats["performance"]["averageExecutionTime"], "42s");
    let recent: Vec<_> = stats["recentExecutions"].as_array().unwrap().iter().map(|one| &one["status"]).collect();
    assert_eq!(recent.len(), 10, "the last ten");
    assert_eq!((recent[0], recent[9]), (&json!("pending"), &json!("processing")), "newest first");
}

#[tokio::test]
async fn the_status_tells_what_runs_before_what_is_on_hold() {
    let app = TestApp::start().await;
    let job = app.owner().create_job(every_six_hours("paused")).await;
    app.owner().call(&format!("/api/v1/scheduler/jobs/{job}/pause")).await.expect(200);
    let mut disabled = http_job("disabled");
    disabled["isEnabled"] = json!(false);
    app.owner().create_job(disabled).await;
    let status = async |name: &str| app.admin().stats(name).await["status"].as_str().unwrap().to_owned();
    assert_eq!((status("paused").await, status("disabled").await), ("paused".to_owned(), "disabled".to_owned()));
    app.owner().trigger(&job).await;
    assert_eq!(status("paused").await, "paused");
    app.claim().await;
    assert_eq!(status("paused").await, "running");
}

#[tokio::test]
async fn a_trigger_answers_what_waits_and_the_execution_is_there() {
    let app = TestApp::start().await;
    let mut urgent = http_job("urgent");
    urgent["priority"] = json!(50);
    app.owner().create_job(urgent).await;
    let answer = app.admin().post("/api/v1/admin/jobs/trigger", json!({"jobName": "urgent"})).await.expect(200);
    assert_json_snapshot!(answer.snapshot());
    let data = answer.json()["data"].take();
    let id = data["executionId"].as_str().unwrap();
    assert_eq!(data["jobId"], format!("job-{id}"));
    let execution = app.owner().get(&format!("/api/v1/executions/{id}")).await.expect(200).json();
    assert_eq!((&execution["status"], &execution["trigger"]), (&json!("Pending"), &json!("Manual")));
    assert_eq!(execution["triggeredBy"], "system_admin of org-1");
}

#[tokio::test]
async fn the_list_tells_what_each_job_is_doing() {
    let app = TestApp::start().await;
    app.owner().create_job(every_six_hours("b idle")).await;
    let running = app.owner().create_job(http_job("a runs")).await;
    app.owner().trigger(&running).await;
    app.claim().await;
    let answer = app.admin().get(JOBS).await.expect(200);
    assert_json_snapshot!(answer.json());
    assert_eq!(answer.header("x-total-count"), "2");
    assert_eq!(app.admin().get(&format!("{JOBS}/")).await.expect(200).json(), answer.json());
    let second = app.admin().get(&format!("{JOBS}?pageNumber=2&pageSize=1")).await.expect(200);
    assert_eq!(second.json()["data"][0]["jobName"], "b idle");
    refusal(&app.admin().get(&format!("{JOBS}?pageSize=201")).await, 400, "BAD_REQUEST");
}

#[tokio::test]
async fn every_refusal_is_in_the_envelope_whoever_refuses() {
    let app = TestApp::with(ApiConfig { max_body_bytes: 1000, ..ApiConfig::default() }).await;
    let (admin, stats) = (app.admin(), format!("{JOBS}/tokenExpiry/stats"));
    assert_json_snapshot!("unknown_job", refusal(&admin.get(&stats).await, 404, "JOB_NOT_FOUND"));
    let anonymous = app.anonymous().get(&stats).await;
    assert_json_snapshot!("no_credential", refusal(&anonymous, 401, "AUTHENTICATION_FAILED"));
    assert!(anonymous.header("www-authenticate").starts_with("Bearer"));
    for role in [Role::Owner, Role::Admin, Role::Manager, Role::Write, Role::Read, Role::Agent] {
        refusal(&app.as_role(role).get(&stats).await, 403, "INSUFFICIENT_PERMISSIONS");
    }
    let unnamed = app.as_role(Role::SystemAdmin).get(&stats).await;
    assert_json_snapshot!("no_tenant", refusal(&unnamed, 400, "BAD_REQUEST"));
    let foreign = app.as_role(Role::SystemAdmin).with_header("x-tenantid", "org-2").get(&stats).await;
    refusal(&foreign, 403, "INSUFFICIENT_PERMISSIONS");
    for name in ["a%00b", "a%2Fb", "a*b", "%20", &"x".repeat(201)] {
        let refused = admin.get(&format!("{JOBS}/{name}/stats")).await;
        assert_eq!(refusal(&refused, 400, "INVALID_JOB_NAME")["message"], "Invalid job name");
    }
    for path in ["/nowhere/at/all", "/tokenExpiry", "//stats", "/tokenExpiry/stats/"] {
        refusal(&admin.get(&format!("{JOBS}{path}")).await, 404, "NOT_FOUND");
    }
    let wrong_method = admin.delete(&format!("{JOBS}/trigger")).await;
    refusal(&wrong_method, 405, "METHOD_NOT_ALLOWED");
    assert_eq!(wrong_method.header("allow"), "OPTIONS, POST");

    let trigger = async |media: &str, body: &str| {
        admin.send(Method::POST, &format!("{JOBS}/trigger"), Some((media, body.as_bytes().to_vec()))).await
    };
    refusal(&trigger("text/plain", "{}").await, 415, "UNSUPPORTED_MEDIA_TYPE");
    refusal(&trigger("application/json", "{\"jobName\": }").await, 400, "BAD_REQUEST");
    refusal(
        &trigger("application/json", &format!("{{\"jobName\": \"{}\"}}", "x".repeat(2000))).await,
        413,
        "PAYLOAD_TOO_LARGE",
    );
    assert_json_snapshot!("missing_name", refusal(&trigger("application/json", "{}").await, 400, "BAD_REQUEST"));
    refusal(&trigger("application/json", r#"{"jobName": "a/b"}"#).await, 400, "INVALID_JOB_NAME");
    refusal(&trigger("application/json", r#"{"jobName": "nobody"}"#).await, 404, "JOB_NOT_FOUND");
}

#[tokio::test]
async fn too_many_requests_are_told_in_the_envelope() {
    let app = TestApp::with(ApiConfig { rate_limits: "tenant=1".parse().unwrap(), ..ApiConfig::default() }).await;
    app.admin().get(JOBS).await.expect(200);
    let refused = app.admin().get(JOBS).await;
    refusal(&refused, 429, "TOO_MANY_REQUESTS");
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 0);
}

#[tokio::test]
async fn each_tenant_has_its_own_job_of_a_name() {
    let app = TestApp::start().await;
    app.owner().trigger_new_job("shared").await;
    app.owner().create_job(http_job("ours")).await;
    app.as_role_in(Role::Owner, "org-2").create_job(http_job("shared")).await;
    let theirs = app.as_role_in(Role::SystemAdmin, "org-2").with_header("x-tenantid", "org-2");
    assert_eq!(app.admin().stats("shared").await["queue"]["pending"], 1);
    assert_eq!(theirs.stats("shared").await["queue"]["pending"], 0);
    refusal(&theirs.get(&format!("{JOBS}/ours/stats")).await, 404, "JOB_NOT_FOUND");
    refusal(&theirs.post(&format!("{JOBS}/trigger"), json!({"jobName": "ours"})).await, 404, "JOB_NOT_FOUND");
    assert_eq!(theirs.get(JOBS).await.expect(200).header("x-total-count"), "1");
    // Only someone who looks after all tenants may name another one.
    let everywhere = app.as_role_in(Role::SuperAdmin, "org-2").with_header("x-tenantid", "org-1");
    assert_eq!(everywhere.stats("shared").await["queue"]["pending"], 1);
}
