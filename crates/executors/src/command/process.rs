//! A program from its start to the end of its whole process group.

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use horarium_domain::execution::{Capture, Failure};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::CommandSettings;
use super::program::Prepared;

/// How long output is waited for after the program itself has ended: one that it left running in the background may
/// hold the pipes open for ever.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Status(i32),
    Signal(i32),
    /// The attempt was cancelled.
    Stopped,
}

/// What became of a program.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) exit: Exit,
    pub(super) stdout: Capture,
    pub(super) stderr: Capture,
}

/// Runs the program to its end, or until the attempt is cancelled. Dropping the future kills the group at once.
pub(super) async fn run(
    prepared: &Prepared,
    cancellation: &CancellationToken,
    settings: &CommandSettings,
) -> Result<Finished, Failure> {
    let mut child = start(prepared)?;
    let group = Group::of(&child);
    let mut stdout = Capture::new(settings.output_limit);
    let mut stderr = Capture::new(settings.output_limit);
    let mut stop = Stop::NotAsked;
    let status = {
        let input = feed(child.stdin.take(), prepared.input.as_deref());
        let output = drain(child.stdout.take(), &mut stdout);
        let errors = drain(child.stderr.take(), &mut stderr);
        let pipes = async { tokio::join!(input, output, errors) };
        tokio::pin!(pipes);
        let mut is_read = false;
        let status = loop {
            tokio::select! {
                biased;
                () = cancellation.cancelled(), if stop == Stop::NotAsked => {
                    group.signal(Signal::TERM);
                    stop = Stop::Asked { until: Instant::now() + settings.stop_grace };
                }
                () = stop.time_is_up() => {
                    group.signal(Signal::KILL);
                    stop = Stop::Forced;
                }
                status = child.wait() => break status,
                // Beside the waiting, so that a full pipe does not hold the program up.
                _ = &mut pipes, if !is_read => is_read = true,
            }
        };
        if !is_read {
            // What has been read when the time is up is the output.
            let _ = tokio::time::timeout(LAST_WORDS, pipes).await;
        }
        status
    };
    let status = status.map_err(|error| {
        Failure::retryable(format!("'{}' ran, but how it ended cannot be told: {error}", prepared.program.display()))
    })?;
    let exit = if stop == Stop::NotAsked { exit_of(status) } else { Exit::Stopped };
    Ok(Finished { exit, stdout, stderr })
}

/// How far stopping a program has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stop {
    NotAsked,
    /// By SIGTERM.
    Asked {
        until: Instant,
    },
    /// By SIGKILL.
    Forced,
}

impl Stop {
    /// Waits for the end of the time that a program has to stop by itself; for ever when it has not begun or is over.
    async fn time_is_up(self) {
        match self {
            Self::Asked { until } => tokio::time::sleep_until(until).await,
            Self::NotAsked | Self::Forced => std::future::pending().await,
        }
    }
}

fn start(prepared: &Prepared) -> Result<Child, Failure> {
    let mut command = Command::new(&prepared.program);
    command
        .args(&prepared.args)
        .env_clear()
        .envs(&prepared.environment)
        .current_dir(&prepared.directory)
        .stdin(if prepared.input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    command.spawn().map_err(|error| {
        let told = format!("'{}' cannot be started: {error}", prepared.program.display());
        match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied => Failure::permanent(told),
            _ => Failure::retryable(told),
        }
    })
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
