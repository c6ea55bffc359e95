//! Spans of time on the command line: `90s`, `15m`, `12h`, `30d`.

use std::str::FromStr;
use std::time::Duration;

/// A span of at least a second and at most a hundred years.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span(pub(super) Duration);

impl FromStr for Span {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const WANTED: &str = "a span of time is a number and its unit, such as 90s, 15m, 12h or 30d";
        const LONGEST_SECONDS: u64 = 100 * 366 * 86_400;
        let unit = text.chars().next_back().ok_or(WANTED)?;
        let seconds = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return Err(WANTED),
        };
        let number: u64 = text[..text.len() - 1].parse().map_err(|_| WANTED)?;
        let span = number.checked_mul(seconds).filter(|span| (1..=LONGEST_SECONDS).contains(span));
        span.map(|seconds| Self(Duration::from_secs(seconds))).ok_or("a span of time is between 1s and 36600d")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_with_their_unit() {
        for (text, seconds) in [("90s", 90), ("15m", 900), ("12h", 43_200), ("30d", 2_592_000)] {
            assert_eq!(text.parse(), Ok(Span(Duration::from_secs(seconds))));
        }
    }

    #[test]
    fn what_is_no_span_is_refused() {
        for text in ["", "1", "h", "-1h", "1.5h", "0s", "99999999999d", "5ü"] {
            assert!(text.parse::<Span>().is_err(), "{text}");
        }
    }
}
