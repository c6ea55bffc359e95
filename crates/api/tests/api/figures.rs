//! The dashboard and the timeline.

use std::time::Duration;

use horarium_auth::Role;
use insta::assert_json_snapshot;
use serde_json::json;

use crate::support::{TestApp, http_job};

#[tokio::test]
async fn an_empty_tenant_is_all_zeros_and_fully_successful() {
    let app = TestApp::start().await;
    let stats = app.as_role(Role::Read).get("/api/v1/scheduler/dashboard/stats").await.expect(200);
    assert_json_snapshot!(stats.json());
}

#[tokio::test]
async fn the_dashboard_counts_what_ended_what_runs_and_what_is_to_come() {
    let app = TestApp::start().await;
    let mut hourly = http_job("soon");
    hourly["scheduleType"] = json!("Interval");
    hourly["intervalSeconds"] = json!(1800);
    app.owner().create_job(hourly).await;
    let job = app.owner().create_job(http_job("worker")).await;
    for _ in 0..2 {
        app.owner().trigger(&job).await;
        app.succeed_next("", Duration::from_secs(2)).await;
    }
    app.owner().trigger(&job).await;
    app.fail_next("boom", Duration::from_secs(5)).await;
    app.owner().trigger(&job).await;
    app.claim().await;

    let stats = app.as_role(Role::Read).get("/api/v1/scheduler/dashboard/stats").await.expect(200);
    assert_json_snapshot!(stats.snapshot());
}

#[tokio::test]
async fn the_timeline_has_every_bucket_and_counts_what_ended_in_each() {
    let app = TestApp::start().await;
    app.owner().trigger_new_job("counted").await;
    app.succeed_next("", Duration::from_secs(1)).await;

    let points = app.as_role(Role::Read).get("/api/v1/scheduler/executions/timeline?hours=1").await.expect(200).json();
    let points = points.as_array().unwrap();
    assert_eq!(points.len(), 12);
    assert_json_snapshot!(points.last());
    assert!(points[..11].iter().all(|point| point["succeeded"] == 0));

    let day = app.owner().get("/api/v1/scheduler/executions/timeline").await.expect(200).json();
    assert_eq!(day.as_array().unwrap().len(), 24);
    for hours in ["0", "2161", "many", "1.5"] {
        let refused = app.owner().get(&format!("/api/v1/scheduler/executions/timeline?hours={hours}")).await;
        assert_eq!(refused.problem(400)["errors"]["hours"][0], "must be a whole number between 1 and 2160");
    }
}
