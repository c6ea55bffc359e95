//! Goal 6: with a snapshot that somebody holds, so that nothing dead can be removed.

use super::{Shown, fill, horarium};
use crate::Failure;
use crate::lab::{Lab, Trial, what};
use crate::report::{Against, Bound, Kind, Record, Target};

const JOBS: u64 = 100_000;
const ONE_BY_ONE: u64 = 20_000;
const DEAD: u64 = 1_000_000;

const FREE: &str = "Horarium";
const HELD: &str = "Horarium, held snapshot";

pub(super) const SHOWN: Shown = Shown {
    title: "6. A held snapshot and a million dead rows",
    method: "A transaction of another connection holds its snapshot, as a long report or a forgotten session does. A million \
        rows of the queue have come and gone since, and lie where claims look first; no vacuum may remove them. Then \
        100,000 jobs are drained and 8 callers accept 20,000, beside the same without any of it.",
    targets: &[
        loses("draining loses at most 25 %", what::DRAIN.0),
        loses("accepting loses at most 25 %", what::ONE_8.0),
    ],
    plotted: &[],
};

const fn loses(text: &'static str, what: &'static str) -> Target {
    Target { text, subject: HELD, what, against: Against::Figure(FREE, what), bound: Bound::AtLeast(0.75) }
}

pub(super) async fn round(lab: &Lab, record: &mut Record) -> Result<(), Failure> {
    for name in [FREE, HELD] {
        let ours = horarium(name)?;
        let trial = Trial::begin(lab, &ours).await?;
        let holder = trial.database()?.connect().await?;
        if name == HELD {
            holder.batch_execute("begin isolation level repeatable read; select 1 from jobs").await?;
            fill::dead(trial.database()?, lab.size(DEAD)).await?;
        }
        let count = lab.size(JOBS);
        trial.preload(count)?;
        let drained = trial.drain(count).await?;
        record.add(name, Kind::Horarium, what::DRAIN, drained.rate);
        record.add(name, Kind::Horarium, what::SERVER_CPU, drained.server_cpu);
        record.add(name, Kind::Horarium, what::ONE_8, trial.one_by_one(lab.size(ONE_BY_ONE), 8).await?);
        drop(holder);
        trial.end().await?;
    }
    Ok(())
}
