//! What the next page is to tell: "The job is paused." It travels in a cookie, so that a page that is shown again does not
//! tell it again.

use url::form_urlencoded;

use super::Cookie;
use crate::view::Tone;

/// The longest text.
const MAX_CHARS: usize = 300;

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flash {
    /// How it is meant.
    pub(crate) tone: Tone,
    /// A sentence.
    pub(crate) text: String,
}

impl Flash {
    /// What was asked for is done.
    pub(crate) fn done(text: impl Into<String>) -> Self {
        Self { tone: Tone::Good, text: text.into() }
    }

    /// Something to know.
    pub(crate) fn note(text: impl Into<String>) -> Self {
        Self { tone: Tone::Info, text: text.into() }
    }

    pub(super) fn to_cookie(&self) -> (Cookie, String) {
        let text: String = self.text.chars().take(MAX_CHARS).collect();
        let text: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        (Cookie::Flash, format!("{}.{text}", self.tone.class()))
    }

    pub(super) fn from_cookie(value: &str) -> Option<Self> {
        let (tone, text) = value.split_once('.')?;
        let tone = Tone::ALL.into_iter().find(|it| it.class() == tone)?;
        let (text, _) = form_urlencoded::parse(text.as_bytes()).next()?;
        Some(Self { tone, text: text.chars().take(MAX_CHARS).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_is_read_back() {
        let told = Flash::done("'A=b; c' & “ü” is paused.");
        let (_, value) = told.to_cookie();
        assert!(value.bytes().all(|byte| byte.is_ascii_graphic() && !b",;\"\\".contains(&byte)), "{value}");
        assert_eq!(Flash::from_cookie(&value), Some(told));
        for strange in ["", "good", "loud.text"] {
            assert_eq!(Flash::from_cookie(strange), None);
        }
    }
}
