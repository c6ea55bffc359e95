//! What measuring needs: private databases, programs under watch, and the machine's own figures.

pub(crate) mod clock;
pub(crate) mod cpu;
mod database;
pub(crate) mod http;
mod redis;
mod subject;
mod worker;

use std::cell::{Cell, RefCell};
use std::time::Instant;

use tempfile::TempDir;

use crate::Failure;
use crate::report::Described;
pub(crate) use cpu::{Machine, Watch};
pub(crate) use database::{Database, Server};
pub(crate) use redis::Redis;
pub(crate) use subject::{Backend, Subject, Trial, milliseconds, what};
pub(crate) use worker::{Worker, call};

/// The servers, and how thoroughly to measure.
pub(crate) struct Lab {
    server: Option<Server>,
    /// Or why there is none.
    redis: Result<(Redis, TempDir), String>,
    begun: Instant,
    pub(crate) rounds: usize,
    /// What part of the work is done: 1 for all of it, 100 for a hundredth.
    pub(crate) part: u64,
    /// The largest share of the machine that others took in any phase.
    disturbed: Cell<f64>,
    /// Who took part.
    described: RefCell<Vec<Described>>,
}

impl Lab {
    /// With the PostgreSQL server of this address, if any, and a Redis of its own when one is asked for.
    pub(crate) async fn open(
        postgres: Option<&str>,
        with_redis: bool,
        rounds: usize,
        part: u64,
    ) -> Result<Self, Failure> {
        let server = match postgres {
            Some(url) => Some(Server::connect(url).await?),
            None => None,
        };
        let redis = if with_redis {
            let folder = tempfile::tempdir()?;
            Redis::start(folder.path()).map(|redis| (redis, folder)).map_err(|problem| problem.to_string())
        } else {
            Err("Redis was not asked for".to_owned())
        };
        let (begun, disturbed) = (Instant::now(), Cell::new(0.0));
        Ok(Self { server, redis, begun, rounds, part, disturbed, described: RefCell::default() })
    }

    /// Minutes since it was opened.
    pub(crate) fn minutes(&self) -> u64 {
        self.begun.elapsed().as_secs() / 60
    }

    /// The PostgreSQL server.
    pub(crate) fn server(&self) -> Result<&Server, Failure> {
        self.server.as_ref().ok_or_else(|| "this needs a PostgreSQL server: --postgres".into())
    }

    /// An empty database on it.
    pub(crate) async fn database(&self, name: &str) -> Result<Database, Failure> {
        let server = self.server()?;
        self.describe(server.described.clone());
        server.fresh(name).await
    }

    /// The Redis server.
    pub(crate) fn redis(&self) -> Result<&Redis, Failure> {
        self.redis.as_ref().map(|(redis, _)| redis).map_err(|problem| problem.as_str().into())
    }

    /// So many, or the part of it that is done.
    pub(crate) fn size(&self, full: u64) -> u64 {
        (full / self.part).max(10)
    }

    /// Whether this is to show that everything runs, and not to learn anything of speed.
    pub(crate) const fn is_trial(&self) -> bool {
        self.part >= 100
    }

    /// Waits until others leave the machine alone.
    pub(crate) fn quiet(&self) {
        if !self.is_trial() {
            Watch::wait_for_quiet(&self.processes());
        }
    }

    /// Watches the machine from now on.
    pub(crate) fn watch(&self) -> Watch {
        Watch::begin(&self.processes())
    }

    /// Keeps in mind how disturbed a phase was.
    pub(crate) fn note(&self, watch: &Watch) {
        self.disturbed.set(self.disturbed.get().max(watch.foreign()));
    }

    /// Runs a phase, and notes how disturbed it was.
    pub(crate) fn timed<T>(&self, phase: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
        let watch = self.watch();
        let result = phase();
        self.note(&watch);
        result
    }

    /// The largest share of the machine that others took in a phase since the last call.
    pub(crate) fn take_disturbance(&self) -> f64 {
        self.disturbed.replace(0.0)
    }

    /// Notes that somebody takes part.
    pub(crate) fn describe(&self, described: Described) {
        let mut all = self.described.borrow_mut();
        if !all.contains(&described) {
            all.push(described);
        }
    }

    /// Who took part since the last call.
    pub(crate) fn take_described(&self) -> Vec<Described> {
        self.described.take()
    }

    fn processes(&self) -> Vec<u32> {
        let postgres = self.server.iter().filter_map(|server| server.process);
        postgres.chain(self.redis.iter().map(|(redis, _)| redis.process())).collect()
    }
}
