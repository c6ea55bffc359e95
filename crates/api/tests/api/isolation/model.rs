//! What a tenant has, as far as these calls make, change and show it.

use std::collections::{BTreeMap, BTreeSet};

use horarium_domain::Timestamp;
use horarium_domain::execution::ExecutionState::{self, Cancelled, Failed, Pending, Running, Succeeded};
use horarium_domain::id::first_uuid_at;
use reqwest::Method;
use serde_json::Value;

use super::calls::Step;

/// The names of the jobs, the same for both tenants; all but the first are of integrations.
pub(super) const JOB_NAMES: [&str; 3] = ["nightly", "whatsapp", "instagram"];

/// The job that operations for agents are executions of.
pub(super) const OPERATIONS: &str = "agentOperations";

/// The concurrency keys, the same for both tenants.
pub(super) const CONCURRENCY_KEYS: [&str; 2] = ["acme", "globex"];

/// The queues, the same for both tenants.
pub(super) const QUEUES: [&str; 2] = ["default", "mail"];

pub(super) fn is_integration(job: &str) -> bool {
    JOB_NAMES[1..].contains(&job)
}

/// Where the executions of a job wait.
pub(super) fn queue_of(job: &str) -> &'static str {
    QUEUES[usize::from(job == JOB_NAMES[0])]
}

/// A job.
#[derive(Debug, Clone)]
pub(super) struct Job {
    pub(super) id: String,
    pub(super) is_paused: bool,
    /// Since the last success.
    pub(super) failures: usize,
}

/// What is known of an execution when it is accepted.
#[derive(Debug, Clone)]
pub(super) struct NewRun {
    pub(super) job: String,
    pub(super) dedupe_key: Option<&'static str>,
    /// What its submitter calls it.
    pub(super) reference: Option<String>,
    /// Of an operation: for which agents.
    pub(super) target: Option<&'static str>,
    /// Of an operation: the hosts that it was fixed to.
    pub(super) hosts: Option<Vec<String>>,
}

impl NewRun {
    pub(super) fn of(job: &str) -> Self {
        Self { job: job.to_owned(), dedupe_key: None, reference: None, target: None, hosts: None }
    }
}

/// An execution.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) id: String,
    pub(super) state: ExecutionState,
    /// When it came to it, if it ever had another.
    changed: Option<Timestamp>,
    pub(super) job: String,
    pub(super) dedupe_key: Option<&'static str>,
    pub(super) reference: Option<String>,
    pub(super) target: Option<&'static str>,
    pub(super) hosts: Option<Vec<String>>,
}

/// A run of an execution, while it lasts and afterwards.
#[derive(Debug, Clone)]
struct Attempt {
    execution: String,
    started: Timestamp,
    ended: Option<Timestamp>,
}

impl Attempt {
    /// Whether it is what runs of an execution now.
    fn is_of(&self, execution: &str) -> bool {
        self.execution == execution && self.ended.is_none()
    }
}

impl Run {
    pub(super) fn was_accepted_since(&self, since: Timestamp) -> bool {
        self.id >= first_uuid_at(since).to_string()
    }

    pub(super) fn changed_since(&self, since: Timestamp) -> bool {
        self.was_accepted_since(since) || self.changed.is_some_and(|changed| changed >= since)
    }
}

/// What becomes of one entry of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Admission {
    Accepted,
    /// Of this one, unless that one is accepted with it.
    Duplicate(Option<String>),
    Missing,
    Full,
}

impl Admission {
    /// The status that a rejected one is told with.
    pub(super) fn rejection(&self) -> Option<u16> {
        match self {
            Self::Accepted | Self::Duplicate(_) => None,
            Self::Missing => Some(404),
            Self::Full => Some(429),
        }
    }
}

/// An API key.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) is_revoked: bool,
}

/// An agent.
#[derive(Debug, Clone)]
pub(super) struct Agent {
    pub(super) id: String,
    pub(super) is_draining: bool,
}

/// A host's part of an operation that is under way, until it is reported.
#[derive(Debug, Clone)]
pub(super) struct Task {
    pub(super) execution: String,
    pub(super) host: Option<String>,
    /// The token of its lease.
    pub(super) lease: Option<String>,
}

/// Limits of a queue.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Queue {
    /// How many executions may wait in it.
    pub(super) max_length: Option<usize>,
    pub(super) is_paused: bool,
}

/// A request under an `Idempotency-Key`, and its answer.
#[derive(Debug, Clone)]
pub(super) struct Kept {
    pub(super) step: Step,
    pub(super) request: (String, Value),
    pub(super) status: u16,
    pub(super) bytes: Vec<u8>,
}

