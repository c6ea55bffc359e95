//! `/jobs/{job}/trigger`: running a job once, now or later, beside its schedule.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;
use horarium_domain::JobId;
use horarium_domain::queue::QueueSummary;
use horarium_scheduler_engine::ServiceError;
use horarium_scheduler_engine::service::{FieldErrors, TriggerInput};
use serde_json::Value;

use super::{about, named};
use crate::view::{Inputs, Layout, Missing, Section, count, time};
use crate::web::{Flash, Form, PageError, Visit, page, perm};

const LABELS: &[(&str, &str)] = &[("payload", "Payload"), ("priority", "Priority"), ("runAt", "Start at, UTC")];

#[derive(Template)]
#[template(path = "jobs/trigger.html")]
struct TriggerPage {
    layout: Layout,
    id: JobId,
    name: String,
    queue: String,
    /// What it waits behind.
    waiting: Result<String, Missing>,
    is_queue_paused: bool,
    once: String,
    inputs: Inputs,
}

pub(super) async fn ask(
    visit: Visit<perm::ExecutionsTrigger>,
    path: web::Path<String>,
) -> Result<HttpResponse, PageError> {
    show(&visit, named(&path)?, Inputs::new(LABELS, Vec::new()), StatusCode::OK).await
}

pub(super) async fn trigger(
    visit: Visit<perm::ExecutionsTrigger>,
    path: web::Path<String>,
    form: Form<Vec<(String, String)>>,
) -> Result<HttpResponse, PageError> {
    let id = named(&path)?;
    let actor = visit.submits("trigger_job", Some(about(id, None)));
    let mut inputs = Inputs::new(LABELS, form.0);
    let admission = match read(&inputs) {
        Ok(input) => visit.services().executions.trigger(&actor, id, input).await,
        Err(errors) => Err(errors.into()),
    };
    match admission {
        Ok(admission) => {
            let told = Flash::done("It is accepted, and runs as soon as it is its turn.");
            Ok(visit.go(format!("/executions/{}", admission.id), &told))
        }
        Err(ServiceError::Invalid(errors)) => {
            inputs.blame(&errors);
            show(&visit, id, inputs, StatusCode::UNPROCESSABLE_ENTITY).await
        }
        Err(error) => Err(error.into()),
    }
}

async fn show(
    visit: &Visit<perm::ExecutionsTrigger>,
    id: JobId,
    inputs: Inputs,
    status: StatusCode,
) -> Result<HttpResponse, PageError> {
    let (services, tenant) = (visit.services(), visit.tenant.id);
    let spec = services.jobs.get(tenant, id).await?.job.spec;
    let queue = visit.part("what waits in its queue", services.queues.glance(tenant, spec.queue.as_str()).await);
    let waiting = |queue: &QueueSummary| match queue.pending {
        0 => "nothing waits".to_owned(),
        1 => "1 other waits".to_owned(),
        many => format!("{} others wait", count(many)),
    };
    let shown = TriggerPage {
        layout: visit.layout(format!("Trigger {}", spec.name), Some(Section::Jobs)),
        id,
        name: spec.name,
        queue: spec.queue.to_string(),
        is_queue_paused: queue.as_ref().is_ok_and(|queue| queue.limits.paused),
        waiting: queue.as_ref().map(waiting).map_err(Missing::clone),
        once: visit.once(),
        inputs,
    };
    page(status, &shown)
}

/// What was typed, as the service takes it.
fn read(inputs: &Inputs) -> Result<TriggerInput, FieldErrors> {
    let mut errors = FieldErrors::default();
    let mut input = TriggerInput::default();
    let payload = inputs.get("payload");
    if !payload.is_empty() {
        match serde_json::from_str::<Value>(payload) {
            Ok(payload) => input.payload = Some(payload),
            Err(error) => errors.add("payload", format!("must be JSON: {error}")),
        }
    }
    let priority = inputs.get("priority");
    if !priority.is_empty() {
        match priority.parse() {
            Ok(priority) => input.priority = Some(priority),
            Err(_) => errors.add("priority", "must be a whole number"),
        }
    }
    let run_at = inputs.get("runAt");
    if !run_at.is_empty() {
        match time::instant(run_at) {
            Some(at) => input.run_at = Some(at.to_string()),
            None => errors.add("runAt", "must be a date and a time"),
        }
    }
    if errors.is_empty() { Ok(input) } else { Err(errors) }
}
