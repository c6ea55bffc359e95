//! Goal 2: accepting, each answer after its commit.

use super::{Compared, Shown, horarium, noted};
use crate::Failure;
use crate::ceiling;
use crate::lab::{Lab, Subject, Trial, what};
use crate::report::{Against, Bound, Kind, Record, Target};

const ONE_BY_ONE: u64 = 20_000;
const BULK: u64 = 100_000;

/// So many times as many are accepted from 256 callers, so that it takes Horarium longer than a moment.
const LONGER: u64 = 5;

const PGBENCH: &str = "pgbench, same tables";
const UNNEST: &str = "bare unnest, same tables";

pub(super) const SHOWN: Shown = Shown {
    title: "2. Accepting",
    method: "One producer process, 8 or 256 concurrent callers that each wait for the commit of their own job, 20,000 in \
        all (Horarium's 256 callers 100,000), or two callers with 1000 jobs a call, 100,000 in all. pgbench inserts single rows into Horarium's own tables with 8 clients; unnest \
        inserts 1000 into them over two connections. BullMQ answers before its job is on disk.",
    targets: &[
        Target {
            text: "8 callers: at least 0.9 of pgbench's single rows",
            subject: "Horarium",
            what: what::ONE_8.0,
            against: Against::Figure(PGBENCH, what::ONE_8.0),
            bound: Bound::AtLeast(0.9),
        },
        Target {
            text: "8 callers: above every peer",
            subject: "Horarium",
            what: what::ONE_8.0,
            against: Against::BestPeer,
            bound: Bound::AtLeast(1.0),
        },
        Target {
            text: "256 callers: at least 2.5 times pgbench's single rows",
            subject: "Horarium",
            what: what::ONE_256.0,
            against: Against::Figure(PGBENCH, what::ONE_8.0),
            bound: Bound::AtLeast(2.5),
        },
        Target {
            text: "1000 a call: at least 0.7 of bare unnest",
            subject: "Horarium",
            what: what::BULK.0,
            against: Against::Figure(UNNEST, what::BULK.0),
            bound: Bound::AtLeast(0.7),
        },
    ],
    plotted: &[what::ONE_8.0, what::BULK.0],
};

pub(super) async fn round(
    lab: &Lab,
    compared: &Compared<'_>,
    round: usize,
    record: &mut Record,
) -> Result<(), Failure> {
    ceilings(lab, record).await?;
    for subject in compared.in_turn(round, record)? {
        let result = accept(lab, &subject, record).await;
        noted(record, &subject, result)?;
    }
    Ok(())
}

async fn ceilings(lab: &Lab, record: &mut Record) -> Result<(), Failure> {
    let ours = horarium("Horarium")?;
    let trial = Trial::begin(lab, &ours).await?;
    lab.quiet();
    let watch = lab.watch();
    let rate = ceiling::insert::one_by_one(trial.database()?, lab.size(ONE_BY_ONE), 8).await?;
    record.add(PGBENCH, Kind::Ceiling, what::ONE_8, rate);
    trial.end().await?;
    let trial = Trial::begin(lab, &ours).await?;
    record.add(UNNEST, Kind::Ceiling, what::BULK, ceiling::insert::bulk(trial.database()?, lab.size(BULK)).await?);
    lab.note(&watch);
    trial.end().await
}

async fn accept(lab: &Lab, subject: &Subject, record: &mut Record) -> Result<(), Failure> {
    let (ones, bulk) = (lab.size(ONE_BY_ONE).min(subject.most), lab.size(BULK).min(10 * subject.most.min(BULK)));
    let trial = Trial::begin(lab, subject).await?;
    record.add(&subject.name, subject.kind, what::ONE_8, trial.one_by_one(ones, 8).await?);
    trial.end().await?;
    let trial = Trial::begin(lab, subject).await?;
    let many = if subject.kind == Kind::Horarium { ones * LONGER } else { ones };
    record.add(&subject.name, subject.kind, what::ONE_256, trial.one_by_one(many, 256).await?);
    trial.end().await?;
    let trial = Trial::begin(lab, subject).await?;
    record.add(&subject.name, subject.kind, what::BULK, trial.bulk(bulk).await?);
    trial.end().await
}
