//! Several executions at once: those of a list that somebody ticked.

use actix_web::HttpResponse;
use actix_web::web;
use futures_util::{StreamExt, stream};
use horarium_auth::{AuthError, Permission};
use horarium_domain::ExecutionId;
use horarium_domain::agent::AgentRequest;
use horarium_domain::audit::AuditTarget;
use horarium_domain::execution::{Execution, ExecutionState};
use horarium_scheduler_engine::ServiceError;

use super::act::NOT_AGAIN;
use super::list::PER_PAGE;
use super::{named, target};
use crate::pages::confirm::Confirmation;
use crate::view::{Section, count};
use crate::web::{Flash, Form, LocalPath, PageError, Visit, perm};

/// How many are looked at together.
const READ_AT_ONCE: usize = 8;

/// What is to be done with them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Cancel,
    Retry,
}

/// What an address or a form says.
struct Asked {
    act: Act,
    ids: Vec<ExecutionId>,
    /// The list that they were ticked in.
    back: String,
}

/// The question before it is done, which says to how many.
pub(super) async fn ask(
    visit: Visit<perm::ExecutionsRead>,
    fields: web::Query<Vec<(String, String)>>,
) -> Result<HttpResponse, PageError> {
    let asked = Asked::read(&fields)?;
    asked.act.permitted(&visit)?;
    if asked.ids.is_empty() {
        return Ok(visit.go(asked.back, &Flash::note("Nothing is ticked.")));
    }
    let (executions, tenant) = (&visit.services().executions, visit.tenant.id);
    // Each is waited for, also when another fails: a read that is dropped halfway is an error of its own with SQLite.
    let found: Vec<Result<Option<Execution>, ServiceError>> = stream::iter(asked.ids.clone())
        .map(|id| async move {
            match executions.get(tenant, id).await {
                Ok(execution) => Ok(Some(execution)),
                // Its time is over, or it never was.
                Err(ServiceError::NotFound(_)) => Ok(None),
                Err(error) => Err(error),
            }
        })
        .buffered(READ_AT_ONCE)
        .collect()
        .await;
    let found: Vec<Execution> = found.into_iter().filter_map(Result::transpose).collect::<Result<_, _>>()?;
    if found.is_empty() {
        return Err(PageError::not_found("execution"));
    }
    let fit: Vec<&Execution> = found.iter().filter(|execution| asked.act.fits(execution)).collect();
    if fit.is_empty() {
        let told = format!("Nothing can be done: those that you ticked {}.", asked.act.unfit());
        return Ok(visit.go(asked.back, &Flash::note(told)));
    }
    let many = many(fit.len());
    let running = fit.iter().filter(|it| it.summary.lifecycle.state == ExecutionState::Running).count();
    let (title, verb, mut consequences) = match asked.act {
        Act::Cancel => (
            "Cancel executions",
            format!("Cancel {many}"),
            vec![
                format!("Told to stop: {}. What they did so far is not undone.", count(running as u64)),
                format!("Not started yet: {}. They never will.", count((fit.len() - running) as u64)),
                NOT_AGAIN.to_owned(),
            ],
        ),
        Act::Retry => (
            "Run executions again",
            format!("Run {many} again"),
            vec!["Each runs as a new execution; those that failed are kept.".to_owned()],
        ),
    };
    let others = found.len() - fit.len();
    if others > 0 {
        consequences.push(format!("Left alone, because they {}: {}.", asked.act.unfit(), count(others as u64)));
    }
    let gone = asked.ids.len() - found.len();
    if gone > 0 {
        consequences.push(format!("Not there any more: {}.", count(gone as u64)));
    }
    let mut fields =
        vec![("action", asked.act.name().to_owned()), ("back", asked.back.clone()), ("once", visit.once())];
    fields.extend(fit.iter().map(|execution| ("id", execution.summary.id.to_string())));
    let question = Confirmation {
        layout: visit.layout(title, Some(Section::Executions)),
        question: format!("{verb}?"),
        consequences,
        action: "/executions/selected".to_owned(),
        fields,
        verb,
        back: asked.back,
    };
    question.show()
}

