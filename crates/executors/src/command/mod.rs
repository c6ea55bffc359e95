//! `Command`: a job that runs a program on the server's machine.
//!
//! It is off unless the operator lists programs, because whoever can write jobs could otherwise do what the server's
//! account can. What is listed is the program file itself: nothing is searched in PATH and no shell reads the arguments,
//! so an argument is an argument whatever it holds. The program sees an environment of its own: PATH, who and what it
//! runs for, and those variables of the job that the operator listed too (others could make a harmless program load
//! foreign code: `LD_PRELOAD`, `GIT_SSH_COMMAND`).
//!
//! - `command` is the path of a listed program, or its file name when only one listed program has it.
//! - The program runs in the operator's folder, or in a folder below it when `workingDirectory` names one.
//! - The execution's payload, if there is one, comes as JSON on standard input; `HORARIUM_EXECUTION_ID`,
//!   `HORARIUM_ATTEMPT` and `HORARIUM_JOB_ID` are in the environment.
//! - Exit status 0 is success. The output is standard output, then standard error under a line `[stderr]`, each up to
//!   the limit. A JSON object on standard output may carry `itemsProcessed`.
//! - A cancelled attempt gets SIGTERM and, a little later, SIGKILL, and so does everything that it started and that is
//!   still in its process group.

mod program;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use horarium_domain::execution::{Capture, DEFAULT_OUTPUT_LIMIT, Failure, Output};
use horarium_domain::job::{CommandLine, JobConfiguration, JobType};
use horarium_process::{Ended, Exit, Program};
use horarium_scheduler_engine::{Executor, Outcome, Run};

use crate::items_processed::items_processed;
use crate::template::Templates;
use crate::wrong_type;
use program::Programs;

/// What jobs may run, and how.
#[derive(Debug, Clone)]
pub struct CommandSettings {
    /// The programs, by absolute path. A symbolic link is followed once, at the start.
    pub programs: Vec<PathBuf>,
    /// Environment variables that jobs may set.
    pub environment: Vec<String>,
    /// Where programs run; jobs may name folders below it.
    pub directory: PathBuf,
    /// The PATH that programs see.
    pub path: String,
    /// What fills the templates in a command line.
    pub templates: Templates,
    /// How many bytes are kept of standard output, and of standard error.
    pub output_limit: usize,
    /// How long a program may take to stop after SIGTERM.
    pub stop_grace: Duration,
}

impl CommandSettings {
    /// `programs`, run in `directory`: no variables, the usual PATH, 64 KiB of output, two seconds to stop.
    pub fn new(programs: Vec<PathBuf>, directory: PathBuf, templates: Templates) -> Self {
        Self {
            programs,
            environment: Vec::new(),
            directory,
            path: "/usr/local/bin:/usr/bin:/bin".to_owned(),
            templates,
            output_limit: DEFAULT_OUTPUT_LIMIT,
            stop_grace: Duration::from_secs(2),
        }
    }
}

/// A listed program or the folder cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("jobs cannot run commands with '{}': {problem}", path.display())]
pub struct InvalidCommandSettings {
    /// What was listed.
    pub path: PathBuf,
    /// What is wrong with it.
    pub problem: String,
}

/// Runs [`CommandLine`] jobs.
#[derive(Debug, Clone)]
pub struct CommandExecutor {
    programs: Arc<Programs>,
    settings: Arc<CommandSettings>,
}

impl CommandExecutor {
    /// Checks that what the operator listed is there.
    pub fn new(settings: CommandSettings) -> Result<Self, InvalidCommandSettings> {
        let programs = Programs::new(&settings)?;
        Ok(Self { programs: Arc::new(programs), settings: Arc::new(settings) })
    }

    async fn run(&self, line: &CommandLine, run: &Run) -> Result<Outcome, Failure> {
        let program = self.programs.prepare(line, run, &self.settings)?;
        let running = program.start().map_err(|error| not_started(&program, &error))?;
        let CommandSettings { stop_grace, output_limit, .. } = *self.settings;
        let ended = running.end(&run.cancellation, stop_grace, output_limit).await;
        let Ended { exit, stdout, stderr } = ended.map_err(|error| {
            let told = format!("'{}' ran, but how it ended cannot be told: {error}", program.file.display());
            Failure::retryable(told)
        })?;
        let problem = match exit {
            Exit::Status(0) => {
                let output = stdout.into_output();
                let items_processed = output.as_ref().and_then(items_processed);
                return Ok(Outcome::Succeeded { output: with_stderr(output, stderr), items_processed });
            }
            Exit::Status(status) => format!("exited with status {status}"),
            Exit::Signal(signal) => format!("was ended by signal {signal}"),
            Exit::Stopped => "was stopped with its attempt".to_owned(),
        };
        let error = format!("'{}' {problem}", program.file.display());
        Ok(Outcome::Failed { failure: Failure::retryable(error), output: with_stderr(stdout.into_output(), stderr) })
    }
}

fn not_started(program: &Program, error: &io::Error) -> Failure {
    let told = format!("'{}' cannot be started: {error}", program.file.display());
    match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Failure::permanent(told),
        _ => Failure::retryable(told),
    }
}

/// Standard error below standard output.
fn with_stderr(stdout: Option<Output>, stderr: Capture) -> Option<Output> {
    let Some(stderr) = stderr.into_output() else { return stdout };
    let mut both = stdout.unwrap_or_default();
    if !both.text.is_empty() && !both.text.ends_with('\n') {
        both.text.push('\n');
    }
    both.text.push_str("[stderr]\n");
    both.text.push_str(&stderr.text);
    both.truncated |= stderr.truncated;
    Some(both)
}

#[async_trait]
impl Executor for CommandExecutor {
    async fn execute(&self, run: Run) -> Outcome {
        let JobConfiguration::Command(line) = &run.job.spec.configuration else {
            return wrong_type(JobType::Command, run.job.spec.configuration.job_type());
        };
        self.run(line, &run).await.unwrap_or_else(Outcome::failed)
    }
}
