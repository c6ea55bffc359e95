//! What is compared: a program that speaks the driver's protocol, and the store of its jobs.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use rusqlite::Connection;
use serde_json::Value;
use tempfile::TempDir;

use super::clock::now_ns;
use super::{Database, Lab, Redis, Worker, call};
use crate::Failure;
use crate::report::figures::percentile;
use crate::report::{Described, Kind, Unit};

/// The longest that any one phase of any subject may take.
const PATIENCE: Duration = Duration::from_mins(10);

/// How long a worker is left alone before it counts as idle, and then watched.
const REST: Duration = Duration::from_secs(2);

/// How often the store is asked what is left. Counting costs the server time that ends still to be written need too.
const LOOKS_APART: Duration = Duration::from_millis(5);

/// What keeps a subject's jobs.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Backend {
    /// A database; the statement counts what is not over.
    Postgres(&'static str),
    /// Redis; the commands count what is not over.
    Redis(&'static [&'static str]),
    /// A SQLite file; the statement counts what is not over.
    Sqlite(&'static str),
}

/// One that is compared.
#[derive(Debug, Clone)]
pub(crate) struct Subject {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) kind: Kind,
    pub(crate) backend: Backend,
    /// The program and its first arguments.
    pub(crate) program: Vec<OsString>,
    /// Its environment.
    pub(crate) settings: Vec<(String, String)>,
    /// The most jobs in one phase, for those that would take forever.
    pub(crate) most: u64,
}

impl Subject {
    /// Which it is and how it is set up. However many parts Horarium has in a comparison, it is one program.
    pub(crate) fn described(&self) -> Described {
        let name = if self.kind == Kind::Horarium { "Horarium" } else { &self.name };
        let settings: Vec<String> = self.settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        Described {
            name: name.to_owned(),
            version: self.version.clone(),
            kind: Some(self.kind),
            settings: settings.join(" "),
        }
    }
}

/// What a drain showed.
pub(crate) struct Drained {
    /// Jobs a second, from the first handler's start until nothing was left to be done or written.
    pub(crate) rate: f64,
    /// Seconds of processor time for 10,000 jobs.
    pub(crate) worker_cpu: f64,
    pub(crate) server_cpu: f64,
    /// The worker's memory at most, in MiB.
    pub(crate) memory: f64,
}

/// What an idle system showed.
pub(crate) struct Pickup {
    /// Milliseconds from a call's start to its handler's start.
    pub(crate) p50: f64,
    pub(crate) p99: f64,
    /// Milliseconds that a call took, half of them at most.
    pub(crate) call: f64,
    /// What worker and server took of one core, in percent, with nothing to do.
    pub(crate) idle_cpu: f64,
    /// The idle worker's memory in MiB.
    pub(crate) memory: f64,
}

/// Where a subject's jobs are.
enum Home {
    Database(Box<Database>),
    Redis,
    Folder(TempDir),
}

/// A subject with an empty store.
pub(crate) struct Trial<'a> {
    lab: &'a Lab,
    subject: &'a Subject,
    home: Home,
}

impl<'a> Trial<'a> {
    /// Makes the store and the subject's schema.
    pub(crate) async fn begin(lab: &'a Lab, subject: &'a Subject) -> Result<Self, Failure> {
        let home = match subject.backend {
            Backend::Postgres(_) => {
                let name: String = subject.name.chars().filter(char::is_ascii_alphanumeric).collect();
                Home::Database(Box::new(lab.database(&name.to_ascii_lowercase()).await?))
            }
            Backend::Redis(_) => {
                let redis = lab.redis()?;
                lab.describe(redis.described.clone());
                redis.clear()?;
                Home::Redis
            }
            Backend::Sqlite(_) => {
                lab.describe(sqlite());
                Home::Folder(tempfile::tempdir()?)
            }
        };
        lab.describe(subject.described());
        let trial = Self { lab, subject, home };
        trial.call(&["setup"])?;
        trial.checkpoint().await?;
        Ok(trial)
    }

    /// Removes what was made.
    pub(crate) async fn end(self) -> Result<(), Failure> {
        match self.home {
            Home::Database(database) => self.lab.server()?.remove(*database).await,
            Home::Folder(folder) => Ok(folder.close()?),
            Home::Redis => Ok(()),
        }
    }

    /// Its PostgreSQL database.
    pub(crate) fn database(&self) -> Result<&Database, Failure> {
        match &self.home {
            Home::Database(database) => Ok(database),
            Home::Redis | Home::Folder(_) => Err(format!("{} has no PostgreSQL database", self.subject.name).into()),
        }
    }

