//! The credential that commands call a server with.

use super::Failure;
use crate::config::Environment;

/// What the environment gives.
pub(super) enum GivenCredential {
    /// HORARIUM_TOKEN.
    Token(String),
    /// HORARIUM_API_KEY.
    Key(String),
}

impl GivenCredential {
    /// The one that is set; both are one too many.
    pub(super) fn of(environment: &Environment) -> Result<Option<Self>, Failure> {
        let given = |name| environment.get(name).map(str::trim).filter(|value| !value.is_empty()).map(str::to_owned);
        match (given("HORARIUM_TOKEN"), given("HORARIUM_API_KEY")) {
            (Some(token), None) => Ok(Some(Self::Token(token))),
            (None, Some(key)) => Ok(Some(Self::Key(key))),
            (None, None) => Ok(None),
            (Some(_), Some(_)) => {
                Err(Failure::new("HORARIUM_TOKEN and HORARIUM_API_KEY are both set; unset one of the two"))
            }
        }
    }
}
