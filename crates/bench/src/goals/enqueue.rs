//! Goal 2: accepting, each answer after its commit.

use super::{Compared, Shown, horarium, noted};
use crate::Failure;
use crate::ceiling;
use crate::lab::{Lab, Subject, Trial, what};
use crate::report::{Against, Bound, Kind, Record, Target};

/// As many as take each some seconds: some accept a thousand a second, others twenty thousand.
const ONE_BY_ONE: u64 = 40_000;
const ONE_BY_ONE_OF_PEERS: u64 = 10_000;
const AT_256: u64 = 100_000;
const BULK: u64 = 100_000;

const PGBENCH: &str = "pgbench, same tables";
const UNNEST: &str = "bare unnest, same tables";

pub(super) const SHOWN: Shown = Shown {
    title: "2. Accepting",
    method: "One producer process, 8 or 256 concurrent callers that each wait for the commit of their own job: 40,000 by \
        Horarium's 8 and 100,000 by its 256, 10,000 of each other job queue; or two callers with 1000 jobs a call, 100,000 \
        in all. pgbench inserts 40,000 single rows into Horarium's own tables with 8 clients; unnest inserts 1000 at a time \
        into them over two connections. BullMQ answers before its job is on disk.",
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
    let (at_8, at_256) = match subject.kind {
        Kind::Horarium | Kind::Ceiling => (ONE_BY_ONE, AT_256),
        Kind::Keeping | Kind::Deleting => (ONE_BY_ONE_OF_PEERS, ONE_BY_ONE_OF_PEERS),
    };
    let [at_8, at_256] = [at_8, at_256].map(|count| lab.size(count).min(subject.most));
    let bulk = lab.size(BULK).min(10 * subject.most.min(BULK));
    let trial = Trial::begin(lab, subject).await?;
    record.add(&subject.name, subject.kind, what::ONE_8, trial.one_by_one(at_8, 8).await?);
    trial.end().await?;
    let trial = Trial::begin(lab, subject).await?;
    record.add(&subject.name, subject.kind, what::ONE_256, trial.one_by_one(at_256, 256).await?);
    trial.end().await?;
    let trial = Trial::begin(lab, subject).await?;
    record.add(&subject.name, subject.kind, what::BULK, trial.bulk(bulk).await?);
    trial.end().await
}
