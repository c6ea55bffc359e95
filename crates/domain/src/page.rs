//! Bounded lists.

/// Which part of a list: numbered pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PageRequest {
    /// Counted from 1.
    pub number: u32,
    /// Items per page, 1..=[`PageRequest::MAX_SIZE`].
    pub size: u32,
}

impl PageRequest {
    /// The most items that one page may hold.
    pub const MAX_SIZE: u32 = 200;

    /// The most items of a history that may come before a page. They are walked over; a cursor gets anywhere at once.
    pub const MAX_SKIPPED: u64 = 50_000;

    /// How many items come before this page.
    pub const fn offset(self) -> u64 {
        (self.number as u64).saturating_sub(1).saturating_mul(self.size as u64)
    }
}

impl Default for PageRequest {
    fn default() -> Self {
        Self { number: 1, size: 20 }
    }
}

/// One page of a list, and how many items there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// This page's items.
    pub items: Vec<T>,
    /// All items that match, or as many of them as were counted.
    pub total: u64,
    /// Whether more items match than were counted.
    pub is_capped: bool,
}

impl<T> Page<T> {
    /// A page of a list whose items were all counted.
    pub const fn of(items: Vec<T>, total: u64) -> Self {
        Self { items, total, is_capped: false }
    }
}

/// One page of a list that is sorted by name and walked with names as cursors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPage<T> {
    /// This page's items.
    pub items: Vec<T>,
    /// The name after which the next page begins; `None` when nothing follows this page.
    pub next: Option<String>,
}

impl<T> NamedPage<T> {
    /// A page of `limit` items, from those of which one more was asked for to see whether anything follows.
    pub fn of(mut items: Vec<T>, limit: usize, name: impl Fn(&T) -> &str) -> Self {
        let is_last = items.len() <= limit;
        items.truncate(limit);
        let next = items.last().filter(|_| !is_last).map(|last| name(last).to_owned());
        Self { items, next }
    }
}

/// Which way a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SortDirection {
    /// Smallest first.
    #[default]
    Ascending,
    /// Largest first.
    Descending,
}
