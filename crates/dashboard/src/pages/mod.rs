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

use actix_web::http::Method;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse};

use crate::web::PageError;

pub(crate) use refusal::refusal;
pub use refusal::refusal_page;

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

/// Where there is no page, or only one that takes forms, or none.
pub(crate) async fn nowhere(request: HttpRequest) -> Result<HttpResponse, PageError> {
    match (request.match_pattern(), request.method()) {
        (Some(_), &Method::GET) => Err(PageError::WrongMethod("POST")),
        (Some(_), &Method::POST) => Err(PageError::WrongMethod("GET, HEAD")),
        (None | Some(_), _) => Err(PageError::Nowhere),
    }
}
