//! `horarium secrets`.

use std::process::ExitCode;

use clap::{Args, Subcommand};
use horarium_scheduler_engine::service::SecretsFound;
use serde_json::json;

use super::output::{self, Format, OutputFlag};
use super::{Failure, configuration};
use crate::compose;
use crate::config::SettingFlags;
use crate::secrets;

/// What can be done with secrets.
#[derive(Debug, Subcommand)]
pub(super) enum Secrets {
    /// Tell whether all secrets open with this node's keys, and whether all are sealed with the newest. The exit code
    /// is 1 when one does not open.
    #[command(after_help = "Example:
  horarium secrets check")]
    Check(Common),
    /// Seal every secret with the newest key: the first one in the setting 'secret_key'.
    ///
    /// To change the key: set secret_key to 'new,old' on every node and restart them; run this; then set it to 'new'.
    /// Servers may go on working meanwhile.
    #[command(after_help = "Example:
  HORARIUM_SECRET_KEY=$NEW,$OLD horarium secrets rotate")]
    Rotate(Common),
}

#[derive(Debug, Args)]
pub(super) struct Common {
    #[command(flatten)]
    format: OutputFlag,
    #[command(flatten)]
    settings: SettingFlags,
}

impl Secrets {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        let (Self::Check(common) | Self::Rotate(common)) = &self;
        let config = configuration(&common.settings)?.config;
        // Without a key there would be nothing to tell.
        secrets::find_keys(&config)?;
        let store = compose::connect_to_existing(&config).await?;
        let (_core, services) = compose::services(&config, store)?;
        let (sealed, found) = match &self {
            Self::Check(_) => (None, services.secrets.examine().await?),
            Self::Rotate(_) => {
                let (sealed, found) = services.secrets.rotate().await?;
                (Some(sealed), found)
            }
        };
        match common.format.output {
            Format::Table => tell(sealed, &found),
            Format::Json => output::json(&json!({
                "sealed": sealed,
                "current": found.current,
                "outdated": found.outdated,
                "unopened": found.unopened,
                "missingKeys": found.missing_keys,
            })),
        }
        Ok(if found.unopened > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}

fn tell(sealed: Option<u64>, found: &SecretsFound) {
    if let Some(sealed) = sealed {
        output::line(&format!("{sealed} jobs, executions and webhooks were sealed anew"));
    }
    let of = "jobs, executions and webhooks";
    output::line(&format!("{} {of} have no secrets, or have them sealed with the newest key", found.current));
    if found.outdated > 0 {
        output::line(&format!("{} {of} have secrets that are not sealed with the newest key", found.outdated));
    }
    if found.unopened > 0 {
        let keys = found.missing_keys.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        output::line(&format!("{} {of} have secrets that do not open (missing keys: {keys})", found.unopened));
    }
}
