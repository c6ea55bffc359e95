//! What was before the server was started: jobs, and what came of their runs in the weeks before. The store is told of it
//! as workers would have told it at the time.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use horarium_domain::audit::{AuditActor, AuditActorKind, AuditEntry, AuditTarget};
use horarium_domain::execution::{Command, Effect, Event, Failure, NewExecution, Output, Trigger, decide};
use horarium_domain::job::{Job, JobConfiguration, JobSpec, JobType};
use horarium_domain::retry::RetryPolicy;
use horarium_domain::schedule::Schedule;
use horarium_domain::store::{
    AuditStore, ClaimRequest, Claimed, Decision, Enqueued, ExecutionQueue, JobStore, QueueStore, Settled, Settlement,
    TenantStore,
};
use horarium_domain::tenant::Tenant;
use horarium_domain::{Clock, ExecutionId, IdGenerator, JobId, SystemClock, TenantId, Timestamp};
use horarium_executors::builtin;
use horarium_persistence::{DatabaseOptions, DatabaseUrl, SqlStore};
use serde_json::json;

use crate::support::Outside;

use super::habits::{Ends, HABITS, Habit, ORDERS, scattered};

/// How many are written at once.
const BATCH: usize = 500;

/// What was about to run just before the server was started is left out: it would end after the present.
const JUST_NOW: Duration = Duration::from_mins(4);

/// How long the leases of what still runs hold.
const FOR_LONG: Duration = Duration::from_hours(12);

/// Who ran it.
const WORKERS: [&str; 3] = ["node-1", "node-2", "node-3"];

/// A tenant and what it did.
pub(super) struct Past {
    store: SqlStore,
    now: Timestamp,
    tenant: TenantId,
    /// Where the world outside is.
    outside: String,
    jobs: HashMap<&'static str, (JobId, &'static Habit)>,
    latest: HashMap<&'static str, ExecutionId>,
}

/// One run.
struct Run {
    habit: &'static Habit,
    /// Counted back from the latest of its job.
    back: usize,
    /// When its next attempt starts.
    starts: Timestamp,
}

impl Past {
    /// Writes it all into a new database.
    pub(super) async fn write(database: &Path, outside: &str) -> Self {
        let store = SqlStore::connect(&DatabaseUrl::sqlite_file(database), &DatabaseOptions::default()).await.unwrap();
        store.migrate().await.unwrap();
        let now = SystemClock.now();
        let founded = now - Duration::from_hours(24 * 90);
        let tenant = ids().tenant(founded);
        let acme = Tenant {
            id: tenant,
            slug: "acme".parse().unwrap(),
            name: "Acme".to_owned(),
            is_active: true,
            created_at: founded,
        };
        store.create_tenant(acme, builtin::jobs_for(tenant, &ids(), now)).await.unwrap();
        let mut past =
            Self { store, now, tenant, outside: outside.to_owned(), jobs: HashMap::new(), latest: HashMap::new() };
        for (number, habit) in HABITS.iter().enumerate() {
            past.adopt(habit, founded + Duration::from_hours(31 * number as u64)).await;
        }
        past.run().await;
        past.note_changes().await;
        past
    }

    /// A job by its name.
    pub(super) fn job(&self, name: &str) -> JobId {
        self.jobs[name].0
    }

    /// The latest run of a job that is over.
    pub(super) fn latest(&self, name: &str) -> ExecutionId {
        self.latest[name]
    }

