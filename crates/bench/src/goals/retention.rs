//! Goal 9: removing what retention no longer keeps.

use std::time::{Duration, Instant};

use horarium_domain::store::MaintenanceStore;
use horarium_domain::{Clock, SystemClock};

use super::{Shown, fill, horarium};
use crate::Failure;
use crate::lab::Lab;
use crate::node::{Node, Settings};
use crate::report::{Against, Bound, Kind, Record, Target, Unit};

const DAY: u64 = 1_000_000;
const KEPT: u64 = 100_000;

/// What the maintenance job removes at once.
const BATCH: usize = 1000;

const TOOK: (&str, Unit) = ("took", Unit::Seconds);
const SERVER_CPU: (&str, Unit) = ("database CPU", Unit::Seconds);
const BLOAT: (&str, Unit) = ("disk not given back", Unit::MiB);

pub(super) const SHOWN: Shown = Shown {
    title: "9. Removing a day of 1,000,000 executions",
    method: "A day of a million executions, forty days ago, and 100,000 younger ones. Retention removes the day as the \
        maintenance job does. What is not given back is the size of the table and its indexes afterwards, beyond the \
        share of what is kept.",
    targets: &[
        Target {
            text: "less than a second of the database's time",
            subject: "Horarium",
            what: TOOK.0,
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
    fill::history(&database, lab.size(KEPT), 0.0, 1.0).await?;
    let kept = megabytes(&database).await?;
    fill::history(&database, lab.size(DAY), 40.0, 1.0).await?;
    let full = megabytes(&database).await?;
    lab.quiet();

    let watch = lab.watch();
    let (cpu, start) = (server.cpu_seconds(), Instant::now());
    let before = SystemClock.now() - Duration::from_hours(30 * 24);
    let mut removed = 0;
    loop {
        let batch = MaintenanceStore::prune_executions(&*node.core.store, node.job.tenant_id, before, BATCH).await?;
        removed += batch;
        if batch == 0 {
            break;
        }
    }
    let took = start.elapsed().as_secs_f64();
    lab.note(&watch);
    if removed != lab.size(DAY) {
        return Err(format!("retention removed {removed} executions").into());
    }
    record.add("Horarium", Kind::Horarium, TOOK, took);
    record.add("Horarium", Kind::Horarium, SERVER_CPU, server.cpu_seconds() - cpu);
    record.add("Horarium", Kind::Horarium, BLOAT, (megabytes(&database).await? - kept).max(0.0));
    record.add("a day of executions", Kind::Ceiling, SIZE, full - kept);
    drop(node);
    server.remove(database).await
}

/// Of the history and its indexes, partitions included.
async fn megabytes(database: &crate::lab::Database) -> Result<f64, Failure> {
    let bytes = "
        select coalesce(sum(pg_total_relation_size(relid)), pg_total_relation_size('executions'))::int8
        from pg_partition_tree('executions')";
    Ok(database.count(bytes).await? as f64 / 1024.0 / 1024.0)
}
