//! A program from its start to the end of its whole process group.

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

/// How long a program may take to stop after SIGTERM.
const STOP_GRACE: Duration = Duration::from_secs(2);

/// How long output is waited for after the program itself has ended: one that it left running in the background may
/// hold the pipes open for ever.
const LAST_WORDS: Duration = Duration::from_millis(500);

/// A program ready to be started.
#[derive(Debug)]
pub(super) struct Program {
    pub(super) file: PathBuf,
    pub(super) args: Vec<String>,
    /// All that it sees.
    pub(super) environment: BTreeMap<String, String>,
    /// The agent's own folder when none is given.
    pub(super) directory: Option<PathBuf>,
    pub(super) input: Option<String>,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    Status(i32),
    Signal(i32),
    /// It was told to, and ended then, or had to be killed.
    Stopped,
}

/// What became of a program.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) exit: Exit,
    pub(super) stdout: Capture,
    pub(super) stderr: Capture,
}

/// Runs the program to its end, or until `stop`: SIGTERM for its process group then, and SIGKILL two seconds later.
/// Dropping the future kills the group at once. Whatever the program left running in its group goes with it.
pub(super) async fn run(program: &Program, stop: &CancellationToken, output_limit: usize) -> io::Result<Ended> {
    let mut child = start(program)?;
    let group = Group::of(&child);
    let mut stdout = Capture::new(output_limit);
    let mut stderr = Capture::new(output_limit);
    let status = {
        let input = feed(child.stdin.take(), program.input.as_deref());
        let output = drain(child.stdout.take(), &mut stdout);
        let errors = drain(child.stderr.take(), &mut stderr);
        let pipes = async { tokio::join!(input, output, errors) };
        tokio::pin!(pipes);
        let end = async {
            tokio::select! {
                status = child.wait() => return status.map(Some),
                () = stop.cancelled() => group.signal(Signal::TERM),
            }
            if timeout(STOP_GRACE, child.wait()).await.is_err() {
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

fn start(program: &Program) -> io::Result<Child> {
    let mut command = Command::new(&program.file);
    command
        .args(&program.args)
        .env_clear()
        .envs(&program.environment)
        .stdin(if program.input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    if let Some(directory) = &program.directory {
        command.current_dir(directory);
    }
    command.spawn()
}

fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Status(code),
        // A process that has ended has an exit code or was ended by a signal.
        (None, signal) => Exit::Signal(signal.unwrap_or_default()),
    }
}

/// Writes the input and closes it. A program is free not to read it.
async fn feed(stdin: Option<impl AsyncWrite + Unpin>, input: Option<&str>) {
    if let (Some(mut stdin), Some(input)) = (stdin, input) {
        let _ = stdin.write_all(input.as_bytes()).await;
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

/// The process group that a program leads; killed when this goes away, so that nothing outlives its task.
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
