//! What a tenant has, as far as these calls make, change and show it.

use std::collections::BTreeMap;

use horarium_domain::execution::ExecutionState;

/// The names of the jobs, the same for both tenants; all but the first are of integrations.
pub(super) const JOB_NAMES: [&str; 3] = ["nightly", "whatsapp", "instagram"];

/// The job that operations for agents are executions of.
pub(super) const OPERATIONS: &str = "agentOperations";

pub(super) fn is_integration(job: &str) -> bool {
    JOB_NAMES[1..].contains(&job)
}

/// An execution.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) id: String,
    pub(super) job: String,
    pub(super) state: ExecutionState,
    pub(super) dedupe_key: Option<&'static str>,
}

/// An API key.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub(super) id: String,
    pub(super) is_revoked: bool,
}

/// All that a tenant has.
#[derive(Debug, Default)]
pub(super) struct Model {
    /// The ids of the jobs, by name.
    pub(super) jobs: BTreeMap<String, String>,
    /// Oldest first.
    pub(super) runs: Vec<Run>,
    /// The first is the one that the tenant's machine calls with.
    pub(super) keys: Vec<Key>,
    /// The ids of the agents, by hostname.
    pub(super) agents: BTreeMap<String, String>,
    /// How many executions may wait in the queue.
    pub(super) max_length: Option<usize>,
    /// Whether an integration of it ever succeeded or failed.
    pub(super) has_run: bool,
    /// How many calls it made that are for the audit log.
    pub(super) audited: usize,
    /// Every id that it was ever given.
    pub(super) ids: Vec<String>,
}

impl Model {
    pub(super) fn is_full(&self) -> bool {
        self.max_length.is_some_and(|most| self.count(ExecutionState::Pending, |_| true) >= most)
    }

    /// How many executions of these jobs are in a state.
    pub(super) fn count(&self, state: ExecutionState, of: impl Fn(&str) -> bool) -> usize {
        self.runs.iter().filter(|run| run.state == state && of(&run.job)).count()
    }

    /// The execution of a job that still has this key.
    pub(super) fn live_with_key(&self, job: &str, key: &str) -> Option<&Run> {
        self.runs.iter().find(|run| run.job == job && run.dedupe_key == Some(key) && !run.state.is_terminal())
    }

    /// The ids and states of the executions of these jobs, in a dialect's words.
    pub(super) fn told(
        &self,
        of: impl Fn(&str) -> bool,
        word: impl Fn(ExecutionState) -> &'static str,
    ) -> BTreeMap<String, String> {
        let runs = self.runs.iter().filter(|run| of(&run.job));
        runs.map(|run| (run.id.clone(), word(run.state).to_owned())).collect()
    }

    pub(super) fn add_job(&mut self, name: &str, id: &str) {
        self.ids.push(id.to_owned());
        self.jobs.insert(name.to_owned(), id.to_owned());
    }

    pub(super) fn add_run(&mut self, job: &str, id: &str, dedupe_key: Option<&'static str>) {
        self.ids.push(id.to_owned());
        let (id, job) = (id.to_owned(), job.to_owned());
        self.runs.push(Run { id, job, state: ExecutionState::Pending, dedupe_key });
    }

    pub(super) fn add_key(&mut self, id: &str) {
        self.ids.push(id.to_owned());
        self.keys.push(Key { id: id.to_owned(), is_revoked: false });
    }

    /// Notes the state of an execution, if it is one of these.
    pub(super) fn set_state(&mut self, id: &str, state: ExecutionState) {
        if let Some(run) = self.runs.iter_mut().find(|run| run.id == id) {
            run.state = state;
            self.has_run |=
                is_integration(&run.job) && matches!(state, ExecutionState::Succeeded | ExecutionState::Failed);
        }
    }
}
