//! Jobs.

use std::time::Duration;

use horarium_auth::Role;
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::support::{TestApp, http_job};

const JOBS: &str = "/api/v1/scheduler/jobs";

#[tokio::test]
async fn a_job_is_created_as_asked_and_found_where_its_location_says() {
    let app = TestApp::start().await;
    let body = json!({
        "name": "nightly-report",
        "description": "sends the report",
        "jobType": "httpcall",
        "scheduleType": "Cron",
        "scheduleExpression": "30 2 * * *",
        "timezone": "Europe/Berlin",
        "jobConfiguration": {
            "url": "https://reports.example.com/run",
            "method": "POST",
            "headers": {"Authorization": "Bearer s3cret", "Accept": "application/json"},
        },
        "retryPolicy": {"maxRetryAttempts": 2, "retryDelaySeconds": 60, "retryBackoffType": "Exponential"},
        "tags": ["reports"],
        "priority": 5,
        "concurrencyPolicy": "Forbid",
        "somethingElse": "is ignored",
    });

    let created = app.as_role(Role::Write).post(JOBS, body).await.expect(201);

    assert_json_snapshot!(created.snapshot());
    let id = created.member("id");
    assert_eq!(created.header("location"), format!("{JOBS}/{id}"));
    let read = app.as_role(Role::Read).get(created.header("location")).await.expect(200);
    assert_eq!(read.json(), created.json());
    assert_eq!(read.header("etag"), created.header("etag"));
    assert!(read.header("etag").starts_with("\"v1-"), "{}", read.header("etag"));
}

#[tokio::test]
async fn a_job_that_is_wrong_in_many_ways_is_told_all_of_them() {
    let app = TestApp::start().await;
    let body = json!({
        "jobType": "HttpCall",
        "scheduleType": "Cron",
        "scheduleExpression": "99 * * * *",
        "timezone": "Mars/Olympus",
        "jobConfiguration": {"url": "ftp://example.com"},
        "retryPolicy": {"maxAttempts": 0},
        "priority": 101,
        "queue": "no spaces",
    });
    let refused = app.owner().post(JOBS, body).await;
    assert_json_snapshot!(refused.problem(400));

    let refused = app.owner().post(JOBS, json!({"name": 7})).await;
    assert_eq!(
        refused.problem(400)["errors"]["name"][0],
        "invalid type: integer `7`, expected a string at line 1 column 9"
    );
}

#[tokio::test]
async fn a_name_can_be_taken_once() {
    let app = TestApp::start().await;
    app.owner().create_job(http_job("twice")).await;
    let refused = app.owner().post(JOBS, http_job("twice")).await;
    assert_json_snapshot!(refused.problem(409));
    app.as_role_in(Role::Owner, "org-2").create_job(http_job("twice")).await;
}

#[tokio::test]
async fn an_update_changes_what_is_sent_and_keeps_masked_secrets() {
    let app = TestApp::start().await;
    let mut body = http_job("masked");
    body["jobConfiguration"]["headers"] = json!({"X-Api-Key": "s3cret"});
    let id = app.owner().create_job(body).await;
    app.advance(Duration::from_mins(1));

    let mut sent: Value = app.owner().get(&format!("{JOBS}/{id}")).await.json();
    assert_eq!(sent["jobConfiguration"]["headers"]["X-Api-Key"], "***");
    sent["description"] = json!("changed");
    let answer = app.as_role(Role::Write).put(&format!("{JOBS}/{id}"), sent).await.expect(200);

    let job = answer.json();
    assert_eq!((job["description"].as_str(), job["version"].as_i64()), (Some("changed"), Some(2)));
    assert_eq!(job["lastModifiedBy"], "write of org-1");
    assert_eq!(job["updatedAt"], "2025-07-10T14:51:00.000Z");
    let stored = app.core.store.job_by_name(tenant(&app).await, "masked").await.unwrap();
    assert_eq!(stored.job.spec.configuration.to_json()["headers"]["X-Api-Key"], "s3cret");
}

async fn tenant(app: &TestApp) -> horarium_domain::TenantId {
    app.core.store.tenant(&"org-1".parse().unwrap()).await.unwrap().id
}

