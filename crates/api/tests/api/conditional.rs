//! ETag, If-Match, If-None-Match.

use std::time::Duration;

use horarium_auth::Role;
use insta::assert_json_snapshot;
use serde_json::json;

use crate::support::{TestApp, http_job};

const JOBS: &str = "/api/v1/scheduler/jobs";

#[tokio::test]
async fn a_change_on_stale_knowledge_is_refused() {
    let app = TestApp::start().await;
    let path = format!("{JOBS}/{}", app.owner().create_job(http_job("guarded")).await);
    let seen = app.owner().get(&path).await.header("etag").to_owned();
    let holder = app.owner().with_header("if-match", &seen);

    holder.put(&path, json!({"description": "mine"})).await.expect(200);
    let refused = holder.put(&path, json!({"description": "mine again"})).await;
    assert_json_snapshot!(refused.problem(412));
    holder.patch(&format!("{path}/reschedule"), json!({"scheduleType": "Manual"})).await.problem(412);
    holder.call(&format!("{path}/pause")).await.problem(412);
    holder.delete(&path).await.problem(412);
    holder.delete(&format!("{path}?hardDelete=true")).await.problem(412);

    app.owner().with_header("if-match", "\"something-else\"").delete(&path).await.problem(412);
    app.owner().with_header("if-match", "*").put(&path, json!({"description": "anyone's"})).await.expect(200);
    app.owner().with_header("if-match", "\"v3\"").delete(&path).await.expect(204);
}

#[tokio::test]
async fn an_unchanged_job_is_a_304_and_one_that_ran_is_not() {
    let app = TestApp::start().await;
    let id = app.owner().create_job(http_job("cached")).await;
    let path = format!("{JOBS}/{id}");
    let seen = app.as_role(Role::Read).get(&path).await.header("etag").to_owned();
    let holder = app.as_role(Role::Read).with_header("if-none-match", &seen);

    let unchanged = holder.get(&path).await.expect(304);
    assert!(unchanged.bytes.is_empty());
    assert_eq!(unchanged.header("etag"), seen);

    app.owner().trigger(&id).await;
    app.succeed_next("", Duration::from_secs(1)).await;
    let ran = holder.get(&path).await.expect(200);
    assert_eq!(ran.json()["lastExecutionStatus"], "Succeeded");
    // The definition is the same: whoever wants to change it need not read it again.
    app.owner().with_header("if-match", &seen).put(&path, json!({"description": "x"})).await.expect(200);
}
