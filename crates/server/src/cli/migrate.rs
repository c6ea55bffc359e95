//! `horarium migrate`.

use std::process::ExitCode;

use clap::Args;

use super::{Failure, configuration, output};
use crate::compose;
use crate::config::SettingFlags;

/// Runs the migrations that the database lacks.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  horarium migrate
  horarium migrate --check       exit with 1 if any is missing, and run none
  HORARIUM_DATABASE_URL=postgres://me@db/horarium horarium migrate")]
pub(super) struct Migrate {
    /// Only tell what is missing.
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    settings: SettingFlags,
}

impl Migrate {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        let config = configuration(&self.settings)?.config;
        if self.check
            && let Some(path) = compose::missing_file(&config)
        {
            output::line(&format!("missing: all of them; there is no database at {}", path.display()));
            return Ok(ExitCode::FAILURE);
        }
        let store = compose::connect(&config).await?;
        let (names, verb) = if self.check {
            (store.pending_migrations().await?, "missing")
        } else {
            (store.migrate().await?, "applied")
        };
        for name in &names {
            output::line(&format!("{verb}: {name}"));
        }
        if names.is_empty() {
            output::line(&format!("{} is up to date", config.database_url));
        }
        Ok(if self.check && !names.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS })
    }
}
