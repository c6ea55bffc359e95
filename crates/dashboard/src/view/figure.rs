//! Figures: a number large enough to be read from afar, and what it counts.

use askama::Template;
use askama::filters::HtmlSafe;

use super::Tone;

/// A number and what it counts.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/figure.html")]
pub(crate) struct Figure {
    label: &'static str,
    value: String,
    hint: String,
    tone: Tone,
    href: Option<String>,
}

impl HtmlSafe for Figure {}

impl Figure {
    /// A figure.
    pub(crate) fn new(label: &'static str, value: impl Into<String>) -> Self {
        Self { label, value: value.into(), hint: String::new(), tone: Tone::Calm, href: None }
    }

    /// The same with a few words beneath.
    #[must_use]
    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: hint.into(), ..self }
    }

    /// The same, marked.
    #[must_use]
    pub(crate) fn tone(self, tone: Tone) -> Self {
        Self { tone, ..self }
    }

    /// The same, leading to what it counts.
    #[must_use]
    pub(crate) fn href(self, href: impl Into<String>) -> Self {
        Self { href: Some(href.into()), ..self }
    }
}
