//! One page of a list.

use horarium_domain::page::{Page, PageRequest};
use serde::Serialize;
use utoipa::ToSchema;

/// One page of a list, and how many items and pages there are.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PagedResponse<T> {
    /// This page's items.
    pub(crate) items: Vec<T>,
    /// All items that match; of executions that started in a span, at most 1000 are counted.
    pub(crate) total_count: u64,
    /// True where more match than were counted; left out otherwise.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false)]
    pub(crate) total_is_capped: bool,
    /// Counted from 1.
    pub(crate) page_number: u32,
    /// The most items that a page holds.
    pub(crate) page_size: u32,
    /// How many pages there are; 0 when nothing matches.
    pub(crate) total_pages: u64,
}

impl<T> PagedResponse<T> {
    /// A page with its items mapped.
    pub(crate) fn new<D>(page: Page<D>, request: PageRequest, map: impl FnMut(D) -> T) -> Self {
        Self {
            total_pages: page.total.div_ceil(u64::from(request.size.max(1))),
            items: page.items.into_iter().map(map).collect(),
            total_count: page.total,
            total_is_capped: page.is_capped,
            page_number: request.number,
            page_size: request.size,
        }
    }
}
