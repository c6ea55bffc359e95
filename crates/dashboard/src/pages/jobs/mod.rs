//! `/jobs`: definitions. The list, a job's own page, what can be done with it, and the form that makes and changes one.

mod actions;
mod edit;
mod filled;
mod filter;
mod form;
mod history;
mod list;
mod show;
mod trigger;
mod typed;

use actix_web::web::{self, ServiceConfig};
use horarium_domain::JobId;
use horarium_domain::audit::AuditTarget;

use crate::web::PageError;

pub(crate) fn configure(cfg: &mut ServiceConfig) {
    cfg.route("/jobs", web::get().to(list::list))
        .route("/jobs", web::post().to(edit::create))
        .route("/jobs/new", web::get().to(edit::new))
        .route("/jobs/preview", web::post().to(edit::preview))
        .route("/jobs/{job}", web::get().to(show::show))
        .route("/jobs/{job}", web::post().to(edit::change))
        .route("/jobs/{job}/edit", web::get().to(edit::edit))
        .route("/jobs/{job}/pause", web::post().to(actions::pause))
        .route("/jobs/{job}/resume", web::post().to(actions::resume))
        .route("/jobs/{job}/delete", web::get().to(actions::ask_delete))
        .route("/jobs/{job}/delete", web::post().to(actions::delete))
        .route("/jobs/{job}/trigger", web::get().to(trigger::ask))
        .route("/jobs/{job}/trigger", web::post().to(trigger::trigger));
}

/// The job that an address names.
fn named(path: &str) -> Result<JobId, PageError> {
    path.parse().map_err(|_| PageError::not_found("job"))
}

/// A job as the audit log names it, with the version that the visitor has seen, if any.
fn about(id: JobId, version_before: Option<i64>) -> AuditTarget {
    let id = Some(id.to_string());
    AuditTarget { kind: "job".to_owned(), before: id.clone(), after: id, version_before, version_after: None }
}
