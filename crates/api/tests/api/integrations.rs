//! The integrations dialect: metrics and health, what is behind the counts, new work, and one organization at a time.

use std::time::Duration;

use horarium_api::ApiConfig;
use horarium_auth::Role;
use horarium_scheduler_engine::service::HealthThresholds;
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::support::{Client, TestApp, assert_has_the_shape_of, http_job};

const JOBS: &str = "/api/integrations/jobs";

fn integration(name: &str) -> Value {
    let mut job = http_job(name);
    job["group"] = json!("integration");
    job
}

impl Client {
    async fn metrics(&self) -> Value {
        self.get("/api/integrations/jobs/metrics").await.expect(200).json()
    }

    /// Submits a job of a kind; its id.
    async fn submit(&self, kind: &str) -> String {
        self.post(JOBS, json!({"kind": kind, "payload": {"n": 1}})).await.expect(202).member("id")
    }

    /// The ids that the list shows.
    async fn listed(&self, query: &str) -> Vec<String> {
        let page = self.get(&format!("{JOBS}?{query}")).await.expect(200).json();
        page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn an_organization_without_integrations_is_all_zeros_and_well() {
    let app = TestApp::start().await;
    app.owner().trigger_new_job("of no group").await;
    assert_json_snapshot!(app.as_role(Role::Manager).metrics().await);
}

#[tokio::test]
async fn the_metrics_look_as_in_the_document() {
    let app = TestApp::start().await;
    app.owner().create_job(integration("whatsapp")).await;
    app.owner().create_job(integration("meta_spend")).await;
    app.owner().submit("whatsapp").await;
    app.fail_next("no answer", Duration::from_millis(1_500)).await;
    for kind in ["whatsapp", "meta_spend"] {
        app.owner().submit(kind).await;
        app.claim().await;
    }
    for _ in 0..5 {
        app.owner().submit("whatsapp").await;
    }
    app.advance(Duration::from_mins(2));
    let metrics = app.as_role(Role::Manager).metrics().await;
    assert_has_the_shape_of(include_str!("documents/integrations_metrics.json"), &metrics);
    assert_json_snapshot!(metrics);
}

#[tokio::test]
async fn health_worsens_with_failures_and_with_waiting() {
    let app = TestApp::start().await;
    app.owner().create_job(integration("whatsapp")).await;
    let health = async || app.owner().metrics().await["health"].take();
    for _ in 0..4 {
        app.owner().submit("whatsapp").await;
        app.fail_next("boom", Duration::from_secs(1)).await;
    }
    assert_eq!(health().await, json!({"status": "WARN", "reasons": ["4 jobs failed."]}));
    app.owner().submit("whatsapp").await;
    app.fail_next("boom", Duration::from_secs(1)).await;
    assert_eq!(health().await, json!({"status": "ERROR", "reasons": ["5 jobs failed."]}));

    let app = TestApp::start().await;
    app.owner().create_job(integration("instagram")).await;
    let health = async || app.owner().metrics().await["health"].take();
    app.owner().submit("instagram").await;
    app.advance(Duration::from_millis(599_999));
    assert_eq!(health().await, json!({"status": "OK", "reasons": []}));
    app.advance(Duration::from_millis(1));
    let told = "The oldest pending job has been due for 10 min.";
    assert_eq!(health().await, json!({"status": "WARN", "reasons": [told]}));
    app.advance(Duration::from_mins(49));
    assert_eq!(health().await["status"], "WARN");
    app.advance(Duration::from_millis(59_999));
    assert_eq!(health().await["status"], "WARN");
    app.advance(Duration::from_millis(1));
    let told = "The oldest pending job has been due for 1 h.";
    assert_eq!(health().await, json!({"status": "ERROR", "reasons": [told]}));
}

#[tokio::test]
async fn the_thresholds_of_health_are_the_operators() {
    let integration_health =
        HealthThresholds { error_failures: 1, error_age: Duration::from_mins(1), ..HealthThresholds::default() };
    let app = TestApp::with(ApiConfig { integration_health, ..ApiConfig::default() }).await;
    app.owner().create_job(integration("whatsapp")).await;
    app.owner().submit("whatsapp").await;
    app.advance(Duration::from_mins(1));
    assert_eq!(app.owner().metrics().await["health"]["status"], "ERROR");
    app.fail_next("boom", Duration::from_secs(1)).await;
    assert_eq!(app.owner().metrics().await["health"]["status"], "ERROR");
}

#[tokio::test]
async fn what_waits_for_its_time_is_not_late() {
    let app = TestApp::start().await;
    app.owner().create_job(integration("whatsapp")).await;
    let later = json!({"kind": "whatsapp", "payload": null, "runAt": "2025-07-10T20:00:00+02:00"});
    app.owner().post(JOBS, later).await.expect(202);
    let metrics = app.owner().metrics().await;
    assert_eq!((&metrics["pendingCount"], &metrics["oldestPendingAgeMs"]), (&json!(1), &json!(0)));
    let listed = app.owner().get(JOBS).await.expect(200).json();
    assert_eq!(listed["items"][0]["runAt"], "2025-07-10T18:00:00.000Z");
}

#[tokio::test]
async fn the_last_run_is_one_that_is_done_or_failed() {
    let app = TestApp::start().await;
    app.owner().create_job(integration("whatsapp")).await;
    app.owner().submit("whatsapp").await;
    app.succeed_next("", Duration::from_secs(2)).await;
    let done = app.owner().metrics().await;
    assert_eq!((&done["lastRunAt"], &done["lastRunDurationMs"]), (&json!("2025-07-10T14:50:02.000Z"), &json!(2000)));
    app.advance(Duration::from_secs(5));
    let cancelled = app.owner().submit("whatsapp").await;
    app.owner().call(&format!("/api/v1/executions/{cancelled}/cancel")).await.expect(200);
    assert_eq!(app.owner().metrics().await["lastRunAt"], done["lastRunAt"]);
}

#[tokio::test]
async fn a_live_dedupe_key_answers_the_job_that_has_it() {
    let app = TestApp::start().await;
    app.owner().create_job(integration("whatsapp")).await;
    let body = json!({"kind": "whatsapp", "payload": {"to": "x"}, "dedupeKey": "reminder-17"});
    let first = app.as_role(Role::Manager).post(JOBS, body.clone()).await.expect(202);
    assert_json_snapshot!(first.snapshot());
    let again = app.owner().post(JOBS, body.clone()).await.expect(200).json();
    assert_eq!(again, first.json());
    app.claim().await;
    let again = app.owner().post(JOBS, body.clone()).await.expect(200).json();
    assert_eq!((&again["id"], &again["status"]), (&first.json()["id"], &json!("PROCESSING")));
    app.owner().call(&format!("/api/v1/executions/{}/cancel", first.member("id"))).await.expect(200);
    let next = app.owner().post(JOBS, body).await.expect(202);
    assert_ne!(next.json()["id"], first.json()["id"]);
    app.owner().post(&format!("{JOBS}/"), json!({"kind": "whatsapp"})).await.expect(202);
}

#[tokio::test]
async fn what_cannot_be_submitted_is_told_why() {
    let app = TestApp::start().await;
    app.owner().create_job(integration("whatsapp")).await;
    app.owner().create_job(http_job("report")).await;
    let refused = async |body: Value, status: u16| app.owner().post(JOBS, body).await.problem(status);
    assert_json_snapshot!("unknown_kind", refused(json!({"kind": "telegram", "payload": {}}), 404).await);
    refused(json!({"kind": "report", "payload": {}}), 404).await;
    refused(json!({"kind": "a\0b"}), 404).await;
    assert_eq!(refused(json!({"payload": {}}), 400).await["errors"]["kind"][0], "is required");
    let many = json!({"kind": "whatsapp", "dedupeKey": "", "runAt": "2025-07-10T20:00:00", "payload": "a\0b"});
    assert_json_snapshot!("wrong_fields", refused(many, 400).await);
    for tries in [0, 1001, -1] {
        let told = refused(json!({"kind": "whatsapp", "maxAttempts": tries}), 400).await;
        assert_eq!(told["errors"]["maxAttempts"][0], "must be between 1 and 1000");
    }
}

#[tokio::test]
async fn an_integration_job_is_tried_five_times_unless_told_otherwise() {
    let app = TestApp::start().await;
    let created = app.owner().post("/api/v1/scheduler/jobs", integration("whatsapp")).await.expect(201).json();
    assert_json_snapshot!(created["retryPolicy"]);
    let mut own = integration("instagram");
    own["retryPolicy"] = json!({"maxAttempts": 2});
    let created = app.owner().post("/api/v1/scheduler/jobs", own).await.expect(201).json();
    assert_eq!(created["retryPolicy"]["maxAttempts"], 2);
}

#[tokio::test]
async fn a_submission_may_set_its_own_number_of_tries() {
    let app = TestApp::start().await;
    app.owner().create_job(integration("whatsapp")).await;
    app.owner().submit("whatsapp").await;
    assert_eq!(app.claim().await.max_attempts, None, "as its job says");
    app.owner().post(JOBS, json!({"kind": "whatsapp", "maxAttempts": 2})).await.expect(202);
    assert_eq!(app.claim().await.max_attempts, Some(2));
}

#[tokio::test]
async fn the_list_shows_what_is_behind_the_counts() {
    let app = TestApp::start().await;
    app.owner().create_job(integration("whatsapp")).await;
    app.owner().create_job(integration("instagram")).await;
    app.owner().trigger_new_job("of no group").await;
    app.succeed_next("", Duration::from_secs(1)).await;
    let done = app.owner().submit("whatsapp").await;
    app.succeed_next("", Duration::from_secs(3)).await;
    let failed = app.owner().submit("instagram").await;
    app.fail_next("boom", Duration::from_secs(1)).await;
    let running = app.owner().submit("instagram").await;
    app.claim().await;
    let waiting = app.owner().submit("whatsapp").await;

    assert_json_snapshot!(app.as_role(Role::Manager).get(JOBS).await.expect(200).snapshot());
    let client = app.owner();
    assert_eq!(client.listed("").await, [&*waiting, &running, &failed, &done]);
    for (status, id) in [("PENDING", &waiting), ("processing", &running), ("DONE", &done), ("FAILED", &failed)] {
        assert_eq!(client.listed(&format!("status={status}")).await, [&**id], "{status}");
    }
    assert!(client.listed("status=CANCELLED").await.is_empty());
    assert_eq!(client.listed("kind=instagram").await, [&*running, &failed]);
    assert_eq!(client.listed("kind=instagram&status=FAILED").await, [&*failed]);
    assert!(client.listed("kind=telegram").await.is_empty());

    let mut walked = Vec::new();
    let mut query = "limit=3".to_owned();
    loop {
        let page = client.get(&format!("{JOBS}?{query}")).await.expect(200).json();
        walked.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        query = format!("limit=3&cursor={cursor}");
    }
    assert_eq!(walked, [waiting, running, failed, done]);
    for query in ["status=LOST", "limit=0", "limit=201", "cursor=x"] {
        client.get(&format!("{JOBS}?{query}")).await.problem(400);
    }
}

#[tokio::test]
async fn nobody_sees_or_feeds_the_integrations_of_another_organization() {
    let app = TestApp::start().await;
    app.owner().create_job(integration("whatsapp")).await;
    app.owner().submit("whatsapp").await;
    let stranger = app.as_role_in(Role::Owner, "org-2");
    assert_eq!(stranger.metrics().await["pendingCount"], 0);
    assert!(stranger.listed("").await.is_empty());
    stranger.post(JOBS, json!({"kind": "whatsapp"})).await.problem(404);
    for header in ["x-organization-id", "x-tenantid"] {
        let metrics = format!("{JOBS}/metrics");
        stranger.clone().with_header(header, "org-1").get(&metrics).await.problem(403);
        // Elsewhere a super_admin may act in any tenant; here in its own alone.
        let everywhere = app.as_role_in(Role::SuperAdmin, "org-2");
        everywhere.clone().with_header(header, "org-1").get(&metrics).await.problem(403);
        everywhere.with_header(header, "org-2").get(&metrics).await.expect(200);
    }
}

#[tokio::test]
async fn integrations_are_for_owners_administrators_and_managers() {
    let app = TestApp::start().await;
    let metrics = format!("{JOBS}/metrics");
    for role in [Role::Write, Role::Read, Role::Agent] {
        app.as_role(role).get(&metrics).await.problem(403);
        app.as_role(role).get(JOBS).await.problem(403);
        app.as_role(role).post(JOBS, json!({"kind": "whatsapp"})).await.problem(403);
    }
    for role in [Role::Manager, Role::Admin, Role::Owner, Role::SystemAdmin, Role::SuperAdmin] {
        app.as_role(role).get(&metrics).await.expect(200);
    }
    app.anonymous().get(&metrics).await.problem(401);
}
