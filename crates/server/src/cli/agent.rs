//! `horarium agent`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use horarium_agent::{Allowed, CommandsAllowed, Credential, Settings, Toolbox, hide_process};
use reqwest::Url;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::Failure;
use super::credential::GivenCredential;
use super::signals::{FORCED, Signals};
use super::span::Span;
use crate::config::{Environment, LogFilter, LogFormat, host_name};
use crate::entropy::SystemEntropy;
use crate::telemetry;

/// How long a call for work is held open: short enough for proxies that cut idle connections after half a minute.
const WAIT_SECONDS: u32 = 25;

/// The most operations at once: what one heartbeat can name.
const MOST_AT_ONCE: i64 = 500;

/// What the list of commands is when there is none.
const ALL_COMMANDS: &str = "*";

/// Starts an agent.
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  horarium agent --server https://horarium.example
  horarium agent --hostname web-1 --label group=web.dev --label zone=eu
  horarium agent --allow-commands=uptime,/usr/bin/systemctl
  horarium agent --allow-commands --allow-root /etc/app --allow-root /srv

The credential is HORARIUM_API_KEY or HORARIUM_TOKEN. One that is good for agents alone is made by
  horarium keys create --name agents --scope agents:lease

An agent whose credential is refused exits with 1; one whose server cannot be reached keeps trying.
SIGTERM or Ctrl-C stops it in order: it takes no more work, lets what runs finish for --grace, hands
back the rest, and reports what is left to report. A second one stops it at once; what ran is done
again elsewhere when its lease is up.")]
pub(super) struct Agent {
    /// The server.
    #[arg(long, env = "HORARIUM_SERVER", default_value = "http://127.0.0.1:8080", value_name = "URL", value_parser = web_url)]
    server: Url,
    /// The name that this host goes by; the machine's own unless given.
    #[arg(long, value_name = "NAME")]
    hostname: Option<String>,
    /// What this host is, for targets such as group:web. May be repeated.
    #[arg(long = "label", value_name = "KEY=VALUE", value_parser = label)]
    labels: Vec<(String, String)>,
    /// How many operations run at once.
    #[arg(long, default_value_t = 10, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=MOST_AT_ONCE))]
    concurrency: u16,
    /// Allow command.exec.execute and command.shell.execute: for the listed programs only, by name or absolute path and
    /// separated by commas, or for all. With a list, lines for a shell need 'sh' on it.
    #[arg(
        long,
        value_name = "LIST",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = ALL_COMMANDS,
        value_parser = commands
    )]
    allow_commands: Option<CommandsAllowed>,
    /// Allow file.deploy.execute and file.status.get below this folder. May be repeated.
    #[arg(long = "allow-root", value_name = "DIR")]
    allow_roots: Vec<PathBuf>,
    /// How long what runs may go on once the agent is told to stop: 30s, 5m.
    #[arg(long, default_value = "30s")]
    grace: Span,
    /// Which log lines are written to stderr: a level, or levels by module.
    #[arg(long, env = "HORARIUM_LOG", default_value = "info", value_name = "FILTER", value_parser = log_filter)]
    log: LogFilter,
    /// How log lines are written: text or json.
    #[arg(long, env = "HORARIUM_LOG_FORMAT", default_value = "text", value_name = "FORMAT", value_parser = log_format)]
    log_format: LogFormat,
}

/// A list that holds nothing, such as that of an empty variable, must not allow everything.
fn commands(list: &str) -> Result<CommandsAllowed, &'static str> {
    if list == ALL_COMMANDS {
        return Ok(CommandsAllowed::All);
    }
    let programs: Vec<_> = list.split(',').map(|program| program.trim().to_owned()).collect();
    if programs.iter().any(String::is_empty) {
        return Err("a list names programs, separated by commas; --allow-commands alone allows all");
    }
    Ok(CommandsAllowed::Listed(programs))
}

fn web_url(text: &str) -> Result<Url, &'static str> {
    let url = text.parse().ok().filter(|url: &Url| matches!(url.scheme(), "http" | "https"));
    url.ok_or("a server has an http or https URL, such as https://horarium.example")
}

fn label(text: &str) -> Result<(String, String), &'static str> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() && !value.is_empty() && !key.contains(':') => {
            Ok((key.to_owned(), value.to_owned()))
        }
        _ => Err("a label is KEY=VALUE, such as group=web.dev, and its key holds no colon"),
    }
}

/// One value for each key.
fn unambiguous(labels: Vec<(String, String)>) -> Result<BTreeMap<String, String>, Failure> {
    let mut by_key = BTreeMap::new();
    for (key, value) in labels {
        if by_key.contains_key(&key) {
            return Err(Failure::new(format!("--label gives '{key}' two values; a label has one")));
        }
        by_key.insert(key, value);
    }
    Ok(by_key)
}

