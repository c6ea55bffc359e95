//! Executions, in the scheduler dialect and across jobs.

use std::time::Duration;

use horarium_auth::Role;
use insta::assert_json_snapshot;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{TestApp, http_job};

const JOBS: &str = "/api/v1/scheduler/jobs";
const EXECUTIONS: &str = "/api/v1/scheduler/executions";

#[tokio::test]
async fn a_trigger_answers_the_id_of_a_durable_execution() {
    let app = TestApp::start().await;
    let job = app.owner().create_job(http_job("on-demand")).await;

    let answer = app.as_role(Role::Manager).call(&format!("{JOBS}/{job}/trigger")).await.expect(202);

    let id: Uuid = answer.json().as_str().unwrap().parse().unwrap();
    assert_eq!(answer.header("location"), format!("{EXECUTIONS}/{id}"));
    let pending = app.as_role(Role::Read).get(answer.header("location")).await.expect(200);
    assert_json_snapshot!(pending.snapshot());
}

#[tokio::test]
async fn a_trigger_takes_a_payload_a_priority_and_a_time() {
    let app = TestApp::start().await;
    let job = app.owner().create_job(http_job("later")).await;
    let path = format!("{JOBS}/{job}/trigger");

    let body = json!({"payload": {"day": 3}, "priority": 7, "runAt": "2025-07-11T00:00:00+02:00"});
    let id = app.owner().post(&path, body).await.expect(202).json();
    let execution = app.owner().get(&format!("{EXECUTIONS}/{}", id.as_str().unwrap())).await.expect(200).json();
    assert_eq!(execution["scheduledFor"], "2025-07-10T22:00:00.000Z");
    assert_eq!(execution["payload"], json!({"day": 3}));

    let refused = app.owner().post(&path, json!({"priority": 1000, "runAt": "tomorrow"})).await.problem(400);
    assert_eq!(refused["errors"].as_object().unwrap().keys().collect::<Vec<_>>(), ["priority", "runAt"]);
}

