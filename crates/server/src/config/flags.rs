//! The flags: one per setting, made from its declaration, and `--config`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};

use super::Layer;
use super::environment::{CONFIG, Environment};
use super::file::{self, Named};
use super::settings::SETTINGS;
use super::source::{Assigned, Raw, Source};

/// The settings that `-h` shows; `--help` shows them all.
const IN_SHORT_HELP: [&str; 4] = ["listen", "data_dir", "database_url", "log"];

/// Settings given as flags. Secrets have none, since every process on a machine can read the others' arguments.
#[derive(Debug, Clone, Default)]
pub(crate) struct SettingFlags {
    pub(super) config: Option<PathBuf>,
    pub(super) given: BTreeMap<&'static str, String>,
}

impl SettingFlags {
    /// Just the data folder, if one is named.
    pub(crate) fn of_data_dir(folder: Option<&str>) -> Self {
        let given = folder.map(|folder| ("data_dir", folder.to_owned())).into_iter().collect();
        Self { config: None, given }
    }

    /// The configuration file to read.
    pub(super) fn file(&self, environment: &Environment) -> Named {
        match (&self.config, environment.get(CONFIG).filter(|path| !path.is_empty())) {
            (Some(path), _) => Named { path: path.clone(), by: Source::Flag("--config".into()) },
            (None, Some(path)) => Named { path: path.into(), by: Source::Environment(CONFIG.into()) },
            (None, None) => Named { path: file::DEFAULT.into(), by: Source::Default },
        }
    }

    /// What they assign.
    pub(super) fn assignments(&self) -> Layer {
        let assigned = |name: &str, value: &String| Assigned {
            raw: Raw::One(value.clone()),
            source: Source::Flag(format!("--{}", name.replace('_', "-"))),
        };
        self.given.iter().map(|(name, value)| (*name, assigned(name, value))).collect()
    }
}

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        let config = Arg::new("config")
            .long("config")
            .value_name("FILE")
            .value_parser(clap::value_parser!(PathBuf))
            .help_heading("Settings")
            .help(format!(
                "The configuration file, in TOML [env: {CONFIG}] [default: {} if it is there]",
                file::DEFAULT
            ));
        let command = command.arg(config);
        SETTINGS.iter().filter(|setting| !setting.is_secret).fold(command, |command, setting| {
            command.arg(
                Arg::new(setting.name)
                    .long(setting.flag.as_str())
                    .value_name("VALUE")
                    .allow_hyphen_values(true)
                    .hide_short_help(!IN_SHORT_HELP.contains(&setting.name))
                    .help_heading("Settings")
                    .help(format!(
                        "{} [env: {}] [default: {}]",
                        setting.about,
                        setting.variable(),
                        setting.default.replace('`', "")
                    )),
            )
        })
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Self::default();
        flags.update_from_arg_matches(matches)?;
        Ok(flags)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        if let Some(path) = matches.get_one::<PathBuf>("config") {
            self.config = Some(path.clone());
        }
        for setting in SETTINGS.iter().filter(|setting| !setting.is_secret) {
            if let Some(value) = matches.get_one::<String>(setting.name) {
                self.given.insert(setting.name, value.clone());
            }
        }
        Ok(())
    }
}
