//! What is wrong with a configuration, in one line each.

use std::path::PathBuf;

use super::source::Source;

/// The configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConfigError {
    /// A file that was named cannot be read.
    #[error("{} cannot be read ({named_by}): {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Who named it.
        named_by: Source,
        /// Why not.
        error: std::io::Error,
    },
    /// The file is no TOML.
    #[error("{}, line {line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// There is no such setting.
    #[error("{at}: there is no setting '{name}'{}; 'horarium config' lists them all", hint.map(|hint| format!(", did you mean '{hint}'?")).unwrap_or_default())]
    Unknown {
        /// Where.
        at: Source,
        /// What was written.
        name: String,
        /// What may have been meant.
        hint: Option<&'static str>,
    },
    /// A value that its setting cannot take.
    #[error("the setting '{name}' cannot be '{value}' ({at}): {reason}")]
    Wrong {
        /// The setting.
        name: &'static str,
        /// The value, masked if it is secret.
        value: String,
        /// Where it came from.
        at: Source,
        /// What is allowed.
        reason: String,
    },
    /// A setting that is of no use without another.
    #[error("'{name}' ({at}) needs '{other}', which is not set")]
    Needs {
        /// The setting.
        name: &'static str,
        /// Where it came from.
        at: Source,
        /// What it needs.
        other: &'static str,
    },
    /// Settings that exclude each other.
    #[error(
        "'{first}' ({first_at}) and '{second}' ({second_at}) exclude each other: tokens are checked with one of jwt_secret, jwt_public_key and jwks; remove one of the two"
    )]
    Exclusive {
        /// The one.
        first: &'static str,
        /// Where it came from.
        first_at: Source,
        /// The other.
        second: &'static str,
        /// Where it came from.
        second_at: Source,
    },
}
