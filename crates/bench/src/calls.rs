//! What reports cost: calls to a real server, one client at a time, over one connection.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_postgres::{Client, NoTls};

use crate::process::Server;
use crate::report::{Line, Section};
use crate::{Failure, drain};

/// How many executions of one job are over and kept.
const HISTORY: i64 = 5_000_000;

/// How many were accepted a moment ago.
const RECENT: usize = 10_000;

/// Calls in each round.
const CALLS: usize = 300;

const SECRET: &str = "a secret that only this benchmark's server knows";
const JOB: &str = "long-lived";

/// Ended executions, an hour to a month old, with ids of their time, and the counters that their ends would have made.
const HISTORY_ROWS: &str = "
    insert into executions (id, tenant_id, job_id, trigger, triggered_by, queue, priority, scheduled_for, created_at,
        state, attempt, started_at, completed_at, worker)
    select (lpad(to_hex((extract(epoch from at) * 1000)::int8), 12, '0') || '7' || substr(noise, 1, 3) || '8'
            || substr(noise, 4, 15))::uuid,
        j.tenant_id, j.id, 'Schedule', 'schedule', 'default', 0, at, at, case when n % 1000 = 0 then 3 else 2 end, 1,
        at, at + interval '45 s', 'bench'
    from jobs j, generate_series(1, $2::int8) n,
        lateral (select now() - interval '1 hour' - interval '30 days' * (1 - n / $2::float8) as at,
                        md5(n::text) as noise) made
    where j.name = $1";
const HISTORY_COUNTERS: &str = "
    update job_counters c set succeeded = $2::int8 - $2::int8 / 1000, failed = $2::int8 / 1000,
        duration_ms = 45000 * $2::int8, last_state = 2, last_started_at = now() - interval '1 hour',
        last_completed_at = now() - interval '1 hour' + interval '45 s', last_duration_ms = 45000
    from jobs j where j.id = c.job_id and j.name = $1";

/// Measures the two reports that must not grow with the history: a job's statistics, and the listing of what changed.
pub(crate) async fn reports(binary: &Path, postgres: Option<&str>, rounds: usize) -> Result<Section, Failure> {
    let mut lines = Vec::new();
    let subject = Subject::start(binary, None)?;
    subject.accept_recent()?;
    lines.extend(subject.listing("SQLite", rounds)?);
    drop(subject);
    if let Some(postgres) = postgres {
        let name = format!("horarium_bench_{}_reports", std::process::id());
        let url = drain::create_database(postgres, &name).await?;
        let subject = Subject::start(binary, Some(&url))?;
        let client = connect(&url).await?;
        client.execute(HISTORY_ROWS, &[&JOB, &HISTORY]).await?;
        client.execute(HISTORY_COUNTERS, &[&JOB, &HISTORY]).await?;
        for statement in ["vacuum analyze executions", "checkpoint"] {
            client.batch_execute(statement).await?;
        }
        subject.accept_recent()?;
        lines.extend(subject.statistics("PostgreSQL, history of 5,000,000", rounds)?);
        lines.extend(subject.listing("PostgreSQL, history of 5,000,000", rounds)?);
        drop(subject);
        drain::drop_database(postgres, &name).await?;
    }
    Ok(Section {
        title: "Reports (over HTTP, one client)",
        note: "`GET /api/v1/admin/jobs/{name}/stats` of a job with 5,000,000 ended executions, and \
               `POST /v1/toolkit/jobs/status` with 10,000 executions of the last ten minutes.",
        lines,
    })
}

/// A server with one job, and its callers.
struct Subject {
    owner: Caller,
    toolkit: Caller,
    // Dropped last, and the server before its folder.
    _server: Server,
    _folder: TempDir,
}

