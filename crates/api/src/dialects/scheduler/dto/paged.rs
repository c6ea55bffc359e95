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
    /// All items that match.
    pub(crate) total_count: u64,
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
            page_number: request.number,
            page_size: request.size,
        }
    }
}
