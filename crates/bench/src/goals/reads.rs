//! What people, dashboards and other programs ask for, each by one client over one connection.

use super::http::Api;
use crate::Failure;
use crate::lab::{Database, Lab};
use crate::report::figures::percentile;
use crate::report::{Kind, Record, Unit};

const CALLS: usize = 300;

pub(super) const P50: (&str, Unit) = ("p50", Unit::Milliseconds);
pub(super) const P99: (&str, Unit) = ("p99", Unit::Milliseconds);

pub(super) const SLOWEST: &str = "the slowest of all reads";

/// What changed in the last ten minutes, as the toolkit's callers ask for it.
pub(super) const RECENT: Read = ("POST", "/v1/toolkit/jobs/status", "{}");

/// A method, a path and a body. `{job}` and `{name}` are those of the job with the most history, `{execution}` is one of
/// its executions, `{from}` and `{to}` are a day of a fortnight ago.
type Read = (&'static str, &'static str, &'static str);

const READS: [Read; 25] = [
    ("GET", "/api/v1/scheduler/jobs?pageSize=50", ""),
    ("GET", "/api/v1/scheduler/jobs?pageSize=50&pageNumber=20", ""),
    ("GET", "/api/v1/scheduler/jobs/{job}", ""),
    ("GET", "/api/v1/scheduler/jobs/failed", ""),
    ("GET", "/api/v1/scheduler/jobs/{job}/executions?pageSize=50", ""),
    ("GET", "/api/v1/scheduler/jobs/{job}/executions?pageSize=50&pageNumber=200", ""),
    ("GET", "/api/v1/scheduler/jobs/{job}/executions?status=Failed", ""),
    ("GET", "/api/v1/scheduler/jobs/{job}/executions?fromDate={from}&toDate={to}", ""),
    ("GET", "/api/v1/scheduler/executions/{execution}", ""),
    ("GET", "/api/v1/scheduler/executions/timeline?hours=168", ""),
    ("GET", "/api/v1/scheduler/dashboard/stats", ""),
    ("GET", "/api/v1/executions?limit=50", ""),
    ("GET", "/api/v1/executions?status=Failed&limit=50", ""),
    ("GET", "/api/v1/executions/{execution}", ""),
    ("GET", "/api/v1/queues", ""),
    ("GET", "/api/v1/audit?limit=50", ""),
    ("GET", "/api/v1/admin/jobs?pageSize=50", ""),
    ("GET", "/api/v1/admin/jobs/{name}/stats", ""),
    ("GET", "/job?limit=50", ""),
    ("GET", "/job/status", ""),
    ("GET", "/job/{execution}", ""),
    ("GET", "/api/integrations/jobs", ""),
    ("GET", "/api/integrations/jobs/metrics", ""),
    RECENT,
    ("POST", "/v1/toolkit/job/status", r#"{"job_id": "{execution}"}"#),
];

/// Times every read, and which was the slowest.
pub(super) async fn all(lab: &Lab, database: &Database, api: &Api, record: &mut Record) -> Result<(), Failure> {
    let names = names(database).await?;
    let mut slowest: f64 = 0.0;
    lab.quiet();
    for read in READS {
        let (shown, p50, p99) = one(lab, api, read, &names).await?;
        record.add(&shown, Kind::Horarium, P50, p50);
        record.add(&shown, Kind::Horarium, P99, p99);
        slowest = slowest.max(p99);
    }
    record.add(SLOWEST, Kind::Horarium, P99, slowest);
    Ok(())
}

/// Times one read, in which `names` take the places of placeholders; what it is called, and its percentiles.
pub(super) async fn one(
    lab: &Lab,
    api: &Api,
    (method, path, body): Read,
    names: &[(&str, String)],
) -> Result<(String, f64, f64), Failure> {
    let filled = |text: &str| names.iter().fold(text.to_owned(), |text, (name, value)| text.replace(name, value));
    // The toolkit's callers have keys alone.
    let mut caller = if path.starts_with("/v1/toolkit") { api.key_holder().await? } else { api.caller().await? };
    let watch = lab.watch();
    let took = caller.timed(calls(lab), method, &filled(path), &filled(body)).await?;
    lab.note(&watch);
    Ok((format!("`{method} {path}`"), percentile(&took, 50.0), percentile(&took, 99.0)))
}

/// How often each is asked for.
pub(super) fn calls(lab: &Lab) -> usize {
    if lab.is_trial() { 10 } else { CALLS }
}

/// What the placeholders stand for.
async fn names(database: &Database) -> Result<Vec<(&'static str, String)>, Failure> {
    let large = "
        select j.id::text, j.name, (select e.id::text from executions e where e.job_id = j.id limit 1),
            to_char(now() at time zone 'utc' - interval '14 days', 'YYYY-MM-DD\"T00:00:00Z\"'),
            to_char(now() at time zone 'utc' - interval '13 days', 'YYYY-MM-DD\"T00:00:00Z\"')
        from jobs j order by j.name limit 1";
    let row = database.row(large, &[]).await?;
    let names = ["{job}", "{name}", "{execution}", "{from}", "{to}"];
    Ok(names.into_iter().enumerate().map(|(at, name)| (name, row.get(at))).collect())
}
