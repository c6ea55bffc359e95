//! Agents: the protocol that they speak, and what an operator sees of them.

use std::time::Duration;

use horarium_auth::Role;
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::support::TestApp;

#[tokio::test]
async fn an_agent_registers_and_is_listed() {
    let app = TestApp::start().await;
    let agent = app.agent("web-1").await;
    assert_json_snapshot!("agents", app.as_role(Role::Read).get("/api/v1/agents").await.expect(200).snapshot());
    let again = app.agent("web-1").await;
    assert_eq!(again.id, agent.id, "the same hostname is the same agent");
    let one = app.owner().get("/api/v1/agents/web-1").await.expect(200);
    assert_eq!(one.member("id"), agent.id);
    app.advance(Duration::from_mins(1));
    assert_eq!(app.owner().get("/api/v1/agents/web-1").await.member("state"), "gone");
    agent.call("heartbeat", json!({"running": []})).await;
    assert_eq!(app.owner().get("/api/v1/agents/web-1").await.member("state"), "alive");
}

#[tokio::test]
async fn the_list_is_walked_by_hostname() {
    let app = TestApp::start().await;
    for hostname in ["web-2", "db-1", "web-1"] {
        app.agent(hostname).await;
    }
    let page = async |query: &str| {
        let page = app.owner().get(&format!("/api/v1/agents?{query}")).await.expect(200).json();
        let names: Vec<_> = page["items"].as_array().unwrap().iter().map(|agent| agent["hostname"].clone()).collect();
        (json!(names), page["next_cursor"].clone())
    };
    assert_eq!(page("limit=2").await, (json!(["db-1", "web-1"]), json!("web-1")));
    assert_eq!(page("limit=2&cursor=web-1").await, (json!(["web-2"]), json!(null)));
    app.owner().get("/api/v1/agents?limit=1001").await.problem(400);
}

#[tokio::test]
async fn what_an_agent_says_of_itself_is_checked() {
    let app = TestApp::start().await;
    let agent = app.as_role(Role::Agent);
    for (body, field) in [
        (json!({"hostname": "a b", "operations": []}), "hostname"),
        (json!({"hostname": "_all", "operations": []}), "hostname"),
        (json!({"hostname": "a", "operations": [""]}), "operations[0]"),
        (json!({"hostname": "a", "operations": [], "labels": {"k": "a\nb"}}), "labels.k"),
    ] {
        let problem = agent.post("/api/v1/agents/register", body).await.problem(400);
        assert!(problem["errors"][field].is_array(), "{problem}");
    }
}

#[tokio::test]
async fn an_agent_that_nobody_knows_is_told_to_register() {
    let app = TestApp::start().await;
    let known = app.agent("web-1").await;
    app.owner().delete("/api/v1/agents/web-1").await.expect(204);
    let client = app.as_role(Role::Agent);
    for (call, body) in [("lease", json!({})), ("report", json!([])), ("heartbeat", json!({}))] {
        client.post(&format!("/api/v1/agents/{}/{call}", known.id), body).await.problem(404);
    }
}

#[tokio::test]
async fn a_call_that_waits_is_answered_as_soon_as_there_is_work() {
    let app = TestApp::start().await;
    let _engine = app.run_agent_jobs();
    let agent = app.agent("web-1").await;
    let submit = async {
        // A lease that is asked for first and answered last has waited; the other way round it finds the work there.
        tokio::task::yield_now().await;
        app.owner().post("/job", json!({"operation": {"type": "node.uptime.get"}})).await.expect(201)
    };
    let (task, job) = tokio::join!(agent.take(), submit);
    assert_eq!(task["execution_id"], job.member("job_id"));
}

#[tokio::test]
async fn a_caller_that_hung_up_takes_no_work() {
    let app = TestApp::start().await;
    let _engine = app.run_agent_jobs();
    let agent = app.agent("web-1").await;
    let gone = tokio::time::timeout(Duration::from_millis(200), agent.take()).await;
    assert!(gone.is_err(), "there is no work yet");
    let body = json!({"operation": {"type": "node.uptime.get"}, "target_hostname": "web-1"});
    let job = app.owner().post("/job", body).await.expect(201);
    // The clock stands still: what the first caller got would not come back.
    let task = agent.take().await;
    assert_eq!((&task["execution_id"], &task["attempt"]), (&json!(job.member("job_id")), &json!(1)));
}

