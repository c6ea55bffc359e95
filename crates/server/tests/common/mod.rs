//! The program as its users run it: processes in a folder of their own, with an environment of their own.

#![allow(clippy::unwrap_used, clippy::expect_used)]
#![allow(dead_code)] // each test file uses a part of it

use std::collections::HashMap;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

/// The longest that anything may take here.
const PATIENCE: Duration = Duration::from_secs(30);

/// A folder to run commands in.
pub(crate) struct Home {
    folder: tempfile::TempDir,
    variables: HashMap<String, String>,
}

impl Home {
    pub(crate) fn new() -> Self {
        let variables = HashMap::from([("HORARIUM_LISTEN".to_owned(), "127.0.0.1:0".to_owned())]);
        Self { folder: tempfile::tempdir().unwrap(), variables }
    }

    pub(crate) fn with(mut self, variable: &str, value: impl Into<String>) -> Self {
        self.set(variable, value);
        self
    }

    pub(crate) fn set(&mut self, variable: &str, value: impl Into<String>) {
        self.variables.insert(variable.to_owned(), value.into());
    }

    pub(crate) fn without(mut self, variable: &str) -> Self {
        self.variables.remove(variable);
        self
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command that sees nothing of the environment that the tests run in but the search path.
    pub(crate) fn command(&self, program: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(arguments).current_dir(self.folder.path()).env_clear().envs(&self.variables).stdin(Stdio::null());
        if let Some(path) = std::env::var_os("PATH") {
            command.env("PATH", path);
        }
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_horarium"), arguments).output().unwrap()
    }

    /// What it prints, having succeeded.
    #[track_caller]
    pub(crate) fn stdout_of(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// The one line that it says, having failed.
    #[track_caller]
    pub(crate) fn error_of(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments:?} printed {:?} and said {said}", output.stdout);
        assert_eq!(said.trim_end().lines().count(), 1, "one line: {said}");
        said.trim_end().to_owned()
    }

    /// Starts the server, and waits until it is ready.
    pub(crate) async fn serve(&self) -> Server {
        let log = self.path("server.log");
        let stderr = std::fs::File::create(&log).unwrap();
        let mut command = self.command(env!("CARGO_BIN_EXE_horarium"), &["serve"]);
        let mut process = command.stdout(Stdio::piped()).stderr(stderr).spawn().unwrap();
        let lines = lines_of(process.stdout.take().unwrap());
        let first = lines.recv_timeout(PATIENCE).unwrap_or_else(|_| {
            drop(process.kill());
            panic!("it printed nothing, but said: {}", std::fs::read_to_string(&log).unwrap())
        });
        let url = first.split_whitespace().find(|word| word.starts_with("http://")).expect("it prints its address");
        let mut server = Server { url: url.to_owned(), printed: vec![first], lines, process, log };
        server.wait_until_ready().await;
        server
    }
}

/// The lines of a stream as they come; the reader outlives the stream's writer only for an instant.
fn lines_of(stream: impl std::io::Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    receiver
}

/// A running server.
pub(crate) struct Server {
    pub(crate) url: String,
    printed: Vec<String>,
    lines: Receiver<String>,
    process: Child,
    log: PathBuf,
}

impl Server {
    /// Everything it has printed by the time it is ready.
    pub(crate) fn printed(&mut self) -> String {
        self.printed.extend(self.lines.try_iter());
        self.printed.join("\n")
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn signal(&self, name: &str) {
        let signalled = Command::new("kill").args(["-s", name, &self.process.id().to_string()]).status().unwrap();
        assert!(signalled.success());
    }

    /// How it ends, having been told to.
    pub(crate) fn end(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it did not end; its log: {}", self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Stops it in order.
    pub(crate) fn stop(&mut self) {
        self.signal("TERM");
        assert!(self.end().success(), "{}", self.log());
    }

    /// Signals it again and again until it ends.
    pub(crate) fn signal_until_it_ends(&mut self, name: &str) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.process.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "it did not end; its log: {}", self.log());
            self.signal(name);
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Calls its API; the status and the answer.
    pub(crate) async fn call(&self, method: &str, path: &str, token: &str, body: Option<Value>) -> (u16, Value) {
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = client.request(method, format!("{}{path}", self.url)).bearer_auth(token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or_default())
    }

    /// Waits until a condition holds.
    pub(crate) async fn wait_for(&self, what: &str, mut condition: impl AsyncFnMut(&Self) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        while !condition(self).await {
            assert!(Instant::now() < deadline, "{what}: not in time; the server's log: {}", self.log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn wait_until_ready(&mut self) {
        self.wait_for("ready", async |server| server.call("GET", "/health/ready", "", None).await.0 == 200).await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already where a test waited for that.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}
