//! Concurrency keys: what executions of any job and queue have in common that limits can be set on, such as the customer
//! that they are for or the account that they call.

use std::fmt;
use std::str::FromStr;

/// A concurrency key: 1 to 200 characters, none of them a control character, with no space at either end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConcurrencyKey(String);

/// The text is no concurrency key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a concurrency key is 1 to 200 characters, none of them a control character, with no space at either end")]
pub struct InvalidConcurrencyKey;

impl ConcurrencyKey {
    /// The most characters that a key has.
    pub const MAX_CHARS: usize = 200;

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for ConcurrencyKey {
    type Err = InvalidConcurrencyKey;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::try_from(text.to_owned())
    }
}

impl TryFrom<String> for ConcurrencyKey {
    type Error = InvalidConcurrencyKey;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let sound = (1..=Self::MAX_CHARS).contains(&text.chars().count())
            && text.trim().len() == text.len()
            && !text.chars().any(char::is_control);
        if sound { Ok(Self(text)) } else { Err(InvalidConcurrencyKey) }
    }
}

impl From<ConcurrencyKey> for String {
    fn from(key: ConcurrencyKey) -> Self {
        key.0
    }
}

impl fmt::Display for ConcurrencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The limits of what has one key, over all of its tenant's jobs and queues. A key that nobody set any on has none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyLimits {
    /// Which key.
    pub key: ConcurrencyKey,
    /// How many executions with it may run at once, over all nodes.
    pub max_concurrency: Option<u32>,
    /// How many executions with it may start per second, over all nodes.
    pub rate_limit_per_second: Option<u32>,
}

impl KeyLimits {
    /// A key without limits.
    pub const fn none(key: ConcurrencyKey) -> Self {
        Self { key, max_concurrency: None, rate_limit_per_second: None }
    }

    /// Whether there is no limit at all.
    pub const fn is_none(&self) -> bool {
        self.max_concurrency.is_none() && self.rate_limit_per_second.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_any_short_text_that_people_can_read() {
        for sound in ["a", "customer:42", "Zoë Ltd., no. 7", &"ü".repeat(200)] {
            assert_eq!(sound.parse::<ConcurrencyKey>().map(|key| key.to_string()), Ok(sound.to_owned()));
        }
        for wrong in ["", " a", "a ", "two\nlines", "nul\0", &"a".repeat(201)] {
            assert_eq!(wrong.parse::<ConcurrencyKey>(), Err(InvalidConcurrencyKey), "{wrong:?}");
        }
    }
}
