//! The pages, a file for each: its routes, its view model, and where the template is.

mod agents;
mod audit;
mod confirm;
mod events;
mod executions;
mod integrations;
mod jobs;
mod keys;
mod overview;
mod queues;
mod refusal;
mod tenant;

use actix_web::HttpResponse;
use actix_web::web::ServiceConfig;

use crate::web::PageError;

pub(crate) use refusal::refusal;

pub(crate) fn configure(cfg: &mut ServiceConfig) {
    cfg.configure(agents::configure)
        .configure(audit::configure)
        .configure(events::configure)
        .configure(executions::configure)
        .configure(integrations::configure)
        .configure(jobs::configure)
        .configure(keys::configure)
        .configure(overview::configure)
        .configure(queues::configure)
        .configure(tenant::configure);
}

/// Where there is no page.
pub(crate) async fn nowhere() -> Result<HttpResponse, PageError> {
    Err(PageError::Nowhere)
}
