//! Goal 1: claiming, running and completing a backlog.

use super::{Compared, Shown, horarium, noted};
use crate::Failure;
use crate::ceiling;
use crate::lab::{Lab, Subject, Trial, what};
use crate::report::{Against, Bound, Kind, Record, Target};

const JOBS: u64 = 100_000;

/// Their ends are noted for the listings of what changed lately, as those of a moment ago are not.
const OLD: &str = "Horarium, accepted an hour ago";

const CEILING: &str = "SQL by hand, history kept";

pub(super) const SHOWN: Shown = Shown {
    title: "1. Draining a backlog",
    method: "100,000 jobs that do nothing are waiting; one worker process claims, runs and completes them. From the first \
        handler's start until the database holds nothing unfinished. The ceiling is SQL by hand in the same shape (a \
        queue row and a history row, batches of 500), without tenants, limits, fences, counters or rollups.",
    targets: &[
        target("at least 0.85 of SQL by hand", Against::Figure(CEILING, what::DRAIN.0), 0.85),
        target("at least 1.4 times the fastest that keeps history", Against::BestKeeping, 1.4),
        target("not below the fastest that deletes it", Against::BestDeleting, 1.0),
        Target {
            text: "the worker's CPU for 10,000: at most 0.12 s",
            subject: "Horarium",
            what: what::WORKER_CPU.0,
            against: Against::Nothing,
            bound: Bound::AtMost(0.12),
        },
        Target {
            text: "PostgreSQL's CPU for 10,000: at most 0.30 s",
            subject: "Horarium",
            what: what::SERVER_CPU.0,
            against: Against::Nothing,
            bound: Bound::AtMost(0.30),
        },
    ],
    plotted: &[what::DRAIN.0],
};

const fn target(text: &'static str, against: Against, at_least: f64) -> Target {
    Target { text, subject: "Horarium", what: what::DRAIN.0, against, bound: Bound::AtLeast(at_least) }
}

pub(super) async fn round(
    lab: &Lab,
    compared: &Compared<'_>,
    round: usize,
    record: &mut Record,
) -> Result<(), Failure> {
    record.add(CEILING, Kind::Ceiling, what::DRAIN, ceiling(lab).await?);
    let mut old = horarium(OLD)?;
    old.program.extend(["--accepted-ago".into(), "3600".into()]);
    drain(lab, &old, record).await?;
    for subject in compared.in_turn(round, record)? {
        let result = drain(lab, &subject, record).await;
        noted(record, &subject, result)?;
    }
    Ok(())
}

async fn ceiling(lab: &Lab) -> Result<f64, Failure> {
    let (count, database) = (lab.size(JOBS), lab.database("ceiling").await?);
    ceiling::drain::fill(&database, count).await?;
    lab.quiet();
    let watch = lab.watch();
    let rate = ceiling::drain::drain(&database, count).await?;
    lab.note(&watch);
    lab.server()?.remove(database).await?;
    Ok(rate)
}

async fn drain(lab: &Lab, subject: &Subject, record: &mut Record) -> Result<(), Failure> {
    let count = lab.size(JOBS).min(subject.most);
    let trial = Trial::begin(lab, subject).await?;
    trial.preload(count)?;
    let drained = trial.drain(count).await?;
    trial.end().await?;
    record.add(&subject.name, subject.kind, what::DRAIN, drained.rate);
    record.add(&subject.name, subject.kind, what::WORKER_CPU, drained.worker_cpu);
    record.add(&subject.name, subject.kind, what::SERVER_CPU, drained.server_cpu);
    record.add(&subject.name, subject.kind, what::PEAK, drained.memory);
    Ok(())
}