fn log_filter(text: &str) -> Result<LogFilter, &'static str> {
    text.parse().map_err(|()| "a filter is error, warn, info, debug or trace, or levels by module")
}

fn log_format(text: &str) -> Result<LogFormat, &'static str> {
    text.parse().map_err(|()| "the formats are text and json")
}

impl Agent {
    pub(super) async fn run(self) -> Result<ExitCode, Failure> {
        let credential = match GivenCredential::of(&Environment::of_process())? {
            Some(GivenCredential::Token(token)) => Credential::Token(token),
            Some(GivenCredential::Key(key)) => Credential::Key(key),
            None => {
                return Err(Failure::new(
                    "no credential: set HORARIUM_API_KEY ('horarium keys create --name agents --scope agents:lease' \
                     makes one) or HORARIUM_TOKEN ('horarium token create --role agent')",
                ));
            }
        };
        telemetry::start_agent_logging(&self.log, self.log_format);
        let allowed = Allowed { commands: self.allow_commands.unwrap_or_default(), roots: self.allow_roots };
        if allowed.commands != CommandsAllowed::None {
            hide_process();
        }
        let toolbox = Toolbox::new(&allowed)?;
        let settings = Settings {
            server: self.server,
            credential,
            hostname: self.hostname.unwrap_or_else(host_name),
            labels: unambiguous(self.labels)?,
            concurrency: self.concurrency.into(),
            grace: self.grace.0,
            wait_seconds: WAIT_SECONDS,
        };
        run_until_told_to_stop(horarium_agent::Agent::new(settings, toolbox, Arc::new(SystemEntropy))?).await
    }
}

async fn run_until_told_to_stop(agent: horarium_agent::Agent) -> Result<ExitCode, Failure> {
    let mut signals = Signals::listen()?;
    let shutdown = CancellationToken::new();
    let running = agent.run(shutdown.clone());
    tokio::pin!(running);
    let name = tokio::select! {
        ended = &mut running => {
            ended?;
            return Ok(ExitCode::SUCCESS);
        }
        name = signals.next() => name,
    };
    info!(signal = name, "stopping; once more stops at once");
    shutdown.cancel();
    tokio::select! {
        ended = &mut running => {
            ended?;
            Ok(ExitCode::SUCCESS)
        }
        name = signals.once_more() => {
            warn!(signal = name, "stopped at once: what ran is done again elsewhere when its lease is up");
            std::process::exit(FORCED)
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        agent: Agent,
    }

    fn agent(arguments: &[&str]) -> Agent {
        let line = ["agent", "--server", "http://127.0.0.1:1"].iter().chain(arguments);
        Line::try_parse_from(line).unwrap().agent
    }

    #[test]
    fn commands_are_allowed_not_at_all_by_list_or_altogether() {
        assert_eq!(agent(&[]).allow_commands, None);
        assert_eq!(agent(&["--allow-commands"]).allow_commands, Some(CommandsAllowed::All));
        let listed = agent(&["--allow-commands=uptime, /bin/ls", "--allow-root", "/srv"]);
        assert_eq!(listed.allow_roots, [PathBuf::from("/srv")]);
        let programs = ["uptime", "/bin/ls"].map(str::to_owned).to_vec();
        assert_eq!(listed.allow_commands, Some(CommandsAllowed::Listed(programs)));
    }

    #[test]
    fn a_list_that_names_nothing_is_no_list() {
        for flag in ["--allow-commands=", "--allow-commands=,", "--allow-commands=ls,"] {
            assert!(Line::try_parse_from(["agent", flag]).is_err(), "{flag}");
        }
    }

    #[test]
    fn a_server_that_no_agent_can_reach_is_refused_at_once() {
        for wrong in ["ftp://horarium.example", "horarium.example:8080", "", "/run/horarium.sock"] {
            assert!(web_url(wrong).is_err(), "{wrong}");
        }
        assert!(web_url("https://horarium.example").is_ok());
    }

    #[test]
    fn labels_are_keys_with_values() {
        let labels = agent(&["--label", "group=web.dev", "--label", "note=a=b"]).labels;
        assert_eq!(labels, [("group".into(), "web.dev".into()), ("note".into(), "a=b".into())]);
        for wrong in ["group", "=web", "group=", "a:b=c"] {
            assert!(label(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_label_has_one_value() {
        let told = unambiguous(agent(&["--label", "group=web", "--label", "group=db"]).labels).unwrap_err().to_string();
        assert_eq!(told, "--label gives 'group' two values; a label has one");
        assert_eq!(unambiguous(agent(&["--label", "group=web", "--label", "zone=eu"]).labels).unwrap().len(), 2);
    }
}
