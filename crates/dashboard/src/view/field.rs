//! A field of a form: its label, what it holds, what it is for, what is wrong with it.

use askama::Template;
use askama::filters::HtmlSafe;

/// A field of a form.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/field.html")]
pub(crate) struct Field {
    pub(super) name: String,
    pub(super) label: String,
    pub(super) hint: String,
    pub(super) value: String,
    pub(super) control: Control,
    /// Empty when nothing is wrong.
    pub(super) problem: String,
    pub(super) is_required: bool,
    pub(super) is_wide: bool,
    /// Whether it holds an instant in UTC.
    pub(super) is_utc: bool,
    /// Where it matters, as `data-when` says it: `name=value`, or several values with bars between.
    pub(super) when: String,
    /// The list on the page that proposes values; empty for none.
    pub(super) list: String,
}

impl HtmlSafe for Field {}

/// How a field is filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Control {
    /// A line of this type.
    Line(&'static str),
    /// Several lines.
    Text,
    /// One of these: values and words.
    Choice(Vec<(String, String)>),
    /// Yes or no.
    Check,
}

impl Field {
    /// The same, to be filled in.
    #[must_use]
    pub(crate) fn required(self) -> Self {
        Self { is_required: true, ..self }
    }

    /// The same over the whole width.
    #[must_use]
    pub(crate) fn wide(self) -> Self {
        Self { is_wide: true, ..self }
    }

    /// The same, which matters only where another field says something: `scheduleType=Cron`.
    #[must_use]
    pub(crate) fn when(self, when: &str) -> Self {
        Self { when: when.to_owned(), ..self }
    }

    /// The same, with values proposed by a list on the page.
    #[must_use]
    pub(crate) fn list(self, id: &str) -> Self {
        Self { list: id.to_owned(), ..self }
    }

    /// What describes it, by ids.
    fn described(&self) -> String {
        let hint = (!self.hint.is_empty()).then(|| format!("h-{}", self.name));
        let problem = (!self.problem.is_empty()).then(|| format!("p-{}", self.name));
        hint.into_iter().chain(problem).collect::<Vec<_>>().join(" ")
    }
}
