//! Where a tenant looks, and what it must see there.

use std::collections::BTreeMap;

use horarium_domain::execution::ExecutionState::{self, Cancelled, Failed, Pending, Running, Succeeded};
use reqwest::Method;
use serde_json::{Value, json};

use super::model::{JOB_NAMES, is_integration};
use super::world::World;
use crate::five_dialects::Dialect;

/// What a tenant looks at.
#[derive(Debug, Clone, Copy)]
pub(super) enum View {
    Scheduler,
    Admin,
    Integrations,
    Agents,
    Toolkit,
    Platform,
    Audit,
}

/// The words of the agents dialect.
pub(super) fn agents_word(state: ExecutionState) -> &'static str {
    match state {
        Pending => "submitted",
        Running => "processing",
        Succeeded => "completed",
        Failed | Cancelled => "failed",
    }
}

/// Two members of each item of a list.
#[track_caller]
fn pairs(items: &Value, first: &str, second: &str) -> BTreeMap<String, String> {
    let text =
        |item: &Value, name: &str| item[name].as_str().unwrap_or_else(|| panic!("no {name} in {item}")).to_owned();
    items.as_array().unwrap().iter().map(|item| (text(item, first), text(item, second))).collect()
}

fn names<'a>(items: impl IntoIterator<Item = &'a String>) -> Vec<&'a str> {
    items.into_iter().map(String::as_str).collect()
}

fn any(_: &str) -> bool {
    true
}

impl View {
    pub(super) const ALL: &'static [Self] =
        &[Self::Scheduler, Self::Admin, Self::Integrations, Self::Agents, Self::Toolkit, Self::Platform, Self::Audit];
}

impl World {
    /// Has a tenant look, and holds what it sees against what it has.
    pub(super) async fn look(&mut self, who: usize, view: View) {
        match view {
            View::Scheduler => self.look_at_the_scheduler(who).await,
            View::Admin => self.look_at_the_administration(who).await,
            View::Integrations => self.look_at_the_integrations(who).await,
            View::Agents => self.look_at_the_operations(who).await,
            View::Toolkit => self.look_at_the_toolkit(who).await,
            View::Platform => self.look_at_the_platform(who).await,
            View::Audit => self.look_at_the_audit_log(who).await,
        }
    }

    async fn read(&self, who: usize, path: &str) -> Value {
        self.get(who, path).await.expect(200).json()
    }

    async fn look_at_the_scheduler(&self, who: usize) {
        let jobs = self.read(who, "/api/v1/scheduler/jobs?pageSize=100").await;
        let model = self.model(who);
        assert_eq!(pairs(&jobs["items"], "name", "id"), model.jobs);
        assert_eq!(jobs["totalCount"], model.jobs.len());
        let executions = self.read(who, "/api/v1/executions?limit=200").await;
        assert_eq!(
            pairs(&executions["items"], "id", "status"),
            model.told(any, |state| Dialect::Scheduler.word(state))
        );
        let stats = self.read(who, "/api/v1/scheduler/dashboard/stats").await;
        let told = [&stats["totalJobs"], &stats["pendingExecutions"], &stats["runningExecutions"]];
        assert_eq!(
            told,
            [model.jobs.len(), model.count(Pending, any), model.count(Running, any)].map(|n| json!(n)).each_ref()
        );
    }

    async fn look_at_the_administration(&self, who: usize) {
        let model = self.model(who);
        let list = self.read(who, "/api/v1/admin/jobs").await;
        assert_eq!(names(pairs(&list["data"], "jobName", "status").keys()), names(model.jobs.keys()));
        for name in JOB_NAMES {
            let answer = self.get(who, &format!("/api/v1/admin/jobs/{name}/stats")).await;
            if !model.jobs.contains_key(name) {
                assert_eq!(answer.expect(404).json()["error"]["code"], "JOB_NOT_FOUND");
                continue;
            }
            let stats = answer.expect(200).json()["data"].take();
            for (figure, state) in [
                ("pending", Pending),
                ("processing", Running),
                ("completed", Succeeded),
                ("failed", Failed),
                ("cancelled", Cancelled),
            ] {
                assert_eq!(
                    stats["queue"][figure],
                    model.count(state, |job| job == name),
                    "{figure} of {name}: {stats}"
                );
            }
            let all = model.told(|job| job == name, |state| Dialect::Admin.word(state));
            let recent = pairs(&stats["recentExecutions"], "id", "status");
            assert_eq!(recent.len(), all.len().min(10));
            assert!(recent.iter().all(|(id, status)| all.get(id) == Some(status)), "{recent:?} of {all:?}");
        }
    }

