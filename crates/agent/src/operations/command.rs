//! `command.exec.execute` and `command.shell.execute`: programs on the agent's machine.
//!
//! Both are off unless the agent is started with `--allow-commands`: whoever may send it operations could otherwise do
//! what its account can. With a list, only those programs run, found when the agent started; no shell reads the
//! arguments of `command.exec.execute`, so an argument is an argument whatever it holds.
//!
//! A program does not see the agent's environment, in which its credential is, but PATH, HOME, USER, LANG and TZ as the
//! agent has them, `HORARIUM_EXECUTION_ID` and `HORARIUM_ATTEMPT`. It leads a process group of its own: when its time is
//! up or it is cancelled, the whole group gets SIGTERM and, two seconds later, SIGKILL.
//!
//! Data: see [`Exec`] and [`Shell`]. Result: see [`Output`]. Exit status 0 is success. What was run is taken to have
//! changed something.

use std::collections::BTreeMap;
use std::future::pending;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use horarium_process::{Ended, Exit, Program};
use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::programs::{Programs, search_path};
use super::{Done, Order, Problem, is_zero, text_and_cut};

/// How long a program may take to stop after SIGTERM.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// What programs see of the agent's environment, beside PATH.
const PASSED_ON: [&str; 5] = ["HOME", "USER", "LANG", "LC_ALL", "TZ"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Exec {
    /// A program's name, looked up in PATH, or its absolute path.
    command: String,
    #[serde(default)]
    args: Vec<String>,
    /// Where it runs, an absolute path; the agent's own folder unless given.
    #[serde(default)]
    cwd: Option<PathBuf>,
    /// What it reads from standard input.
    #[serde(default)]
    input: Option<String>,
    /// How long it may take; as long as the task may unless given.
    #[serde(default, alias = "timeout")]
    timeout_seconds: Option<u32>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shell {
    /// What `/bin/sh -c` is given.
    command: String,
    /// Where it runs, an absolute path; the agent's own folder unless given.
    #[serde(default)]
    cwd: Option<PathBuf>,
    /// What it reads from standard input.
    #[serde(default)]
    input: Option<String>,
    /// How long it may take; as long as the task may unless given.
    #[serde(default, alias = "timeout")]
    timeout_seconds: Option<u32>,
}

#[derive(Debug, Serialize)]
struct Output {
    /// Absent when a signal ended it.
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<i32>,
    /// Absent when it ended by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    signal: Option<i32>,
    stdout: String,
    /// How many bytes were left out at its end; absent when none were.
    #[serde(skip_serializing_if = "is_zero")]
    stdout_cut_bytes: usize,
    stderr: String,
    /// How many bytes were left out at its end; absent when none were.
    #[serde(skip_serializing_if = "is_zero")]
    stderr_cut_bytes: usize,
}

pub(super) async fn exec(programs: &Programs, exec: Exec, order: &Order, output_limit: usize) -> Result<Done, Problem> {
    let Exec { command, args, cwd, input, timeout_seconds } = exec;
    let file = programs.get(&command)?;
    let input = input.map(String::into_bytes);
    let program = Program { file, args, environment: environment(order), directory: cwd, input };
    run(&command, &program, timeout_seconds, order, output_limit).await
}

pub(super) async fn shell(shell: &Path, line: Shell, order: &Order, output_limit: usize) -> Result<Done, Problem> {
    let Shell { command, cwd, input, timeout_seconds } = line;
    let args = vec!["-c".to_owned(), command];
    let input = input.map(String::into_bytes);
    let program = Program { file: shell.to_owned(), args, environment: environment(order), directory: cwd, input };
    run("the command", &program, timeout_seconds, order, output_limit).await
}

fn environment(order: &Order) -> BTreeMap<String, String> {
    let passed_on = PASSED_ON.into_iter().filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)));
    let own = [
        ("PATH".to_owned(), search_path()),
        ("HORARIUM_EXECUTION_ID".to_owned(), order.execution_id.to_string()),
        ("HORARIUM_ATTEMPT".to_owned(), order.attempt.to_string()),
    ];
    passed_on.chain(own).collect()
}

async fn run(
    name: &str,
    program: &Program,
    timeout_seconds: Option<u32>,
    order: &Order,
    output_limit: usize,
) -> Result<Done, Problem> {
    if program.args.iter().any(|arg| arg.contains('\0')) {
        return Err(Problem::permanent("data: an argument holds a NUL character"));
    }
    if let Some(directory) = &program.directory
        && !(directory.is_absolute() && directory.is_dir())
    {
        return Err(Problem::permanent(format!(
            "data: cwd: '{}' is no absolute path of a folder",
            directory.display()
        )));
    }
    let stop = order.stop.child_token();
    let time_is_up = async {
        match timeout_seconds {
            Some(seconds) => sleep(Duration::from_secs(seconds.into())).await,
            None => pending().await,
        }
    };
    let told = |error: io::Error| {
        let told = format!("'{}' cannot be run: {error}", program.file.display());
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Problem::permanent(told),
            _ => Problem::passing(told),
        }
    };
    let ended = {
        let running = program.start().map_err(told)?.end(&stop, STOP_GRACE, output_limit);
        tokio::pin!(running);
        tokio::select! {
            ended = &mut running => ended,
            () = time_is_up => {
                stop.cancel();
                running.await
            }
        }
    };
    let Ended { exit, stdout, stderr } = ended.map_err(told)?;
    let (exit_code, signal, problem) = match exit {
        Exit::Status(0) => (Some(0), None, None),
        Exit::Status(status) => (Some(status), None, Some(format!("{name} exited with status {status}"))),
        Exit::Signal(signal) => (None, Some(signal), Some(format!("{name} was ended by signal {signal}"))),
        Exit::Stopped if order.stop.is_cancelled() => (None, None, Some(format!("{name} was stopped"))),
        Exit::Stopped => (None, None, Some(format!("timeout: {name} was not done within its timeout_seconds"))),
    };
    let (stdout, stdout_cut_bytes) = text_and_cut(stdout);
    let (stderr, stderr_cut_bytes) = text_and_cut(stderr);
    let output = Output { exit_code, signal, stdout, stdout_cut_bytes, stderr, stderr_cut_bytes };
    let done = Done::with(&output, true)?;
    match problem {
        None => Ok(done),
        Some(problem) => Err(Problem::passing(problem).having(done)),
    }
}
