//! The audit log: what is on record after a call, who may read it, and what is not in it.

use std::sync::Arc;
use std::time::Duration;

use horarium_api::ApiConfig;
use horarium_auth::Role;
use horarium_domain::store::AuditFilter;
use horarium_scheduler_engine::memory::{Disturbance, MemoryStore};
use insta::assert_json_snapshot;
use serde_json::{Value, json};

use crate::support::{TestApp, http_job, redacted, until};

const AUDIT: &str = "/api/v1/audit";
const JOBS: &str = "/api/v1/scheduler/jobs";

async fn latest(app: &TestApp, query: &str) -> Value {
    let page = app.owner().get(&format!("{AUDIT}?limit=1&{query}")).await.expect(200).json();
    page["items"][0].clone()
}

#[tokio::test]
async fn an_entry_says_who_did_what_to_what_from_where() {
    let app = TestApp::start().await;
    let (job, _) = app.owner().trigger_new_job("audited").await;
    let caller = app.owner().with_header("user-agent", "test/1").with_header("x-request-id", "r-7");
    let triggered = caller.call(&format!("{JOBS}/{job}/trigger")).await.expect(202).json();
    let entry = latest(&app, "action=trigger_job").await;
    assert_eq!(entry["target"]["before"], json!(job));
    assert_eq!(entry["target"]["after"], triggered);
    assert_json_snapshot!(redacted(entry));

    let mut change = http_job("audited");
    change["name"] = json!("renamed");
    let changed = app.owner().put(&format!("{JOBS}/{job}"), change).await.expect(200);
    let entry = latest(&app, &format!("target={job}&action=update_job")).await;
    assert_eq!(entry["target"]["versionAfter"], 2, "{} {entry}", changed.header("etag"));
    app.owner().delete(&format!("{JOBS}/{job}")).await.expect(204);
    let entry = latest(&app, &format!("target={job}&action=delete_job")).await;
    assert_eq!((&entry["target"]["before"], &entry["target"]["after"]), (&json!(job), &Value::Null));
}

#[tokio::test]
async fn a_retry_is_on_record_with_the_old_and_the_new_execution() {
    let app = TestApp::start().await;
    let (_, failed) = app.owner().trigger_new_job("fails").await;
    app.fail_next("boom", Duration::from_secs(1)).await;
    let retried = app.owner().call(&format!("/api/v1/executions/{failed}/retry")).await.expect(202).json();
    for id in [json!(failed), retried.clone()] {
        let entry = latest(&app, &format!("action=rerun_execution&target={}", id.as_str().unwrap())).await;
        assert_eq!((&entry["target"]["before"], &entry["target"]["after"]), (&json!(failed), &retried));
    }
}

#[tokio::test]
async fn what_was_accepted_is_on_record_once_even_if_nobody_could_be_told() {
    let store = Arc::new(MemoryStore::new());
    let app = TestApp::on(store.clone(), ApiConfig::default()).await;
    let (job, _) = app.owner().trigger_new_job("accepted").await;
    store.disturb(Disturbance { answers_lost: true, ..Disturbance::default() });
    app.owner().call(&format!("{JOBS}/{job}/trigger")).await.problem(503);
    store.disturb(Disturbance::default());
    let page = app.owner().get(&format!("{AUDIT}?action=trigger_job")).await.expect(200).json();
    let [lost, _] = &page["items"].as_array().unwrap()[..] else { panic!("not two entries: {page}") };
    let newest = app.owner().get(&format!("{JOBS}/{job}/executions")).await.expect(200).json()["items"][0].take();
    assert_eq!((&lost["target"]["after"], &lost["status"]), (&newest["id"], &json!(202)), "{newest}");
}

#[tokio::test]
async fn a_submission_that_waits_for_its_end_is_on_record_from_its_acceptance_on() {
    let app = TestApp::with(ApiConfig { submit_wait: Duration::ZERO, ..ApiConfig::default() }).await;
    app.owner().create_job(http_job("waited-for")).await;
    let machine = app.machine(&["executions:trigger"]).await;
    let accepted = machine.post("/v1/toolkit/jobs", json!({"job": "waited-for"})).await.expect(202).json();
    let entry = latest(&app, "action=submit_job").await;
    assert_eq!((&entry["target"]["after"], &entry["status"]), (&accepted["job_id"], &json!(202)));
}

#[tokio::test]
async fn a_batch_is_on_record_with_the_first_and_the_last_execution_that_it_made() {
    let app = TestApp::start().await;
    app.owner().create_job(http_job("many")).await;
    let (entry, unique) = (json!({"jobName": "many"}), json!({"jobName": "many", "uniqueKey": "a"}));
    let submit =
        async |batch: Value| app.owner().post("/api/v1/executions/bulk", batch).await.expect(202).json()["ids"].take();
    let target = async || latest(&app, "action=submit_executions").await["target"].clone();

    let ids = submit(json!([unique])).await;
    assert_eq!((&target().await["before"], &target().await["after"]), (&Value::Null, &ids[0]));
    // What was there already was not made, wherever it stands in the batch.
    for batch in [json!([entry, entry, unique]), json!([unique, entry, entry])] {
        let at = batch.as_array().unwrap().iter().position(|made| *made == entry).unwrap();
        let ids = submit(batch).await;
        let [first, last] = [at, at + 1].map(|index| ids[index].as_str().unwrap());
        assert_eq!(target().await["after"], format!("{first}..{last}"));
    }
    submit(json!([unique])).await;
    assert_eq!(target().await, Value::Null);
}

