//! A program from its start to the end of its whole process group.
//!
//! Both the server and agents run programs for jobs, and both promise the same: a program sees nothing but what it is
//! given, its output is bounded, and nothing that it started outlives its attempt. What may be run, with which arguments
//! and variables, is for them to decide.

#![cfg(unix)]

use std::collections::BTreeMap;
use std::io;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use horarium_domain::execution::Capture;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long output is waited for after the program itself has ended: one that it left running in the background may
/// hold the pipes open for ever.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A program ready to be started.
#[derive(Debug, Clone)]
pub struct Program {
    /// Its file; nothing is searched in PATH.
    pub file: PathBuf,
    /// Its arguments. No shell reads them.
    pub args: Vec<String>,
    /// All that it sees of an environment.
    pub environment: BTreeMap<String, String>,
    /// Where it runs; this process's own folder when none is given.
    pub directory: Option<PathBuf>,
    /// What it reads from standard input; nothing when none is given.
    pub input: Option<Vec<u8>>,
}

/// A program that runs, and leads a process group. Dropping it kills the group at once.
#[derive(Debug)]
pub struct Running<'a> {
    // Goes before the child does, as long as that is there to keep the group's number from being taken.
    group: Group,
    child: Child,
    input: Option<&'a [u8]>,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// By itself, with this status.
    Status(i32),
    /// By this signal, which came from elsewhere.
    Signal(i32),
    /// It was told to, and ended then, or had to be killed.
    Stopped,
}

/// What became of a program.
#[derive(Debug)]
pub struct Ended {
    /// How it ended.
    pub exit: Exit,
    /// What it wrote to standard output, up to the limit.
    pub stdout: Capture,
    /// What it wrote to standard error, up to the limit.
    pub stderr: Capture,
}

impl Program {
    /// Starts it, in a process group of its own.
    ///
    /// # Errors
    /// Those of the system: the file is not there, or may not be run.
    pub fn start(&self) -> io::Result<Running<'_>> {
        let mut command = Command::new(&self.file);
        command
            .args(&self.args)
            .env_clear()
            .envs(&self.environment)
            .stdin(if self.input.is_some() { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .kill_on_drop(true);
        if let Some(directory) = &self.directory {
            command.current_dir(directory);
        }
        let child = command.spawn()?;
        Ok(Running { group: Group::of(&child), child, input: self.input.as_deref() })
    }
}

impl Running<'_> {
    /// Waits for its end. On `stop` its group gets SIGTERM and, when the program has not ended within `grace`, SIGKILL.
    /// Whatever it left running in its group goes with it. Of each of its outputs, `output_limit` bytes are kept.
    ///
    /// # Errors
    /// Those of the system when how it ended cannot be told.
    pub async fn end(mut self, stop: &CancellationToken, grace: Duration, output_limit: usize) -> io::Result<Ended> {
        let (child, group) = (&mut self.child, &self.group);
        let mut stdout = Capture::new(output_limit);
        let mut stderr = Capture::new(output_limit);
        let status = {
            let input = feed(child.stdin.take(), self.input);
            let output = drain(child.stdout.take(), &mut stdout);
            let errors = drain(child.stderr.take(), &mut stderr);
            let pipes = async { tokio::join!(input, output, errors) };
            tokio::pin!(pipes);
            let end = async {
                tokio::select! {
                    status = child.wait() => return status.map(Some),
                    () = stop.cancelled() => group.signal(Signal::TERM),
                }
                if timeout(grace, child.wait()).await.is_err() {
                    group.signal(Signal::KILL);
                    child.wait().await?;
                }
                Ok(None)
            };
            tokio::pin!(end);
            // The pipes beside the waiting, so that a full one does not hold the program up.
            tokio::select! {
                status = &mut end => {
                    // What has been read when the time is up is the output.
                    let _ = timeout(LAST_WORDS, pipes).await;
                    status
                }
                _ = &mut pipes => end.await,
            }?
        };
        Ok(Ended { exit: status.map_or(Exit::Stopped, exit_of), stdout, stderr })
    }
}

fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Status(code),
        // A process that has ended has an exit code or was ended by a signal.
        (None, signal) => Exit::Signal(signal.unwrap_or_default()),
    }
}

/// Writes the input and closes it. A program is free not to read it.
async fn feed(stdin: Option<impl AsyncWrite + Unpin>, input: Option<&[u8]>) {
    if let (Some(mut stdin), Some(input)) = (stdin, input) {
        let _ = stdin.write_all(input).await;
    }
}

/// Reads to the end, keeping what fits.
async fn drain(stream: Option<impl AsyncRead + Unpin>, capture: &mut Capture) {
    let Some(mut stream) = stream else { return };
    let mut buffer = vec![0; 8 * 1024];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        capture.push(&buffer[..read]);
    }
}

/// The process group that a program leads; killed when this goes away, so that nothing outlives its attempt.
#[derive(Debug)]
struct Group(Option<Pid>);

impl Group {
    fn of(leader: &Child) -> Self {
        Self(leader.id().and_then(|id| Pid::from_raw(id.cast_signed())))
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // It fails when nobody is left in the group, and then there is nobody to tell.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
