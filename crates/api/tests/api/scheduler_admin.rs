//! What concerns all jobs of a tenant at once.

use std::time::Duration;

use horarium_auth::Role;
use serde_json::json;

use crate::support::{TestApp, http_job};

const ADMIN: &str = "/api/v1/scheduler/admin";

#[tokio::test]
async fn all_jobs_are_paused_and_resumed_at_once_in_one_tenant_alone() {
    let app = TestApp::start().await;
    for name in ["one", "two"] {
        app.owner().create_job(http_job(name)).await;
    }
    let other = app.as_role_in(Role::Owner, "org-2");
    let theirs = other.create_job(http_job("theirs")).await;

    assert_eq!(app.owner().call(&format!("{ADMIN}/pause-all")).await.expect(200).json(), 2);
    assert_eq!(app.owner().call(&format!("{ADMIN}/pause-all")).await.expect(200).json(), 0);
    assert_eq!(other.get(&format!("/api/v1/scheduler/jobs/{theirs}")).await.json()["isPaused"], false);
    assert_eq!(app.owner().call(&format!("{ADMIN}/resume-all")).await.expect(200).json(), 2);
}

#[tokio::test]
async fn old_executions_are_cleared_by_age() {
    let app = TestApp::start().await;
    app.owner().trigger_new_job("old").await;
    app.succeed_next("", Duration::from_secs(1)).await;
    app.advance(Duration::from_mins(30));

    let clear = async |body| app.owner().json(reqwest::Method::DELETE, &format!("{ADMIN}/clear-logs"), body).await;
    assert_eq!(clear(json!({"olderThanDays": 1})).await.expect(200).json(), 0);
    assert!(clear(json!({"olderThanDays": 0})).await.problem(400)["errors"]["olderThanDays"].is_array());
    assert_eq!(clear(json!({})).await.problem(400)["errors"]["olderThanDays"][0], "is required");
}

#[tokio::test]
async fn administration_is_for_administrators() {
    let app = TestApp::start().await;
    for role in [Role::Manager, Role::Write, Role::Read] {
        app.as_role(role).call(&format!("{ADMIN}/pause-all")).await.problem(403);
    }
}