#[tokio::test]
async fn lists_are_filtered_sorted_and_paged() {
    let app = TestApp::start().await;
    for name in ["delta", "alpha", "charlie", "bravo"] {
        let mut body = http_job(name);
        body["tags"] = json!([if name < "c" { "early" } else { "late" }]);
        app.owner().create_job(body).await;
        app.advance(Duration::from_secs(1));
    }
    let reader = app.as_role(Role::Read);
    let names = |answer: Value| -> Vec<String> {
        answer["items"].as_array().unwrap().iter().map(|job| job["name"].as_str().unwrap().to_owned()).collect()
    };

    let page = reader.get(&format!("{JOBS}?pageNumber=2&pageSize=3")).await.expect(200).json();
    assert_eq!(names(page.clone()), ["delta"]);
    assert_eq!((page["totalCount"].as_u64(), page["totalPages"].as_u64()), (Some(4), Some(2)));
    assert_eq!((page["pageNumber"].as_u64(), page["pageSize"].as_u64()), (Some(2), Some(3)));

    let newest = reader.get(&format!("{JOBS}?sortBy=createdAt&sortDirection=desc")).await.expect(200).json();
    assert_eq!(names(newest), ["bravo", "charlie", "alpha", "delta"]);
    let late = reader.get(&format!("{JOBS}?tag=late&jobType=HttpCall&status=active")).await.expect(200).json();
    assert_eq!(names(late), ["charlie", "delta"]);
    let found = reader.get(&format!("{JOBS}?search=RAV&jobType=&status=")).await.expect(200).json();
    assert_eq!(names(found), ["bravo"]);
    let none = reader.get(&format!("{JOBS}?jobType=Command")).await.expect(200).json();
    assert_eq!((none["totalCount"].as_u64(), none["totalPages"].as_u64()), (Some(0), Some(0)));
}

#[tokio::test]
async fn a_list_refuses_what_it_does_not_understand_by_field() {
    let app = TestApp::start().await;
    let query = "pageNumber=0&pageSize=1000&status=Lost&jobType=Magic&sortBy=color&sortDirection=up";
    let refused = app.owner().get(&format!("{JOBS}?{query}")).await;
    assert_json_snapshot!(refused.problem(400));
}

#[tokio::test]
async fn pausing_and_resuming_show_in_the_status_and_the_next_run() {
    let app = TestApp::start().await;
    let mut body = http_job("hourly");
    body["scheduleType"] = json!("Interval");
    body["intervalSeconds"] = json!(3600);
    let id = app.owner().create_job(body).await;

    let paused = app.owner().call(&format!("{JOBS}/{id}/pause")).await.expect(200).json();
    assert_eq!((paused["currentStatus"].as_str(), paused["isPaused"].as_bool()), (Some("Paused"), Some(true)));
    assert_eq!(paused["nextRunAt"], Value::Null);

    app.advance(Duration::from_mins(10));
    let resumed = app.owner().call(&format!("{JOBS}/{id}/resume")).await.expect(200).json();
    assert_eq!(resumed["currentStatus"], "Active");
    assert_eq!(resumed["nextRunAt"], "2025-07-10T15:50:00.000Z");
}

#[tokio::test]
async fn rescheduling_replaces_the_schedule() {
    let app = TestApp::start().await;
    let id = app.owner().create_job(http_job("moved")).await;
    let path = format!("{JOBS}/{id}/reschedule");

    let moved = app.owner().patch(&path, json!({"scheduleType": "Cron", "scheduleExpression": "@daily"})).await;
    let job = moved.expect(200).json();
    assert_eq!((job["scheduleType"].as_str(), job["scheduleExpression"].as_str()), (Some("Cron"), Some("@daily")));
    assert_eq!(job["nextRunAt"], "2025-07-11T00:00:00.000Z");

    let refused = app.owner().patch(&path, json!({"intervalSeconds": 5})).await;
    assert!(refused.problem(400)["errors"]["scheduleType"].is_array());
    let naive = json!({"scheduleType": "OneTime", "runAt": "2025-07-11T00:00:00"});
    assert!(app.owner().patch(&path, naive).await.problem(400)["errors"]["runAt"].is_array());
}

