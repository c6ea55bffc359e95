//! Goal 9: removing what retention no longer keeps.

use std::time::{Duration, Instant};

use horarium_domain::{Clock, SystemClock};

use super::{Shown, fill, horarium};
use crate::Failure;
use crate::lab::{Database, Lab};
use crate::node::{Node, Settings};
use crate::report::{Against, Bound, Kind, Record, Target, Unit};

const DAY: u64 = 1_000_000;
const KEPT: u64 = 100_000;

/// What the maintenance job removes at once of what does not go with its day.
const BATCH: usize = 1000;

const TOOK: (&str, Unit) = ("took", Unit::Seconds);
const SERVER_CPU: (&str, Unit) = ("database CPU", Unit::Seconds);
const BLOAT: (&str, Unit) = ("disk not given back", Unit::MiB);

pub(super) const SHOWN: Shown = Shown {
    title: "9. Removing a day of 1,000,000 executions",
    method: "A day of a million executions, forty days ago, and 100,000 of the last day. Retention removes the old day as \
        the maintenance job does: it is read once, since what it held is taken out of the counters, and then dropped. What \
        is not given back is the size of all days and their indexes afterwards, beyond that of what is kept.",
    targets: &[
        Target {
            text: "less than a second from beginning to end",
            subject: "Horarium",
            what: TOOK.0,
            against: Against::Nothing,
            bound: Bound::AtMost(1.0),
        },
        Target {
            text: "and less than a second of the database's CPU",
            subject: "Horarium",
            what: SERVER_CPU.0,
            against: Against::Nothing,
            bound: Bound::AtMost(1.0),
        },
        Target {
            text: "no bloat: at most a tenth of what was removed is not given back",
            subject: "Horarium",
            what: BLOAT.0,
            against: Against::Figure("a day of executions", SIZE.0),
            bound: Bound::AtMost(0.1),
        },
    ],
    plotted: &[],
};

const SIZE: (&str, Unit) = ("size on disk", Unit::MiB);

pub(super) async fn round(lab: &Lab, record: &mut Record) -> Result<(), Failure> {
    let server = lab.server()?;
    let database = lab.database("retention").await?;
    lab.describe(horarium("Horarium")?.described());
    let node = Node::prepare(&Settings::postgres(&database.url)).await?;
    let now = SystemClock.now();
    let old_day = (now - 40 * fill::DAY).floor_to(fill::DAY);
    fill::history(&database, lab.size(KEPT), now - fill::DAY, fill::DAY).await?;
    let kept = megabytes(&database).await?;
    // What ends on the next day is kept.
    fill::history(&database, lab.size(DAY), old_day, fill::DAY.saturating_sub(Duration::from_mins(1))).await?;
    let full = megabytes(&database).await?;
    lab.quiet();

    let watch = lab.watch();
    let (cpu, start) = (server.cpu_seconds(), Instant::now());
    let (store, tenant) = (&node.core.store, node.job.tenant_id);
    let released = store.release_history(tenant, old_day + fill::DAY).await?;
    let mut removed = released.executions;
    loop {
        let batch = store.prune_executions(tenant, released.singly_before, BATCH).await?;
        removed += batch;
        if batch == 0 {
            break;
        }
    }
    let took = start.elapsed().as_secs_f64();
    lab.note(&watch);
    if (removed, released.executions) != (lab.size(DAY), lab.size(DAY)) {
        return Err(
            format!("retention removed {removed} executions, {} of them with their day", released.executions).into()
        );
    }
    record.add("Horarium", Kind::Horarium, TOOK, took);
    record.add("Horarium", Kind::Horarium, SERVER_CPU, server.cpu_seconds() - cpu);
    record.add("Horarium", Kind::Horarium, BLOAT, (megabytes(&database).await? - kept).max(0.0));
    record.add("a day of executions", Kind::Ceiling, SIZE, full - kept);
    drop(node);
    server.remove(database).await
}

/// Of the history and its indexes, all days together.
async fn megabytes(database: &Database) -> Result<f64, Failure> {
    let bytes = "select sum(pg_total_relation_size(relid))::int8 from pg_partition_tree('executions')";
    Ok(database.count(bytes).await? as f64 / 1024.0 / 1024.0)
}