/// All that a tenant has.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    /// By name.
    pub(super) jobs: BTreeMap<String, Job>,
    /// Oldest first.
    pub(super) runs: Vec<Run>,
    /// How many executions ever came to each end.
    pub(super) ends: BTreeMap<&'static str, usize>,
    /// All that ever ran, also of executions that are gone.
    attempts: Vec<Attempt>,
    /// The first is the one that the tenant's machine calls with.
    pub(super) keys: Vec<Key>,
    /// By hostname.
    pub(super) agents: BTreeMap<String, Agent>,
    pub(super) tasks: Vec<Task>,
    /// By name; one that nobody limited has no limits.
    pub(super) queues: BTreeMap<&'static str, Queue>,
    /// How many executions with each concurrency key may run at once.
    pub(super) key_limits: BTreeMap<&'static str, u32>,
    /// How many executions ever waited in the default queue, whenever somebody looked.
    pub(super) lengths: BTreeSet<u64>,
    /// Whether an integration of it ever succeeded or failed.
    pub(super) has_run: bool,
    /// By key.
    pub(super) kept: BTreeMap<String, Kept>,
    pub(super) webhook_secret: Option<String>,
    /// The calls that it made that are for the audit log, and their answers, oldest first.
    pub(super) audited: Vec<(Method, u16)>,
    /// What happened to its jobs and executions: the kinds of the events, and the ids.
    pub(super) events: Vec<(String, String)>,
    /// Every id and secret that it was ever given.
    pub(super) ids: Vec<String>,
}

impl Model {
    pub(super) fn queue(&self, name: &str) -> Queue {
        self.queues.get(name).copied().unwrap_or_default()
    }

    /// Whether no further execution of a job is accepted.
    pub(super) fn is_full(&self, job: &str) -> bool {
        let queue = queue_of(job);
        let waiting = self.count(Pending, |job| queue_of(job) == queue);
        self.queue(queue).max_length.is_some_and(|most| waiting >= most)
    }

    pub(super) fn note_length(&mut self) {
        let waiting = self.count(Pending, |job| queue_of(job) == QUEUES[0]);
        self.lengths.insert(waiting as u64);
    }

    /// How many executions a worker might take.
    pub(super) fn claimable(&self) -> usize {
        self.count(Pending, |job| !self.queue(queue_of(job)).is_paused)
    }

    /// How many executions of these jobs are in a state.
    pub(super) fn count(&self, state: ExecutionState, of: impl Fn(&str) -> bool) -> usize {
        self.runs.iter().filter(|run| run.state == state && of(&run.job)).count()
    }

    pub(super) fn run(&self, id: &str) -> &Run {
        self.runs.iter().find(|run| run.id == id).expect("it is this tenant's")
    }

    /// The execution of a job that still has this key.
    pub(super) fn live_with_key(&self, job: &str, key: &str) -> Option<&Run> {
        self.runs.iter().find(|run| run.job == job && run.dedupe_key == Some(key) && !run.state.is_terminal())
    }

    /// Accepts an execution that has no id yet, if it can be.
    pub(super) fn admit(&mut self, job: &str, key: Option<&'static str>, is_there: bool) -> Admission {
        let live = key.and_then(|key| self.live_with_key(job, key));
        match live {
            _ if !is_there => Admission::Missing,
            Some(live) => Admission::Duplicate(Some(live.id.clone()).filter(|id| !id.is_empty())),
            None if self.is_full(job) => Admission::Full,
            None => {
                self.add_run("", NewRun { dedupe_key: key, ..NewRun::of(job) });
                Admission::Accepted
            }
        }
    }

    /// The ids and states of the executions of these jobs, in a dialect's words.
    pub(super) fn told(
        &self,
        of: impl Fn(&str) -> bool,
        word: impl Fn(ExecutionState) -> &'static str,
    ) -> BTreeMap<String, String> {
        self.told_of(|run| of(&run.job), word)
    }

    /// The ids and states of these executions, in a dialect's words.
    pub(super) fn told_of(
        &self,
        which: impl Fn(&Run) -> bool,
        word: impl Fn(ExecutionState) -> &'static str,
    ) -> BTreeMap<String, String> {
        let runs = self.runs.iter().filter(|run| which(run));
        runs.map(|run| (run.id.clone(), word(run.state).to_owned())).collect()
    }

    /// The ids of these executions, newest first.
    pub(super) fn newest(&self, which: impl Fn(&Run) -> bool) -> Vec<String> {
        self.runs.iter().rev().filter(|run| which(run)).map(|run| run.id.clone()).collect()
    }

