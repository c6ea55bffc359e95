//! Goal 10: on SQLite.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::{Connection, OpenFlags};

use super::http::Api;
use super::{Shown, horarium, reads};
use crate::Failure;
use crate::ceiling;
use crate::lab::{Backend, Lab, Subject, Trial, what};
use crate::report::{Against, Bound, Kind, Record, Target, Unit};

const ONE_BY_ONE: u64 = 20_000;
const DRAINED: u64 = 100_000;
const RECENT: u64 = 10_000;

const OURS: &str = "Horarium";
const CEILING: &str = "SQL by hand, one connection";
const BESIDE_READERS: (&str, Unit) = ("one by one, 8 callers, beside a long read", Unit::PerSecond);
const BESIDE_WORK: (&str, Unit) = ("one by one, 8 callers, beside a thread that computes", Unit::PerSecond);

pub(super) const SHOWN: Shown = Shown {
    title: "10. On SQLite",
    method: "WAL and synchronous=FULL throughout: every answer is on disk. Accepting by 8 callers beside single inserts \
        into the same tables, each its own transaction; draining 100,000 beside SQL by hand in batches of 500. The long \
        read is a connection that walks the whole history again and again, in one transaction each time; that keeps a core \
        busy, so it is held against a thread that keeps one busy and reads nothing. The listing is of \
        10,000 executions of the last ten minutes, asked for 300 times by one client.",
    targets: &[
        Target {
            text: "8 callers: at least 1.0 of single autocommit inserts",
            subject: OURS,
            what: what::ONE_8.0,
            against: Against::Figure(CEILING, what::ONE_8.0),
            bound: Bound::AtLeast(1.0),
        },
        Target {
            text: "drains at least 30,000/s",
            subject: OURS,
            what: what::DRAIN.0,
            against: Against::Nothing,
            bound: Bound::AtLeast(30_000.0),
        },
        Target {
            text: "a long read costs the writer at most 10 % more than a thread that computes",
            subject: OURS,
            what: BESIDE_READERS.0,
            against: Against::Figure(OURS, BESIDE_WORK.0),
            bound: Bound::AtLeast(0.9),
        },
    ],
    plotted: &[],
};

/// Horarium as a library on SQLite, through this program's driver.
pub(super) fn subject(name: &str) -> Result<Subject, Failure> {
    Ok(Subject { backend: Backend::Sqlite("select count(*) from execution_queue"), ..horarium(name)? })
}

pub(super) async fn round(lab: &Lab, record: &mut Record) -> Result<(), Failure> {
    let (ones, backlog) = (lab.size(ONE_BY_ONE), lab.size(DRAINED));
    let ours = subject(OURS)?;

    let trial = Trial::begin(lab, &ours).await?;
    let rate = lab.timed(|| ceiling::sqlite::one_by_one(&trial.file()?, ones))?;
    record.add(CEILING, Kind::Ceiling, what::ONE_8, rate);
    trial.end().await?;
    let trial = Trial::begin(lab, &ours).await?;
    let rate = lab.timed(|| ceiling::sqlite::drain(&trial.file()?, backlog))?;
    record.add(CEILING, Kind::Ceiling, what::DRAIN, rate);
    trial.end().await?;

    let trial = Trial::begin(lab, &ours).await?;
    record.add(OURS, Kind::Horarium, what::ONE_8, trial.one_by_one(ones, 8).await?);
    trial.end().await?;
    let trial = Trial::begin(lab, &ours).await?;
    record.add(OURS, Kind::Horarium, what::BULK, trial.bulk(backlog).await?);
    let drained = trial.drain(backlog).await?;
    record.add(OURS, Kind::Horarium, what::DRAIN, drained.rate);
    record.add(OURS, Kind::Horarium, what::WORKER_CPU, drained.worker_cpu);
    record.add(OURS, Kind::Horarium, what::PEAK, drained.memory);
    // Now there is a history to read.
    let history = Connection::open_with_flags(trial.file()?, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let reader = Neighbour::start(move || {
        history.query_row("select sum(length(payload) + length(worker)) from executions", [], |_| Ok(()))
    });
    let rate = trial.one_by_one(ones, 8).await?;
    reader.stop()?;
    record.add(OURS, Kind::Horarium, BESIDE_READERS, rate);
    let worker = Neighbour::start(|| {
        std::hint::black_box((0..1_000_000_u64).fold(0, u64::wrapping_add));
        Ok(())
    });
    let rate = trial.one_by_one(ones, 8).await?;
    worker.stop()?;
    record.add(OURS, Kind::Horarium, BESIDE_WORK, rate);
    trial.end().await?;

    let trial = Trial::begin(lab, &ours).await?;
    trial.preload(lab.size(RECENT))?;
    let api = Api::start(&trial)?;
    trial.settled().await?;
    lab.quiet();
    let (listing, p50, p99) = reads::one(lab, &api, reads::RECENT, &[]).await?;
    record.add(&listing, Kind::Horarium, reads::P50, p50);
    record.add(&listing, Kind::Horarium, reads::P99, p99);
    drop(api);
    trial.end().await
}

/// A thread that does one thing again and again.
struct Neighbour {
    over: Arc<AtomicBool>,
    thread: std::thread::JoinHandle<rusqlite::Result<()>>,
}

impl Neighbour {
    fn start(work: impl Fn() -> rusqlite::Result<()> + Send + 'static) -> Self {
        let over = Arc::new(AtomicBool::new(false));
        let told = Arc::clone(&over);
        let thread = std::thread::spawn(move || {
            while !told.load(Ordering::Relaxed) {
                work()?;
            }
            Ok(())
        });
        Self { over, thread }
    }

    fn stop(self) -> Result<(), Failure> {
        self.over.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| "the thread beside the writer panicked")??;
        Ok(())
    }
}
