//! The configuration file: TOML, one `name = value` per setting.

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::error::ConfigError;
use super::settings::SETTINGS;
use super::source::{Assigned, Raw, Source};
use super::{Layer, closest};

/// The file that is read when none is named.
pub(super) const DEFAULT: &str = "horarium.toml";

/// Which file, and who named it.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) path: PathBuf,
    /// [`Source::Default`]: nobody; it need not exist then.
    pub(super) by: Source,
}

/// What the file assigns.
pub(super) fn read(named: &Named) -> Result<Layer, ConfigError> {
    match std::fs::read_to_string(&named.path) {
        Ok(text) => parse(&named.path, &text),
        Err(error) if named.by == Source::Default && error.kind() == std::io::ErrorKind::NotFound => Ok(Layer::new()),
        Err(error) => Err(ConfigError::Unreadable { path: named.path.clone(), named_by: named.by.clone(), error }),
    }
}

fn parse(path: &Path, text: &str) -> Result<Layer, ConfigError> {
    let line_at = |offset: usize| text.get(..offset).map_or(1, |before| before.matches('\n').count() + 1);
    let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: line_at(error.span().map_or(0, |span| span.start)),
        message: error.message().replace('\n', "; "),
    })?;

    let mut layer = Layer::new();
    for (key, value) in table.get_ref() {
        let name = key.get_ref();
        let source = Source::File { path: path.to_owned(), line: line_at(key.span().start) };
        let Some(setting) = SETTINGS.iter().find(|setting| setting.name == name) else {
            let hint = closest(name, SETTINGS.iter().map(|setting| setting.name));
            return Err(ConfigError::Unknown { at: source, name: name.to_string(), hint });
        };
        let raw = raw(value.get_ref()).ok_or_else(|| ConfigError::Wrong {
            name: setting.name,
            value: value.get_ref().type_str().to_owned(),
            at: source.clone(),
            reason: format!("it must be {}", setting.allowed),
        })?;
        layer.insert(setting.name, Assigned { raw, source });
    }
    Ok(layer)
}

/// `None` for what no setting takes: tables, and arrays within arrays.
fn raw(value: &DeValue<'_>) -> Option<Raw> {
    match value {
        DeValue::Array(items) => items
            .iter()
            .map(|item| match raw(item.get_ref())? {
                Raw::One(text) => Some(text),
                Raw::Many(_) => None,
            })
            .collect::<Option<_>>()
            .map(Raw::Many),
        DeValue::Table(_) => None,
        DeValue::String(text) => Some(Raw::One(text.to_string())),
        DeValue::Integer(number) => {
            let digits = number.as_str().replace('_', "");
            let decimal = i64::from_str_radix(&digits, number.radix()).map_or(digits, |number| number.to_string());
            Some(Raw::One(decimal))
        }
        DeValue::Float(number) => Some(Raw::One(number.as_str().to_owned())),
        DeValue::Boolean(flag) => Some(Raw::One(flag.to_string())),
        DeValue::Datetime(instant) => Some(Raw::One(instant.to_string())),
    }
}
