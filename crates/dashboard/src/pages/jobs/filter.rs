//! What the address of the list of jobs asks for. None of it is trusted: what makes no sense is said at its field.

use horarium_domain::job::{JobSpec, JobStatus, JobType};
use horarium_domain::page::SortDirection;
use horarium_domain::store::{JobFilter, JobSort};
use serde::Deserialize;

use crate::view::Address;

/// What can be sorted by, by its name in addresses.
const SORTS: [(&str, JobSort); 6] = [
    ("Name", JobSort::Name),
    ("NextRunAt", JobSort::NextRunAt),
    ("LastExecutedAt", JobSort::LastExecutedAt),
    ("ConsecutiveFailures", JobSort::ConsecutiveFailures),
    ("CreatedAt", JobSort::CreatedAt),
    ("UpdatedAt", JobSort::UpdatedAt),
];

/// What an address says.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Wanted {
    search: Option<String>,
    status: Option<String>,
    #[serde(rename = "type")]
    pub(super) job_type: Option<String>,
    group: Option<String>,
    tag: Option<String>,
    /// Given when the jobs that Horarium makes are shown with the tenant's own.
    builtin: Option<String>,
    sort: Option<String>,
    dir: Option<String>,
    page: Option<String>,
}

/// What an address asks for.
#[derive(Debug)]
pub(super) struct Asked {
    /// Which jobs, in which order.
    pub(super) filter: JobFilter,
    /// Which page of them.
    pub(super) number: u32,
    /// The list's own address, without the number of its page and what makes no sense.
    pub(super) here: Address,
    /// What is wrong.
    pub(super) problems: Problems,
}

/// What is wrong with each field.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Problems {
    pub(super) status: Option<String>,
    pub(super) job_type: Option<String>,
    /// The order and the page's number have no field.
    pub(super) list: Option<String>,
}

impl Problems {
    /// Whether something is wrong.
    pub(super) fn any(&self) -> bool {
        *self != Self::default()
    }
}

impl Asked {
    /// Reads an address.
    pub(super) fn of(wanted: &Wanted) -> Self {
        let mut problems = Problems::default();
        let status = read(wanted.status.as_ref(), |name| JobStatus::ALL.into_iter().find(|it| it.as_str() == name));
        let status = status.unwrap_or_else(|name| {
            problems.status = Some(format!("There is no status '{name}' of jobs."));
            None
        });
        let job_type = read(wanted.job_type.as_ref(), |name| name.parse::<JobType>().ok()).unwrap_or_else(|name| {
            problems.job_type = Some(format!("There is no type '{name}' of jobs."));
            None
        });
        let sort = read(wanted.sort.as_ref(), |name| SORTS.into_iter().find(|(known, _)| *known == name));
        let sort = sort.unwrap_or_else(|name| {
            problems.list = Some(format!("Jobs cannot be sorted by '{name}'."));
            None
        });
        let sort = sort.map_or_else(JobSort::default, |(_, sort)| sort);
        let number = read(wanted.page.as_ref(), |text| text.parse::<u32>().ok()).unwrap_or_else(|text| {
            problems.list = Some(format!("'{text}' is no number of a page."));
            None
        });
        let is_descending = wanted.dir.as_deref() == Some("desc");
        let given = |value: Option<&String>| said(value).map(str::to_owned);
        let has_built_in =
            said(wanted.builtin.as_ref()).is_some() || said(wanted.group.as_ref()) == Some(JobSpec::BUILT_IN_GROUP);
        let filter = JobFilter {
            job_type,
            status,
            tag: given(wanted.tag.as_ref()),
            search: given(wanted.search.as_ref()),
            group: given(wanted.group.as_ref()),
            except_group: (!has_built_in).then(|| JobSpec::BUILT_IN_GROUP.to_owned()),
            sort,
            direction: if is_descending { SortDirection::Descending } else { SortDirection::Ascending },
        };
        Self { here: address(&filter), filter, number: number.unwrap_or(1).max(1), problems }
    }
}

/// Whether a filter leaves any of the tenant's own jobs out.
pub(super) fn narrows(filter: &JobFilter) -> bool {
    let JobFilter { job_type, status, tag, search, group, except_group: _, sort: _, direction: _ } = filter;
    job_type.is_some() || status.is_some() || tag.is_some() || search.is_some() || group.is_some()
}

/// The name of an order in addresses.
pub(super) fn name_of(sort: JobSort) -> &'static str {
    SORTS.into_iter().find(|(_, known)| *known == sort).map(|(name, _)| name).unwrap_or_default()
}

fn address(filter: &JobFilter) -> Address {
    let is_descending = filter.direction == SortDirection::Descending;
    let here = Address::new("/jobs")
        .with("search", filter.search.as_deref().unwrap_or_default())
        .with("status", filter.status.map(JobStatus::as_str).unwrap_or_default())
        .with("type", filter.job_type.map(JobType::as_str).unwrap_or_default())
        .with("group", filter.group.as_deref().unwrap_or_default())
        .with("tag", filter.tag.as_deref().unwrap_or_default())
        .with("builtin", if filter.except_group.is_none() { "yes" } else { "" });
    match filter.sort {
        JobSort::Name if !is_descending => here,
        sort => here.with("sort", name_of(sort)).with("dir", if is_descending { "desc" } else { "" }),
    }
}

/// What a field says, if anything.
fn said(value: Option<&String>) -> Option<&str> {
    value.map(|text| text.trim()).filter(|text| !text.is_empty())
}

/// What a field means; or what it says, where that means nothing.
fn read<T>(value: Option<&String>, meant: impl FnOnce(&str) -> Option<T>) -> Result<Option<T>, String> {
    match said(value) {
        Some(text) => meant(text).map(Some).ok_or_else(|| text.to_owned()),
        None => Ok(None),
    }
}
