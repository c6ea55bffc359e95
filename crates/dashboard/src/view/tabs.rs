//! Links side by side, of which each shows the same page another way.

use askama::Template;
use askama::filters::HtmlSafe;

/// How far back a timeline reaches: its name in the address, its hours, its name on the page.
type Range = (&'static str, i64, &'static str);

const RANGES: [Range; 3] = [("24h", 24, "24 hours"), ("7d", 168, "7 days"), ("30d", 720, "30 days")];

/// Links side by side.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/tabs.html")]
pub(crate) struct Tabs {
    /// What they choose between.
    name: &'static str,
    tabs: Vec<Tab>,
}

impl HtmlSafe for Tabs {}

#[derive(Debug, Clone)]
struct Tab {
    label: &'static str,
    href: String,
    is_shown: bool,
}

impl Tabs {
    /// Those that choose between what `name` says: the label of each, where it leads, and whether it is the one shown.
    pub(crate) fn new(name: &'static str, tabs: impl IntoIterator<Item = (&'static str, String, bool)>) -> Self {
        let tabs = tabs.into_iter().map(|(label, href, is_shown)| Tab { label, href, is_shown });
        Self { name, tabs: tabs.collect() }
    }

    /// Those that choose how far back a timeline reaches, and how many hours the one is that is wanted; `href` makes the
    /// address of the page with a range's name.
    pub(crate) fn ranges(wanted: Option<&str>, href: impl Fn(&str) -> String) -> (Self, i64) {
        let shown = RANGES.iter().find(|(name, _, _)| wanted == Some(name)).unwrap_or(&RANGES[0]);
        let tabs = RANGES.map(|(name, _, label)| (label, href(name), name == shown.0));
        (Self::new("How far back", tabs), shown.1)
    }
}