#[tokio::test]
async fn a_submission_is_on_record_with_what_it_made_and_a_duplicate_with_nothing() {
    let app = TestApp::start().await;
    let mut whatsapp = http_job("whatsapp");
    whatsapp["group"] = json!("integration");
    app.owner().create_job(whatsapp).await;
    let body = json!({"kind": "whatsapp", "dedupeKey": "a"});
    let target = async || latest(&app, "action=submit_integration_job").await["target"].clone();
    let made = app.owner().post("/api/integrations/jobs", body.clone()).await.expect(202).member("id");
    assert_eq!((&target().await["before"], &target().await["after"]), (&Value::Null, &json!(made)));
    app.owner().post("/api/integrations/jobs", body).await.expect(200);
    assert_eq!(target().await, Value::Null);
}

#[tokio::test]
async fn what_was_refused_is_on_record_and_what_nobody_was_let_in_for_is_not() {
    let app = TestApp::start().await;
    app.as_role(Role::Read).post(JOBS, http_job("no")).await.expect(403);
    app.anonymous().post(JOBS, http_job("no")).await.expect(401);
    app.owner().post(JOBS, json!({})).await.expect(400);
    app.owner().with_header("x-tenantid", "org-2").post(JOBS, http_job("no")).await.expect(403);
    app.owner().get(JOBS).await.expect(200);
    let page = app.owner().get(AUDIT).await.expect(200).json();
    let told: Vec<_> =
        page["items"].as_array().unwrap().iter().map(|entry| entry["status"].as_u64().unwrap()).collect();
    assert_eq!(told, [403, 400, 403]);
    assert_eq!(page["items"][2]["actor"]["id"], "user-read");
}

#[tokio::test]
async fn a_call_that_was_given_up_is_on_record_without_a_status() {
    let app = TestApp::with(ApiConfig { request_timeout: Duration::from_millis(50), ..ApiConfig::default() }).await;
    let (token, address) = (app.token(Role::Owner, "org-1"), app.address().to_owned());
    let mut socket = std::net::TcpStream::connect(address).unwrap();
    let head = format!("POST {JOBS} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\nContent-Length: 9\r\n");
    std::io::Write::write_all(&mut socket, format!("{head}Content-Type: application/json\r\n\r\n").as_bytes()).unwrap();
    let org = "org-1".parse().unwrap();
    let tenant = until("the call comes in", || app.core.store.tenant(&org)).await;
    let entry = until("it is on record", async || {
        let entries = app.core.store.audit(tenant.id, &AuditFilter::default(), None, 10).await.unwrap();
        entries.into_iter().next().ok_or("nothing is")
    })
    .await;
    assert_eq!((entry.action.as_str(), entry.status), ("create_job", None));
}

#[tokio::test]
async fn no_secret_is_on_record() {
    let app = TestApp::start().await;
    let key = app.owner().post("/api/v1/keys", json!({"name": "k", "scopes": ["*"]})).await.expect(201).member("key");
    let mut job = http_job("secret");
    job["jobConfiguration"]["headers"] = json!({"Authorization": "plaintext-secret"});
    app.with_key(&key).post(&format!("{JOBS}?token=plaintext-secret"), job).await.expect(201);
    let exported = app.owner().get(&format!("{AUDIT}/export")).await.expect(200).text();
    assert!(exported.contains("create_job") && !exported.contains("plaintext-secret") && !exported.contains(&key));
}

#[tokio::test]
async fn only_owners_read_the_log_and_only_their_own() {
    let app = TestApp::start().await;
    app.owner().create_job(http_job("mine")).await;
    for role in [Role::Owner, Role::Admin, Role::SystemAdmin, Role::SuperAdmin] {
        app.as_role(role).get(AUDIT).await.expect(200);
        app.as_role(role).get(&format!("{AUDIT}/export")).await.expect(200);
    }
    for role in [Role::Manager, Role::Write, Role::Read, Role::Agent] {
        app.as_role(role).get(AUDIT).await.expect(403);
        app.as_role(role).get(&format!("{AUDIT}/export")).await.expect(403);
    }
    let stranger = app.as_role_in(Role::Owner, "org-2");
    assert_eq!(stranger.get(AUDIT).await.expect(200).json()["items"], json!([]));
    assert_eq!(stranger.get(&format!("{AUDIT}/export")).await.expect(200).text(), "");
}

#[tokio::test]
async fn a_list_is_walked_and_an_export_is_whole() {
    let app = TestApp::start().await;
    for number in 0..5 {
        app.owner().create_job(http_job(&format!("job-{number}"))).await;
        app.advance(Duration::from_secs(1));
    }
    let mut ids = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = app.owner().get(&format!("{AUDIT}?limit=2&cursor={cursor}")).await.expect(200).json();
        ids.extend(page["items"].as_array().unwrap().iter().map(|entry| entry["id"].clone()));
        match page["nextCursor"].as_str() {
            Some(next) => cursor = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(ids.len(), 5);
    let export = app.owner().get(&format!("{AUDIT}/export")).await.expect(200);
    assert_eq!(export.header("content-type"), "application/x-ndjson");
    let exported: Vec<Value> = export.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(exported.iter().map(|entry| entry["id"].clone()).collect::<Vec<_>>(), ids);

    let since = app.now() - Duration::from_secs(2);
    let late = app.owner().get(&format!("{AUDIT}?since={since}")).await.expect(200).json();
    assert_eq!(late["items"].as_array().unwrap().len(), 2);
    app.owner().get(&format!("{AUDIT}?since=yesterday")).await.problem(400);
}
