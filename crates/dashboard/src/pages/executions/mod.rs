//! `/executions`: what ran, runs and will run.

mod act;
mod detail;
mod download;
mod filter;
mod hosts;
mod list;
mod selected;
mod story;
mod table;

use actix_web::web::{self, ServiceConfig};
use horarium_domain::ExecutionId;
use horarium_domain::audit::AuditTarget;
use horarium_domain::secret::Document;
use horarium_scheduler_engine::service::AgentJob;
use serde_json::Value;

pub(crate) use table::{ExecutionTable, took};

use crate::web::PageError;

pub(crate) fn configure(cfg: &mut ServiceConfig) {
    cfg.route("/executions", web::get().to(list::list))
        .route("/executions/selected", web::get().to(selected::ask))
        .route("/executions/selected", web::post().to(selected::act))
        .route("/executions/{id}", web::get().to(detail::detail))
        .route("/executions/{id}/cancel", web::get().to(act::ask_to_cancel))
        .route("/executions/{id}/cancel", web::post().to(act::cancel))
        .route("/executions/{id}/retry", web::post().to(act::retry))
        .route("/executions/{id}/retry-hosts", web::get().to(hosts::ask_to_retry))
        .route("/executions/{id}/retry-hosts", web::post().to(hosts::retry))
        .route("/executions/{id}/hosts/{task}", web::get().to(download::answer))
        .route("/executions/{id}/{part:output|error|payload}", web::get().to(download::download));
}

/// The execution that a path names. What can be no id names none.
fn named(path: &str) -> Result<ExecutionId, PageError> {
    path.parse().map_err(|_| PageError::not_found("execution"))
}

/// The page of an execution.
fn address(id: ExecutionId) -> String {
    format!("/executions/{id}")
}

/// What the audit log is told of a call about an execution.
fn target(id: ExecutionId) -> AuditTarget {
    AuditTarget { kind: "execution".to_owned(), before: Some(id.to_string()), ..AuditTarget::default() }
}

/// What an execution works on, as readers may see it.
fn payload(job: &AgentJob) -> Option<Value> {
    match &job.request {
        Some(request) => Some(Document::AgentData.masked(request.data.clone())).filter(|data| !data.is_null()),
        None => job.execution.payload.clone().map(|payload| Document::Payload.masked(payload)),
    }
}
