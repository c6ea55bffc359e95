//! One engine, five dialects: whatever one of them starts, each of them sees, in its own words, at every step.

use std::sync::Arc;
use std::time::Duration;

use horarium_api::ApiConfig;
use horarium_auth::Role;
use horarium_domain::execution::ExecutionState;
use horarium_test_databases::{PostgresDatabase, SqliteFile};
use serde_json::{Value, json};

use crate::support::{TestApp, http_job};

/// What is driven through its life: a job that every dialect knows.
const KIND: &str = "token_refresh";

/// A dialect, as far as these scenarios go.
#[derive(Debug, Clone, Copy)]
pub(super) enum Dialect {
    Scheduler,
    Admin,
    Integrations,
    Agents,
    Toolkit,
}

use Dialect::{Admin, Agents, Integrations, Scheduler, Toolkit};

const DIALECTS: [Dialect; 5] = [Scheduler, Admin, Integrations, Agents, Toolkit];

impl Dialect {
    /// Its word for a state.
    pub(super) fn word(self, state: ExecutionState) -> &'static str {
        let [pending, running, succeeded, failed, cancelled] = match self {
            Scheduler => ["Pending", "Running", "Succeeded", "Failed", "Cancelled"],
            Admin => ["pending", "processing", "completed", "failed", "cancelled"],
            Integrations => ["PENDING", "PROCESSING", "DONE", "FAILED", "CANCELLED"],
            Agents => ["submitted", "processing", "completed", "failed", "failed"],
            Toolkit => ["queued", "running", "done", "done", "done"],
        };
        match state {
            ExecutionState::Pending => pending,
            ExecutionState::Running => running,
            ExecutionState::Succeeded => succeeded,
            ExecutionState::Failed => failed,
            ExecutionState::Cancelled => cancelled,
        }
    }

    /// Starts an execution of the job; its id.
    async fn start(self, app: &TestApp, job: &str) -> String {
        match self {
            Scheduler => app.owner().trigger(job).await,
            Admin => {
                let admin = app.as_role(Role::SystemAdmin).with_header("x-tenantid", "org-1");
                let answer = admin.post("/api/v1/admin/jobs/trigger", json!({"jobName": KIND})).await.expect(200);
                answer.json()["data"]["executionId"].as_str().unwrap().to_owned()
            }
            Integrations => {
                let body = json!({"kind": KIND, "payload": {"n": 1}});
                app.owner().post("/api/integrations/jobs", body).await.expect(202).member("id")
            }
            Agents => {
                // It runs again what others have begun.
                let earlier = app.owner().trigger(job).await;
                app.owner().call(&format!("/api/v1/executions/{earlier}/cancel")).await.expect(200);
                app.owner().call(&format!("/job/{earlier}/retry")).await.expect(201).member("job_id")
            }
            Toolkit => {
                // With a webhook it does not wait for the end.
                let body = json!({"job": KIND, "payload": {"n": 1}, "webhook_url": "https://example.com/hook"});
                app.machine(&["*"]).await.post("/v1/toolkit/jobs", body).await.expect(202).member("job_id")
            }
        }
    }

    /// What it calls the state of an execution now.
    async fn read(self, app: &TestApp, execution: &str) -> String {
        let found = |list: &Value| {
            let items = list.as_array().unwrap();
            let item = items.iter().find(|item| item["id"] == execution).expect("the execution is listed");
            item["status"].as_str().unwrap().to_owned()
        };
        match self {
            Scheduler => {
                let path = format!("/api/v1/scheduler/executions/{execution}");
                app.owner().get(&path).await.expect(200).member("status")
            }
            Admin => {
                let admin = app.as_role(Role::SystemAdmin).with_header("x-tenantid", "org-1");
                let stats = admin.get(&format!("/api/v1/admin/jobs/{KIND}/stats")).await.expect(200).json();
                found(&stats["data"]["recentExecutions"])
            }
            Integrations => found(&app.owner().get("/api/integrations/jobs").await.expect(200).json()["items"]),
            Agents => {
                let one = app.owner().get(&format!("/job/{execution}")).await.expect(200).member("status");
                assert_eq!(found(&app.owner().get("/api/job?limit=100").await.expect(200).json()["items"]), one);
                one
            }
            Toolkit => {
                let machine = app.machine(&["*"]).await;
                let one = machine.post("/v1/toolkit/job/status", json!({"job_id": execution})).await.expect(200).json();
                let all = machine.call("/paid/get/all/jobs/id/status").await.expect(200).json();
                assert_eq!(one["response"]["job_status"], all["response"][execution]);
                one["response"]["job_status"].as_str().unwrap().to_owned()
            }
        }
    }
}

