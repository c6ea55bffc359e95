//! Instants and spans of time.
//!
//! The server writes UTC. The module `times.js` writes instants anew in the viewer's zone, and keeps UTC in the title.

use std::fmt;
use std::time::Duration;

use askama::filters::HtmlSafe;
use horarium_domain::Timestamp;

/// What stands for an instant or a span that there is not.
const NONE: &str = r#"<span class="none" role="img" aria-label="none">–</span>"#;

/// An instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct At(pub(crate) Option<Timestamp>);

impl fmt::Display for At {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(at) => write!(f, r#"<time datetime="{at}" data-time>{}</time>"#, utc(at)),
            None => f.write_str(NONE),
        }
    }
}

impl HtmlSafe for At {}

/// How long ago something was, or how soon it will be, as seen from `now`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ago {
    /// When.
    pub(crate) at: Option<Timestamp>,
    /// As seen from here.
    pub(crate) now: Timestamp,
}

impl fmt::Display for Ago {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(at) = self.at else { return f.write_str(NONE) };
        write!(f, r#"<time datetime="{at}" data-time="ago" title="{}">"#, utc(at))?;
        let (past, future) = (self.now.since(at), at.since(self.now));
        if past < Duration::from_secs(1) && future < Duration::from_secs(1) {
            f.write_str("now")?;
        } else if at < self.now {
            write!(f, "{} ago", roughly(past))?;
        } else {
            write!(f, "in {}", roughly(future))?;
        }
        f.write_str("</time>")
    }
}

impl HtmlSafe for Ago {}

/// How long something took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Took(pub(crate) Option<Duration>);

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(span) = self.0 else { return f.write_str(NONE) };
        let seconds = span.as_secs();
        match seconds {
            0 => write!(f, "{} ms", span.as_millis()),
            1..60 => write!(f, "{:.1} s", span.as_secs_f64()),
            60..3600 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            3600..86_400 => write!(f, "{} h {} min", seconds / 3600, seconds % 3600 / 60),
            86_400.. => write!(f, "{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
        }
    }
}

impl HtmlSafe for Took {}

impl Took {
    /// A span in milliseconds, as figures give it.
    pub(crate) fn of_ms(ms: Option<f64>) -> Self {
        Self(ms.map(|ms| Duration::from_secs_f64(ms.max(0.0) / 1000.0)))
    }
}

fn roughly(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        ..60 => format!("{seconds} s"),
        60..3600 => format!("{} min", seconds / 60),
        3600..86_400 => format!("{} h", seconds / 3600),
        86_400.. => format!("{} d", seconds / 86_400),
    }
}

/// An instant as RFC 3339 has it, or as a field for it does: without a zone, which is UTC.
pub(crate) fn instant(text: &str) -> Option<Timestamp> {
    let whole = match text.len() {
        16 => format!("{text}:00Z"),
        19 => format!("{text}Z"),
        _ => text.to_owned(),
    };
    whole.parse().ok()
}

/// What a field for an instant holds, in UTC: `2025-07-10T14:50:00`. The module `times.js` shows fields with `data-utc` on
/// the viewer's clock, and sends what is typed there in UTC.
pub(crate) fn field(at: Option<Timestamp>) -> String {
    at.map_or_else(String::new, |at| at.to_string()[..19].to_owned())
}

/// The same, or what was typed into the field where that is no instant.
pub(crate) fn field_or(at: Option<Timestamp>, typed: &str) -> String {
    if at.is_some() { field(at) } else { typed.to_owned() }
}

/// `2025-07-10 14:50:00 UTC`.
pub(crate) fn utc(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{} {} UTC", &text[..10], &text[11..19])
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_752_159_000);

    #[test]
    fn an_instant_is_told_in_utc() {
        let told = At(Some(NOW)).to_string();
        assert_eq!(told, r#"<time datetime="2025-07-10T14:50:00.000Z" data-time>2025-07-10 14:50:00 UTC</time>"#);
        assert_eq!(At(None).to_string(), NONE);
    }

    #[test]
    fn an_instant_is_read_as_addresses_and_as_fields_have_it() {
        for text in ["2025-07-10T14:50:00Z", "2025-07-10T16:50:00.000+02:00", "2025-07-10T14:50", "2025-07-10T14:50:00"]
        {
            assert_eq!(instant(text), Some(NOW), "{text}");
        }
        for strange in ["yesterday", "2025-13-10T14:50", "14:50", ""] {
            assert_eq!(instant(strange), None, "{strange}");
        }
        let second = NOW + Duration::from_secs(45);
        assert_eq!(instant(&field(Some(second))), Some(second), "a form that is sent as it is asks for the same");
        assert_eq!(field(None), "");
    }

    #[test]
    fn what_was_and_what_will_be_are_told_in_one_unit() {
        let told = |at| {
            let text = Ago { at: Some(at), now: NOW }.to_string();
            text.split_once('>').unwrap().1.trim_end_matches("</time>").to_owned()
        };
        assert_eq!(told(NOW), "now");
        assert_eq!(told(NOW - Duration::from_secs(59)), "59 s ago");
        assert_eq!(told(NOW - Duration::from_mins(61)), "1 h ago");
        assert_eq!(told(NOW + Duration::from_hours(50)), "in 2 d");
    }

    #[test]
    fn a_span_is_told_in_two_units_at_most() {
        let told = |span| Took(Some(span)).to_string();
        assert_eq!(told(Duration::from_millis(840)), "840 ms");
        assert_eq!(told(Duration::from_millis(1240)), "1.2 s");
        assert_eq!(told(Duration::from_secs(192)), "3 min 12 s");
        assert_eq!(told(Duration::from_mins(125)), "2 h 5 min");
        assert_eq!(told(Duration::from_hours(76)), "3 d 4 h");
    }
}