    pub(super) fn tell(&mut self, kind: &str, id: &str) {
        self.events.push((kind.to_owned(), id.to_owned()));
    }

    pub(super) fn add_job(&mut self, name: &str, id: &str) {
        self.ids.push(id.to_owned());
        self.tell("jobCreated", id);
        self.jobs.insert(name.to_owned(), Job { id: id.to_owned(), is_paused: false, failures: 0 });
    }

    pub(super) fn change_job(&mut self, name: &str, is_paused: bool) {
        let job = self.jobs.get_mut(name).unwrap();
        job.is_paused = is_paused;
        let id = job.id.clone();
        self.tell("jobUpdated", &id);
    }

    pub(super) fn remove_job(&mut self, name: &str) {
        let job = self.jobs.remove(name).unwrap();
        self.runs.retain(|run| run.job != name);
        self.tell("jobDeleted", &job.id);
    }

    pub(super) fn add_run(&mut self, id: &str, new: NewRun) {
        self.ids.push(id.to_owned());
        self.tell("executionCreated", id);
        let NewRun { job, dedupe_key, reference, target, hosts } = new;
        self.runs.push(Run {
            id: id.to_owned(),
            state: Pending,
            changed: None,
            job,
            dedupe_key,
            reference,
            target,
            hosts,
        });
    }

    pub(super) fn add_key(&mut self, id: &str) {
        self.ids.push(id.to_owned());
        self.keys.push(Key { id: id.to_owned(), is_revoked: false });
    }

    /// Notes the state that one of its executions has from now on.
    pub(super) fn set_state(&mut self, id: &str, state: ExecutionState, now: Timestamp) {
        if state == Running {
            self.attempts.push(Attempt { execution: id.to_owned(), started: now, ended: None });
        } else if let Some(attempt) = self.attempts.iter_mut().find(|attempt| attempt.is_of(id)) {
            attempt.ended = Some(now);
        }
        let run = self.runs.iter_mut().find(|run| run.id == id).expect("it is this tenant's");
        run.state = state;
        run.changed = Some(now);
        let job = self.jobs.get_mut(&run.job).expect("it is still there");
        match state {
            Succeeded => job.failures = 0,
            Failed => job.failures += 1,
            Pending | Running | Cancelled => {}
        }
        self.has_run |= is_integration(&run.job) && matches!(state, Succeeded | Failed);
        if state.is_terminal() {
            *self.ends.entry(state.as_str()).or_default() += 1;
        }
    }

    /// How many executions ever came to this end.
    pub(super) fn ended(&self, state: ExecutionState) -> usize {
        self.ends.get(state.as_str()).copied().unwrap_or_default()
    }

    /// Since when an execution runs.
    pub(super) fn started(&self, id: &str) -> Timestamp {
        self.attempts.iter().find(|attempt| attempt.is_of(id)).expect("it runs").started
    }

    /// How many executions had started before and had not ended then.
    pub(super) fn running_at(&self, then: Timestamp) -> usize {
        let ran = |attempt: &&Attempt| attempt.started < then && attempt.ended.is_none_or(|ended| ended >= then);
        self.attempts.iter().filter(ran).count()
    }

    /// The hosts that a target reaches; `None` where any agent may take the work.
    pub(super) fn reached_by(&self, target: &str) -> Option<Vec<String>> {
        let is_meant = |hostname: &str| target == "_all" || target.starts_with("group:") || target == hostname;
        let agents = self.agents.iter().filter(|(hostname, agent)| !agent.is_draining && is_meant(hostname));
        (target != "_any").then(|| agents.map(|(hostname, _)| hostname.clone()).collect())
    }

    /// What an attempt at an operation has its agents do.
    pub(super) fn open_tasks(&mut self, run: &Run) {
        let task = |host| Task { execution: run.id.clone(), host, lease: None };
        match &run.hosts {
            None => self.tasks.push(task(None)),
            Some(hosts) => self.tasks.extend(hosts.iter().cloned().map(Some).map(task)),
        }
    }

    /// What of the tasks is over with its execution is dropped.
    pub(super) fn sweep_tasks(&mut self) {
        let running = |id: &str| self.runs.iter().any(|run| run.id == id && run.state == Running);
        self.tasks = self.tasks.iter().filter(|task| running(&task.execution)).cloned().collect();
    }

    /// The tokens of its agents' leases.
    pub(super) fn leases(&self) -> Vec<String> {
        self.tasks.iter().filter_map(|task| task.lease.clone()).collect()
    }
}
