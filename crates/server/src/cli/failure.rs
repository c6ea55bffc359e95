//! Why a command did not do what it was asked.

use std::error::Error;
use std::fmt;

/// One line for people.
#[derive(Debug)]
pub(crate) struct Failure(String);

impl Failure {
    /// With this line.
    pub(crate) fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Any error, with its causes where its own words do not tell them. It is why `Failure` itself is no `Error`.
impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        let mut line = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let words = error.to_string();
            if !line.contains(&words) {
                line = format!("{line}: {words}");
            }
            cause = error.source();
        }
        Self(line)
    }
}
