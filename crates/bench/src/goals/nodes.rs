//! Goal 11: one, two and four nodes on one database.

use super::{Shown, horarium};
use crate::Failure;
use crate::lab::clock::now_ns;
use crate::lab::{Lab, Trial, Worker, what};
use crate::report::{Against, Bound, Kind, Record, Target, Unit};

const JOBS: u64 = 200_000;

const WAL: (&str, Unit) = ("write-ahead log for one", Unit::Bytes);
const CONNECTIONS: (&str, Unit) = ("connections", Unit::Count);

pub(super) const SHOWN: Shown = Shown {
    title: "11. One, two and four nodes",
    method: "200,000 jobs are waiting; so many worker processes drain them together, from the first one's start until \
        nothing is left. All of them, and PostgreSQL, share the machine's cores, so more nodes cannot be faster here: the \
        question is what sharing costs. The write-ahead log is that of claims and completions; docs/scaling.md reckons \
        with it.",
    targets: &[Target {
        text: "four nodes lose at most 10 % against one",
        subject: "4 nodes",
        what: what::DRAIN.0,
        against: Against::Figure("1 node", what::DRAIN.0),
        bound: Bound::AtLeast(0.9),
    }],
    plotted: &[what::DRAIN.0],
};

pub(super) async fn round(lab: &Lab, record: &mut Record) -> Result<(), Failure> {
    for (name, nodes) in [("1 node", 1), ("2 nodes", 2), ("4 nodes", 4)] {
        drain(lab, name, nodes, record).await?;
    }
    Ok(())
}

async fn drain(lab: &Lab, name: &str, nodes: usize, record: &mut Record) -> Result<(), Failure> {
    let (ours, count, server) = (horarium(name)?, lab.size(JOBS), lab.server()?);
    let trial = Trial::begin(lab, &ours).await?;
    trial.preload(count)?;
    trial.database()?.run("analyze").await?;
    server.checkpoint().await?;
    lab.quiet();

    let watch = lab.watch();
    let (wal, cpu, start) = (server.wal_bytes().await?, server.cpu_seconds(), now_ns());
    let workers: Vec<Worker> = (0..nodes).map(|_| trial.worker(count)).collect::<Result<_, _>>()?;
    let end = trial.settled().await?;
    lab.note(&watch);
    let connections =
        "select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()";
    let connections = trial.database()?.count(connections).await?;
    let per_10k = 10_000.0 / count as f64;
    record.add(name, Kind::Horarium, what::DRAIN, count as f64 / ((end - start) as f64 / 1e9));
    let worker_cpu: f64 = workers.iter().map(Worker::cpu_seconds).sum();
    record.add(name, Kind::Horarium, what::WORKER_CPU, worker_cpu * per_10k);
    record.add(name, Kind::Horarium, what::SERVER_CPU, (server.cpu_seconds() - cpu) * per_10k);
    record.add(name, Kind::Horarium, WAL, (server.wal_bytes().await? - wal) / count as f64);
    record.add(name, Kind::Horarium, CONNECTIONS, connections as f64);
    drop(workers);
    trial.end().await
}