    /// Its SQLite file.
    pub(crate) fn file(&self) -> Result<PathBuf, Failure> {
        match &self.home {
            Home::Folder(folder) => Ok(folder.path().join("jobs.db")),
            Home::Redis | Home::Database(_) => Err(format!("{} has no SQLite file", self.subject.name).into()),
        }
    }

    /// The subject's program with these arguments, to be run on this store.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.subject.program[0]);
        command.args(&self.subject.program[1..]).args(arguments);
        command.envs(self.subject.settings.iter().map(|(name, value)| (name, value)));
        self.lead(&mut command);
        command
    }

    /// Leads a program to this store.
    pub(crate) fn lead(&self, command: &mut Command) {
        if let Ok(database) = self.database() {
            command.env("DATABASE_URL", &database.url);
        }
        if let Ok(file) = self.file() {
            command.env("SQLITE_PATH", file);
        }
        if let Ok(redis) = self.lab.redis() {
            command.env("REDIS_PORT", redis.port.to_string());
        }
    }

    /// Runs the subject's program to its end; what it says.
    pub(crate) fn call(&self, arguments: &[&str]) -> Result<Value, Failure> {
        call(self.command(arguments), PATIENCE)
    }

    /// Accepts jobs one by one; jobs a second.
    pub(crate) async fn one_by_one(&self, count: u64, callers: u64) -> Result<f64, Failure> {
        self.flush().await?;
        self.lab.timed(|| rate(&self.call(&["enq_one", &count.to_string(), &callers.to_string()])?))
    }

    /// Accepts jobs in batches of 1000, by two callers; jobs a second.
    pub(crate) async fn bulk(&self, count: u64) -> Result<f64, Failure> {
        self.flush().await?;
        self.lab.timed(|| rate(&self.call(&["enq_bulk", &count.to_string(), "1000", "2"])?))
    }

    /// Accepts jobs to be drained.
    pub(crate) fn preload(&self, count: u64) -> Result<(), Failure> {
        self.call(&["enq_bulk", &count.to_string(), "1000", "2"]).map(drop)
    }

    /// One worker runs what was preloaded.
    pub(crate) async fn drain(&self, count: u64) -> Result<Drained, Failure> {
        if let Home::Database(database) = &self.home {
            database.run("analyze").await?;
        }
        self.flush().await?;
        let watch = self.lab.watch();
        let server_before = self.server_cpu();
        let worker = self.worker(count)?;
        let worker_before = worker.cpu_seconds();
        let done = worker.wait_for("done", PATIENCE)?;
        let settled = self.settled().await?;
        self.lab.note(&watch);
        if member(&done, "dups")? > 0.0 {
            return Err(format!("{} ran jobs twice", self.subject.name).into());
        }
        let per_10k = 10_000.0 / count as f64;
        Ok(Drained {
            rate: count as f64 / ((settled as f64 - member(&done, "first_ns")?) / 1e9),
            worker_cpu: (worker.cpu_seconds() - worker_before) * per_10k,
            server_cpu: (self.server_cpu() - server_before) * per_10k,
            memory: worker.memory_mib("VmHWM")?,
        })
    }

    /// Starts a worker that tells when it has run so many jobs.
    pub(crate) fn worker(&self, count: u64) -> Result<Worker, Failure> {
        Ok(self.workers(1, count)?.remove(0))
    }

    /// Starts workers at once.
    pub(crate) fn workers(&self, workers: usize, count: u64) -> Result<Vec<Worker>, Failure> {
        let start = |_| Worker::start(self.command(&["work", &count.to_string()]));
        let workers = (0..workers).map(start).collect::<Result<Vec<_>, _>>()?;
        for worker in &workers {
            worker.wait_for("ready", PATIENCE)?;
        }
        Ok(workers)
    }

    /// Waits until nothing is left to be done or written; when that was, in nanoseconds of the shared clock.
    pub(crate) async fn settled(&self) -> Result<u64, Failure> {
        let deadline = Instant::now() + PATIENCE;
        while self.unfinished().await? > 0 {
            if Instant::now() > deadline {
                return Err(format!("{}: jobs are left that never end", self.subject.name).into());
            }
            tokio::time::sleep(LOOKS_APART).await;
        }
        Ok(now_ns())
    }

    /// One job now and then, for a worker in another process.
    pub(crate) fn pickup(&self, count: u64, interval_ms: u64) -> Result<Pickup, Failure> {
        self.lab.quiet();
        let watch = self.lab.watch();
        let worker = self.worker(count)?;
        std::thread::sleep(REST);
        let before = worker.cpu_seconds() + self.server_cpu();
        std::thread::sleep(REST);
        let idle = (worker.cpu_seconds() + self.server_cpu() - before) / REST.as_secs_f64() * 100.0;
        let memory = worker.memory_mib("VmRSS")?;
        let called = self.call(&["lat", &count.to_string(), &interval_ms.to_string()])?;
        let done = worker.wait_for("done", PATIENCE)?;
        self.lab.note(&watch);
        let picked_up = milliseconds(&done, "lat_us")?;
        Ok(Pickup {
            p50: percentile(&picked_up, 50.0),
            p99: percentile(&picked_up, 99.0),
            call: percentile(&milliseconds(&called, "call_us")?, 50.0),
            idle_cpu: idle,
            memory,
        })
    }

    /// Has nothing left over from the last phase, and waits until others leave the machine alone.
    async fn flush(&self) -> Result<(), Failure> {
        self.checkpoint().await?;
        self.lab.quiet();
        Ok(())
    }

    async fn checkpoint(&self) -> Result<(), Failure> {
        match self.subject.backend {
            Backend::Postgres(_) => self.lab.server()?.checkpoint().await,
            Backend::Redis(_) | Backend::Sqlite(_) => Ok(()),
        }
    }

    /// How many jobs are not over.
    pub(crate) async fn unfinished(&self) -> Result<i64, Failure> {
        match self.subject.backend {
            Backend::Postgres(sql) => self.database()?.count(sql).await,
            Backend::Redis(commands) => {
                let redis: &Redis = self.lab.redis()?;
                commands.iter().map(|command| redis.number(command)).sum()
            }
            Backend::Sqlite(sql) => Ok(Connection::open(self.file()?)?.query_row(sql, [], |row| row.get(0))?),
        }
    }

    fn server_cpu(&self) -> f64 {
        match self.subject.backend {
            Backend::Postgres(_) => self.lab.server().map_or(f64::NAN, super::Server::cpu_seconds),
            Backend::Redis(_) => self.lab.redis().map_or(f64::NAN, Redis::cpu_seconds),
            // It is a part of the worker.
            Backend::Sqlite(_) => 0.0,
        }
    }
}

