//! A page's own address, from which its links to itself are made: each changes one thing and keeps the rest.

use std::fmt;

use url::form_urlencoded::Serializer;

/// A path, and what its query says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Address {
    path: String,
    fields: Vec<(&'static str, String)>,
}

impl Address {
    /// A path without a query.
    pub(crate) fn new(path: impl Into<String>) -> Self {
        Self { path: path.into(), fields: Vec::new() }
    }

    /// The same with a field of the query in place of what it said before; without it where the value is empty.
    #[must_use]
    pub(crate) fn with(&self, name: &'static str, value: &str) -> Self {
        let others = self.fields.iter().filter(|(given, _)| *given != name).cloned();
        let this = (!value.is_empty()).then(|| (name, value.to_owned()));
        Self { path: self.path.clone(), fields: others.chain(this).collect() }
    }

    /// The address up to where one more field follows.
    pub(crate) fn open(&self) -> String {
        let end = if self.fields.is_empty() { '?' } else { '&' };
        format!("{self}{end}")
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        if self.fields.is_empty() {
            return Ok(());
        }
        write!(f, "?{}", Serializer::new(String::new()).extend_pairs(&self.fields).finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_changes_one_thing_and_keeps_the_rest() {
        let jobs = Address::new("/jobs");
        assert_eq!((jobs.to_string(), jobs.open()), ("/jobs".to_owned(), "/jobs?".to_owned()));
        let found = jobs.with("search", "a & b").with("status", "Paused").with("tag", "");
        assert_eq!(found.to_string(), "/jobs?search=a+%26+b&status=Paused");
        assert_eq!(found.with("status", "").open(), "/jobs?search=a+%26+b&");
        assert_eq!(found.with("search", "c").to_string(), "/jobs?status=Paused&search=c");
    }
}
