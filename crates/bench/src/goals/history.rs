//! Goal 5: with ten million executions of history.

use serde_json::Value;

use super::http::{Api, TRIGGER, trigger};
use super::{Shown, fill, horarium};
use crate::Failure;
use crate::lab::http::Caller;
use crate::lab::{Lab, Trial, what};
use crate::report::figures::percentile;
use crate::report::{Against, Bound, Kind, Record, Target, Unit};

const HISTORY: u64 = 10_000_000;
/// Jobs that the history is of.
const JOBS: u64 = 1_000;
/// Ended in the last ten minutes.
const RECENT: u64 = 10_000;
const DRAINED: u64 = 100_000;
const ONE_BY_ONE: u64 = 20_000;
const PICKED_UP: u64 = 200;
const CALLS: usize = 300;

const EMPTY: &str = "Horarium, empty";
const FULL: &str = "Horarium, 10,000,000 executions";

const CALL_P50: (&str, Unit) = ("p50", Unit::Milliseconds);
const CALL_P99: (&str, Unit) = ("p99", Unit::Milliseconds);

/// What is called; `{job}`, `{name}` and `{execution}` are those of a job with its share of the history.
const READS: [(&str, &str, &str); 12] = [
    ("GET", "/api/v1/scheduler/jobs?pageSize=50", ""),
    ("GET", "/api/v1/scheduler/jobs/{job}", ""),
    ("GET", "/api/v1/scheduler/jobs/failed", ""),
    ("GET", "/api/v1/scheduler/jobs/{job}/executions?pageSize=50", ""),
    ("GET", "/api/v1/scheduler/jobs/{job}/executions?status=Failed", ""),
    ("GET", "/api/v1/executions?limit=50", ""),
    ("GET", "/api/v1/executions?status=Failed&limit=50", ""),
    ("GET", "/api/v1/executions/{execution}", ""),
    ("GET", "/api/v1/scheduler/dashboard/stats", ""),
    ("GET", "/api/v1/scheduler/executions/timeline?hours=168", ""),
    ("GET", "/api/v1/admin/jobs/{name}/stats", ""),
    ("POST", "/v1/toolkit/jobs/status", "{}"),
];

pub(super) const SHOWN: Shown = Shown {
    title: "5. With ten million executions of history",
    method: "10,000,000 ended executions of 1,000 jobs over 30 days, and 10,000 of the last ten minutes, in one tenant; the \
        same measures on an empty database, in turn. Then every list, detail, statistic and timeline, 300 times each by one \
        client.",
    targets: &[
        loses("draining loses at most 10 %", what::DRAIN.0),
        loses("accepting by 8 callers loses at most 10 %", what::ONE_8.0),
        loses("accepting 1000 a call loses at most 10 %", what::BULK.0),
        loses("triggering through the API loses at most 10 %", TRIGGER.0),
        Target {
            text: "pickup takes at most 10 % longer",
            subject: FULL,
            what: what::P50.0,
            against: Against::Figure(EMPTY, what::P50.0),
            bound: Bound::AtMost(1.1),
        },
        Target {
            text: "every read: p99 at most 10 ms",
            subject: SLOWEST,
            what: CALL_P99.0,
            against: Against::Nothing,
            bound: Bound::AtMost(10.0),
        },
    ],
    plotted: &[CALL_P99.0],
};

const SLOWEST: &str = "the slowest of all reads";

const fn loses(text: &'static str, what: &'static str) -> Target {
    Target { text, subject: FULL, what, against: Against::Figure(EMPTY, what), bound: Bound::AtLeast(0.9) }
}

pub(super) async fn round(lab: &Lab, record: &mut Record) -> Result<(), Failure> {
    for name in [EMPTY, FULL] {
        let ours = horarium(name)?;
        let trial = Trial::begin(lab, &ours).await?;
        let database = trial.database()?;
        if name == FULL {
            fill::add_jobs(database, "job", JOBS).await?;
            fill::history(database, lab.size(HISTORY), 0.01, 30.0).await?;
            fill::history(database, lab.size(RECENT), 0.0, 0.005).await?;
        }
        let count = lab.size(DRAINED);
        trial.preload(count)?;
        record.add(name, Kind::Horarium, what::DRAIN, trial.drain(count).await?.rate);
        let pickup = trial.pickup(lab.size(PICKED_UP), 50)?;
        record.add(name, Kind::Horarium, what::P50, pickup.p50);
        record.add(name, Kind::Horarium, what::ONE_8, trial.one_by_one(lab.size(ONE_BY_ONE), 8).await?);
        record.add(name, Kind::Horarium, what::BULK, trial.bulk(count).await?);
        let api = Api::start(&trial)?;
        trial.settled().await?;
        record.add(name, Kind::Horarium, TRIGGER, trigger(lab, &api).await?);
        if name == FULL {
            reads(lab, &trial, &api, record).await?;
        }
        drop(api);
        trial.end().await?;
    }
    Ok(())
}

async fn reads(lab: &Lab, trial: &Trial<'_>, api: &Api, record: &mut Record) -> Result<(), Failure> {
    let one = "
        select j.id::text, j.name, (select e.id::text from executions e where e.job_id = j.id limit 1)
        from jobs j where j.name like 'job-%' order by j.id limit 1";
    let row = trial.database()?.row(one, &[]).await?;
    let (job, name, execution): (String, String, String) = (row.get(0), row.get(1), row.get(2));
    let mut owner = api.caller().await?;
    let key = owner.json("POST", "/api/v1/keys", r#"{"name": "bench", "scopes": ["*"]}"#).await?;
    let key = key.get("key").and_then(Value::as_str).ok_or("the answer holds no key")?;
    // The toolkit's callers have keys alone.
    let mut toolkit = Caller::connect(&api.address, &format!("X-API-Key: {key}")).await?;
    let mut slowest: f64 = 0.0;
    lab.quiet();
    for (method, path, body) in READS {
        let filled = path.replace("{job}", &job).replace("{name}", &name).replace("{execution}", &execution);
        let watch = lab.watch();
        let caller = if path.starts_with("/v1/toolkit") { &mut toolkit } else { &mut owner };
        let took = caller.timed(if lab.is_trial() { 10 } else { CALLS }, method, &filled, body).await?;
        lab.note(&watch);
        let shown = format!("`{method} {path}`");
        let p99 = percentile(&took, 99.0);
        record.add(&shown, Kind::Horarium, CALL_P50, percentile(&took, 50.0));
        record.add(&shown, Kind::Horarium, CALL_P99, p99);
        slowest = slowest.max(p99);
    }
    record.add(SLOWEST, Kind::Horarium, CALL_P99, slowest);
    Ok(())
}
