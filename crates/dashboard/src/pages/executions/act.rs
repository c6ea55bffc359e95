//! Stopping an execution, and running a failed one again.

use actix_web::HttpResponse;
use actix_web::web;
use horarium_domain::execution::ExecutionState;
use horarium_scheduler_engine::service::AgentJob;

use super::table::took;
use super::{address, named, target};
use crate::pages::confirm::Confirmation;
use crate::view::{Section, count};
use crate::web::{Flash, PageError, Visit, perm};

/// What is worth knowing before something is cancelled.
pub(super) const NOT_AGAIN: &str =
    "What is cancelled cannot be run again as it was: its job can be triggered, with a payload that is typed anew.";

/// Asks before an execution is cancelled.
pub(super) async fn ask_to_cancel(
    visit: Visit<perm::ExecutionsCancel>,
    path: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let id = named(&path)?;
    let found = visit.services().agent_jobs.get(visit.tenant.id, id).await?;
    let summary = &found.execution.summary;
    let mut consequences = match summary.lifecycle.state {
        ExecutionState::Pending => vec!["It waits, and will not start.".to_owned()],
        ExecutionState::Running => vec![
            format!("It has been running for {} and is told to stop.", took(summary, visit.now())),
            "What it did so far is not undone. It counts as cancelled at once.".to_owned(),
        ],
        state @ (ExecutionState::Succeeded | ExecutionState::Failed | ExecutionState::Cancelled) => {
            return Ok(visit.go(address(id), &Flash::note(format!("It had ended meanwhile: {state}."))));
        }
    };
    consequences.extend(hosts(&found));
    consequences.push(NOT_AGAIN.to_owned());
    let question = Confirmation {
        layout: visit.layout("Cancel an execution", Some(Section::Executions)),
        question: format!("Cancel this execution of {}?", summary.job_name),
        consequences,
        action: format!("{}/cancel", address(id)),
        fields: Vec::new(),
        verb: "Cancel the execution".to_owned(),
        back: address(id),
    };
    question.show()
}

/// What becomes of the hosts of a broadcast.
fn hosts(found: &AgentJob) -> Option<String> {
    let is_broadcast = found.request.as_ref().is_some_and(|request| request.target.is_broadcast());
    let open = found.tasks.iter().filter(|task| task.state.is_open()).count();
    let all = found.tasks.len();
    (is_broadcast && open > 0).then(|| {
        let [answered, all, open] = [all - open, all, open].map(|number| count(number as u64));
        format!("{answered} of its {all} hosts have answered; the other {open} are told to stop.")
    })
}

pub(super) async fn cancel(
    visit: Visit<perm::ExecutionsCancel>,
    path: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let id = named(&path)?;
    let actor = visit.does("stop_execution", Some(target(id)));
    visit.services().executions.cancel(&actor, id).await?;
    Ok(visit.go(address(id), &Flash::done("The execution is cancelled.")))
}

pub(super) async fn retry(
    visit: Visit<perm::ExecutionsRetry>,
    path: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let id = named(&path)?;
    let actor = visit.submits("rerun_execution", Some(target(id)));
    let again = visit.services().executions.retry(&actor, id).await?;
    Ok(visit.go(address(again.id), &Flash::done("It runs again, as this new execution. The failed one is kept.")))
}