    /// Makes a job.
    async fn adopt(&mut self, habit: &'static Habit, made_at: Timestamp) {
        let answers = if habit.ends(0) == Ends::Failed { Outside::Broken } else { Outside::Fine };
        let url = habit.url.map_or_else(|| format!("{}{}", self.outside, answers.path()), str::to_owned);
        let configuration = json!({"url": url, "method": "POST", "headers": {"Accept": "application/json"}});
        let schedule = Schedule::new((habit.schedule)(), made_at).unwrap();
        let next = if habit.is_paused { None } else { schedule.next_after(self.now) };
        let spec = JobSpec {
            description: Some(habit.description.to_owned()),
            schedule,
            retry_policy: habit.policy(),
            timeout_seconds: 1800,
            tags: habit.tags.iter().map(|tag| (*tag).to_owned()).collect(),
            queue: habit.queue.parse().unwrap(),
            ..JobSpec::new(habit.name, JobConfiguration::parse(JobType::HttpCall, &configuration).unwrap())
        };
        let id = ids().job(made_at);
        let job = Job {
            is_paused: habit.is_paused,
            created_by: Some("Ada Lovelace".to_owned()),
            last_modified_by: Some("Grace Hopper".to_owned()),
            updated_at: made_at + Duration::from_hours(400),
            version: 3,
            ..Job::new(id, self.tenant, spec, made_at)
        };
        self.store.create_job(job, next).await.unwrap();
        self.jobs.insert(habit.name, (id, habit));
    }

    /// Lets all jobs run through their slots.
    async fn run(&mut self) {
        let mut runs: Vec<Run> = HABITS.iter().flat_map(|habit| self.runs_of(habit)).collect();
        runs.sort_by_key(|run| run.starts);
        for (number, batch) in chunks(runs).into_iter().enumerate() {
            let runs = self.accept(batch).await;
            self.latest.extend(runs.iter().filter(|(_, run)| run.back == 0).map(|(id, run)| (run.habit.name, *id)));
            self.work(runs, WORKERS[number % WORKERS.len()]).await;
        }
    }

    /// The runs of a job, at its own slots.
    fn runs_of(&self, habit: &'static Habit) -> Vec<Run> {
        let (from, until) = (self.now - habit.since, self.now - JUST_NOW - habit.rests);
        let slots: Vec<_> = if habit.is_per_order {
            orders(from, until)
        } else {
            let schedule = Schedule::new((habit.schedule)(), from).unwrap();
            schedule.slots_after(from).take_while(|slot| *slot < until).collect()
        };
        slots.iter().rev().enumerate().map(|(back, slot)| Run { habit, back, starts: *slot }).collect()
    }

    /// Has runs accepted.
    async fn accept(&self, runs: Vec<Run>) -> HashMap<ExecutionId, Run> {
        let new: Vec<NewExecution> = runs.iter().map(|run| self.execution(run.habit, run.starts)).collect();
        let ids: Vec<_> = new.iter().map(|execution| execution.id).collect();
        let answers = self.store.enqueue(new).await.unwrap();
        assert!(answers.iter().all(|answer| *answer == Enqueued::Accepted), "{answers:?}");
        ids.into_iter().zip(runs).collect()
    }

    /// A run of a job that was due then.
    fn execution(&self, habit: &Habit, at: Timestamp) -> NewExecution {
        NewExecution {
            id: ids().execution(at),
            tenant_id: self.tenant,
            job_id: self.job(habit.name),
            trigger: Trigger::Schedule,
            triggered_by: "schedule".to_owned(),
            payload: None,
            queue: habit.queue.to_owned(),
            priority: 0,
            scheduled_for: at,
            run_at: at,
            created_at: at,
            retry_parent_id: None,
            unique_key: None,
            concurrency_key: None,
            max_attempts: None,
        }
    }

    /// Has a worker do what was accepted, attempt by attempt, until all is over.
    async fn work(&self, mut runs: HashMap<ExecutionId, Run>, worker: &str) {
        loop {
            let claimed = self.claim(worker, self.now, BATCH).await;
            if claimed.is_empty() {
                return;
            }
            let mut ends = Vec::new();
            for claim in claimed {
                let run = runs.get_mut(&claim.lease.execution_id).unwrap();
                let ended_at = run.starts + run.habit.took(run.back);
                if run.habit.ends(run.back) == Ends::Cancelled {
                    let id = claim.lease.execution_id;
                    self.store.cancel(self.tenant, id, "Grace Hopper", ended_at).await.unwrap();
                } else {
                    ends.push(settlement(&claim, run, worker, ended_at));
                }
            }
            ends.sort_by_key(|end| end.ended_at);
            let settled = self.store.settle(ends).await.unwrap();
            assert!(settled.iter().all(|end| *end == Settled::Applied), "{settled:?}");
            self.store.promote(self.now, BATCH).await.unwrap();
        }
    }

