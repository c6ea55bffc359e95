//! What measuring needs: private databases, programs under watch, and the machine's own figures.

pub(crate) mod clock;
pub(crate) mod cpu;
mod database;
pub(crate) mod http;
mod redis;
mod subject;
mod worker;

use std::cell::Cell;

use tempfile::TempDir;

use crate::Failure;
pub(crate) use cpu::{Machine, Watch};
pub(crate) use database::{Database, Server};
pub(crate) use redis::Redis;
pub(crate) use subject::{Backend, Subject, Trial, milliseconds, what};
pub(crate) use worker::{Worker, call};

/// The servers, and how thoroughly to measure.
pub(crate) struct Lab {
    server: Option<Server>,
    redis: Option<(Redis, TempDir)>,
    pub(crate) rounds: usize,
    /// What part of the work is done: 1 for all of it, 100 for a hundredth.
    pub(crate) part: u64,
    /// The largest share of the machine that others took in any phase.
    disturbed: Cell<f64>,
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
            Some((Redis::start(folder.path())?, folder))
        } else {
            None
        };
        Ok(Self { server, redis, rounds, part, disturbed: Cell::new(0.0) })
    }

    /// The PostgreSQL server.
    pub(crate) fn server(&self) -> Result<&Server, Failure> {
        self.server.as_ref().ok_or_else(|| "this needs a PostgreSQL server: --postgres".into())
    }

    /// The Redis server.
    pub(crate) fn redis(&self) -> Result<&Redis, Failure> {
        self.redis.as_ref().map(|(redis, _)| redis).ok_or_else(|| "this needs redis-server".into())
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

    fn processes(&self) -> Vec<u32> {
        let postgres = self.server.iter().filter_map(|server| server.process);
        postgres.chain(self.redis.iter().map(|(redis, _)| redis.process())).collect()
    }
}
