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

/// Variables that are no settings of the server.
const OTHERS: [&str; 4] = [CONFIG, "HORARIUM_SERVER", "HORARIUM_TOKEN", "HORARIUM_API_KEY"];

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

    /// Variables that look like a misspelt setting. Others may belong to another program, so nothing is said of them.
    pub(super) fn warnings(&self) -> Vec<String> {
        let names = || SETTINGS.iter().map(|setting| setting.name);
        let is_setting = |name: &str| {
            let whole = name.to_ascii_lowercase();
            let secret = whole.strip_suffix("_file").and_then(|name| SETTINGS.iter().find(|it| it.name == name));
            names().any(|known| known == whole) || secret.is_some_and(|setting| setting.is_secret)
        };
        self.0
            .keys()
            .filter(|variable| !OTHERS.contains(&variable.as_str()))
            .filter_map(|variable| Some((variable, variable.strip_prefix(PREFIX)?)))
            .filter(|(_, name)| !is_setting(name))
            .filter_map(|(variable, name)| Some((variable, closest(name, names())?)))
            .map(|(variable, meant)| {
                format!("{variable} is no setting; did you mean {PREFIX}{}?", meant.to_ascii_uppercase())
            })
            .collect()
    }
}

impl FromIterator<(String, String)> for Environment {
    fn from_iter<I: IntoIterator<Item = (String, String)>>(variables: I) -> Self {
        Self(variables.into_iter().collect())
    }
}