/// The SQLite that is compiled in; drivers and ceilings set it up as `horarium-persistence` does.
fn sqlite() -> Described {
    Described {
        name: "SQLite".to_owned(),
        version: rusqlite::version().to_owned(),
        kind: None,
        settings: "journal_mode=WAL synchronous=FULL".to_owned(),
    }
}

/// What `lat` and `alone` say, in milliseconds.
pub(crate) fn milliseconds(line: &Value, name: &str) -> Result<Vec<f64>, Failure> {
    let values = line.get(name).and_then(Value::as_array).ok_or_else(|| format!("a driver said no {name:?}"))?;
    Ok(values.iter().filter_map(Value::as_f64).map(|micros| micros / 1000.0).collect())
}

fn rate(line: &Value) -> Result<f64, Failure> {
    Ok(member(line, "n")? / member(line, "secs")?)
}

fn member(line: &Value, name: &str) -> Result<f64, Failure> {
    line.get(name).and_then(Value::as_f64).ok_or_else(|| format!("a driver said no {name:?}").into())
}

/// The columns that a drain and a pickup fill.
pub(crate) mod what {
    use super::Unit;

    pub(crate) const DRAIN: (&str, Unit) = ("drained", Unit::PerSecond);
    pub(crate) const WORKER_CPU: (&str, Unit) = ("worker CPU for 10,000", Unit::Seconds);
    pub(crate) const SERVER_CPU: (&str, Unit) = ("database CPU for 10,000", Unit::Seconds);
    pub(crate) const PEAK: (&str, Unit) = ("worker memory at most", Unit::MiB);
    pub(crate) const ONE_8: (&str, Unit) = ("one by one, 8 callers", Unit::PerSecond);
    pub(crate) const ONE_256: (&str, Unit) = ("one by one, 256 callers", Unit::PerSecond);
    pub(crate) const BULK: (&str, Unit) = ("1000 a call", Unit::PerSecond);
    pub(crate) const P50: (&str, Unit) = ("pickup p50", Unit::Milliseconds);
    pub(crate) const P99: (&str, Unit) = ("pickup p99", Unit::Milliseconds);
    pub(crate) const CALL: (&str, Unit) = ("call p50", Unit::Milliseconds);
    pub(crate) const IDLE_CPU: (&str, Unit) = ("CPU at rest", Unit::Percent);
    pub(crate) const IDLE_MEMORY: (&str, Unit) = ("worker memory at rest", Unit::MiB);
}
