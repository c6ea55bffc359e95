//! Goal 11: one, two and four nodes on one database, and what one execution costs.

use std::time::{Duration, Instant};

use super::{Shown, horarium};
use crate::Failure;
use crate::lab::clock::now_ns;
use crate::lab::{Database, Lab, Server, Trial, Worker, what};
use crate::report::{Against, Bound, Kind, Record, Target, Unit};

const JOBS: u64 = 200_000;
const ONE_BY_ONE: u64 = 50_000;

const LOOKS_APART: Duration = Duration::from_millis(5);
const PATIENCE: Duration = Duration::from_mins(10);

pub(crate) const ONE_NODE: &str = "1 node";
pub(crate) const ONES: &str = "accepting one by one, 64 callers";
pub(crate) const BULK: &str = "accepting 1000 a call";

pub(crate) const WAL: (&str, Unit) = ("write-ahead log for one", Unit::Bytes);
pub(crate) const DISK: (&str, Unit) = ("disk for one that is kept", Unit::Bytes);
const CONNECTIONS: (&str, Unit) = ("connections", Unit::Count);

pub(super) const SHOWN: Shown = Shown {
    title: "11. One, two and four nodes",
    method: "200,000 jobs are waiting; so many worker processes drain them together, from when they are started until \
        nothing is left. All of them, and PostgreSQL, share the machine's cores, so more nodes cannot be faster here: the \
        question is what sharing costs. The log of draining is that of claims and completions; accepting is measured \
        beside it, and [scaling.md](scaling.md) reckons with both.",
    targets: &[Target {
        text: "four nodes lose at most 10 % against one",
        subject: "4 nodes",
        what: what::DRAIN.0,
        against: Against::Figure(ONE_NODE, what::DRAIN.0),
        bound: Bound::AtLeast(0.9),
    }],
    plotted: &[what::DRAIN.0],
};

pub(super) async fn round(lab: &Lab, record: &mut Record) -> Result<(), Failure> {
    for (name, nodes) in [(ONE_NODE, 1), ("2 nodes", 2), ("4 nodes", 4)] {
        drain(lab, name, nodes, record).await?;
    }
    let ours = horarium("Horarium")?;
    let trial = Trial::begin(lab, &ours).await?;
    let meter = Meter::start(lab.server()?).await?;
    trial.one_by_one(lab.size(ONE_BY_ONE), 64).await?;
    meter.stop(lab.size(ONE_BY_ONE), ONES, record).await?;
    trial.end().await?;
    let trial = Trial::begin(lab, &ours).await?;
    let meter = Meter::start(lab.server()?).await?;
    trial.bulk(lab.size(JOBS)).await?;
    meter.stop(lab.size(JOBS), BULK, record).await?;
    trial.end().await
}

async fn drain(lab: &Lab, name: &str, nodes: usize, record: &mut Record) -> Result<(), Failure> {
    let (ours, count, server) = (horarium(name)?, lab.size(JOBS), lab.server()?);
    let trial = Trial::begin(lab, &ours).await?;
    let empty = size(trial.database()?).await?;
    trial.preload(count)?;
    trial.database()?.run("analyze").await?;
    server.checkpoint().await?;
    lab.quiet();

    let watch = lab.watch();
    let (meter, start) = (Meter::start(server).await?, now_ns());
    let workers = trial.workers(nodes, count)?;
    all_ended(trial.database()?, count).await?;
    let end = trial.settled().await?;
    lab.note(&watch);
    let connections =
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    let connections = trial.database()?.count(connections).await?;
    record.add(name, Kind::Horarium, what::DRAIN, count as f64 / ((end - start) as f64 / 1e9));
    let cpu: f64 = workers.iter().map(Worker::cpu_seconds).sum();
    record.add(name, Kind::Horarium, what::WORKER_CPU, cpu * 10_000.0 / count as f64);
    meter.stop(count, name, record).await?;
    record.add(name, Kind::Horarium, CONNECTIONS, connections as f64);
    let kept = size(trial.database()?).await? - empty;
    record.add(name, Kind::Horarium, DISK, kept / count as f64);
    drop(workers);
    trial.end().await
}

/// Waits until so many have ended. To ask what is left from the beginning on would cost the database as much as a node.
async fn all_ended(database: &Database, count: u64) -> Result<(), Failure> {
    let ended = "select coalesce(sum(succeeded), 0)::int8 from job_counters";
    let count = i64::try_from(count)?;
    let deadline = Instant::now() + PATIENCE;
    while database.count(ended).await? < count {
        if Instant::now() > deadline {
            return Err("jobs are left that never end".into());
        }
        tokio::time::sleep(LOOKS_APART).await;
    }
    Ok(())
}

/// What the database takes meanwhile.
struct Meter<'a> {
    server: &'a Server,
    wal: f64,
    cpu: f64,
}

impl<'a> Meter<'a> {
    async fn start(server: &'a Server) -> Result<Self, Failure> {
        Ok(Self { server, wal: server.wal_bytes().await?, cpu: server.cpu_seconds() })
    }

    async fn stop(self, count: u64, name: &str, record: &mut Record) -> Result<(), Failure> {
        let cpu = self.server.cpu_seconds() - self.cpu;
        record.add(name, Kind::Horarium, what::SERVER_CPU, cpu * 10_000.0 / count as f64);
        record.add(name, Kind::Horarium, WAL, (self.server.wal_bytes().await? - self.wal) / count as f64);
        Ok(())
    }
}

/// Bytes on disk, without the write-ahead log and the queue, which keeps nothing.
async fn size(database: &Database) -> Result<f64, Failure> {
    let bytes = "select pg_database_size(current_database()) - pg_total_relation_size('execution_queue')";
    Ok(database.count(bytes).await? as f64)
}
