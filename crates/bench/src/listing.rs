//! Listing ten thousand recent jobs over HTTP, from the request to the last byte of the answer.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Failure;
use crate::report::{Line, Section};

/// How many jobs are listed.
const JOBS: usize = 10_000;

/// How often they are listed in each round.
const REQUESTS: usize = 200;

/// Nothing here takes longer.
const PATIENCE: Duration = Duration::from_mins(2);

/// A server with ten thousand jobs that are over.
struct Server {
    process: Child,
    address: String,
    key: String,
    /// Removed with the server.
    _folder: tempfile::TempDir,
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way it must not outlive the measurement.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Measures the listing on SQLite, and on the PostgreSQL server if there is one.
pub(crate) async fn recent(binary: &Path, server: Option<&str>, rounds: usize) -> Result<Section, Failure> {
    let mut lines = listing("SQLite", binary, None, rounds)?;
    if let Some(server) = server {
        let name = format!("horarium_bench_{}_listing", std::process::id());
        let url = crate::drain::create_database(server, &name).await?;
        lines.extend(listing("PostgreSQL", binary, Some(&url), rounds)?);
        crate::drain::drop_database(server, &name).await?;
    }
    Ok(Section {
        title: "Listing 10,000 recent jobs (`POST /v1/toolkit/jobs/status`)",
        note: "Over HTTP on a connection of its own, one request after the other, 200 a round.",
        lines,
    })
}

fn listing(database: &str, binary: &Path, url: Option<&str>, rounds: usize) -> Result<Vec<Line>, Failure> {
    let server = Server::start(binary, url)?;
    server.fill()?;
    let (mut p50, mut p99) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        let mut samples = (0..REQUESTS).map(|_| server.list().map(|(took, _)| took)).collect::<Result<Vec<_>, _>>()?;
        samples.sort_by(f64::total_cmp);
        p50.push(samples[REQUESTS / 2]);
        p99.push(samples[REQUESTS * 99 / 100]);
    }
    let line = |what: &str, samples| Line { what: format!("{database}, {what}"), unit: "ms", samples, yardstick: None };
    Ok(vec![line("p50", p50), line("p99", p99)])
}

impl Server {
    fn start(binary: &Path, url: Option<&str>) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let command = |arguments: &[&str]| {
            let mut command = Command::new(binary);
            command.args(arguments).env("HORARIUM_LISTEN", &address);
            command.env("HORARIUM_DATA_DIR", &data).stderr(Stdio::null());
            if let Some(url) = url {
                command.env("HORARIUM_DATABASE_URL", url);
            }
            command
        };
        let process = command(&["serve"]).stdout(Stdio::null()).spawn()?;
        let key = String::new();
        let mut server = Self { process, address: address.clone(), key, _folder: folder };
        let deadline = Instant::now() + PATIENCE;
        while !server.ask("GET", "/health/ready", &Value::Null).is_ok_and(|answer| answer.starts_with("HTTP/1.1 200")) {
            server.in_time(deadline, "the server to be ready")?;
        }
        let key = command(&["keys", "create", "--name", "bench", "--scope", "*"]).output()?;
        String::from_utf8(key.stdout)?.trim().clone_into(&mut server.key);
        Ok(server)
    }

    /// Has the jobs done.
    fn fill(&self) -> Result<(), Failure> {
        let handler = json!({ "handlerType": "system.queueTest" });
        let job = json!({ "name": "no-op", "jobType": "CodeExecution", "jobConfiguration": handler });
        self.expect("201", "/api/v1/scheduler/jobs", &job)?;
        let batch = Value::Array(vec![json!({ "jobName": "no-op" }); JOBS]);
        self.expect("202", "/api/v1/executions/bulk", &batch)?;
        let deadline = Instant::now() + PATIENCE;
        while self.list()?.1.matches("\"done\"").count() < JOBS {
            self.in_time(deadline, "the jobs to be done")?;
        }
        Ok(())
    }

    /// Lists the jobs; how long that took, in milliseconds, and the answer.
    fn list(&self) -> Result<(f64, String), Failure> {
        let start = Instant::now();
        let answer = self.expect("200", "/v1/toolkit/jobs/status", &json!({}))?;
        Ok((start.elapsed().as_secs_f64() * 1000.0, answer))
    }

    fn expect(&self, status: &str, path: &str, body: &Value) -> Result<String, Failure> {
        let answer = self.ask("POST", path, body)?;
        if answer.starts_with(&format!("HTTP/1.1 {status}")) {
            Ok(answer)
        } else {
            Err(format!("{path} answered {}", answer.lines().next().unwrap_or_default()).into())
        }
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(&self.address)?;
        stream.set_nodelay(true)?;
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.key,
            body.len()
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn in_time(&self, deadline: Instant, what: &str) -> Result<(), Failure> {
        if Instant::now() > deadline {
            return Err(format!("waited too long for {what} at {}", self.address).into());
        }
        std::thread::sleep(Duration::from_millis(20));
        Ok(())
    }
}