impl Subject {
    /// Starts a server on an empty database: SQLite, or the PostgreSQL of that address.
    fn start(binary: &Path, url: Option<&str>) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()?;
        let mut environment = vec![("HORARIUM_JWT_SECRET", SECRET), ("HORARIUM_RATE_LIMIT", "off")];
        environment.extend(url.map(|url| ("HORARIUM_DATABASE_URL", url)));
        let server = Server::start(binary, folder.path(), &environment)?;
        let minted = Command::new(binary)
            .args(["token", "create", "--tenant", "default", "--role", "system_admin"])
            .envs(environment)
            .env("HORARIUM_DATA_DIR", folder.path())
            .output()?;
        let token = String::from_utf8(minted.stdout)?.trim().to_owned();
        let owner = Caller::new(&server, format!("Authorization: Bearer {token}\r\nx-tenantid: default\r\n"));
        let handler = json!({"handlerType": "system.reportGeneration"});
        let job = json!({"name": JOB, "jobType": "CodeExecution", "jobConfiguration": handler});
        owner.call("POST", "/api/v1/scheduler/jobs", &job)?;
        let key = owner.call("POST", "/api/v1/keys", &json!({"name": "bench", "scopes": ["*"]}))?;
        let key = key["key"].as_str().ok_or("the new key is not in the answer")?;
        let toolkit = Caller::new(&server, format!("X-API-Key: {key}\r\n"));
        Ok(Self { owner, toolkit, _server: server, _folder: folder })
    }

    /// Has executions accepted, for long after the benchmark.
    fn accept_recent(&self) -> Result<(), Failure> {
        let one = json!({"jobName": JOB, "runAt": "2999-01-01T00:00:00Z"});
        self.owner.call("POST", "/api/v1/executions/bulk", &Value::from(vec![one; RECENT])).map(drop)
    }

    fn statistics(&self, on: &str, rounds: usize) -> Result<Vec<Line>, Failure> {
        let path = format!("/api/v1/admin/jobs/{JOB}/stats");
        let timed = self.owner.timed("GET", &path, &Value::Null, rounds)?;
        Ok(lines(&format!("statistics of a job ({on})"), timed))
    }

    fn listing(&self, on: &str, rounds: usize) -> Result<Vec<Line>, Failure> {
        let timed = self.toolkit.timed("POST", "/v1/toolkit/jobs/status", &json!({}), rounds)?;
        Ok(lines(&format!("status of 10,000 recent executions ({on})"), timed))
    }
}

fn lines(what: &str, percentiles: [(&str, Vec<f64>); 2]) -> Vec<Line> {
    let line =
        |(percentile, samples)| Line { what: format!("{what}, {percentile}"), unit: "ms", samples, yardstick: None };
    percentiles.into_iter().map(line).collect()
}

async fn connect(url: &str) -> Result<Client, Failure> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
    tokio::spawn(connection);
    Ok(client)
}

/// Whoever calls a server with one credential.
struct Caller {
    address: SocketAddr,
    headers: String,
}

impl Caller {
    fn new(server: &Server, headers: String) -> Self {
        Self { address: server.address(), headers }
    }

    /// Opens a connection. The server closes one that is silent for some seconds, so none is kept for later.
    fn connect(&self) -> Result<Connection<'_>, Failure> {
        let stream = TcpStream::connect(self.address)?;
        stream.set_nodelay(true)?;
        Ok(Connection { stream: BufReader::new(stream), headers: &self.headers })
    }

    /// Makes one call over a connection of its own.
    fn call(&self, method: &str, path: &str, body: &Value) -> Result<Value, Failure> {
        self.connect()?.call(method, path, body)
    }

    /// Makes the call many times over one connection; each round's percentiles in milliseconds.
    fn timed(
        &self,
        method: &str,
        path: &str,
        body: &Value,
        rounds: usize,
    ) -> Result<[(&'static str, Vec<f64>); 2], Failure> {
        let mut connection = self.connect()?;
        let (mut median, mut slow) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            let mut took = Vec::with_capacity(CALLS);
            for _ in 0..CALLS {
                let start = Instant::now();
                connection.call(method, path, body)?;
                took.push(start.elapsed().as_secs_f64() * 1000.0);
            }
            took.sort_by(f64::total_cmp);
            median.push(took[CALLS / 2]);
            slow.push(took[CALLS * 99 / 100]);
        }
        Ok([("p50", median), ("p99", slow)])
    }
}

/// An open connection.
struct Connection<'a> {
    stream: BufReader<TcpStream>,
    headers: &'a str,
}

impl Connection<'_> {
    /// Sends a request and reads the whole answer; any but a 2xx is an error.
    fn call(&mut self, method: &str, path: &str, body: &Value) -> Result<Value, Failure> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{}\r\n{body}",
            body.len(),
            self.headers
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut status = String::new();
        self.stream.read_line(&mut status)?;
        let mut length = None;
        loop {
            let mut header = String::new();
            self.stream.read_line(&mut header)?;
            let header = header.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = Some(value.trim().parse::<usize>()?);
            }
        }
        let mut answer = Vec::new();
        match length {
            Some(length) => {
                answer.resize(length, 0);
                self.stream.read_exact(&mut answer)?;
            }
            None => self.read_chunks(&mut answer)?,
        }
        if !status.starts_with("HTTP/1.1 2") {
            return Err(format!("{method} {path}: {status}{}", String::from_utf8_lossy(&answer)).into());
        }
        Ok(serde_json::from_slice(&answer)?)
    }

    fn read_chunks(&mut self, answer: &mut Vec<u8>) -> Result<(), Failure> {
        loop {
            let mut size = String::new();
            self.stream.read_line(&mut size)?;
            let size = usize::from_str_radix(size.trim_end(), 16)?;
            let start = answer.len();
            // The chunk and the line end after it.
            answer.resize(start + size + 2, 0);
            self.stream.read_exact(&mut answer[start..])?;
            answer.truncate(start + size);
            if size == 0 {
                return Ok(());
            }
        }
    }
}
