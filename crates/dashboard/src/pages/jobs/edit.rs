//! `/jobs/new` and `/jobs/{job}/edit`: making and changing a job, and seeing what its schedule would do before it is saved.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use horarium_domain::JobId;
use horarium_domain::audit::AuditTarget;
use horarium_domain::job::{JobStatus, JobSummary};
use horarium_scheduler_engine::ServiceError;
use horarium_scheduler_engine::service::FieldErrors;

use super::filled::{of_job, of_new, settle};
use super::form::{JobForm, LABELS, ZONES};
use super::{about, named, typed};
use crate::view::calendar::moment;
use crate::view::{Inputs, RUNS, Runs, Section, utc};
use crate::web::{Flash, Form, PageError, Visit, page, perm};

type Writer = Visit<perm::JobsWrite>;
type Fields = Vec<(String, String)>;

pub(super) async fn new(visit: Writer, given: web::Query<Fields>) -> Result<HttpResponse, PageError> {
    show(&visit, None, of_new(given.into_inner()), None, StatusCode::OK).await
}

pub(super) async fn edit(visit: Writer, path: web::Path<String>) -> Result<HttpResponse, PageError> {
    let id = named(&path)?;
    let job = visit.services().jobs.get(visit.tenant.id, id).await?.job;
    show(&visit, Some(id), of_job(&job), None, StatusCode::OK).await
}

/// What the schedule that is being typed would do. Nothing is saved.
pub(super) async fn preview(visit: Writer, form: Form<Fields>) -> Result<HttpResponse, PageError> {
    let mut inputs = Inputs::new(LABELS, form.0);
    let job = inputs.get("job").parse().ok();
    settle(&mut inputs);
    let outlook = outlook(&visit, job, &inputs).await?;
    if let Err(errors) = &outlook {
        inputs.blame(errors);
    }
    render(&visit, job, inputs, None, StatusCode::OK, outlook)
}

pub(super) async fn create(visit: Writer, form: Form<Fields>) -> Result<HttpResponse, PageError> {
    let inputs = Inputs::new(LABELS, form.0);
    let actor = visit.does("create_job", None);
    let made = match typed::job(&inputs, true) {
        Ok(input) => visit.services().jobs.create(&actor, &input).await,
        Err(errors) => Err(errors.into()),
    };
    let made = match made {
        Ok(made) => made,
        Err(error) => return again(&visit, None, inputs, error).await,
    };
    let (id, version) = (made.job.id, made.job.version);
    let target = AuditTarget { before: None, version_after: Some(version), ..about(id, None) };
    visit.did("create_job", target);
    let told = format!("Created {}. {}", made.job.spec.name, first_run(&made));
    Ok(visit.go(format!("/jobs/{id}"), &Flash::done(told)))
}

pub(super) async fn change(
    visit: Writer,
    path: web::Path<String>,
    form: Form<Fields>,
) -> Result<HttpResponse, PageError> {
    let id = named(&path)?;
    let inputs = Inputs::new(LABELS, form.0);
    let seen: i64 = inputs
        .get("version")
        .parse()
        .map_err(|_| PageError::BadRequest("The form does not say which version it is of.".to_owned()))?;
    let actor = visit.does("update_job", Some(about(id, Some(seen))));
    let changed = match typed::job(&inputs, false) {
        Ok(input) => visit.services().jobs.update(&actor, id, &input, Some(seen)).await,
        Err(errors) => Err(errors.into()),
    };
    let changed = match changed {
        Ok(changed) => changed,
        Err(error) => return again(&visit, Some(id), inputs, error).await,
    };
    let version = changed.job.version;
    visit.did("update_job", AuditTarget { version_after: Some(version), ..about(id, Some(seen)) });
    let told = if version == seen { Flash::note("Nothing was changed.") } else { Flash::done("Saved.") };
    Ok(visit.go(format!("/jobs/{id}"), &told))
}

/// The form again, with what was typed and why it was not saved.
async fn again(
    visit: &Writer,
    id: Option<JobId>,
    mut inputs: Inputs,
    error: ServiceError,
) -> Result<HttpResponse, PageError> {
    match (error, id) {
        (ServiceError::Invalid(errors), _) => {
            inputs.blame(&errors);
            show(visit, id, inputs, None, StatusCode::UNPROCESSABLE_ENTITY).await
        }
        (ServiceError::Conflict(reason), _) => {
            inputs.blame(&FieldErrors::one("name", reason));
            show(visit, id, inputs, None, StatusCode::CONFLICT).await
        }
        (ServiceError::PreconditionFailed { .. }, Some(id)) => {
            let job = visit.services().jobs.get(visit.tenant.id, id).await?.job;
            inputs.set("version", job.version.to_string());
            let who = job.last_modified_by.as_deref().unwrap_or("Somebody");
            let warning = format!(
                "{who} changed this job at {}, after you opened it. Your values are below and not saved. Saving now overwrites \
                 that change.",
                utc(job.updated_at)
            );
            show(visit, Some(id), inputs, Some(warning), StatusCode::CONFLICT).await
        }
        (error, _) => Err(error.into()),
    }
}

/// The form, with what its schedule would do.
async fn show(
    visit: &Writer,
    job: Option<JobId>,
    mut inputs: Inputs,
    warning: Option<String>,
    status: StatusCode,
) -> Result<HttpResponse, PageError> {
    settle(&mut inputs);
    let outlook = outlook(visit, job, &inputs).await?;
    render(visit, job, inputs, warning, status, outlook)
}

fn render(
    visit: &Writer,
    job: Option<JobId>,
    inputs: Inputs,
    warning: Option<String>,
    status: StatusCode,
    outlook: Result<Runs, FieldErrors>,
) -> Result<HttpResponse, PageError> {
    let (runs, unsound) = match outlook {
        Ok(runs) => (Some(runs), Vec::new()),
        Err(errors) => {
            let mut of_schedule = Inputs::new(LABELS, Vec::new());
            of_schedule.blame(&errors);
            (None, of_schedule.problems().to_vec())
        }
    };
    let title = if job.is_some() { format!("Edit {}", inputs.get("name")) } else { "New job".to_owned() };
    let layout = visit.layout(title, Some(Section::Jobs));
    page(status, &JobForm { layout, job, inputs, warning, runs, unsound, zones: ZONES.to_vec() })
}

/// What the schedule that was typed would do, or what is wrong with it.
async fn outlook(visit: &Writer, job: Option<JobId>, inputs: &Inputs) -> Result<Result<Runs, FieldErrors>, PageError> {
    let schedule = match typed::schedule(inputs) {
        Ok(schedule) => schedule,
        Err(errors) => return Ok(Err(errors)),
    };
    match visit.services().jobs.outlook_of(visit.tenant.id, job, &schedule, RUNS).await {
        Ok(outlook) => Ok(Ok(Runs::of(&outlook, visit.now()))),
        Err(ServiceError::Invalid(errors)) => Ok(Err(errors)),
        Err(error) => Err(error.into()),
    }
}

/// When a new job runs first.
fn first_run(made: &JobSummary) -> String {
    match (made.next_run_at, made.job.status()) {
        (Some(at), _) => {
            let zone = made.job.spec.schedule.timezone();
            format!("First run {} ({zone}).", moment(&zone.local(at)))
        }
        (None, JobStatus::Active) => "It runs when it is triggered.".to_owned(),
        (None, JobStatus::Paused | JobStatus::Disabled) => {
            "It is not enabled, so its schedule fires nothing.".to_owned()
        }
    }
}
