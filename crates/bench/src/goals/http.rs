//! Goal 4: through the API, authenticated, every answer after its commit.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::{Shown, horarium};
use crate::Failure;
use crate::lab::http::Caller;
use crate::lab::{Lab, Trial, Worker, what};
use crate::node::TENANT;
use crate::report::figures::percentile;
use crate::report::{Against, Bound, Kind, Record, Target, Unit};

const CONNECTIONS: u64 = 64;
const TRIGGERED: u64 = 40_000;
const BULKS: u64 = 10;
const BULK: u64 = 10_000;
const LOAD_SECONDS: u64 = 15;

/// No execution is to run while acceptance alone is measured.
const FAR_AWAY: &str = "2999-01-01T00:00:00Z";

/// The figures of `trigger`, with which docs/scaling.md reckons.
pub(crate) const NODE_CPU: (&str, Unit) = ("server CPU for 10,000", Unit::Seconds);
pub(super) const TRIGGER: (&str, Unit) = ("accepted, 64 callers", Unit::PerSecond);
const BULK_RATE: (&str, Unit) = ("10,000 a call", Unit::PerSecond);
const P50: (&str, Unit) = ("submit to Succeeded p50", Unit::Milliseconds);
const P99: (&str, Unit) = ("submit to Succeeded p99", Unit::Milliseconds);
const LOAD: (&str, Unit) = ("submitted meanwhile", Unit::PerSecond);

pub(crate) const API: &str = "POST /jobs/{id}/trigger";
const LIBRARY: &str = "as a library";
const BULK_API: &str = "POST /executions/bulk";
const AT_1K: &str = "at 1,000 a second";
const AT_5K: &str = "at 5,000 a second";

pub(super) const SHOWN: Shown = Shown {
    title: "4. Through the API",
    method: "Each request bears a token, which is checked; 202 is answered after the commit, and what it names is found by \
        whoever asks. 64 kept connections call `trigger`, beside 64 callers of the library. Then a job is submitted and \
        asked for until it is told to have succeeded, one after another, while 32 connections submit 1,000 or 5,000 a \
        second that are run as well. Callers, server and PostgreSQL share the cores.",
    targets: &[
        Target {
            text: "trigger: at least 0.6 of the library's own rate",
            subject: API,
            what: TRIGGER.0,
            against: Against::Figure(LIBRARY, TRIGGER.0),
            bound: Bound::AtLeast(0.6),
        },
        Target {
            text: "bulk of 10,000: at least 40,000 rows/s",
            subject: BULK_API,
            what: BULK_RATE.0,
            against: Against::Nothing,
            bound: Bound::AtLeast(40_000.0),
        },
    ],
    plotted: &[],
};

pub(super) async fn round(lab: &Lab, record: &mut Record) -> Result<(), Failure> {
    let ours = horarium("Horarium")?;
    let trial = Trial::begin(lab, &ours).await?;
    let library = trial.one_by_one(lab.size(TRIGGERED), CONNECTIONS).await?;
    record.add(LIBRARY, Kind::Ceiling, TRIGGER, library);
    trial.end().await?;

    let trial = Trial::begin(lab, &ours).await?;
    let api = Api::start(&trial)?;
    let (node, database) = (api.server.cpu_seconds(), lab.server()?.cpu_seconds());
    record.add(API, Kind::Horarium, TRIGGER, trigger(lab, &api).await?);
    let per_10k = 10_000.0 / lab.size(TRIGGERED) as f64;
    record.add(API, Kind::Horarium, NODE_CPU, (api.server.cpu_seconds() - node) * per_10k);
    record.add(API, Kind::Horarium, what::SERVER_CPU, (lab.server()?.cpu_seconds() - database) * per_10k);
    record.add(BULK_API, Kind::Horarium, BULK_RATE, bulk(lab, &api).await?);
    for (name, rate) in [(AT_1K, 1_000), (AT_5K, 5_000)] {
        lab.quiet();
        let watch = lab.watch();
        let (took, submitted) = under_load(lab, &api, rate).await?;
        lab.note(&watch);
        record.add(name, Kind::Horarium, P50, percentile(&took, 50.0));
        record.add(name, Kind::Horarium, P99, percentile(&took, 99.0));
        record.add(name, Kind::Horarium, LOAD, submitted);
    }
    drop(api);
    trial.end().await
}

/// A server of the API.
pub(super) struct Api {
    // Ends with this.
    server: Worker,
    pub(super) address: String,
    credential: String,
    pub(super) job: String,
}

impl Api {
    /// Starts one on a trial's database.
    pub(super) fn start(trial: &Trial<'_>) -> Result<Self, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("serve");
        trial.lead(&mut command);
        let server = Worker::start(command)?;
        let said = server.wait_for("ready", Duration::from_secs(30))?;
        let text = |name: &str| {
            said.get(name)
                .and_then(Value::as_str)
                .map(str::to_owned)
                .ok_or_else(|| format!("the server said no {name}"))
        };
        let credential = format!("Authorization: Bearer {}\r\nx-tenantid: {TENANT}", text("token")?);
        Ok(Self { address: text("address")?, credential, job: text("job")?, server })
    }

