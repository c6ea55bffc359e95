//! The variables of the environment that begin with `HORARIUM_`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::error::ConfigError;
use super::settings::SETTINGS;
use super::source::{Assigned, Raw, Source};
use super::{Layer, closest};

/// The prefix of every variable.
const PREFIX: &str = "HORARIUM_";

/// The configuration file.
pub(super) const CONFIG: &str = "HORARIUM_CONFIG";

/// Variables that are no settings of the server: what its clients read, what its jobs' programs are told, and what its
/// own scripts and tests go by.
const OTHERS: [&str; 14] = [
    CONFIG,
    "HORARIUM_SERVER",
    "HORARIUM_TOKEN",
    "HORARIUM_API_KEY",
    "HORARIUM_EXECUTION_ID",
    "HORARIUM_JOB_ID",
    "HORARIUM_ATTEMPT",
    "HORARIUM_BIN",
    "HORARIUM_TOOLS",
    "HORARIUM_PG_BIN",
    "HORARIUM_SKIP_POSTGRES",
    "HORARIUM_CI_CACHE",
    "HORARIUM_FUZZ_SECONDS",
    "HORARIUM_FUZZ_POSTGRES",
];

/// How the variables of tests begin.
const TESTS: &str = "HORARIUM_TEST_";

/// A secret may be in a file, which the variable with this ending names: the way in which containers are given them.
const FILE_ENDING: &str = "_FILE";

/// The variables of a process.
#[derive(Debug, Clone, Default)]
pub(crate) struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Those of this process.
    pub(crate) fn of_process() -> Self {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect()
    }

    /// A variable, if it is set.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// What it assigns.
    pub(super) fn assignments(&self) -> Result<Layer, ConfigError> {
        let mut layer = Layer::new();
        for setting in SETTINGS.iter() {
            let variable = setting.variable();
            let in_file = format!("{variable}{FILE_ENDING}");
            if let Some(value) = self.get(&variable) {
                let source = Source::Environment(variable);
                layer.insert(setting.name, Assigned { raw: Raw::One(value.to_owned()), source });
            } else if let Some(path) = self.get(&in_file).filter(|_| setting.is_secret) {
                let source = Source::Environment(in_file);
                let path = PathBuf::from(path);
                let value = std::fs::read_to_string(&path).map_err(|error| ConfigError::Unreadable {
                    path,
                    named_by: source.clone(),
                    error,
                })?;
                layer.insert(setting.name, Assigned { raw: Raw::One(value), source });
            }
        }
        Ok(layer)
    }

    /// Variables by which somebody meant to set something, and which do nothing.
    pub(super) fn warnings(&self) -> Vec<String> {
        let is_setting = |variable: &str| {
            SETTINGS.iter().any(|setting| {
                let rest = variable.strip_prefix(&setting.variable());
                rest == Some("") || (setting.is_secret && rest == Some(FILE_ENDING))
            })
        };
        let is_other = |variable: &str| OTHERS.contains(&variable) || variable.starts_with(TESTS);
        self.0
            .iter()
            .filter(|(variable, value)| !is_setting(variable) && !is_other(variable) && !is_service(variable, value))
            .filter_map(|(variable, _)| Some((variable, variable.strip_prefix(PREFIX)?)))
            .map(|(variable, name)| {
                let meant = closest(name, SETTINGS.iter().map(|setting| setting.name)).map(str::to_ascii_uppercase);
                let hint = meant.map(|meant| format!("; did you mean {PREFIX}{meant}?")).unwrap_or_default();
                format!("{variable} is no setting{hint}")
            })
            .collect()
    }
}

/// Whether Kubernetes sets it, in every pod beside a service that is called `horarium`.
fn is_service(variable: &str, value: &str) -> bool {
    let is_of = |start: &str| variable.starts_with(start);
    is_of("HORARIUM_SERVICE_HOST") || is_of("HORARIUM_SERVICE_PORT") || is_of("HORARIUM_PORT_")
        // Without an address, somebody meant to set the port.
        || (variable == "HORARIUM_PORT" && value.contains("://"))
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}