    async fn look_at_the_integrations(&self, who: usize) {
        let model = self.model(who);
        let list = self.read(who, "/api/integrations/jobs?limit=200").await;
        let all = model.told(is_integration, |state| Dialect::Integrations.word(state));
        assert_eq!(pairs(&list["items"], "id", "status"), all);
        let metrics = self.read(who, "/api/integrations/jobs/metrics").await;
        for (figure, state) in [("pendingCount", Pending), ("processingCount", Running), ("failedCount", Failed)] {
            assert_eq!(metrics[figure], model.count(state, is_integration), "{figure}: {metrics}");
        }
        assert_eq!(metrics["oldestPendingAgeMs"].is_null(), model.count(Pending, is_integration) == 0, "{metrics}");
        assert!(model.has_run || metrics["lastRunAt"].is_null(), "{metrics}");
    }

    async fn look_at_the_operations(&self, who: usize) {
        let model = self.model(who);
        let list = self.read(who, "/job?limit=100").await;
        assert_eq!(pairs(&list["items"], "id", "status"), model.told(any, agents_word));
        assert_eq!(list["total_items"], model.runs.len());
        let failed = model.count(Failed, any);
        let counts = json!({
            "submitted": model.count(Pending, any),
            "processing": model.count(Running, any),
            "completed": model.count(Succeeded, any),
            "failed": failed + model.count(Cancelled, any),
            "partial_failure": 0,
        });
        assert_eq!(list["status_counts"], counts);
        let status = self.read(who, "/api/job/status").await;
        let expected = json!({"total_jobs": model.runs.len(), "status_counts": counts, "dlq_count": failed});
        assert_eq!(status, expected);
    }

    async fn look_at_the_toolkit(&mut self, who: usize) {
        for path in ["/v1/toolkit/jobs/status", "/paid/get/all/jobs/id/status"] {
            let answer = self.call(who, Method::POST, path, json!({"since_seconds": 1e9})).await.expect(200).json();
            let model = self.model(who);
            assert_eq!(answer["response"], json!(model.told(any, |state| Dialect::Toolkit.word(state))));
            assert_eq!(answer["queue_length"], model.count(Pending, any), "{answer}");
        }
    }

    async fn look_at_the_platform(&self, who: usize) {
        let model = self.model(who);
        let keys = self.read(who, "/api/v1/keys").await;
        let expected = model.keys.iter().map(|key| {
            let status = if key.is_revoked { "Revoked" } else { "Active" };
            (key.id.clone(), status.to_owned())
        });
        assert_eq!(pairs(&keys["items"], "id", "status"), expected.collect());
        assert_eq!(keys["totalCount"], model.keys.len());
        let agents = self.read(who, "/api/v1/agents").await;
        assert_eq!(pairs(&agents["items"], "hostname", "id"), model.agents);
        let queue = self.read(who, "/api/v1/queues/default").await;
        let told = [&queue["pending"], &queue["running"], &queue["maxLength"]];
        let expected = [json!(model.count(Pending, any)), json!(model.count(Running, any)), json!(model.max_length)];
        assert_eq!(told, expected.each_ref());
        for listed in self.read(who, "/api/v1/queues").await["items"].as_array().unwrap() {
            assert_eq!(*listed, queue);
        }
    }

    async fn look_at_the_audit_log(&self, who: usize) {
        let log = self.audit_log(who).await;
        assert_eq!(log.len(), self.model(who).audited);
        let theirs = &self.model(1 - who).ids;
        for entry in log {
            let made = entry["target"]["after"].as_str();
            assert!(made.is_none_or(|id| !theirs.iter().any(|their| their == id)), "{entry}");
        }
    }
}