    async fn claim(&self, worker: &str, now: Timestamp, limit: usize) -> Vec<Claimed> {
        let request = ClaimRequest {
            node: ids().node(self.now),
            worker: worker.to_owned(),
            limit,
            now,
            lease_until: self.now + FOR_LONG,
        };
        self.store.claim(&request).await.unwrap()
    }

    /// A run of a job that began some time ago and goes on; how far it is, if its handler tells that.
    pub(super) async fn still_runs(&self, name: &str, since: Duration, percent: Option<u8>) -> ExecutionId {
        let started_at = self.now - since;
        let execution = self.execution(self.jobs[name].1, started_at);
        let id = execution.id;
        self.store.enqueue(vec![execution]).await.unwrap();
        let claimed = self.claim(WORKERS[1], started_at, 1).await.remove(0);
        assert_eq!(claimed.lease.execution_id, id);
        if let Some(percent) = percent {
            self.store.note_progress(&[(claimed.lease, percent)]).await.unwrap();
        }
        id
    }

    /// Work of a job that came in within some minutes and waits, since its queue is paused.
    pub(super) async fn waits(&self, name: &str, count: u32, from: Duration, lasting: Duration) {
        let (_, habit) = self.jobs[name];
        self.store.pause_queue(self.tenant, &habit.queue.parse().unwrap(), true).await.unwrap();
        let at = |number: u32| self.now - from + lasting * number / count;
        let new: Vec<_> = (0..count)
            .map(|number| NewExecution {
                trigger: Trigger::Api,
                triggered_by: "shop".to_owned(),
                payload: Some(json!({"order": 48_210 + number, "template": "order-confirmation"})),
                ..self.execution(habit, at(number))
            })
            .collect();
        self.store.enqueue(new).await.unwrap();
    }

    /// Who changed what, for the audit log.
    async fn note_changes(&self) {
        let ago = |hours: u64, minutes: u64| self.now - Duration::from_mins(hours * 60 + minutes);
        let job = |name: &str| (Some("job"), self.job(name).to_string());
        let named = |kind: &'static str, name: &str| (Some(kind), name.to_owned());
        let changes = [
            (ago(49, 12), "Ada Lovelace", "PUT", "/jobs/{job}", "update_job", job("nightly-report"), 200),
            (ago(31, 40), "Linus", "DELETE", "/jobs/{job}", "delete_job", job("cleanup"), 403),
            (ago(27, 3), "Grace Hopper", "POST", "/jobs/{job}/pause", "pause_job", job("cleanup"), 200),
            (ago(25, 51), "ci", "POST", "/jobs", "create_job", job("thumbnails"), 201),
            (ago(8, 20), "Ada Lovelace", "PUT", "/jobs/{job}", "update_job", job("sync-orders"), 412),
            (ago(8, 19), "Ada Lovelace", "PUT", "/jobs/{job}", "update_job", job("sync-orders"), 200),
            (ago(2, 44), "ci", "POST", "/jobs/{job}/trigger", "trigger_job", job("search-index"), 202),
            (ago(0, 52), "Grace Hopper", "PUT", "/queues/{name}", "set_queue", named("queue", "mail"), 200),
            (ago(0, 21), "Linus", "POST", "/jobs/{job}/trigger", "trigger_job", job("sync-orders"), 202),
        ];
        let entries = changes.map(|(at, who, method, route, action, (kind, about), status)| AuditEntry {
            id: ids().audit(at),
            tenant_id: self.tenant,
            at,
            actor: actor(who),
            action: action.to_owned(),
            method: method.to_owned(),
            route: format!("/api/v1/scheduler{route}"),
            target: kind.map(|kind| AuditTarget {
                kind: kind.to_owned(),
                before: Some(about.clone()),
                after: Some(about),
                ..AuditTarget::default()
            }),
            status: Some(status),
            address: Some("203.0.113.24".to_owned()),
            user_agent: Some("Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Firefox/145.0".to_owned()),
            request_id: ids().uuid(at).to_string(),
        });
        self.store.append_audit(entries.into()).await.unwrap();
    }
}

