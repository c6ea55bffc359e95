//! `horarium config`.

use std::process::ExitCode;

use clap::Args;
use serde_json::{Map, json};

use super::output::{self, Format, OutputFlag};
use super::{Failure, configuration};
use crate::config::{SETTINGS, SettingFlags};

/// Shows every setting as it holds here.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  horarium config
  horarium config --output json
  HORARIUM_LEASE_SECONDS=10 horarium config --config /etc/horarium.toml")]
pub(super) struct ShowConfig {
    #[command(flatten)]
    format: OutputFlag,
    #[command(flatten)]
    settings: SettingFlags,
}

impl ShowConfig {
    pub(super) fn run(self) -> Result<ExitCode, Failure> {
        let rows = configuration(&self.settings)?.rows;
        match self.format.output {
            Format::Table => {
                let row = |row: &crate::config::Row| {
                    let value = if row.value.is_empty() { unset(row.name) } else { row.value.clone() };
                    [row.name.to_owned(), value, row.source.to_string()]
                };
                output::table(["SETTING", "VALUE", "SOURCE"], &rows.iter().map(row).collect::<Vec<_>>());
            }
            Format::Json => {
                let entries = rows.into_iter().map(|row| {
                    let value = Some(row.value).filter(|value| !value.is_empty());
                    (row.name.to_owned(), json!({ "value": value, "source": row.source.to_string() }))
                });
                output::json(&entries.collect::<Map<_, _>>().into());
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

/// What holds when a setting is not set.
fn unset(name: &str) -> String {
    let words = SETTINGS.iter().find(|setting| setting.name == name).map_or("none", |setting| setting.default);
    format!("({})", words.replace('`', ""))
}
