//! What the address of a list of executions asks for, and the addresses of others.

use std::str::FromStr;

use horarium_domain::execution::ExecutionState;
use horarium_domain::store::{ExecutionEnd, ExecutionFilter};
use horarium_domain::{ExecutionId, JobId, Timestamp};
use horarium_scheduler_engine::ServiceError;
use serde::Deserialize;

use crate::view::{Address, Tabs, time};
use crate::web::Visit;

/// The states that a list is narrowed to: the name in the address, and on the page.
const STATES: [(&str, &str); 7] = [
    ("", "All"),
    ("Pending", "Pending"),
    ("Running", "Running"),
    ("Succeeded", "Succeeded"),
    ("Failed", "Failed"),
    ("PartlyFailed", "Partly failed"),
    ("Cancelled", "Cancelled"),
];

/// What an address says; none of it is trusted.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Wanted {
    state: Option<String>,
    job: Option<String>,
    from: Option<String>,
    to: Option<String>,
    before: Option<String>,
}

/// What an address asks for.
#[derive(Debug, Clone, Default)]
pub(super) struct Asked {
    /// Which executions.
    pub(super) filter: ExecutionFilter,
    /// Those that are older than this one.
    pub(super) before: Option<ExecutionId>,
    /// The state's name in the address; empty for all.
    pub(super) state: &'static str,
    /// What the job's field says.
    pub(super) job: String,
    /// What the fields of the span say.
    pub(super) from: String,
    pub(super) to: String,
    /// What is wrong.
    pub(super) problems: Problems,
}

/// What is wrong with each field.
#[derive(Debug, Clone, Default)]
pub(super) struct Problems {
    pub(super) state: Option<&'static str>,
    pub(super) job: Option<&'static str>,
    pub(super) from: Option<&'static str>,
    pub(super) to: Option<&'static str>,
    pub(super) before: Option<&'static str>,
}

impl Asked {
    /// Reads an address. A job is named by its id, or as people know it.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn of<P>(visit: &Visit<P>, wanted: &Wanted) -> Result<Self, ServiceError> {
        let mut asked = Self::default();
        let Problems { state, job: _, from, to, before } = &mut asked.problems;
        let name = said(wanted.state.as_ref()).unwrap_or_default();
        match STATES.into_iter().find(|(known, _)| *known == name) {
            Some((known, _)) => asked.state = known,
            None => *state = Some("There is no such state."),
        }
        match asked.state {
            "PartlyFailed" => asked.filter.ends = vec![ExecutionEnd::PartlyFailed],
            name => asked.filter.state = ExecutionState::ALL.into_iter().find(|state| state.as_str() == name),
        }
        let read = |text, problem: &mut Option<&'static str>| {
            let at = said(text).map(|text| time::instant(text).ok_or("This is no date and time."));
            at.transpose().unwrap_or_else(|why| {
                *problem = Some(why);
                None
            })
        };
        asked.filter.started_from = read(wanted.from.as_ref(), from);
        asked.filter.started_to = read(wanted.to.as_ref(), to);
        asked.from = time::field_or(asked.filter.started_from, wanted.from.as_deref().unwrap_or_default());
        asked.to = time::field_or(asked.filter.started_to, wanted.to.as_deref().unwrap_or_default());
        match said(wanted.before.as_ref()).map(ExecutionId::from_str).transpose() {
            Ok(id) => asked.before = id,
            Err(_) => *before = Some("The address names no place in the list."),
        }
        if let Some(job) = said(wanted.job.as_ref()) {
            asked.job = job.to_owned();
            asked.filter.job_id = match job.parse::<JobId>() {
                Ok(id) => Some(id),
                Err(_) => match visit.services().jobs.get_by_name(visit.tenant.id, job).await {
                    Ok(found) => Some(found.job.id),
                    Err(ServiceError::NotFound(_)) => {
                        asked.problems.job = Some(Problems::NO_SUCH_JOB);
                        None
                    }
                    Err(error) => return Err(error),
                },
            };
        }
        Ok(asked)
    }

    /// Whether anything is narrowed.
    pub(super) fn narrows(&self) -> bool {
        self.filter != ExecutionFilter::default() || self.problems.any()
    }

    /// The tabs of the states, which keep everything else.
    pub(super) fn tabs(&self) -> Tabs {
        let is_shown = |name| name == self.state && self.problems.state.is_none();
        Tabs::new("State", STATES.map(|(name, label)| (label, self.address(name, None), is_shown(name))))
    }

    /// The address of the same list from its beginning, or from after an execution on.
    pub(super) fn page(&self, before: Option<ExecutionId>) -> String {
        self.address(self.state, before)
    }

    fn address(&self, state: &str, before: Option<ExecutionId>) -> String {
        let instant = |at: Option<Timestamp>| at.map(|at| at.to_string()).unwrap_or_default();
        Address::new("/executions")
            .with("state", state)
            .with("job", &self.filter.job_id.map(|id| id.to_string()).unwrap_or_default())
            .with("from", &instant(self.filter.started_from))
            .with("to", &instant(self.filter.started_to))
            .with("before", &before.map(|id| id.to_string()).unwrap_or_default())
            .to_string()
    }
}

impl Problems {
    /// Whoever asks for a job that there is not is told so at its field.
    pub(super) const NO_SUCH_JOB: &'static str = "There is no such job.";

    /// Whether something is wrong.
    pub(super) const fn any(&self) -> bool {
        let Self { state, job, from, to, before } = self;
        state.is_some() || job.is_some() || from.is_some() || to.is_some() || before.is_some()
    }
}

/// What a field says, if anything.
fn said(text: Option<&String>) -> Option<&str> {
    text.map(String::as_str).map(str::trim).filter(|text| !text.is_empty())
}
