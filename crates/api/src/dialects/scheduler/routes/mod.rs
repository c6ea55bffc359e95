//! The routes, below `/api/v1/scheduler`.

mod admin;
mod executions;
mod figures;
mod jobs;
mod later;
mod params;

use utoipa_actix_web::scope;
use utoipa_actix_web::service_config::ServiceConfig;

pub(crate) use executions::{cancelled, detail, retried};
pub(crate) use later::PATHS as UNPUBLISHED;
pub(crate) use params::{STATUSES, started_between};

/// Where the dialect lives.
pub(crate) const PREFIX: &str = "/api/v1/scheduler";

/// Registers the routes.
pub(crate) fn configure(cfg: &mut ServiceConfig<'_>) {
    cfg.service(scope::scope("/scheduler").configure(|cfg| {
        // What has a fixed name comes before what has an id in the same place.
        cfg.service(jobs::list_failing_jobs)
            .service(jobs::create_job)
            .service(jobs::list_jobs)
            .service(jobs::get_job)
            .service(jobs::update_job)
            .service(jobs::delete_job)
            .service(jobs::reschedule_job)
            .service(jobs::pause_job)
            .service(jobs::resume_job)
            .service(jobs::trigger_job)
            .service(jobs::preview_job)
            .service(executions::list_job_executions)
            .service(figures::get_timeline)
            .service(executions::get_execution)
            .service(executions::cancel_execution)
            .service(executions::retry_execution)
            .service(figures::get_dashboard_stats)
            .service(admin::pause_all)
            .service(admin::resume_all)
            .service(admin::clear_logs)
            .configure(later::configure);
    }));
}
