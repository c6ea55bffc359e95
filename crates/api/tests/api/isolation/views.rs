//! Where a tenant looks, and what it must see there.

use std::collections::BTreeMap;
use std::time::Duration;

use horarium_domain::execution::ExecutionState::{self, Cancelled, Failed, Pending, Running, Succeeded};
use horarium_domain::stats::ROLLUP_WIDTHS;
use reqwest::Method;
use serde_json::{Value, json};

use super::jobs::{JOBS, WEEKLY};
use super::model::{JOB_NAMES, QUEUES, Run, is_integration, queue_of};
use super::world::World;
use crate::five_dialects::Dialect;

/// A span of seconds that what happened before the clock was last moved is not in.
pub(super) const LATELY: u64 = 60;

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
    /// Lists with filters, and with cursors that are ids of the other's.
    Filtered,
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

/// The ids of the items of a list, in its order.
#[track_caller]
pub(super) fn ids(items: &Value) -> Vec<String> {
    let id = |item: &Value| item["id"].as_str().unwrap_or_else(|| panic!("no id in {item}")).to_owned();
    items.as_array().unwrap().iter().map(id).collect()
}

fn names<'a>(items: impl IntoIterator<Item = &'a String>) -> Vec<&'a str> {
    items.into_iter().map(String::as_str).collect()
}

fn any(_: &str) -> bool {
    true
}

impl View {
    pub(super) const ALL: &'static [Self] = &[
        Self::Scheduler,
        Self::Admin,
        Self::Integrations,
        Self::Agents,
        Self::Toolkit,
        Self::Platform,
        Self::Audit,
        Self::Filtered,
    ];
}

impl World {
    /// Has a tenant look, and holds what it sees against what it has. Where a thing of the other's is named, `pick` says
    /// which.
    pub(super) async fn look(&mut self, who: usize, view: View, pick: usize) {
        for who in 0..2 {
            self.model_mut(who).note_length();
        }
        match view {
            View::Scheduler => self.look_at_the_scheduler(who).await,
            View::Admin => self.look_at_the_administration(who).await,
            View::Integrations => self.look_at_the_integrations(who).await,
            View::Agents => self.look_at_the_operations(who).await,
            View::Toolkit => self.look_at_the_toolkit(who).await,
            View::Platform => self.look_at_the_platform(who).await,
            View::Audit => self.look_at_the_audit_log(who, pick).await,
            View::Filtered => {
                self.look_through_filters(who, pick).await;
                self.look_from_the_others_cursor(who, pick).await;
            }
        }
    }

    async fn read(&self, who: usize, path: &str) -> Value {
        self.get(who, path).await.expect(200).json()
    }