#[tokio::test]
async fn an_execution_that_succeeded_tells_what_it_gave_and_how_long_it_took() {
    let app = TestApp::start().await;
    let (job, id) = app.owner().trigger_new_job("report").await;
    app.fail_attempt("connection refused", Duration::from_millis(500)).await;
    app.succeed_next(r#"{"rows":3}"#, Duration::from_millis(1_250)).await;

    let detail = app.as_role(Role::Read).get(&format!("{EXECUTIONS}/{id}")).await.expect(200);
    assert_json_snapshot!(detail.snapshot());

    let list = app.as_role(Role::Read).get(&format!("{JOBS}/{job}/executions")).await.expect(200);
    assert_json_snapshot!(list.snapshot());
    let elsewhere = app.as_role(Role::Read).get(&format!("/api/v1/executions/{id}")).await.expect(200);
    assert_eq!(elsewhere.json(), detail.json());
}

#[tokio::test]
async fn the_executions_of_a_job_are_filtered_by_status_and_by_start() {
    let app = TestApp::start().await;
    let job = app.owner().create_job(http_job("filtered")).await;
    for outcome in ["ok", "bad", "ok"] {
        app.owner().trigger(&job).await;
        if outcome == "ok" {
            app.succeed_next("", Duration::from_mins(1)).await;
        } else {
            app.fail_next("boom", Duration::from_mins(1)).await;
        }
    }
    let reader = app.as_role(Role::Read);
    let count = async |query: &str| -> Value {
        reader.get(&format!("{JOBS}/{job}/executions?{query}")).await.expect(200).json()["totalCount"].clone()
    };
    assert_eq!(count("").await, 3);
    assert_eq!(count("status=Failed").await, 1);
    // They started at 14:50, 14:51 and 14:52; both bounds are included.
    assert_eq!(count("fromDate=2025-07-10T14:51:00Z").await, 2);
    assert_eq!(count("fromDate=2025-07-10T14:51:00Z&toDate=2025-07-10T16:51:00%2B02:00").await, 1);

    let path = format!("{JOBS}/{job}/executions");
    let refused = reader.get(&format!("{path}?status=Done&fromDate=yesterday&pageSize=0&pageNumber=x")).await;
    assert_json_snapshot!(refused.problem(400));
    let crossed = reader.get(&format!("{path}?fromDate=2025-07-11T00:00:00Z&toDate=2025-07-10T00:00:00Z")).await;
    assert_eq!(crossed.problem(400)["errors"]["toDate"][0], "must not be before fromDate");
    reader.get(&format!("{JOBS}/{}/executions", Uuid::nil())).await.problem(404);
}

#[tokio::test]
async fn what_waits_or_runs_can_be_cancelled_and_what_is_over_cannot() {
    let app = TestApp::start().await;
    let (_, waiting) = app.owner().trigger_new_job("waiting").await;
    let path = format!("{EXECUTIONS}/{waiting}/cancel");
    let cancelled = app.as_role(Role::Manager).call(&path).await.expect(200).json();
    assert_eq!(cancelled["status"], "Cancelled");
    assert_eq!(cancelled["timeline"].as_array().unwrap().last().unwrap()["source"], "manager of org-1");
    assert_json_snapshot!(app.owner().call(&path).await.problem(409));

    let (_, running) = app.owner().trigger_new_job("running").await;
    app.claim().await;
    let cancelled = app.owner().call(&format!("/api/v1/executions/{running}/cancel")).await.expect(200).json();
    assert_eq!(cancelled["status"], "Cancelled");
    app.owner().call(&format!("{EXECUTIONS}/{}/cancel", Uuid::nil())).await.problem(404);
}

#[tokio::test]
async fn a_failed_execution_is_retried_as_a_new_one() {
    let app = TestApp::start().await;
    let (job, failed) = app.owner().trigger_new_job("flaky").await;
    app.fail_next("boom", Duration::from_secs(2)).await;

    let answer = app.as_role(Role::Write).call(&format!("{EXECUTIONS}/{failed}/retry")).await.expect(202);

    let id = answer.json().as_str().unwrap().to_owned();
    assert_ne!(id, failed);
    assert_eq!(answer.header("location"), format!("{EXECUTIONS}/{id}"));
    let retry = app.owner().get(&format!("{EXECUTIONS}/{id}")).await.json();
    assert_eq!((retry["retryParentId"].as_str(), retry["trigger"].as_str()), (Some(failed.as_str()), Some("Retry")));
    assert_eq!(retry["jobId"], job.as_str());
    let source = app.owner().get(&format!("{EXECUTIONS}/{failed}")).await.json();
    assert_eq!(source["errorMessage"], "boom");
    assert_eq!(source["timeline"].as_array().unwrap().last().unwrap()["event"], "retried");
}

#[tokio::test]
async fn what_did_not_fail_or_does_not_exist_is_no_source_for_a_retry() {
    let app = TestApp::start().await;
    let (_, pending) = app.owner().trigger_new_job("fine").await;
    assert_json_snapshot!(
        "retry_of_pending",
        app.owner().call(&format!("{EXECUTIONS}/{pending}/retry")).await.problem(400)
    );
    let unknown = Uuid::from_u128(1);
    assert_json_snapshot!(
        "retry_of_unknown",
        app.owner().call(&format!("{EXECUTIONS}/{unknown}/retry")).await.problem(400)
    );
}

#[tokio::test]
async fn executions_across_jobs_are_walked_with_a_cursor() {
    let app = TestApp::start().await;
    let mut triggered = Vec::new();
    for name in ["one", "two"] {
        let job = app.owner().create_job(http_job(name)).await;
        for _ in 0..3 {
            triggered.push(app.owner().trigger(&job).await);
            app.advance(Duration::from_millis(1));
        }
    }
    let reader = app.as_role(Role::Read);
    let mut seen = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = reader.get(&format!("/api/v1/executions?limit=4&cursor={cursor}")).await.expect(200).json();
        seen.extend(page["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap().to_owned()));
        match page["nextCursor"].as_str() {
            Some(next) => next.clone_into(&mut cursor),
            None => break,
        }
    }
    triggered.reverse();
    assert_eq!(seen, triggered);
    reader.get("/api/v1/executions?cursor=abc&limit=0").await.problem(400);
    reader.get(&format!("/api/v1/executions?jobId={}", Uuid::nil())).await.problem(404);
}
