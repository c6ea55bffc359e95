//! `/jobs`: the tenant's jobs, found and sorted.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web;
use askama::Template;
use horarium_auth::Permission;
use horarium_domain::Timestamp;
use horarium_domain::job::{JobStatus, JobType, LastRun};
use horarium_domain::page::{Page, PageRequest, SortDirection};
use horarium_domain::store::{JobFilter, JobSort};
use horarium_scheduler_engine::service::JobOverview;

use super::filter::{Asked, Problems, Wanted, name_of, narrows};
use crate::view::{Address, Ago, Badge, Layout, Pager, Section, Tabs, Took, When};
use crate::web::{PageError, Visit, page, perm};

const PAGE_SIZE: u32 = 25;

/// The columns, in their order: what each is called, and what it is sorted by in the address, if it can be.
const COLUMNS: [(&str, Option<JobSort>); 8] = [
    ("State", None),
    ("Job", Some(JobSort::Name)),
    ("Schedule", None),
    ("Next run", Some(JobSort::NextRunAt)),
    ("Last run", Some(JobSort::LastExecutedAt)),
    ("Failed in a row", Some(JobSort::ConsecutiveFailures)),
    ("Queue", None),
    ("Tags", None),
];

#[derive(Template)]
#[template(path = "jobs/list.html")]
struct JobsPage {
    layout: Layout,
    search: String,
    status: String,
    group: String,
    tag: String,
    has_built_in: bool,
    sort: &'static str,
    dir: &'static str,
    types: Vec<Choice>,
    /// What was asked for in place of a type.
    strange_type: Option<String>,
    tabs: Tabs,
    columns: Vec<Column>,
    jobs: Vec<Line>,
    pager: Pager,
    /// The page's own address, for coming back.
    here: String,
    is_filtered: bool,
    /// Where the last page is, when this one lies behind it.
    last_page: Option<(u32, String)>,
    may_write: bool,
    may_trigger: bool,
    problems: Problems,
}

struct Choice {
    value: &'static str,
    is_chosen: bool,
}

struct Column {
    label: &'static str,
    is_number: bool,
    href: Option<String>,
    /// For `aria-sort`; empty where the list is not sorted by it.
    order: &'static str,
}

struct Line {
    id: String,
    name: String,
    description: String,
    state: Badge,
    is_paused: bool,
    schedule: When,
    next: Ago,
    last: Option<Last>,
    failures: u32,
    queue: String,
    tags: Vec<(String, String)>,
}

struct Last {
    state: Badge,
    at: Ago,
    took: Took,
}

pub(super) async fn list(visit: Visit<perm::JobsRead>, wanted: web::Query<Wanted>) -> Result<HttpResponse, PageError> {
    let Asked { filter, number, here, problems } = Asked::of(&wanted);
    let request = PageRequest { number, size: PAGE_SIZE };
    let (status, found) = if problems.any() {
        (StatusCode::BAD_REQUEST, Page::of(Vec::new(), 0))
    } else {
        (StatusCode::OK, visit.services().statistics.overview(visit.tenant.id, &filter, request).await?)
    };
    let now = visit.now();
    let text = |value: Option<&String>| value.cloned().unwrap_or_default();
    let is_sorted = (filter.sort, filter.direction) != (JobSort::default(), SortDirection::default());
    let is_descending = filter.direction == SortDirection::Descending;
    let shown = JobsPage {
        layout: visit.layout("Jobs", Some(Section::Jobs)),
        search: text(filter.search.as_ref()),
        status: filter.status.map(JobStatus::as_str).unwrap_or_default().to_owned(),
        group: text(filter.group.as_ref()),
        tag: text(filter.tag.as_ref()),
        has_built_in: filter.except_group.is_none(),
        sort: if is_sorted { name_of(filter.sort) } else { "" },
        dir: if is_descending { "desc" } else { "" },
        types: JobType::ALL
            .into_iter()
            .map(|kind| Choice { value: kind.as_str(), is_chosen: filter.job_type == Some(kind) })
            .collect(),
        strange_type: problems.job_type.is_some().then(|| text(wanted.job_type.as_ref())),
        tabs: tabs(&here, filter.status, problems.status.is_none()),
        columns: COLUMNS.into_iter().map(|(label, sort)| column(&here, &filter, label, sort)).collect(),
        is_filtered: problems.any() || narrows(&filter),
        last_page: last_page(&here, request, &found),
        pager: Pager::numbered(&here.open(), request, &found),
        here: here
            .with("page", &if request.number > 1 { request.number.to_string() } else { String::new() })
            .to_string(),
        jobs: found.items.into_iter().map(|job| line(job, &here, now)).collect(),
        may_write: visit.can(Permission::JobsWrite),
        may_trigger: visit.can(Permission::ExecutionsTrigger),
        problems,
    };
    page(status, &shown)
}

fn tabs(here: &Address, status: Option<JobStatus>, is_known: bool) -> Tabs {
    let tab = |of: Option<JobStatus>| {
        let to = here.with("status", of.map(JobStatus::as_str).unwrap_or_default());
        (of.map_or("All", JobStatus::as_str), to.to_string(), is_known && of == status)
    };
    Tabs::new("Status", [None].into_iter().chain(JobStatus::ALL.map(Some)).map(tab))
}

fn column(here: &Address, filter: &JobFilter, label: &'static str, sort: Option<JobSort>) -> Column {
    let is_sorted = sort == Some(filter.sort);
    let is_ascending = filter.direction == SortDirection::Ascending;
    // The worst and the latest are what these are sorted for; a second click turns the order round.
    let starts_descending = matches!(sort, Some(JobSort::ConsecutiveFailures | JobSort::LastExecutedAt));
    let is_next_descending = if is_sorted { is_ascending } else { starts_descending };
    let dir = if is_next_descending { "desc" } else { "" };
    Column {
        label,
        is_number: sort == Some(JobSort::ConsecutiveFailures),
        href: sort.map(|sort| here.with("sort", name_of(sort)).with("dir", dir).to_string()),
        order: match (is_sorted, is_ascending) {
            (false, _) => "",
            (true, true) => "ascending",
            (true, false) => "descending",
        },
    }
}

fn last_page(here: &Address, request: PageRequest, found: &Page<JobOverview>) -> Option<(u32, String)> {
    let last = u32::try_from(found.total.div_ceil(u64::from(request.size))).unwrap_or(u32::MAX);
    let is_behind = found.items.is_empty() && last > 0 && request.number > last;
    is_behind.then(|| (last, here.with("page", &last.to_string()).to_string()))
}

fn line(job: JobOverview, here: &Address, now: Timestamp) -> Line {
    let summary = job.summary;
    let spec = summary.job.spec;
    let last = |run: LastRun| Last {
        state: Badge::execution(run.state, false),
        at: Ago { at: Some(run.completed_at), now },
        took: Took::of_ms(run.duration_ms.map(|ms| ms as f64)),
    };
    Line {
        id: summary.job.id.to_string(),
        name: spec.name,
        description: spec.description.unwrap_or_default().lines().next().unwrap_or_default().to_owned(),
        state: Badge::activity(job.activity),
        is_paused: summary.job.is_paused,
        schedule: When::of(&spec.schedule),
        next: Ago { at: summary.next_run_at, now },
        last: summary.last_run.map(last),
        failures: summary.consecutive_failures,
        queue: spec.queue.to_string(),
        tags: spec.tags.into_iter().map(|tag| (here.with("tag", &tag).to_string(), tag)).collect(),
    }
}