    pub(super) async fn caller(&self) -> Result<Caller, Failure> {
        Caller::connect(&self.address, &self.credential).await
    }

    /// A caller with a key, as the toolkit's are.
    pub(super) async fn key_holder(&self) -> Result<Caller, Failure> {
        let made = r#"{"name": "bench", "scopes": ["*"]}"#;
        let made = self.caller().await?.json("POST", "/api/v1/keys", made).await?;
        let key = made.get("key").and_then(Value::as_str).ok_or("the answer holds no key")?;
        Caller::connect(&self.address, &format!("X-API-Key: {key}")).await
    }

    fn trigger_path(&self) -> String {
        format!("/api/v1/scheduler/jobs/{}/trigger", self.job)
    }
}

/// Triggers over all connections; accepted a second.
pub(super) async fn trigger(lab: &Lab, api: &Api) -> Result<f64, Failure> {
    let count = lab.size(TRIGGERED);
    let body: Arc<str> = json!({ "payload": { "i": 1, "t": 0 }, "runAt": FAR_AWAY }).to_string().into();
    let path: Arc<str> = api.trigger_path().into();
    let mut callers = Vec::new();
    for _ in 0..CONNECTIONS {
        callers.push(api.caller().await?);
    }
    lab.quiet();
    let watch = lab.watch();
    let left = Arc::new(AtomicU64::new(count));
    let start = Instant::now();
    let mut calling = JoinSet::new();
    for mut caller in callers {
        let (body, path, left) = (Arc::clone(&body), Arc::clone(&path), Arc::clone(&left));
        calling.spawn(async move {
            while left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok() {
                caller.call("POST", &path, &body).await?;
            }
            Ok::<_, Failure>(())
        });
    }
    while let Some(done) = calling.join_next().await {
        done??;
    }
    let rate = count as f64 / start.elapsed().as_secs_f64();
    lab.note(&watch);
    Ok(rate)
}

/// Submits 10,000 in each call; rows a second.
async fn bulk(lab: &Lab, api: &Api) -> Result<f64, Failure> {
    let rows = lab.size(BULK);
    let row = json!({ "jobId": api.job, "payload": { "i": 1, "t": 0 }, "runAt": FAR_AWAY });
    let body = Value::from(vec![row; usize::try_from(rows)?]).to_string();
    let mut caller = api.caller().await?;
    lab.quiet();
    let watch = lab.watch();
    let start = Instant::now();
    for _ in 0..BULKS {
        caller.call("POST", "/api/v1/executions/bulk", &body).await?;
    }
    let rate = (BULKS * rows) as f64 / start.elapsed().as_secs_f64();
    lab.note(&watch);
    Ok(rate)
}

/// While so many a second are submitted: how long single ones take until they are told to have succeeded, in
/// milliseconds, and how many were submitted a second.
async fn under_load(lab: &Lab, api: &Api, rate: u64) -> Result<(Vec<f64>, f64), Failure> {
    const SUBMITTERS: u32 = 32;
    let over = Arc::new(AtomicBool::new(false));
    let submitted = Arc::new(AtomicU64::new(0));
    let interval = Duration::from_secs(1) * SUBMITTERS / u32::try_from(rate)?;
    let path: Arc<str> = api.trigger_path().into();
    let mut submitting = JoinSet::new();
    let start = Instant::now();
    for number in 0..SUBMITTERS {
        let mut caller = api.caller().await?;
        let (over, submitted, path) = (Arc::clone(&over), Arc::clone(&submitted), Arc::clone(&path));
        submitting.spawn(async move {
            let first = tokio::time::Instant::now() + interval * number / SUBMITTERS;
            let mut ticks = tokio::time::interval_at(first, interval);
            while !over.load(Ordering::Relaxed) {
                ticks.tick().await;
                caller.call("POST", &path, "{}").await?;
                submitted.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<_, Failure>(())
        });
    }
    let mut caller = api.caller().await?;
    let end = start + Duration::from_secs(if lab.is_trial() { 2 } else { LOAD_SECONDS });
    let mut took = Vec::new();
    while Instant::now() < end {
        took.push(submit_and_see(&mut caller, &path).await?);
    }
    let rate = submitted.load(Ordering::Relaxed) as f64 / start.elapsed().as_secs_f64();
    over.store(true, Ordering::Relaxed);
    while let Some(done) = submitting.join_next().await {
        done??;
    }
    Ok((took, rate))
}

/// Submits one and asks for it until it has succeeded; milliseconds.
async fn submit_and_see(caller: &mut Caller, path: &str) -> Result<f64, Failure> {
    let start = Instant::now();
    let id = caller.json("POST", path, "{}").await?;
    let path = format!("/api/v1/executions/{}", id.as_str().ok_or("the answer names no execution")?);
    loop {
        let found = caller.json("GET", &path, "").await?;
        match found.get("status").and_then(Value::as_str) {
            Some("Succeeded") => return Ok(start.elapsed().as_secs_f64() * 1000.0),
            Some("Pending" | "Running") if start.elapsed() < Duration::from_mins(1) => {}
            status => return Err(format!("an execution is {status:?}").into()),
        }
    }
}
