//! Which agents an operation is for.

use std::fmt;
use std::str::FromStr;

use super::{Agent, check_hostname};

/// Which agents an operation is for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Target {
    /// `_any`: one agent, whichever asks first.
    #[default]
    Any,
    /// `_all`: every agent.
    All,
    /// The agent of this hostname.
    Host(String),
    /// `key:value`: every agent whose label of this key has this value, or one that continues it after a dot.
    Label {
        /// The label's key.
        key: String,
        /// The value, or the front of it up to a dot.
        value: String,
    },
}

/// The text is no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no target: give _any, _all, a hostname, or a label as key:value")]
pub struct InvalidTarget(String);

/// The most characters of a label's key and of its value.
const LABEL_CHARS: usize = 253;

impl Target {
    /// Whether an agent belongs to it.
    pub fn matches(&self, agent: &Agent) -> bool {
        match self {
            Self::Any | Self::All => true,
            Self::Host(hostname) => agent.hostname == *hostname,
            Self::Label { key, value } => agent.labels.get(key).is_some_and(|label| continues(label, value)),
        }
    }

    /// Whether each agent that matches does the work, not only one.
    pub const fn is_broadcast(&self) -> bool {
        match self {
            Self::All | Self::Label { .. } => true,
            Self::Any | Self::Host(_) => false,
        }
    }
}

/// Whether `label` is `value`, or goes on after it with a dot.
fn continues(label: &str, value: &str) -> bool {
    label.strip_prefix(value).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

impl FromStr for Target {
    type Err = InvalidTarget;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let invalid = || InvalidTarget(text.chars().take(100).collect());
        let sound =
            |part: &str| (1..=LABEL_CHARS).contains(&part.chars().count()) && !part.chars().any(char::is_control);
        match text {
            "_any" => Ok(Self::Any),
            "_all" => Ok(Self::All),
            _ => match text.split_once(':') {
                Some((key, value)) if sound(key) && sound(value) => {
                    Ok(Self::Label { key: key.to_owned(), value: value.to_owned() })
                }
                Some(_) => Err(invalid()),
                None => check_hostname(text).map(|()| Self::Host(text.to_owned())).map_err(|_| invalid()),
            },
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("_any"),
            Self::All => f.write_str("_all"),
            Self::Host(hostname) => f.write_str(hostname),
            Self::Label { key, value } => write!(f, "{key}:{value}"),
        }
    }
}
