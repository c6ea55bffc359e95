//! Text as it came: what a handler gave back, an error, a payload. What is long is folded, and can be downloaded.

use askama::Template;
use askama::filters::HtmlSafe;

use super::{count, json};

/// How many lines and bytes are shown without being asked for.
const LINES: usize = 40;
const BYTES: usize = 4 * 1024;

/// How many bytes a page holds, which may be fetched anew every two seconds; what is longer can only be downloaded.
const MOST_BYTES: usize = 16 * 1024;

/// Text as it came.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/text.html")]
pub(crate) struct LongText {
    /// What it is, such as "output".
    name: &'static str,
    text: String,
    /// Its beginning and how much there is in all, where it is folded.
    folded: Option<(String, String)>,
    href: Option<String>,
}

impl HtmlSafe for LongText {}

impl LongText {
    /// A text; JSON is told a member a line.
    pub(crate) fn new(name: &'static str, text: &str) -> Self {
        let text = json::pretty(text).unwrap_or_else(|| text.to_owned());
        let folded = beginning(&text).map(|beginning| {
            let lines = text.lines().count();
            let noun = if lines == 1 { "line" } else { "lines" };
            (beginning.to_owned(), format!("{} {noun}, {}", count(lines as u64), size(text.len())))
        });
        Self { name, text, folded, href: None }
    }

    /// Whether the page holds all of it.
    fn is_whole(&self) -> bool {
        self.href.is_none() || self.text.len() <= MOST_BYTES
    }

    /// The same with the address of the text itself.
    #[must_use]
    pub(crate) fn href(self, href: impl Into<String>) -> Self {
        Self { href: Some(href.into()), ..self }
    }
}

/// The beginning of a text that is too long to be shown as a whole.
fn beginning(text: &str) -> Option<&str> {
    let lines = text.match_indices('\n').nth(LINES - 1).map_or(text.len(), |(at, _)| at);
    let end = text.floor_char_boundary(lines.min(BYTES));
    (end < text.trim_end().len()).then(|| &text[..end])
}

/// `18 kB`.
fn size(bytes: usize) -> String {
    match bytes {
        ..1000 => format!("{bytes} bytes"),
        1000..1_000_000 => format!("{} kB", bytes.div_ceil(1000)),
        1_000_000.. => format!("{} MB", bytes.div_ceil(1_000_000)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_long_is_folded() {
        let lines = |count| vec!["line"; count].join("\n");
        assert!(LongText::new("output", &lines(40)).folded.is_none());
        let (beginning, told) = LongText::new("output", &lines(41)).folded.unwrap();
        assert_eq!((beginning, told.as_str()), (lines(40), "41 lines, 204 bytes"));
        let (beginning, told) = LongText::new("output", &"ü".repeat(5000)).folded.unwrap();
        assert_eq!((beginning.len(), told.as_str()), (BYTES, "1 line, 10 kB"));
    }

    #[test]
    fn of_what_is_very_long_a_page_holds_the_beginning_alone() {
        let text = |bytes| LongText::new("output", &"x".repeat(bytes));
        let shown = text(MOST_BYTES).href("/output").to_string();
        assert!(shown.len() > BYTES + MOST_BYTES && shown.contains("All of it: 1 line, 17 kB"), "{shown}");
        let shown = text(MOST_BYTES + 1).href("/output").to_string();
        assert!(shown.len() < BYTES + 500, "{shown}");
        assert!(shown.contains("This is its beginning. All of it: 1 line, 17 kB."), "{shown}");
        assert!(text(MOST_BYTES + 1).to_string().len() > BYTES + MOST_BYTES, "it is nowhere else");
    }

    #[test]
    fn what_it_says_is_no_markup() {
        let shown = LongText::new("error", "</pre><script>alert(1)</script>").to_string();
        assert!(!shown.contains("<script>"), "{shown}");
    }
}
