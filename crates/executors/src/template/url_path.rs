//! Keeping a value inside its path segment.
//!
//! Percent-encoding keeps a value from adding segments, but not from being one that means something: `..` is made of
//! characters that are never encoded, every URL parser takes it (and `%2e%2e`) for a step upwards, and an empty value
//! turns `/users/{{Payload.id}}` into `/users/`. So a segment that a value takes part in must be an ordinary one.

use std::ops::Range;

use super::TemplateError;

/// Checks the segments of a URL's path that overlap one of the inserted `values`, which are in order.
pub(super) fn check(url: &str, values: &[Range<usize>]) -> Result<(), TemplateError> {
    let authority = url.find("://").map_or(0, |scheme_end| scheme_end + 3);
    let is_separator = |c| matches!(c, '/' | '\\');
    let Some(path) = url[authority..].find(|c| is_separator(c) || matches!(c, '?' | '#')).map(|at| authority + at)
    else {
        return Ok(());
    };
    if path == authority && values.iter().any(|value| value.end == authority) {
        return Err(TemplateError::NoHost);
    }
    let end = url[path..].find(['?', '#']).map_or(url.len(), |at| path + at);
    let mut start = path;
    for segment in url[path..end].split(is_separator) {
        let range = start..start + segment.len();
        start = range.end + 1;
        let filled = values.iter().any(|value| value.start <= range.end && value.end >= range.start);
        if filled && is_special(segment) {
            return Err(TemplateError::PathSegment(segment.to_owned()));
        }
    }
    Ok(())
}

fn is_special(segment: &str) -> bool {
    let decoded = segment.to_ascii_lowercase().replace("%2e", ".");
    matches!(decoded.as_str(), "" | "." | "..")
}
