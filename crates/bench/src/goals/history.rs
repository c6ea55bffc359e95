//! Goal 5: with ten million executions of history.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use horarium_domain::{Clock, SystemClock};

use super::http::{Api, TRIGGER, trigger};
use super::reads::{self, SLOWEST};
use super::server::Server;
use super::{Shown, fill, horarium};
use crate::Failure;
use crate::lab::http::Caller;
use crate::lab::{Lab, Trial, what};
use crate::node::TENANT;
use crate::report::figures::percentile;
use crate::report::{Against, Bound, Kind, Record, Target};

const HISTORY: u64 = 10_000_000;
/// Jobs that the history is of.
const JOBS: u64 = 1_000;
const DAYS: u32 = 30;
/// Ended in the last minutes.
const RECENT: u64 = 10_000;
const RECENTLY: Duration = Duration::from_mins(8);
const DRAINED: u64 = 100_000;
const ONE_BY_ONE: u64 = 20_000;
const PICKED_UP: u64 = 200;

const EMPTY: &str = "Horarium, empty";
const FULL: &str = "Horarium, 10,000,000 executions";
const OVERVIEW: &str = "`GET /overview?range=30d`";

pub(super) const SHOWN: Shown = Shown {
    title: "5. With ten million executions of history",
    method: "10,000,000 ended executions over 30 days, half of them of one job and the others of a thousand, and 10,000 of \
        the last minutes, in one tenant. Every list, detail, statistic and timeline, 300 times each by one client; those of \
        a job are of the large one. So is the dashboard's first page, of the server itself, to somebody who is signed in. \
        Then goals 1 to 4, in turn with the same on an empty database.",
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
            what: reads::P99.0,
            against: Against::Nothing,
            bound: Bound::AtMost(10.0),
        },
        Target {
            text: "the dashboard's overview: p99 at most 50 ms",
            subject: OVERVIEW,
            what: reads::P99.0,
            against: Against::Nothing,
            bound: Bound::AtMost(50.0),
        },
    ],
    plotted: &[reads::P99.0],
};

const fn loses(text: &'static str, what: &'static str) -> Target {
    Target { text, subject: FULL, what, against: Against::Figure(EMPTY, what), bound: Bound::AtLeast(0.9) }
}

/// Its rounds share one history, since that takes minutes to write.
pub(super) async fn round(lab: &Lab, server: Option<&Path>, round: usize, record: &mut Record) -> Result<(), Failure> {
    if round > 1 {
        return Ok(());
    }
    let with_history = horarium(FULL)?;
    let full = Trial::begin(lab, &with_history).await?;
    let database = full.database()?;
    fill::add_jobs(database, "job", JOBS).await?;
    let recent = SystemClock.now() - RECENTLY;
    fill::history(database, lab.size(HISTORY), recent - DAYS * fill::DAY, DAYS * fill::DAY).await?;
    fill::history(database, lab.size(RECENT), recent, RECENTLY).await?;
    // First of all, while there are as many recent ones as are told of.
    let api = Api::start(&full)?;
    for _ in 0..lab.rounds {
        reads::all(lab, database, &api, record).await?;
    }
    drop(api);
    if let Some(program) = server {
        overview(lab, program, &database.url, record).await?;
    }
    let without = horarium(EMPTY)?;
    for _ in 0..lab.rounds {
        let empty = Trial::begin(lab, &without).await?;
        work(lab, &empty, EMPTY, record).await?;
        empty.end().await?;
        work(lab, &full, FULL, record).await?;
        fill::forget_waiting(database).await?;
    }
    full.end().await
}

/// What must not depend on the history.
async fn work(lab: &Lab, trial: &Trial<'_>, name: &str, record: &mut Record) -> Result<(), Failure> {
    let count = lab.size(DRAINED);
    trial.preload(count)?;
    record.add(name, Kind::Horarium, what::DRAIN, trial.drain(count).await?.rate);
    let pickup = trial.pickup(lab.size(PICKED_UP), 50)?;
    record.add(name, Kind::Horarium, what::P50, pickup.p50);
    record.add(name, Kind::Horarium, what::ONE_8, trial.one_by_one(lab.size(ONE_BY_ONE), 8).await?);
    record.add(name, Kind::Horarium, what::BULK, trial.bulk(count).await?);
    let api = Api::start(trial)?;
    trial.settled().await?;
    record.add(name, Kind::Horarium, TRIGGER, trigger(lab, &api).await?);
    Ok(())
}

/// The dashboard's first page, again and again.
async fn overview(lab: &Lab, program: &Path, database: &str, record: &mut Record) -> Result<(), Failure> {
    let folder = tempfile::tempdir()?;
    let settings = [("HORARIUM_DATABASE_URL", database)];
    let server = Server::start(program, folder.path(), &settings)?;
    let key = Command::new(program)
        .args(["keys", "create", "--tenant", TENANT, "--name", "overview", "--scope", "*", "--output", "json"])
        .env("HORARIUM_DATA_DIR", folder.path())
        .envs(settings)
        .output()?;
    let key: serde_json::Value = serde_json::from_slice(&key.stdout)?;
    let key = key.get("key").and_then(serde_json::Value::as_str).ok_or("the program made no key")?;
    let headers = "Content-Type: application/x-www-form-urlencoded\r\nSec-Fetch-Site: same-origin\r\n";
    let answer = server.answer_to("POST /sign-in", headers, &format!("credential={key}"))?;
    let cookie = answer.lines().find_map(|line| line.strip_prefix("set-cookie: horarium="));
    let cookie = cookie.and_then(|cookie| cookie.split(';').next()).ok_or("the server let nobody sign in")?;
    let mut browser = Caller::connect(&server.address.to_string(), &format!("Cookie: horarium={cookie}")).await?;
    lab.quiet();
    let watch = lab.watch();
    let took = browser.timed(reads::calls(lab), "GET", "/overview?range=30d", "").await?;
    lab.note(&watch);
    record.add(OVERVIEW, Kind::Horarium, reads::P50, percentile(&took, 50.0));
    record.add(OVERVIEW, Kind::Horarium, reads::P99, percentile(&took, 99.0));
    Ok(())
}
