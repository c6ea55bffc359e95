//! Goal 3: how soon an idle system picks up work.

use std::time::Duration;

use serde_json::Value;

use super::{Compared, Shown, horarium, noted, sqlite};
use crate::Failure;
use crate::ceiling;
use crate::lab::{Lab, Subject, Trial, milliseconds, what};
use crate::report::figures::percentile;
use crate::report::{Against, Bound, Kind, Record, Target};

const JOBS: u64 = 400;
const INTERVAL_MS: u64 = 50;

const CEILING: &str = "a bare insert that notifies";
const ONE_PROCESS: &str = "Horarium, one process";
pub(super) const ON_SQLITE: &str = "Horarium on SQLite";

pub(super) const SHOWN: Shown = Shown {
    title: "3. Pickup when idle",
    method: "The worker has been idle for four seconds; then another process accepts one job every 50 ms, 400 times. From \
        the start of the call to the start of the handler. 'One process' and 'on SQLite': the process that accepts the \
        job also runs it, as a single server does. The ceiling inserts a row and notifies in one statement, until a listener \
        on another connection hears of it.",
    targets: &[
        Target {
            text: "p50 at most 1.5 ms",
            subject: "Horarium",
            what: what::P50.0,
            against: Against::Nothing,
            bound: Bound::AtMost(1.5),
        },
        Target {
            text: "p99 at most 5 ms",
            subject: "Horarium",
            what: what::P99.0,
            against: Against::Nothing,
            bound: Bound::AtMost(5.0),
        },
        Target {
            text: "p50 below every peer",
            subject: "Horarium",
            what: what::P50.0,
            against: Against::BestPeer,
            bound: Bound::AtMost(1.0),
        },
        Target {
            text: "p99 below every peer",
            subject: "Horarium",
            what: what::P99.0,
            against: Against::BestPeer,
            bound: Bound::AtMost(1.0),
        },
        Target {
            text: "SQLite: p50 at most 1 ms",
            subject: ON_SQLITE,
            what: what::P50.0,
            against: Against::Nothing,
            bound: Bound::AtMost(1.0),
        },
    ],
    plotted: &[what::P50.0, what::P99.0],
};

pub(super) async fn round(
    lab: &Lab,
    compared: &Compared<'_>,
    round: usize,
    record: &mut Record,
) -> Result<(), Failure> {
    ceiling(lab, record).await?;
    alone(lab, &horarium(ONE_PROCESS)?, record).await?;
    alone(lab, &sqlite::subject(ON_SQLITE)?, record).await?;
    for subject in compared.in_turn(round, record)? {
        let result = across(lab, &subject, record).await;
        noted(record, &subject, result)?;
    }
    Ok(())
}

async fn ceiling(lab: &Lab, record: &mut Record) -> Result<(), Failure> {
    let database = lab.database("ceiling").await?;
    lab.quiet();
    let watch = lab.watch();
    let interval = Duration::from_millis(INTERVAL_MS);
    let took = ceiling::pickup::hear(&database, lab.size(JOBS), interval).await?;
    lab.note(&watch);
    record.add(CEILING, Kind::Ceiling, what::P50, percentile(&took, 50.0));
    record.add(CEILING, Kind::Ceiling, what::P99, percentile(&took, 99.0));
    lab.server()?.remove(database).await
}

async fn across(lab: &Lab, subject: &Subject, record: &mut Record) -> Result<(), Failure> {
    let trial = Trial::begin(lab, subject).await?;
    let pickup = trial.pickup(lab.size(JOBS), INTERVAL_MS)?;
    trial.end().await?;
    record.add(&subject.name, subject.kind, what::P50, pickup.p50);
    record.add(&subject.name, subject.kind, what::P99, pickup.p99);
    record.add(&subject.name, subject.kind, what::CALL, pickup.call);
    record.add(&subject.name, subject.kind, what::IDLE_CPU, pickup.idle_cpu);
    record.add(&subject.name, subject.kind, what::IDLE_MEMORY, pickup.memory);
    Ok(())
}

async fn alone(lab: &Lab, subject: &Subject, record: &mut Record) -> Result<(), Failure> {
    let trial = Trial::begin(lab, subject).await?;
    let arguments = ["alone", &lab.size(JOBS).to_string(), &INTERVAL_MS.to_string()];
    let said: Value = lab.timed(|| trial.call(&arguments))?;
    trial.end().await?;
    let took = milliseconds(&said, "lat_us")?;
    record.add(&subject.name, subject.kind, what::P50, percentile(&took, 50.0));
    record.add(&subject.name, subject.kind, what::P99, percentile(&took, 99.0));
    Ok(())
}
