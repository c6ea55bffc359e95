//! Texts that do harm wherever they are taken for more than text, or for short.

/// What they begin with: it ends attributes and elements, would be markup, and turns the direction of what follows.
const MARKUP: &str = "\"'></title></textarea></script><x-harm onmouseover=alert(1)>&lt;{{7*7}}\u{202e}";

/// The elements that there are only where such a text was taken for markup.
pub(crate) const HARM: &str = "x-harm";

/// Such a text of so many characters, which can be broken nowhere.
pub(crate) fn awkward(chars: usize) -> String {
    MARKUP.chars().chain(std::iter::repeat('W')).take(chars).collect()
}
