//! `/executions`: what ran, runs and will run, the newest first.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web;
use askama::Template;
use futures_util::future;
use horarium_auth::Permission;
use horarium_domain::ExecutionId;
use horarium_domain::store::{Counted, CursorPage};
use horarium_scheduler_engine::ServiceError;

use super::filter::{Asked, Problems, Wanted};
use super::{ExecutionTable, address};
use crate::view::{Layout, Missing, Pager, Section, Tabs, count};
use crate::web::{Flash, PageError, Visit, page, perm};

/// How many are on a page.
pub(super) const PER_PAGE: usize = 50;

#[derive(Template)]
#[template(path = "executions/list.html")]
struct ListPage {
    layout: Layout,
    tabs: Tabs,
    state: &'static str,
    job: String,
    from: String,
    to: String,
    problems: Problems,
    is_narrowed: bool,
    /// How many there are, in words.
    told: Result<String, Missing>,
    table: ExecutionTable,
    may_cancel: bool,
    may_retry: bool,
    /// The address of this very list.
    here: String,
    pager: Pager,
}

pub(super) async fn list(
    visit: Visit<perm::ExecutionsRead>,
    wanted: web::Query<Wanted>,
) -> Result<HttpResponse, PageError> {
    let (executions, tenant) = (&visit.services().executions, visit.tenant.id);
    let mut asked = Asked::of(&visit, &wanted).await?;
    let mut found = CursorPage { items: Vec::new(), next: None };
    let mut counted = Ok(Counted::default());
    if !asked.problems.any() {
        let page = executions.list_before(tenant, &asked.filter, asked.before, PER_PAGE);
        match future::join(page, executions.count(tenant, &asked.filter)).await {
            (Ok(page), count) => (found, counted) = (page, visit.part("their number", count)),
            (Err(ServiceError::NotFound(_)), _) => match execution(&visit, &asked.job).await? {
                Some(id) => return Ok(visit.go(address(id), &Flash::note("This is the execution with that id."))),
                None => asked.problems.job = Some(Problems::NO_SUCH_JOB),
            },
            (Err(error), _) => return Err(error.into()),
        }
    }
    if let (Some(first), true) = (found.items.first(), asked.filter.job_id.is_some()) {
        asked.job.clone_from(&first.job_name);
    }
    let status = if asked.problems.any() { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let may_cancel = visit.can(Permission::ExecutionsCancel);
    let may_retry = visit.can(Permission::ExecutionsRetry);
    let shown = found.items.len() as u64;
    let newest = asked.before.map(|_| asked.page(None));
    let told = counted.map(told);
    let of_all = told.as_ref().map_or_else(|_| "shown".to_owned(), |told| format!("of {told}"));
    let older = found.next.map(|next| asked.page(Some(next)));
    let model = ListPage {
        layout: visit.layout("Executions", Some(Section::Executions)),
        tabs: asked.tabs(),
        state: asked.state,
        is_narrowed: asked.narrows(),
        told,
        table: ExecutionTable::of(&found.items, visit.now()).with_ticks(may_cancel || may_retry),
        may_cancel,
        may_retry,
        here: asked.page(asked.before),
        pager: Pager::of_history(format!("{} {of_all}", count(shown)), newest, older),
        job: asked.job,
        from: asked.from,
        to: asked.to,
        problems: asked.problems,
    };
    page(status, &model)
}

/// The execution that somebody asks for in the place of a job: a log or an alert tells an id without saying of what.
async fn execution(visit: &Visit<perm::ExecutionsRead>, text: &str) -> Result<Option<ExecutionId>, ServiceError> {
    let Ok(id) = text.parse() else { return Ok(None) };
    match visit.services().executions.get(visit.tenant.id, id).await {
        Ok(_) => Ok(Some(id)),
        Err(ServiceError::NotFound(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// `10,000+ executions`.
fn told(counted: Counted) -> String {
    let more = if counted.is_capped { "+" } else { "" };
    let noun = if counted.count == 1 && !counted.is_capped { "execution" } else { "executions" };
    format!("{}{more} {noun}", count(counted.count))
}