#[tokio::test]
async fn a_call_for_work_says_how_much_and_how_long() {
    let app = TestApp::start().await;
    let _engine = app.run_agent_jobs();
    let agent = app.agent("web-1").await;
    let path = format!("/api/v1/agents/{}/lease", agent.id);
    let client = app.as_role(Role::Agent);
    let problem = client.post(&path, json!({"max": 0})).await.problem(400);
    assert_eq!(problem["errors"]["max"], json!(["must be 1 to 100; more means that"]));
    for body in [json!({"max": -1}), json!({"max": "1"}), json!({"max": 1.5}), json!({"wait_seconds": -1})] {
        client.post(&path, body).await.problem(400);
    }
    assert_eq!(agent.call("lease", json!({"max": 1_000_000})).await, json!([]));
    app.owner().post("/job", json!({"operation": {"type": "node.uptime.get"}})).await.expect(201);
    let leased = agent.call("lease", json!({"max": 101, "wait_seconds": 1_000_000})).await;
    assert_eq!(leased.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn reports_are_judged_one_by_one() {
    let app = TestApp::start().await;
    let _engine = app.run_agent_jobs();
    let agent = app.agent("web-1").await;
    app.owner().post("/job", json!({"operation": {"type": "node.uptime.get"}})).await.expect(201);
    let task = agent.take().await;
    let token = task["lease_token"].clone();
    let results = agent
        .call(
            "report",
            json!([
                {"lease_token": "nonsense", "outcome": "completed"},
                {"lease_token": "00000000000000000000000000000000.1", "outcome": "completed"},
                {"lease_token": token, "outcome": "exploded"},
                7,
                {"lease_token": token, "outcome": "completed", "data": {"uptime": 1}, "changed": false},
                {"lease_token": token, "outcome": "failed"},
            ]),
        )
        .await;
    let statuses: Vec<&Value> = results.as_array().unwrap().iter().map(|result| &result["status"]).collect();
    assert_eq!(statuses, ["invalid", "stale", "invalid", "invalid", "accepted", "stale"]);
    let many: Vec<Value> = vec![json!({}); 501];
    let path = format!("/api/v1/agents/{}/report", agent.id);
    app.as_role(Role::Agent).post(&path, json!(many)).await.problem(400);
}

#[tokio::test]
async fn a_drained_agent_is_no_target_until_it_is_undrained() {
    let app = TestApp::start().await;
    let _engine = app.run_agent_jobs();
    app.agent("web-1").await;
    assert_eq!(app.owner().call("/api/v1/agents/web-1/drain").await.expect(200).member("state"), "draining");
    let body = json!({"operation": {"type": "node.uptime.get"}, "target_hostname": "web-1"});
    let refused = app.owner().post("/job", body.clone()).await.expect(201).member("job_id");
    let job = app.job_until(&refused, "failed").await;
    assert_eq!(job["error"], "no agent matches the target 'web-1'");
    assert_eq!(app.owner().call("/api/v1/agents/web-1/undrain").await.expect(200).member("state"), "alive");
    let taken = app.owner().post("/job", body).await.expect(201).member("job_id");
    app.job_until(&taken, "processing").await;
}

#[tokio::test]
async fn another_tenants_agents_and_tasks_are_not_there() {
    let app = TestApp::start().await;
    let _engine = app.run_agent_jobs();
    let agent = app.agent("web-1").await;
    let stranger = app.as_role_in(Role::Owner, "org-2");
    for path in ["/api/v1/agents/web-1", "/api/v1/agents/web-2"] {
        stranger.get(path).await.problem(404);
        stranger.delete(path).await.problem(404);
        stranger.call(&format!("{path}/drain")).await.problem(404);
    }
    assert_eq!(stranger.get("/api/v1/agents").await.expect(200).json(), json!({"items": [], "next_cursor": null}));
    app.owner().post("/job", json!({"operation": {"type": "node.uptime.get"}})).await.expect(201);
    let task = agent.take().await;
    let theirs = app.as_role_in(Role::Agent, "org-2");
    let path = format!("/api/v1/agents/{}/report", agent.id);
    theirs.post(&path, json!([{"lease_token": task["lease_token"], "outcome": "completed"}])).await.problem(404);
    // Nor can an agent of theirs report in its own name what it has not leased.
    let registration = json!({"hostname": "web-1", "operations": ["node.uptime.get"]});
    let own = theirs.post("/api/v1/agents/register", registration).await.expect(200).member("agent_id");
    assert_ne!(own, agent.id);
    let path = format!("/api/v1/agents/{own}/report");
    let result = theirs.post(&path, json!([{"lease_token": task["lease_token"], "outcome": "completed"}])).await.json();
    assert_eq!(result[0]["status"], "stale");
}

#[tokio::test]
async fn only_who_is_an_agent_leases_and_an_agent_does_nothing_else() {
    let app = TestApp::start().await;
    let agent = app.agent("web-1").await;
    let path = format!("/api/v1/agents/{}/lease", agent.id);
    for role in [Role::Read, Role::Write, Role::Manager] {
        app.as_role(role).post(&path, json!({})).await.problem(403);
    }
    app.as_role(Role::Agent).get("/api/v1/agents").await.problem(403);
    app.as_role(Role::Agent).get("/job").await.expect(403);
}