/// Does it, one by one. The audit log has an entry for each; where nothing was done, it tells of how many it was asked.
pub(super) async fn act(
    visit: Visit<perm::SignedIn>,
    form: Form<Vec<(String, String)>>,
) -> Result<HttpResponse, PageError> {
    let asked = Asked::read(&form.0)?;
    let all = AuditTarget {
        kind: "executions".to_owned(),
        before: Some(asked.ids.len().to_string()),
        ..AuditTarget::default()
    };
    let executions = &visit.services().executions;
    let actor = visit.does(asked.act.operation(), Some(all));
    // Only now, so that the audit log tells of whoever may not, too.
    asked.act.permitted(&visit)?;
    let (mut done, mut missed, mut stopped) = (0, 0, None);
    for (number, id) in (0..).zip(&asked.ids) {
        let outcome = match asked.act {
            Act::Cancel => executions.cancel(&actor, *id).await.inspect(|()| visit.did_to(target(*id))),
            Act::Retry => executions.retry(&visit.submits_for(&actor, target(*id), number), *id).await.map(|_| ()),
        };
        match outcome {
            Ok(()) => done += 1,
            // It changed since it was looked at.
            Err(ServiceError::Conflict(_) | ServiceError::NotFailed(_) | ServiceError::NotFound(_)) => missed += 1,
            Err(error) if done == 0 => return Err(error.into()),
            Err(error) => {
                stopped = Some(PageError::from(error));
                break;
            }
        }
    }
    let told = match asked.act {
        Act::Cancel => format!("Cancelled {}.", many(done)),
        Act::Retry => format!("{} run again, as new ones.", many(done)),
    };
    let rest = match missed {
        0 => String::new(),
        missed => format!(" Changed meanwhile, and left alone: {}.", count(missed as u64)),
    };
    let Some(why) = stopped else { return Ok(visit.go(asked.back, &Flash::done(told + &rest))) };
    let left = count((asked.ids.len() - done - missed) as u64);
    tracing::warn!(target: "horarium::access", done, left, cause = why.cause(), "not all that was ticked could be done");
    Ok(visit.go(asked.back, &Flash::note(format!("{told}{rest} Not done: {left}. {}.", why.told().0))))
}

impl Asked {
    /// What is asked for.
    fn read(fields: &[(String, String)]) -> Result<Self, PageError> {
        let field = |name: &str| fields.iter().find(|(given, _)| given == name).map(|(_, value)| value.as_str());
        let act = match field("action") {
            Some("cancel") => Act::Cancel,
            Some("retry") => Act::Retry,
            _ => return Err(PageError::BadRequest("It does not say what is to be done.".to_owned())),
        };
        let ids = fields.iter().filter(|(name, _)| name == "id").map(|(_, id)| named(id));
        let ids = ids.collect::<Result<Vec<_>, _>>()?;
        if ids.len() > PER_PAGE {
            return Err(PageError::BadRequest(format!("At most {PER_PAGE} executions can be ticked at once.")));
        }
        let back = field("back").and_then(LocalPath::given).unwrap_or_else(|| LocalPath::own("/executions"));
        Ok(Self { act, ids, back: back.as_str().to_owned() })
    }
}

impl Act {
    const fn name(self) -> &'static str {
        match self {
            Self::Cancel => "cancel",
            Self::Retry => "retry",
        }
    }

    /// What the audit log calls it, as it does where it is done to one.
    const fn operation(self) -> &'static str {
        match self {
            Self::Cancel => "stop_execution",
            Self::Retry => "rerun_execution",
        }
    }

    /// Whether the visitor may do it.
    fn permitted<P>(self, visit: &Visit<P>) -> Result<(), PageError> {
        let permission = match self {
            Self::Cancel => Permission::ExecutionsCancel,
            Self::Retry => Permission::ExecutionsRetry,
        };
        if visit.can(permission) { Ok(()) } else { Err(AuthError::PermissionDenied(permission).into()) }
    }

    /// Whether it can be done with an execution. An operation whose hosts are fixed is run again on its own page, where
    /// those are chosen.
    fn fits(self, execution: &Execution) -> bool {
        let state = execution.summary.lifecycle.state;
        match self {
            Self::Cancel => !state.is_terminal(),
            Self::Retry => {
                let has_hosts = execution.payload.as_ref().and_then(AgentRequest::from_payload).is_some();
                state == ExecutionState::Failed && !has_hosts
            }
        }
    }

    /// Why an execution does not fit.
    const fn unfit(self) -> &'static str {
        match self {
            Self::Cancel => "are over already",
            Self::Retry => "did not fail, or are operations for agents",
        }
    }
}

fn many(number: usize) -> String {
    if number == 1 { "1 execution".to_owned() } else { format!("{} executions", count(number as u64)) }
}
