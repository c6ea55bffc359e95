//! What can be done with a job by a click: pausing and resuming its schedule, deleting it.

use actix_web::{HttpResponse, web};
use horarium_domain::job::JobSummary;
use horarium_domain::stats::JobCounters;
use serde::Deserialize;

use super::{about, named};
use crate::pages::confirm::Confirmation;
use crate::view::{Section, count, utc};
use crate::web::{Flash, Form, LocalPath, PageError, Visit, perm};

#[derive(Debug, Deserialize)]
pub(super) struct Pausing {
    /// Where it was clicked.
    to: Option<String>,
}

#[derive(Debug, Deserialize)]
pub(super) struct Deletion {
    /// The version that the visitor decided on.
    version: i64,
}

pub(super) async fn pause(
    visit: Visit<perm::JobsWrite>,
    path: web::Path<String>,
    form: Form<Pausing>,
) -> Result<HttpResponse, PageError> {
    let id = named(&path)?;
    let (services, tenant) = (visit.services(), visit.tenant.id);
    let actor = visit.does("pause_job", Some(about(id, None)));
    let before = services.jobs.get(tenant, id).await?;
    let job = services.jobs.pause(&actor, id, None).await?;
    let name = &job.job.spec.name;
    let told = if before.job.is_paused {
        Flash::note(format!("{name} was paused already."))
    } else {
        // It is paused, whether what waits can be counted or not.
        let known = visit.part("what waits", services.executions.statistics(tenant, id).await);
        let still = known.map_or_else(|_| String::new(), |known| still_run(known.counters.pending));
        Flash::done(format!("Paused {name}. Its schedule fires nothing until it is resumed.{still}"))
    };
    Ok(back(&visit, &job, &form.0, &told))
}

pub(super) async fn resume(
    visit: Visit<perm::JobsWrite>,
    path: web::Path<String>,
    form: Form<Pausing>,
) -> Result<HttpResponse, PageError> {
    let id = named(&path)?;
    let jobs = &visit.services().jobs;
    let actor = visit.does("resume_job", Some(about(id, None)));
    let before = jobs.get(visit.tenant.id, id).await?;
    let job = jobs.resume(&actor, id, None).await?;
    let name = &job.job.spec.name;
    let told = if before.job.is_paused {
        let next = job.next_run_at.map(|at| format!(" It runs next at {}.", utc(at)));
        let next = next.unwrap_or_default();
        Flash::done(format!("Resumed {name}.{next} Runs missed meanwhile are not made up."))
    } else {
        Flash::note(format!("{name} was not paused."))
    };
    Ok(back(&visit, &job, &form.0, &told))
}

pub(super) async fn ask_delete(
    visit: Visit<perm::JobsWrite>,
    path: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    let id = named(&path)?;
    let (services, tenant) = (visit.services(), visit.tenant.id);
    let job = services.jobs.get(tenant, id).await?.job;
    let counters = services.executions.statistics(tenant, id).await?.counters;
    let name = &job.spec.name;
    let whose = if visit.session.acting_in.is_some() { format!(" of {}", visit.tenant.name) } else { String::new() };
    let asked = Confirmation {
        layout: visit.layout(format!("Delete {name}"), Some(Section::Jobs)),
        question: format!("Delete the job '{name}'{whose}?"),
        consequences: consequences(&counters),
        action: format!("/jobs/{id}/delete"),
        fields: vec![("version", job.version.to_string())],
        verb: "Delete this job".to_owned(),
        back: format!("/jobs/{id}"),
    };
    asked.show()
}

pub(super) async fn delete(
    visit: Visit<perm::JobsWrite>,
    path: web::Path<String>,
    form: Form<Deletion>,
) -> Result<HttpResponse, PageError> {
    let id = named(&path)?;
    let version = form.0.version;
    let actor = visit.does("delete_job", Some(about(id, Some(version))));
    let jobs = &visit.services().jobs;
    let name = jobs.get(visit.tenant.id, id).await?.job.spec.name;
    jobs.delete(&actor, id, Some(version)).await?;
    Ok(visit.go("/jobs", &Flash::done(format!("Deleted {name}."))))
}

/// Back to where it was clicked, or else to the job.
fn back(visit: &Visit<perm::JobsWrite>, job: &JobSummary, form: &Pausing, told: &Flash) -> HttpResponse {
    let here = form.to.as_deref().and_then(LocalPath::given);
    let to = here.map_or_else(|| format!("/jobs/{}", job.job.id), |path| path.as_str().to_owned());
    visit.go(to, told)
}

fn still_run(waiting: i64) -> String {
    match waiting {
        ..=0 => String::new(),
        1 => " The execution that waits still runs.".to_owned(),
        many => format!(" The {} executions that wait still run.", count(many.unsigned_abs())),
    }
}

fn consequences(counters: &JobCounters) -> Vec<String> {
    let number = |value: i64| count(value.unsigned_abs());
    let kept = counters.succeeded + counters.failed + counters.cancelled;
    let mut told = vec!["Its schedule stops, and its name is free again.".to_owned()];
    if counters.running > 0 || counters.pending > 0 {
        let (running, waiting) = (number(counters.running), number(counters.pending));
        told.push(format!("{running} running and {waiting} waiting executions still run to their end."));
    }
    if kept > 0 {
        told.push(format!("Its {} kept executions stay readable until their time is over.", number(kept)));
    }
    told.push("This cannot be undone.".to_owned());
    told
}
