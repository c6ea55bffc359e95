//! The end of a list: how much of it is shown, and the way to the rest.

use askama::Template;
use askama::filters::HtmlSafe;
use horarium_domain::page::{Page, PageRequest};

use super::count;

/// The end of a list.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/pager.html")]
pub(crate) struct Pager {
    told: String,
    back: Option<(&'static str, String)>,
    on: Option<(&'static str, String)>,
}

impl HtmlSafe for Pager {}

impl Pager {
    /// That of numbered pages. `address` is the page's own with its filters, up to where `page=…` follows.
    pub(crate) fn numbered<T>(address: &str, request: PageRequest, page: &Page<T>) -> Self {
        let (first, last) = (request.offset() + 1, request.offset() + page.items.len() as u64);
        let more = if page.is_capped { "+" } else { "" };
        let total = format!("{}{more}", count(page.total));
        let told = if page.items.is_empty() {
            format!("None of {total}")
        } else {
            format!("{}–{} of {total}", count(first), count(last))
        };
        let to = |number: u32| format!("{address}page={number}");
        let back = (request.number > 1).then(|| ("Previous", to(request.number - 1)));
        let is_more = last < page.total || page.is_capped;
        let on = (is_more && !page.items.is_empty()).then(|| ("Next", to(request.number + 1)));
        Self { told, back, on }
    }

    /// That of a list which names walk from the first to the last.
    pub(crate) fn by_name(told: String, first: Option<String>, next: Option<String>) -> Self {
        Self { told, back: first.map(|to| ("First", to)), on: next.map(|to| ("Next", to)) }
    }

    /// That of a list which a cursor walks from the newest to the oldest.
    pub(crate) fn of_history(told: String, newest: Option<String>, older: Option<String>) -> Self {
        Self { told, back: newest.map(|to| ("Newest", to)), on: older.map(|to| ("Older", to)) }
    }
}