/// Plays a scenario on each kind of store.
async fn on_every_store(scenario: impl AsyncFn(&TestApp)) {
    scenario(&TestApp::start().await).await;
    let file = SqliteFile::new();
    let store = file.store().await;
    store.migrate().await.unwrap();
    scenario(&TestApp::on(Arc::new(store), ApiConfig::default()).await).await;
    if let Some(database) = PostgresDatabase::migrated().await {
        scenario(&TestApp::on(Arc::new(database.store().await), ApiConfig::default()).await).await;
    }
}

/// A job of the group that the integrations dialect shows; its id.
async fn known_to_all(app: &TestApp) -> String {
    let mut job = http_job(KIND);
    job["group"] = json!("integration");
    app.owner().create_job(job).await
}

async fn assert_all_say(app: &TestApp, execution: &str, state: ExecutionState) {
    for dialect in DIALECTS {
        assert_eq!(dialect.read(app, execution).await, dialect.word(state), "{dialect:?} of {state}");
    }
}

#[tokio::test]
async fn an_execution_is_called_by_its_right_name_in_every_dialect_at_every_step() {
    on_every_store(async |app| {
        let job = known_to_all(app).await;
        for dialect in DIALECTS {
            let execution = dialect.start(app, &job).await;
            assert_all_say(app, &execution, ExecutionState::Pending).await;
            app.fail_attempt("try again", Duration::from_secs(1)).await;
            assert_all_say(app, &execution, ExecutionState::Pending).await;
            app.running(async || assert_all_say(app, &execution, ExecutionState::Running).await).await;
            assert_all_say(app, &execution, ExecutionState::Succeeded).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_failure_and_a_cancellation_are_seen_in_every_dialect() {
    on_every_store(async |app| {
        let job = known_to_all(app).await;
        for dialect in DIALECTS {
            let failing = dialect.start(app, &job).await;
            app.fail_next("boom", Duration::from_secs(1)).await;
            assert_all_say(app, &failing, ExecutionState::Failed).await;

            let waiting = dialect.start(app, &job).await;
            app.owner().call(&format!("/api/v1/executions/{waiting}/cancel")).await.expect(200);
            assert_all_say(app, &waiting, ExecutionState::Cancelled).await;

            let running = dialect.start(app, &job).await;
            app.claim().await;
            app.owner().call(&format!("/api/v1/executions/{running}/cancel")).await.expect(200);
            assert_all_say(app, &running, ExecutionState::Cancelled).await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_figures_of_all_dialects_agree() {
    on_every_store(async |app| {
        let job = known_to_all(app).await;
        for dialect in DIALECTS {
            dialect.start(app, &job).await;
            app.fail_next("boom", Duration::from_secs(1)).await;
        }
        Scheduler.start(app, &job).await;
        app.claim().await;
        for dialect in DIALECTS {
            dialect.start(app, &job).await;
        }
        let admin = app.as_role(Role::SystemAdmin).with_header("x-tenantid", "org-1");
        let queue =
            admin.get(&format!("/api/v1/admin/jobs/{KIND}/stats")).await.expect(200).json()["data"]["queue"].take();
        let dashboard = app.owner().get("/api/v1/scheduler/dashboard/stats").await.expect(200).json();
        let metrics = app.owner().get("/api/integrations/jobs/metrics").await.expect(200).json();
        let agents = app.owner().get("/job/status").await.expect(200).json();
        let (each, jobs) = (DIALECTS.len(), &agents["status_counts"]);
        let pending =
            [&queue["pending"], &dashboard["pendingExecutions"], &metrics["pendingCount"], &jobs["submitted"]];
        assert_eq!(pending, [&json!(each); 4]);
        let running =
            [&queue["processing"], &dashboard["runningExecutions"], &metrics["processingCount"], &jobs["processing"]];
        assert_eq!(running, [&json!(1); 4]);
        let failed = [&queue["failed"], &dashboard["recentFailures"], &metrics["failedCount"], &agents["dlq_count"]];
        assert_eq!(failed, [&json!(each); 4]);
    })
    .await;
}
