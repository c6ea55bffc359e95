//! The command line: what each command takes, and the way to it.

mod agent;
mod api;
mod completions;
mod config;
mod credential;
mod doctor;
mod executions;
mod failure;
mod jobs;
mod keys;
mod migrate;
mod output;
mod secrets;
mod serve;
mod signals;
mod span;
mod tenants;
mod token;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::config::{Environment, Loaded, SettingFlags, load};

pub(crate) use failure::Failure;

const EXAMPLES: &str = "\
Examples:
  horarium serve                       start here, with an embedded database
  horarium serve --database-url postgres://me@db/horarium --listen 0.0.0.0:8080
  horarium token create --tenant default --role admin
  horarium jobs create -f job.json
  horarium jobs trigger nightly-report --wait
  horarium executions list --status Failed
  horarium doctor                      check this machine before relying on it

Every command explains itself with --help.";

/// A job scheduler and execution service.
#[derive(Debug, Parser)]
#[command(name = "horarium", version, about, after_help = EXAMPLES, max_term_width = 120, arg_required_else_help = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the server.
    ///
    /// Without any argument it works on an embedded database in ./horarium-data and listens on 127.0.0.1:8080. At its
    /// first start it prints a token, and what to do with it.
    Serve(serve::Serve),
    /// Bring the database's schema up to this version.
    ///
    /// `serve` does so too, before anything else; several nodes may do it at once.
    Migrate(migrate::Migrate),
    /// Make tokens for people and programs.
    #[command(subcommand)]
    Token(token::Token),
    /// Look after API keys, directly in the database.
    #[command(subcommand)]
    Keys(keys::Keys),
    /// Look after tenants, directly in the database.
    #[command(subcommand)]
    Tenants(tenants::Tenants),
    /// Look after the secrets in the database: those of jobs' headers and bodies.
    #[command(subcommand)]
    Secrets(secrets::Secrets),
    /// Show every setting, and where its value comes from.
    ///
    /// Flags win over the environment, and the environment over the file. Secrets are masked.
    Config(config::ShowConfig),
    /// Check that a server can work here.
    ///
    /// Looks at the configuration, the data folder, the secret, the database, its schema and clock, and the address. It
    /// changes nothing and may be run beside a running server. The exit code is 1 if anything fails; a warning is no
    /// failure.
    Doctor(doctor::Doctor),
    /// Work with jobs, through the API of a running server.
    ///
    /// The credential is HORARIUM_TOKEN or HORARIUM_API_KEY. With neither, on the server's own machine, a token is made
    /// with the secret in the data folder.
    #[command(subcommand)]
    Jobs(jobs::Jobs),
    /// Work with executions, through the API of a running server.
    ///
    /// The credential is HORARIUM_TOKEN or HORARIUM_API_KEY. With neither, on the server's own machine, a token is made
    /// with the secret in the data folder.
    #[command(subcommand)]
    Executions(executions::Executions),
    /// Start an agent: a worker that does what a server sends to this machine.
    ///
    /// It registers, takes work, and reports how it went, always by calling the server: no port need be open here. It
    /// tells of the machine and makes HTTP requests; commands and files take the flags that allow them.
    Agent(agent::Agent),
    /// Write completions for a shell.
    Completions(completions::Completions),
}

/// Reads the arguments, does what they say, and tells how that went.
pub(crate) fn run() -> ExitCode {
    let outcome = match Cli::parse().command {
        // The engine's loops and the database's blocking calls get threads of their own; HTTP brings its own workers.
        Command::Serve(command) => block_on(tokio::runtime::Builder::new_multi_thread(), command.run()),
        Command::Migrate(command) => on_one_thread(command.run()),
        Command::Token(command) => command.run(),
        Command::Keys(command) => on_one_thread(command.run()),
        Command::Tenants(command) => on_one_thread(command.run()),
        Command::Secrets(command) => on_one_thread(command.run()),
        Command::Config(command) => command.run(),
        Command::Doctor(command) => on_one_thread(command.run()),
        Command::Jobs(command) => on_one_thread(command.run()),
        Command::Executions(command) => on_one_thread(command.run()),
        Command::Agent(command) => on_one_thread(command.run()),
        Command::Completions(command) => {
            command.run();
            Ok(ExitCode::SUCCESS)
        }
    };
    outcome.unwrap_or_else(|failure| {
        output::note(&format!("error: {failure}"));
        ExitCode::FAILURE
    })
}

fn on_one_thread(work: impl Future<Output = Result<ExitCode, Failure>>) -> Result<ExitCode, Failure> {
    block_on(tokio::runtime::Builder::new_current_thread(), work)
}

fn block_on(
    mut runtime: tokio::runtime::Builder,
    work: impl Future<Output = Result<ExitCode, Failure>>,
) -> Result<ExitCode, Failure> {
    runtime.enable_all().build()?.block_on(work)
}

/// The configuration of this process, its warnings told.
fn configuration(flags: &SettingFlags) -> Result<Loaded, Failure> {
    let loaded = load(flags, &Environment::of_process())?;
    for warning in &loaded.warnings {
        output::note(&format!("warning: {warning}"));
    }
    Ok(loaded)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does_and_shows_an_example() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{} has no description", command.get_name());
            if command.has_subcommands() {
                command.get_subcommands().for_each(check);
            } else {
                let examples = command.get_after_help().map(ToString::to_string).unwrap_or_default();
                assert!(examples.contains("horarium "), "{} shows no example", command.get_name());
            }
        }
        check(&Cli::command());
    }
}