    async fn look_at_the_scheduler(&mut self, who: usize) {
        let jobs = self.read(who, "/api/v1/scheduler/jobs?pageSize=100").await;
        let model = self.model(who);
        let expected = model.jobs.iter().map(|(name, job)| (name.clone(), job.id.clone()));
        assert_eq!(pairs(&jobs["items"], "name", "id"), expected.collect());
        assert_eq!(jobs["totalCount"], model.jobs.len());
        let executions = self.read(who, "/api/v1/executions?limit=200").await;
        assert_eq!(
            pairs(&executions["items"], "id", "status"),
            model.told(any, |state| Dialect::Scheduler.word(state))
        );
        let stats = self.read(who, "/api/v1/scheduler/dashboard/stats").await;
        for (figure, count) in [
            ("totalJobs", model.jobs.len()),
            ("pausedJobs", model.jobs.values().filter(|job| job.is_paused).count()),
            ("pendingExecutions", model.count(Pending, any)),
            // No slot is that near: these are the executions.
            ("upcomingExecutions", model.count(Pending, any)),
            ("runningExecutions", model.count(Running, any)),
            ("recentFailures", model.ended(Failed)),
            ("executionsToday", model.ended(Failed) + model.ended(Succeeded) + model.ended(Cancelled)),
        ] {
            assert_eq!(stats[figure], count, "{figure}: {stats}");
        }
        let slots = stats["upcoming"].as_array().unwrap().iter().map(|slot| slot["jobId"].as_str().unwrap());
        let weekly = model.jobs.get(WEEKLY).filter(|job| !job.is_paused);
        assert!(slots.eq(weekly.map(|job| job.id.as_str())), "{stats}");
        let timeline = self.read(who, "/api/v1/scheduler/executions/timeline?hours=1").await;
        for (figure, state) in [("succeeded", Succeeded), ("failed", Failed), ("cancelled", Cancelled)] {
            let sum: u64 = timeline.as_array().unwrap().iter().map(|point| point[figure].as_u64().unwrap()).sum();
            assert_eq!(json!(sum), model.ended(state), "{figure}: {timeline}");
        }
        for point in timeline.as_array().unwrap() {
            let then = point["timestamp"].as_str().unwrap().parse().unwrap();
            assert_eq!(point["running"], model.running_at(then), "{point} of {timeline}");
        }
        let began = self.app.now().floor_to(ROLLUP_WIDTHS[0]);
        if self.model(1 - who).running_at(began) > 0 {
            self.tally.note("a timeline is read while the other's work runs into it");
        }
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
            let body = json!({"since_seconds": 1e9});
            let answer = self.call(who, Method::POST, path, body, None).await.expect(200).json();
            let model = self.model(who);
            assert_eq!(answer["response"], json!(model.told(any, |state| Dialect::Toolkit.word(state))));
            // It may be as it was a moment ago.
            let length = answer["queue_length"].as_u64().unwrap();
            assert!(model.lengths.contains(&length), "{length} of {:?}: {answer}", model.lengths);
        }
        self.look_at_what_changed_within(who, LATELY).await;
    }

    /// What was accepted or changed in the last so many seconds.
    pub(super) async fn look_at_what_changed_within(&mut self, who: usize, seconds: u64) {
        let body = json!({"since_seconds": seconds});
        let answer = self.call(who, Method::POST, "/v1/toolkit/jobs/status", body, None).await.expect(200).json();
        let since = self.app.now() - Duration::from_secs(seconds);
        let told = |state| Dialect::Toolkit.word(state);
        let expected = self.model(who).told_of(|run| run.changed_since(since), told);
        assert_eq!(answer["response"], json!(expected), "since {since}");
        // Each is found in a way of its own.
        let theirs = self.model(1 - who).runs.iter().filter(|run| run.changed_since(since));
        let theirs: Vec<_> = theirs.filter(|run| !run.was_accepted_since(since)).map(|run| run.state).collect();
        for state in theirs {
            self.tally.note(format!("the other's that is {state} now was accepted long before"));
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
        let expected = model.agents.iter().map(|(hostname, agent)| (hostname.clone(), agent.id.clone()));
        assert_eq!(pairs(&agents["items"], "hostname", "id"), expected.collect());
        let listed = self.read(who, "/api/v1/queues").await;
        let mut expected_list = Vec::new();
        for name in QUEUES {
            let queue = self.read(who, &format!("/api/v1/queues/{name}")).await;
            let (limits, of) = (model.queue(name), |job: &str| queue_of(job) == name);
            let told = [&queue["pending"], &queue["running"], &queue["maxLength"], &queue["paused"]];
            let counts = [model.count(Pending, of), model.count(Running, of)].map(|count| json!(count));
            let expected = [&counts[0], &counts[1], &json!(limits.max_length), &json!(limits.is_paused)];
            assert_eq!(told, expected, "{queue}");
            // Those that have limits or hold something are listed.
            let is_limited = limits.max_length.is_some() || limits.is_paused;
            if is_limited || model.count(Pending, of) + model.count(Running, of) > 0 {
                expected_list.push(queue);
            }
        }
        assert_eq!(listed["items"], json!(expected_list));
        let limits = self.read(who, "/api/v1/limits").await;
        let expected = |(key, most)| json!({"key": key, "maxConcurrency": most, "rateLimitPerSecond": null});
        assert_eq!(limits["items"], json!(model.key_limits.iter().map(expected).collect::<Vec<_>>()));
    }

    async fn look_at_the_audit_log(&self, who: usize, pick: usize) {
        let log = self.audit_log(who).await;
        let told = log.iter().rev().map(|entry| (entry["method"].as_str().unwrap(), entry["status"].as_u64().unwrap()));
        let audited = &self.model(who).audited;
        assert!(told.eq(audited.iter().map(|(method, status)| (method.as_str(), u64::from(*status)))), "{audited:?}");
        let theirs = &self.model(1 - who).ids;
        for entry in &log {
            let made = entry["target"]["after"].as_str();
            assert!(made.is_none_or(|id| !theirs.iter().any(|their| their == id)), "{entry}");
        }
        let its_own = log.iter().map(|entry| entry["id"].as_str().unwrap().to_owned()).collect::<Vec<_>>();
        let other = self.audit_log(1 - who).await;
        let cursor = other[pick % other.len()]["id"].as_str().unwrap();
        let page = self.owner(who).get(&format!("/api/v1/audit?limit=5&cursor={cursor}")).await.expect(200).json();
        let older = its_own.iter().filter(|id| id.as_str() < cursor).take(5).cloned().collect::<Vec<_>>();
        assert_eq!(ids(&page["items"]), older, "older than {cursor}");
        let theirs = &theirs[pick % theirs.len()];
        for filter in [format!("target={theirs}"), "actor=user-owner".to_owned(), "action=create_job".to_owned()] {
            let page = self.owner(who).get(&format!("/api/v1/audit?limit=200&{filter}")).await.expect(200).json();
            let page = ids(&page["items"]);
            assert!(page.iter().all(|id| its_own.contains(id)), "{filter}: {page:?} of {its_own:?}");
        }
    }

    async fn look_through_filters(&self, who: usize, pick: usize) {
        let model = self.model(who);
        let state = [Pending, Running, Succeeded, Failed, Cancelled][pick % 5];
        let path = format!("/api/v1/executions?limit=200&status={}", Dialect::Scheduler.word(state));
        assert_eq!(ids(&self.read(who, &path).await["items"]), model.newest(|run| run.state == state), "{state}");
        let path = format!("/api/integrations/jobs?kind=whatsapp&status={}", Dialect::Integrations.word(state));
        let expected = model.newest(|run| run.state == state && run.job == "whatsapp");
        assert_eq!(ids(&self.read(who, &path).await["items"]), expected, "{state}");
        let failed = self.read(who, "/job?status=failed&limit=100").await;
        assert_eq!(ids(&failed["items"]), model.newest(|run| matches!(run.state, Failed | Cancelled)));
        let some = self.read(who, "/job?limit=3&offset=1").await;
        let expected: Vec<_> = model.newest(|_| true).into_iter().skip(1).take(3).collect();
        assert_eq!(ids(&some["items"]), expected);
        if let Some((name, job)) = model.jobs.iter().cycle().nth(pick) {
            let history = self.read(who, &format!("{JOBS}/{}/executions?pageSize=200", job.id)).await;
            assert_eq!(ids(&history["items"]), model.newest(|run| run.job == *name), "{name}");
        }
        let failing = self.read(who, &format!("{JOBS}/failed?threshold=1")).await;
        let expected = model.jobs.iter().filter(|(_, job)| job.failures > 0).map(|(name, _)| name.as_str());
        assert_eq!(names(pairs(&failing, "name", "id").keys()), expected.collect::<Vec<_>>());
        let group = self.read(who, &format!("{JOBS}?group=integration&pageSize=100")).await;
        let expected = model.jobs.keys().filter(|name| is_integration(name));
        assert_eq!(names(pairs(&group["items"], "name", "id").keys()), names(expected));
    }

    async fn look_from_the_others_cursor(&self, who: usize, pick: usize) {
        const LIMIT: usize = 3;
        let Some(Run { id: cursor, .. }) = self.model(1 - who).runs.iter().cycle().nth(pick) else { return };
        let older = |of: fn(&str) -> bool| {
            let mut older = self.model(who).newest(|run| run.id < *cursor && of(&run.job));
            older.truncate(LIMIT);
            older
        };
        let page = self.read(who, &format!("/api/v1/executions?limit={LIMIT}&cursor={cursor}")).await;
        assert_eq!(ids(&page["items"]), older(any), "older than {cursor}");
        let page = self.read(who, &format!("/api/integrations/jobs?limit={LIMIT}&cursor={cursor}")).await;
        assert_eq!(ids(&page["items"]), older(is_integration), "older than {cursor}");
    }
}
