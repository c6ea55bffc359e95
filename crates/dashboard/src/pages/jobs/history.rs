//! The executions on a job's page: the strip of the latest, and the list by state.

use horarium_auth::Permission;
use horarium_domain::execution::{ExecutionState, ExecutionSummary};
use horarium_domain::store::{CursorPage, ExecutionFilter};
use horarium_domain::{ExecutionId, JobId, Timestamp};
use horarium_scheduler_engine::ServiceError;
use horarium_scheduler_engine::service::JobReport;

use super::show::Wanted;
use crate::pages::executions::ExecutionTable;
use crate::view::{Address, Missing, Pager, Strip, Tabs};
use crate::web::{Visit, perm};

/// How many executions a page of the list holds.
const LISTED: usize = 25;

/// The job's executions, as its page shows them.
pub(super) struct History {
    pub(super) strip: Option<Strip>,
    pub(super) tabs: Tabs,
    /// What is wrong with what the address asks of the list.
    pub(super) problem: Option<String>,
    pub(super) list: Result<List, Missing>,
}

/// A page of them.
pub(super) struct List {
    pub(super) table: ExecutionTable,
    pub(super) pager: Pager,
}

/// Which executions the address asks for.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) state: Option<ExecutionState>,
    pub(super) before: Option<ExecutionId>,
    pub(super) problem: Option<String>,
}

impl Asked {
    /// Reads an address.
    pub(super) fn of(wanted: &Wanted) -> Self {
        let mut asked = Self::default();
        let said = |text: Option<&String>| text.cloned().filter(|text| !text.is_empty());
        if let Some(name) = said(wanted.state.as_ref()) {
            asked.state = ExecutionState::ALL.into_iter().find(|state| state.as_str() == name);
            if asked.state.is_none() {
                asked.problem = Some(format!("There is no state '{name}' of executions."));
            }
        }
        if let Some(text) = said(wanted.before.as_ref()) {
            asked.before = text.parse().ok();
            if asked.before.is_none() {
                asked.problem = Some("The address names no place in the list.".to_owned());
            }
        }
        asked
    }
}

/// A page of the job's executions, for whoever may read them.
pub(super) async fn listed(
    visit: &Visit<perm::JobsRead>,
    id: JobId,
    asked: &Asked,
) -> Option<Result<CursorPage<ExecutionSummary>, ServiceError>> {
    if !visit.can(Permission::ExecutionsRead) {
        return None;
    }
    if asked.problem.is_some() {
        return Some(Ok(CursorPage { items: Vec::new(), next: None }));
    }
    let filter = ExecutionFilter { job_id: Some(id), state: asked.state, ..ExecutionFilter::default() };
    Some(visit.services().executions.list_before(visit.tenant.id, &filter, asked.before, LISTED).await)
}

/// The executions, those in one state alone if the address says so.
pub(super) fn history(
    report: &JobReport,
    executions: Result<CursorPage<ExecutionSummary>, Missing>,
    here: &Address,
    asked: &Asked,
    now: Timestamp,
) -> History {
    let tab = |of: Option<ExecutionState>| {
        let to = here.with("state", of.map(ExecutionState::as_str).unwrap_or_default());
        let is_shown = of == asked.state && asked.problem.is_none();
        (of.map_or("All", ExecutionState::as_str), format!("{to}#executions"), is_shown)
    };
    let states = [None].into_iter().chain(ExecutionState::ALL.map(Some));
    let newest = asked.before.is_some().then(|| format!("{here}#executions"));
    let older = |next: ExecutionId| format!("{}#executions", here.with("before", &next.to_string()));
    History {
        strip: (!report.recent.is_empty()).then(|| Strip::of(&report.recent)),
        tabs: Tabs::new("State", states.map(tab)),
        problem: asked.problem.clone(),
        list: executions.map(|executions| List {
            table: ExecutionTable::of(&executions.items, now).of_job(&report.job.summary.job.spec.name),
            pager: Pager::of_history(String::new(), newest, executions.next.map(older)),
        }),
    }
}