/// Somebody of the tenant; `ci` is a program.
fn actor(name: &str) -> AuditActor {
    let kind = if name == "ci" { AuditActorKind::ApiKey } else { AuditActorKind::Token };
    let subject = name.split(' ').next().unwrap_or_default().to_lowercase();
    AuditActor {
        kind,
        id: subject.clone(),
        name: Some(name.to_owned()),
        email: (kind == AuditActorKind::Token).then(|| format!("{subject}@acme.example")),
    }
}

/// How an attempt ended.
fn settlement(claim: &Claimed, run: &mut Run, worker: &str, ended_at: Timestamp) -> Settlement {
    let started_at = run.starts;
    let attempt = claim.lifecycle.attempt;
    let fails = match run.habit.ends(run.back) {
        Ends::Succeeded | Ends::Cancelled => false,
        Ends::AtSecondTry => attempt < 2,
        Ends::Failed => true,
    };
    let error = fails.then(|| run.habit.error.to_owned());
    let command = error.clone().map_or(Command::Succeed, |error| Command::Fail(Failure::retryable(error)));
    let transition = decide(claim.lifecycle, &command, ended_at, &run.habit.policy(), 0.5).unwrap();
    let decision = match transition.effect {
        Effect::Requeue { run_at } => {
            run.starts = run_at;
            Decision::Requeue { run_at }
        }
        _ => Decision::Finish {
            state: transition.next.state,
            output: (!fails).then(|| Output { text: run.habit.output.to_owned(), truncated: false }),
            error: error.clone(),
            items_processed: None,
            partial: false,
        },
    };
    let event = transition.event.map(|kind| Event {
        execution_id: claim.lease.execution_id,
        at: ended_at,
        kind,
        attempt,
        attempt_started_at: Some(started_at),
        source: worker.to_owned(),
        message: format!("attempt {attempt} failed"),
        error,
    });
    Settlement {
        lease: claim.lease,
        tenant_id: claim.tenant_id,
        job_id: claim.job_id,
        next: transition.next,
        worker: worker.to_owned(),
        started_at,
        ended_at,
        decision,
        event,
        only_if_expired_at: None,
    }
}

/// When orders came in.
fn orders(from: Timestamp, until: Timestamp) -> Vec<Timestamp> {
    let minutes = std::iter::successors(Some(from), |at| Some(*at + Duration::from_mins(1)));
    let minutes = minutes.take_while(|at| *at < until);
    let hour_of = |at: Timestamp| usize::try_from(at.as_seconds() / 3600 % 24).unwrap_or_default();
    minutes.filter(|at| scattered(at.as_seconds().unsigned_abs() / 60, 60) < ORDERS[hour_of(*at)]).collect()
}

/// Makes ids of any time. One alone would make none of a time before that of the last.
fn ids() -> IdGenerator {
    IdGenerator::new()
}

fn chunks(runs: Vec<Run>) -> Vec<Vec<Run>> {
    let mut chunks: Vec<Vec<Run>> = Vec::new();
    for run in runs {
        match chunks.last_mut().filter(|chunk| chunk.len() < BATCH) {
            Some(chunk) => chunk.push(run),
            None => chunks.push(vec![run]),
        }
    }
    chunks
}

impl Habit {
    /// How often it is tried.
    pub(super) fn policy(&self) -> RetryPolicy {
        RetryPolicy { max_attempts: self.tries, delay_seconds: 20, jitter_percent: 0, ..RetryPolicy::default() }
    }
}
