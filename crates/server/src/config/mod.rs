//! The configuration: a TOML file, the environment and flags, in that order of rising precedence.
//!
//! Every setting is declared once, in [`settings`]: its name gives the key in the file, the variable
//! `HORARIUM_<NAME>` and the flag `--<name>`, and its comment is what help texts and docs/configuration.md say of it.
//! Each value remembers where it came from, so that an error and `horarium config` can name the place to change.

mod environment;
mod error;
mod file;
mod flags;
mod kind;
mod settings;
mod source;

use std::collections::BTreeMap;

pub(crate) use environment::Environment;
pub(crate) use error::ConfigError;
pub(crate) use flags::SettingFlags;
pub(crate) use kind::{JwksLocation, LogFilter, LogFormat, SecretText};
pub(crate) use settings::{Config, SETTINGS, host_name};
pub(crate) use source::Source;

use source::Assigned;

/// What is assigned to settings, by their names; each layer on top of the former replaces its assignments.
type Layer = BTreeMap<&'static str, Assigned>;

/// A sound configuration, and how it came about.
pub(crate) struct Loaded {
    /// The values.
    pub(crate) config: Config,
    /// The same for people, in the order of declaration.
    pub(crate) rows: Vec<Row>,
    /// What looks like a mistake and stops nothing.
    pub(crate) warnings: Vec<String>,
}

/// One setting as it holds.
pub(crate) struct Row {
    /// The setting.
    pub(crate) name: &'static str,
    /// Its value, masked if it is secret; empty when nothing is set.
    pub(crate) value: String,
    /// Where the value came from.
    pub(crate) source: Source,
}

impl Loaded {
    /// Where the value of a setting came from.
    pub(crate) fn source(&self, name: &str) -> Source {
        self.rows.iter().find(|row| row.name == name).map_or(Source::Default, |row| row.source.clone())
    }
}

/// Reads the file, the environment and the flags, and checks every value.
pub(crate) fn load(flags: &SettingFlags, environment: &Environment) -> Result<Loaded, ConfigError> {
    let mut layer = file::read(&flags.file(environment))?;
    layer.extend(environment.assignments()?);
    layer.extend(flags.assignments());
    let (config, rows) = Config::read(&layer)?;
    config.check(&rows)?;
    Ok(Loaded { config, rows, warnings: environment.warnings() })
}

/// The name among `known` that `name` was probably meant to be.
fn closest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let name = name.to_ascii_lowercase();
    known
        .map(|candidate| (distance(&name, candidate), candidate))
        .filter(|(away, _)| *away <= 2)
        .min()
        .map(|(_, it)| it)
}

/// How many letters have to be added, removed or replaced to get from one word to the other.
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, a) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, b) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(a != *b);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests;
