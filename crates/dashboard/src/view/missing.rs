//! What stands where a part of a page could not be read; the other parts are shown all the same.

use std::fmt;

use askama::filters::HtmlSafe;

/// A part of a page that is not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Missing {
    /// What, such as `the timeline`.
    pub(crate) what: &'static str,
    /// Whether the database is away; otherwise something is wrong with the server.
    pub(crate) is_away: bool,
    /// The request that the log tells the cause of.
    pub(crate) request_id: String,
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, is_away, request_id } = self;
        f.write_str(r#"<p class="flash bad">"#)?;
        if *is_away {
            write!(f, "The database did not answer, so {what} cannot be shown. Reload the page to ask again.")?;
        } else {
            write!(f, "Something went wrong with {what}. The server's log says more under the request {request_id}.")?;
        }
        f.write_str("</p>")
    }
}

impl HtmlSafe for Missing {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_says_what_is_missing_and_what_to_do() {
        let missing = |is_away| Missing { what: "the timeline", is_away, request_id: "r-1".to_owned() }.to_string();
        assert!(missing(true).contains("so the timeline cannot be shown. Reload"));
        assert!(missing(false).contains("with the timeline. The server's log says more under the request r-1."));
    }
}