#[tokio::test]
async fn a_preview_tells_the_next_slots() {
    let app = TestApp::start().await;
    let mut body = http_job("every-quarter");
    body["scheduleType"] = json!("Cron");
    body["scheduleExpression"] = json!("*/15 * * * *");
    let id = app.owner().create_job(body).await;
    let slots = app.as_role(Role::Read).get(&format!("{JOBS}/{id}/preview?count=3")).await.expect(200);
    assert_eq!(
        slots.json(),
        json!(["2025-07-10T15:00:00.000Z", "2025-07-10T15:15:00.000Z", "2025-07-10T15:30:00.000Z"])
    );
}

#[tokio::test]
async fn a_deleted_job_is_gone_and_its_history_can_be_read() {
    let app = TestApp::start().await;
    let (id, _) = app.owner().trigger_new_job("short-lived").await;
    app.succeed_next("done", Duration::from_secs(1)).await;

    app.owner().delete(&format!("{JOBS}/{id}")).await.expect(204);

    app.owner().get(&format!("{JOBS}/{id}")).await.problem(404);
    app.owner().call(&format!("{JOBS}/{id}/trigger")).await.problem(404);
    let history = app.owner().get(&format!("{JOBS}/{id}/executions")).await.expect(200).json();
    assert_eq!(history["totalCount"], 1);
    app.owner().create_job(http_job("short-lived")).await;
}

#[tokio::test]
async fn a_job_whose_execution_runs_is_not_deleted_with_its_history() {
    let app = TestApp::start().await;
    let (id, execution) = app.owner().trigger_new_job("busy").await;
    app.claim().await;

    app.owner().delete(&format!("{JOBS}/{id}?hardDelete=true")).await.problem(409);
    app.owner().call(&format!("/api/v1/scheduler/executions/{execution}/cancel")).await.expect(200);
    app.owner().delete(&format!("{JOBS}/{id}?hardDelete=true")).await.expect(204);
    app.owner().get(&format!("{JOBS}/{id}/executions")).await.problem(404);
    app.owner().get(&format!("/api/v1/scheduler/executions/{execution}")).await.problem(404);
}

#[tokio::test]
async fn jobs_that_keep_failing_are_listed_worst_first() {
    let app = TestApp::start().await;
    for (name, failures) in [("bad", 3), ("worse", 4), ("fine", 1)] {
        let id = app.owner().create_job(http_job(name)).await;
        for _ in 0..failures {
            app.owner().trigger(&id).await;
            app.fail_next("boom", Duration::from_secs(1)).await;
        }
    }
    let reader = app.as_role(Role::Read);
    let failing = reader.get(&format!("{JOBS}/failed")).await.expect(200).json();
    let told: Vec<_> = failing
        .as_array()
        .unwrap()
        .iter()
        .map(|job| (job["name"].clone(), job["consecutiveFailures"].clone()))
        .collect();
    assert_eq!(told, [(json!("worse"), json!(4)), (json!("bad"), json!(3))]);
    assert_eq!(reader.get(&format!("{JOBS}/failed?threshold=1")).await.json().as_array().unwrap().len(), 3);
    assert!(reader.get(&format!("{JOBS}/failed?threshold=0")).await.problem(400)["errors"]["threshold"].is_array());
}

#[tokio::test]
async fn what_comes_later_says_so() {
    let app = TestApp::start().await;
    let id = app.owner().create_job(http_job("plain")).await;
    for path in ["/workflows", "/workflows/x/runs", "/admin/export"] {
        app.owner().get(&format!("/api/v1/scheduler{path}")).await.problem(501);
    }
    for path in [format!("{JOBS}/{id}/dependencies"), format!("{JOBS}/{id}/exclusions")] {
        app.owner().post(&path, json!({})).await.problem(501);
        app.anonymous().post(&path, json!({})).await.problem(401);
        app.as_role(Role::Read).post(&path, json!({})).await.problem(403);
    }
}
