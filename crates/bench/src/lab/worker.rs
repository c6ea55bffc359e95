//! Programs that speak the driver's protocol.

use std::cell::RefCell;
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::cpu;
use crate::Failure;

/// How many of a program's last complaints are told when it fails.
const TOLD: usize = 5;

/// A program that runs until this is dropped, and prints lines of JSON.
pub(crate) struct Worker {
    child: Child,
    said: Receiver<Said>,
    /// So far; the two streams of a program come in any order.
    complaints: RefCell<Vec<String>>,
}

/// A line that a program prints.
enum Said {
    Answer(Value),
    Complaint(String),
}

impl Worker {
    /// Starts it.
    pub(crate) fn start(mut command: Command) -> Result<Self, Failure> {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{} cannot be run: {error}", shown(&command)))?;
        let (sender, said) = channel();
        listen(child.stdout.take(), &sender, |line| serde_json::from_str(&line).ok().map(Said::Answer));
        listen(child.stderr.take(), &sender, |line| Some(Said::Complaint(line)));
        Ok(Self { child, said, complaints: RefCell::default() })
    }

    /// Waits for a line that has this member, passing over others.
    pub(crate) fn wait_for(&self, member: &str, patience: Duration) -> Result<Value, Failure> {
        let deadline = Instant::now() + patience;
        let problem = loop {
            match self.said.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
                Ok(Said::Answer(line)) if line.get(member).is_some() => return Ok(line),
                Ok(Said::Answer(_)) => {}
                Ok(Said::Complaint(line)) => self.complaints.borrow_mut().push(line),
                Err(RecvTimeoutError::Timeout) => break format!("said no {member:?} within {} s", patience.as_secs()),
                Err(RecvTimeoutError::Disconnected) => break format!("ended without {member:?}"),
            }
        };
        let complaints = self.complaints.borrow();
        Err(format!("the worker {problem}: {}", last(complaints.iter().map(String::as_str))).into())
    }

    /// Seconds of processor time that it took so far.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        cpu::seconds(self.child.id())
    }

    /// MiB of memory: `VmRSS` for now, `VmHWM` for the most so far.
    pub(crate) fn memory_mib(&self, line: &str) -> Result<f64, Failure> {
        cpu::memory_mib(self.child.id(), line)
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended by itself; either way it must not outlive the measurement.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a program to its end; its last line of JSON, if it printed any.
pub(crate) fn call(mut command: Command, patience: Duration) -> Result<Value, Failure> {
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{} cannot be run: {error}", shown(&command)))?;
    let (mut output, mut errors) = (child.stdout.take(), child.stderr.take());
    let said = std::thread::spawn(move || read(output.as_mut()));
    let complained = std::thread::spawn(move || read(errors.as_mut()));
    let deadline = Instant::now() + patience;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > deadline {
            child.kill()?;
            child.wait()?;
            return Err(format!("{} took longer than {} s", shown(&command), patience.as_secs()).into());
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let said = said.join().unwrap_or_default();
    if !status.success() {
        let complaints = complained.join().unwrap_or_default();
        return Err(format!("{} failed: {}", shown(&command), last(complaints.lines())).into());
    }
    Ok(said.lines().rev().find_map(|line| serde_json::from_str(line).ok()).unwrap_or_default())
}

/// Sends what is made of each line of a stream, until the program closes it.
fn listen(
    stream: Option<impl Read + Send + 'static>,
    sender: &Sender<Said>,
    heard: impl Fn(String) -> Option<Said> + Send + 'static,
) {
    let sender = sender.clone();
    std::thread::spawn(move || {
        let lines = stream.into_iter().flat_map(|stream| BufReader::new(stream).lines().map_while(Result::ok));
        for said in lines.filter_map(heard) {
            // Who no longer listens needs no lines.
            let _ = sender.send(said);
        }
    });
}

/// The last lines of all.
fn last<'a>(lines: impl DoubleEndedIterator<Item = &'a str>) -> String {
    let mut last: Vec<&str> = lines.rev().take(TOLD).collect();
    last.reverse();
    if last.is_empty() { "it said nothing of it".to_owned() } else { last.join("\n") }
}

fn read(stream: Option<&mut impl Read>) -> String {
    let mut bytes = Vec::new();
    // What cannot be read any more is not missed: the status tells whether it went well.
    stream.map(|stream| stream.read_to_end(&mut bytes));
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Without its environment, which holds addresses, and without folders, which say nothing to readers of the page.
fn shown(command: &Command) -> String {
    let words = [command.get_program()].into_iter().chain(command.get_args());
    let name = |word: &OsStr| Path::new(word).file_name().unwrap_or(word).to_string_lossy().into_owned();
    words.map(name).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn a_program_that_fails_is_told_of_by_its_last_words() {
        let problem = call(shell("echo one; echo two >&2; exit 3"), Duration::from_secs(10)).unwrap_err().to_string();
        assert!(problem.starts_with("sh -c ") && problem.ends_with("failed: two"), "{problem}");
    }

    #[test]
    fn a_worker_that_ends_too_soon_is_told_of_by_its_last_words() {
        let worker = Worker::start(shell(r#"echo '{"ready": 1}'; echo 'no luck' >&2"#)).unwrap();
        assert_eq!(worker.wait_for("ready", Duration::from_secs(10)).unwrap()["ready"], 1);
        let problem = worker.wait_for("done", Duration::from_secs(10)).unwrap_err().to_string();
        assert_eq!(problem, "the worker ended without \"done\": no luck");
    }
}
