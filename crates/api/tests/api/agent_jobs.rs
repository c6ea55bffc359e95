//! The agents dialect, over `/job`: its calls, statuses and fields, as its source document has them.

use std::time::Duration;

use horarium_auth::Role;
use horarium_domain::retry::RetryPolicy;
use insta::assert_json_snapshot;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{TestApp, http_job, redacted, until};

const UPTIME: &str = "node.uptime.get";

async fn submit(app: &TestApp, target: &str) -> String {
    let body = json!({"operation": {"type": UPTIME, "data": {"unit": "s"}}, "target_hostname": target});
    app.owner().post("/job", body).await.expect(201).member("job_id")
}

/// Checks that it is a refusal in this dialect's shape.
#[track_caller]
fn refused(answer: &crate::support::Answer, status: u16) -> Value {
    assert_eq!(answer.status, status, "{}", answer.text());
    let body = answer.json();
    assert_eq!(body["code"], status, "{body}");
    assert!(!body["error"].as_str().unwrap().is_empty(), "{body}");
    assert!(answer.header("content-type").starts_with("application/json"), "{}", answer.header("content-type"));
    body
}

/// What happened to a job, in order.
fn events(job: &Value) -> Vec<String> {
    let lines = job["timeline"].as_array().unwrap().iter();
    lines.map(|line| line["event"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_job_for_any_agent_from_its_submission_to_its_result() {
    let app = TestApp::start().await;
    let _engine = app.run_agent_jobs();
    let agent = app.agent("web-1").await;
    let body = json!({"operation": {"type": UPTIME, "data": {"unit": "s"}}});
    let created = app.owner().post("/job", body).await.expect(201);
    assert_json_snapshot!("agent_job_created", created.snapshot());
    let id = created.member("job_id");
    assert_eq!(created.header("location"), format!("/job/{id}"));
    let task = agent.take().await;
    let mut shown = redacted(task.clone());
    shown["lease_token"] = json!("[token]");
    assert_json_snapshot!("agent_task", shown);
    assert_json_snapshot!("agent_job_processing", redacted(app.job_until(&id, "processing").await));
    app.advance(Duration::from_millis(1500));
    let report = json!({"outcome": "completed", "data": {"uptime": 77}, "changed": false, "duration_ms": 1250});
    assert_eq!(agent.report(&task, report).await["status"], "accepted");
    let job = app.job_until(&id, "completed").await;
    assert_eq!(
        (&job["result"], &job["changed"], &job["hostname"]),
        (&json!({"uptime": 77}), &json!(false), &json!("web-1"))
    );
    assert_json_snapshot!("agent_job_completed", redacted(job));
}

#[tokio::test]
async fn a_broadcast_of_which_one_host_fails_and_one_is_silent() {
    let app = TestApp::start().await;
    let _engine = app.run_agent_jobs();
    let (good, bad) = (app.agent("good").await, app.agent("bad").await);
    app.agent("silent").await;
    app.agent_as("unable", "web", &["node.os.get"]).await;
    let id = submit(&app, "_all").await;
    let (of_good, of_bad) = (good.take().await, bad.take().await);
    app.advance(Duration::from_millis(1500));
    good.report(&of_good, json!({"outcome": "completed", "data": {"uptime": 77}, "changed": true})).await;
    bad.report(&of_bad, json!({"outcome": "failed", "error": "disk full"})).await;
    app.advance(Duration::from_secs(40));
    let job = app.job_until(&id, "partial_failure").await;
    assert_eq!(job["changed"], Value::Null);
    assert_json_snapshot!("agent_job_partial_failure", redacted(job));
    // Only the hosts that failed are asked again.
    good.call("heartbeat", json!({})).await;
    bad.call("heartbeat", json!({})).await;
    let retry = app.owner().post(&format!("/job/{id}/retry"), json!({"only_failed": true})).await.expect(201);
    let again = bad.take().await;
    assert_eq!(again["execution_id"], retry.member("job_id"));
    assert_eq!(good.call("lease", json!({"max": 9})).await, json!([]));
    let source = app.owner().get(&format!("/job/{id}")).await.expect(200).json();
    assert_eq!(source["timeline"].as_array().unwrap().last().unwrap()["event"], "retried");
    assert_eq!(source["status"], "partial_failure");
}

#[tokio::test]
async fn a_takeover_is_told_with_what_the_lost_agent_had_begun() {
    let app = TestApp::start().await;
    let _engine = app.run_agent_jobs();
    let lost = app.agent("lost").await;
    let id = submit(&app, "_any").await;
    lost.take().await;
    let other = app.agent("other").await;
    app.advance(Duration::from_secs(20));
    let task = other.take().await;
    assert_eq!(task["attempt"], 2);
    app.advance(Duration::from_secs(1));
    other.report(&task, json!({"outcome": "completed", "changed": false})).await;
    let job = app.job_until(&id, "completed").await;
    let lines = job["timeline"].as_array().unwrap().iter().map(|line| {
        [&line["event"], &line["hostname"], &line["message"]].map(|text| text.as_str().unwrap().to_owned()).join(" | ")
    });
    assert_eq!(
        lines.skip(1).collect::<Vec<_>>(),
        [
            "acknowledged | lost | Job acknowledged by lost",
            "started | lost | Job started on lost",
            "retried | lost | lease lost: the agent did not renew it; handed out again, attempt 2",
            "acknowledged | other | Job acknowledged by other, attempt 2",
            "started | other | Job started on other, attempt 2",
            "completed | other | Job completed on other",
        ]
    );
    let detail = app.owner().get(&format!("/api/v1/scheduler/executions/{id}")).await.expect(200).json();
    let told = detail["timeline"].as_array().unwrap().iter().find(|line| line["event"] == "handedOn").unwrap().clone();
    assert_eq!(
        (&told["source"], &told["message"]),
        (&json!("lost"), &json!("lease lost: the agent did not renew it; handed out again, attempt 2"))
    );
}

#[tokio::test]
async fn a_node_that_is_lost_while_a_host_works_is_told_as_a_retry() {
    let app = TestApp::start().await;
    let agent = app.agent("web-1").await;
    let id = submit(&app, "web-1").await;
    let claimed = app.claim().await;
    app.open_tasks(&claimed, Some(&["web-1".to_owned()])).await;
    let task = agent.take().await;
    app.lose_node().await;
    app.advance(Duration::from_secs(1));
    agent.report(&task, json!({"outcome": "completed"})).await;
    let job = app.owner().get(&format!("/job/{id}")).await.expect(200).json();
    assert_eq!(events(&job), ["submitted", "acknowledged", "started", "retried", "completed"]);
    let told = [&job["timeline"][3]["hostname"], &job["timeline"][3]["error"]];
    assert_eq!(told, ["test-node", "the worker test-node stopped renewing its lease"]);
}

#[tokio::test]
async fn a_node_that_is_lost_once_too_often_is_told_as_a_failure() {
    let app = TestApp::start().await;
    let id = submit(&app, "web-1").await;
    for _ in 0..RetryPolicy::MAX_LOST_ATTEMPTS {
        let claimed = app.claim().await;
        app.open_tasks(&claimed, Some(&["web-1".to_owned()])).await;
        app.lose_node().await;
    }
    let job = app.owner().get(&format!("/job/{id}")).await.expect(200).json();
    let events = events(&job);
    let (last, before) = events.split_last().unwrap();
    assert_eq!((last.as_str(), job["status"].as_str()), ("failed", Some("failed")));
    assert_eq!(before.iter().filter(|event| *event == "retried").count(), 9);
    assert!(!before.contains(&"failed".to_owned()), "{before:?}");
}

#[tokio::test]
async fn a_page_leaves_out_large_answers_that_would_make_it_too_large() {
    let app = TestApp::start().await;
    let _engine = app.run_agent_jobs();
    let agent = app.agent("web-1").await;
    let answer = "x".repeat(900_000);
    for _ in 0..10 {
        let id = submit(&app, "web-1").await;
        let task = agent.take().await;
        agent.report(&task, json!({"outcome": "completed", "data": answer})).await;
        app.job_until(&id, "completed").await;
        app.advance(Duration::from_millis(5));
    }
    let page = app.owner().get("/job?limit=100").await.expect(200).json();
    let items = page["items"].as_array().unwrap();
    let (last, whole) = items.split_last().unwrap();
    assert!(whole.len() == 9 && whole.iter().all(|item| item["result"] == answer.as_str()));
    let left_out = json!({"truncated": true, "bytes": 900_002});
    assert_eq!(last["result"], left_out);
    let alone = app.owner().get(&format!("/job/{}", last["id"].as_str().unwrap())).await.expect(200).json();
    assert_eq!(alone["result"], answer.as_str());
}

#[tokio::test]
async fn the_list_counts_all_jobs_whatever_it_shows() {
    let app = TestApp::start().await;
    let _engine = app.run_agent_jobs();
    for _ in 0..3 {
        let id = submit(&app, "nowhere").await;
        app.job_until(&id, "failed").await;
        app.advance(Duration::from_millis(5));
    }
    let agent = app.agent("web-1").await;
    let id = submit(&app, "web-1").await;
    let task = agent.take().await;
    agent.report(&task, json!({"outcome": "completed"})).await;
    app.job_until(&id, "completed").await;
    let owner = app.owner();
    assert_json_snapshot!("agent_jobs", owner.get("/job?limit=2").await.expect(200).snapshot());
    let list = async |query: &str| owner.get(&format!("/api/job{query}")).await.expect(200).json();
    let counts = json!({"submitted": 0, "processing": 0, "completed": 1, "failed": 3, "partial_failure": 0});
    for (query, total, shown) in [
        ("", 4, 4),
        ("?status=failed", 3, 3),
        ("?status=completed", 1, 1),
        ("?status=partial_failure", 0, 0),
        ("?status=submitted", 0, 0),
        ("?status=failed&limit=2&offset=1", 3, 2),
        ("?status=failed&limit=2&offset=2", 3, 1),
        ("?offset=100", 4, 0),
        ("?offset=99999999999", 4, 0),
    ] {
        let page = list(query).await;
        assert_eq!(
            (page["total_items"].as_u64(), page["items"].as_array().unwrap().len()),
            (Some(total), shown),
            "{query}"
        );
        assert_eq!(page["status_counts"], counts, "{query}");
    }
    // An offset within a page leaves out exactly as many.
    let all = list("").await["items"].as_array().unwrap().clone();
    assert_eq!(list("?limit=2&offset=1").await["items"].as_array().unwrap()[..], all[1..3]);
    let status = owner.get("/job/status").await.expect(200).json();
    assert_eq!(status, json!({"total_jobs": 4, "status_counts": counts, "dlq_count": 3}));
}

#[tokio::test]
async fn what_makes_no_sense_is_refused_in_the_dialects_words() {
    let app = TestApp::start().await;
    let owner = app.owner();
    for query in ["limit=0", "limit=101", "limit=x", "offset=-1", "status=done"] {
        refused(&owner.get(&format!("/job?{query}")).await, 400);
    }
    for body in [
        json!({}),
        json!({"operation": {}}),
        json!({"operation": "node.uptime.get"}),
        json!({"operation": {"type": ""}}),
        json!({"operation": {"type": UPTIME}, "target_hostname": "_some"}),
        json!({"operation": {"type": UPTIME}, "target_hostname": "group:"}),
        json!([]),
    ] {
        let answer = owner.post("/job", body.clone()).await;
        refused(&answer, 400);
    }
    refused(&owner.send(Method::POST, "/job", Some(("application/json", b"{".to_vec()))).await, 400);
    refused(&owner.send(Method::POST, "/job", Some(("text/plain", b"x".to_vec()))).await, 415);
    refused(&owner.put("/job", json!({})).await, 405);
    for prefix in ["/job", "/api/job"] {
        refused(&owner.get(&format!("{prefix}/no-uuid")).await, 400);
        refused(&owner.delete(&format!("{prefix}/no-uuid")).await, 400);
        refused(&owner.get(&format!("{prefix}/0197f3a1-b2c3-7d4e-8f90-123456789abc")).await, 404);
        refused(&owner.get(&format!("{prefix}/a/b/c")).await, 404);
        refused(&app.anonymous().get(prefix).await, 401);
        refused(&app.as_role(Role::Read).post(prefix, json!({"operation": {"type": UPTIME}})).await, 403);
    }
    assert_json_snapshot!("agent_job_refused", owner.post("/job", json!({"operation": {"type": ""}})).await.json());
}

#[tokio::test]
async fn a_job_can_be_deleted_unless_it_runs() {
    let app = TestApp::start().await;
    let waiting = submit(&app, "_any").await;
    app.owner().delete(&format!("/job/{waiting}")).await.expect(204);
    refused(&app.owner().get(&format!("/job/{waiting}")).await, 404);

    let _engine = app.run_agent_jobs();
    let agent = app.agent("web-1").await;
    let running = submit(&app, "web-1").await;
    let task = agent.take().await;
    refused(&app.owner().delete(&format!("/job/{running}")).await, 409);
    agent.report(&task, json!({"outcome": "completed"})).await;
    app.job_until(&running, "completed").await;
    app.owner().delete(&format!("/api/job/{running}")).await.expect(204);
    refused(&app.owner().delete(&format!("/job/{running}")).await, 404);
    let counts = app.owner().get("/job/status").await.json();
    assert_eq!(counts["total_jobs"], 0);
}

#[tokio::test]
async fn a_cancelled_job_is_a_failed_one_and_its_host_is_told_to_stop() {
    let app = TestApp::start().await;
    let _engine = app.run_agent_jobs();
    let agent = app.agent("web-1").await;
    let id = submit(&app, "web-1").await;
    let task = agent.take().await;
    app.owner().call(&format!("/api/v1/scheduler/executions/{id}/cancel")).await.expect(200);
    let job = app.job_until(&id, "failed").await;
    assert_eq!(job["error"], "cancelled");
    let tokens = json!([task["lease_token"]]);
    until("the host is told to stop", async || {
        let answer = agent.call("heartbeat", json!({"running": tokens})).await;
        if answer["stop"] == tokens { Ok(()) } else { Err(answer) }
    })
    .await;
    let late = agent.report(&task, json!({"outcome": "completed"})).await;
    assert_eq!(late["status"], "stale");
}

#[tokio::test]
async fn a_job_can_be_run_again_elsewhere_and_the_old_one_is_kept() {
    let app = TestApp::start().await;
    let _engine = app.run_agent_jobs();
    let id = submit(&app, "nowhere").await;
    app.job_until(&id, "failed").await;
    let agent = app.agent("web-1").await;
    let retry = app.owner().post(&format!("/job/{id}/retry"), json!({"target_hostname": "web-1"})).await.expect(201);
    assert_eq!(retry.json()["status"], "submitted");
    let task = agent.take().await;
    assert_eq!((&task["execution_id"], &task["data"]), (&json!(retry.member("job_id")), &json!({"unit": "s"})));
    let kept = app.owner().get(&format!("/job/{id}")).await.expect(200).json();
    assert_eq!(kept["status"], "failed");
    refused(&app.owner().call("/job/0197f3a1-b2c3-7d4e-8f90-123456789abc/retry").await, 404);
    refused(&app.owner().call(&format!("/job/{}/retry", retry.member("job_id"))).await, 409);
}

#[tokio::test]
async fn jobs_of_other_dialects_are_shown_in_this_ones_words() {
    let app = TestApp::start().await;
    let owner = app.owner();
    owner.create_job(http_job("nightly")).await;
    let (_, execution) = owner.trigger_new_job("hourly").await;
    let job = owner.get(&format!("/job/{execution}")).await.expect(200).json();
    assert_eq!((&job["status"], &job["operation"]["type"]), (&json!("submitted"), &json!("HttpCall")));
    app.fail_next("boom", Duration::from_secs(1)).await;
    let job = owner.get(&format!("/job/{execution}")).await.expect(200).json();
    assert_eq!((&job["status"], &job["error"]), (&json!("failed"), &json!("boom")));
    let agents_alone = app.machine(&["agents:use"]).await;
    refused(&agents_alone.call(&format!("/job/{execution}/retry")).await, 409);
    // And the other way round.
    let id = submit(&app, "_any").await;
    let seen = owner.get(&format!("/api/v1/scheduler/executions/{id}")).await.expect(200).json();
    assert_eq!((&seen["status"], &seen["jobName"]), (&json!("Pending"), &json!("agentOperations")));
}
