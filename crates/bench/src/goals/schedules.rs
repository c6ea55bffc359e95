//! Goal 8: schedules that are due at once.

use std::time::Duration;

use super::{Shown, fill, horarium};
use crate::Failure;
use crate::lab::{Database, Lab, Subject, Trial};
use crate::report::{Against, Bound, Kind, Record, Target, Unit};

const AT_ONCE: u64 = 100_000;
const EACH_SECOND: u64 = 1_000;

/// How many seconds of the latter are looked at, after so many in which the nodes open their connections and plan their
/// statements.
const SECONDS: u64 = 10;
const WARMING: u64 = 2;

/// Looking costs the database time that planning needs.
const LOOKS_APART: Duration = Duration::from_millis(20);

const ALL: (&str, Unit) = ("until all are executions", Unit::Seconds);
const P50: (&str, Unit) = ("lateness p50", Unit::Milliseconds);
const P99: (&str, Unit) = ("lateness p99", Unit::Milliseconds);

const BURST: &str = "100,000 due at once, 2 nodes";
const STREAM: &str = "1,000 due each second, 2 nodes";

pub(super) const SHOWN: Shown = Shown {
    title: "8. Schedules that are due at once",
    method: "100,000 cron jobs share one slot, and two nodes plan. From the slot until every job has its execution; there \
        must be exactly one each. Then 1,000 jobs are due at every full second, for ten seconds after the nodes' first \
        two: lateness is from the slot to the start of the attempt, as the history tells it.",
    targets: &[
        Target {
            text: "100,000 at once within 5 s",
            subject: BURST,
            what: ALL.0,
            against: Against::Nothing,
            bound: Bound::AtMost(5.0),
        },
        Target {
            text: "1,000 a second: lateness p99 at most 50 ms",
            subject: STREAM,
            what: P99.0,
            against: Against::Nothing,
            bound: Bound::AtMost(50.0),
        },
    ],
    plotted: &[],
};

pub(super) async fn round(lab: &Lab, record: &mut Record) -> Result<(), Failure> {
    let ours = horarium("Horarium")?;
    burst(lab, &ours, record).await?;
    stream(lab, &ours, record).await
}

async fn burst(lab: &Lab, ours: &Subject, record: &mut Record) -> Result<(), Failure> {
    let jobs = lab.size(AT_ONCE);
    let trial = Trial::begin(lab, ours).await?;
    // The slot after this one is far away.
    schedule(trial.database()?, "0 0 1 1 *", jobs).await?;
    lab.quiet();
    let watch = lab.watch();
    let _nodes = [trial.worker(jobs)?, trial.worker(jobs)?];
    let database = trial.database()?;
    let slot = due_in(database, Duration::from_secs(3)).await?;
    let is_left =
        format!("select count(*) from (select from job_slots where next_run_at = to_timestamp({slot}) limit 1) x");
    while database.count(&is_left).await? > 0 {
        tokio::time::sleep(LOOKS_APART).await;
    }
    let took: f64 =
        database.row(&format!("select (extract(epoch from clock_timestamp()) - {slot})::float8"), &[]).await?.get(0);
    lab.note(&watch);
    let made = "select count(*) from executions where trigger = 'Schedule'";
    let of_jobs = "select count(distinct job_id) from executions where trigger = 'Schedule'";
    let (made, of_jobs) = (database.count(made).await?, database.count(of_jobs).await?);
    if (made, of_jobs) != (i64::try_from(jobs)?, i64::try_from(jobs)?) {
        return Err(format!("{jobs} slots became {made} executions of {of_jobs} jobs").into());
    }
    record.add(BURST, Kind::Horarium, ALL, took);
    trial.end().await
}

async fn stream(lab: &Lab, ours: &Subject, record: &mut Record) -> Result<(), Failure> {
    let trial = Trial::begin(lab, ours).await?;
    schedule(trial.database()?, "* * * * * *", lab.size(EACH_SECOND)).await?;
    lab.quiet();
    let watch = lab.watch();
    let nodes = [trial.worker(u64::from(u32::MAX))?, trial.worker(u64::from(u32::MAX))?];
    let database = trial.database()?;
    let first = due_in(database, Duration::from_secs(2)).await?;
    tokio::time::sleep(Duration::from_secs(2 + WARMING + SECONDS + 1)).await;
    lab.note(&watch);
    drop(nodes);
    let lateness = format!(
        "
        select percentile_disc(0.5) within group (order by late), percentile_disc(0.99) within group (order by late),
            count(*)
        from (select 1000 * extract(epoch from started_at - scheduled_for)::float8 as late from executions
              where trigger = 'Schedule' and started_at is not null
                and scheduled_for >= to_timestamp({first} + {WARMING})) x"
    );
    let row = database.row(&lateness, &[]).await?;
    let runs: i64 = row.get(2);
    if runs < i64::try_from(lab.size(EACH_SECOND) * SECONDS)? {
        return Err(format!("only {runs} of the scheduled executions ran in {SECONDS} s").into());
    }
    record.add(STREAM, Kind::Horarium, P50, row.get(0));
    record.add(STREAM, Kind::Horarium, P99, row.get(1));
    trial.end().await
}

/// Adds jobs with this cron expression, which are not due yet.
async fn schedule(database: &Database, expression: &str, jobs: u64) -> Result<(), Failure> {
    fill::add_jobs(database, "cron", jobs).await?;
    let schedule = serde_json::json!({ "scheduleType": "Cron", "scheduleExpression": expression });
    database.client.execute("update jobs set schedule = $1 where name like 'cron-%'", &[&schedule]).await?;
    database.run("vacuum analyze").await
}

/// Has all of them due at the first full second after so long; which that is.
async fn due_in(database: &Database, delay: Duration) -> Result<i64, Failure> {
    let slot = "select ceil(extract(epoch from clock_timestamp()) + $1::float8)::int8";
    let slot: i64 = database.row(slot, &[&delay.as_secs_f64()]).await?.get(0);
    let due = "
        insert into job_slots (job_id, tenant_id, next_run_at)
        select id, tenant_id, to_timestamp($1::int8) from jobs where name like 'cron-%'";
    database.client.execute(due, &[&slot]).await?;
    Ok(slot)
}
