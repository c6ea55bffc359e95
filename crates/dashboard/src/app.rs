//! The routes of all pages, put together.

use actix_web::guard::{GuardContext, fn_guard};
use actix_web::http::Method;
use actix_web::http::header::ACCEPT;
use actix_web::middleware::from_fn;
use actix_web::web::{self, ServiceConfig};

use crate::state::Dashboard;
use crate::web::front;
use crate::{assets, pages, session};

/// Where pages are, by the first part of their paths. Everything else is the program's around it.
const PAGES: &[&str] = &[
    "",
    "agents",
    "audit",
    "events",
    "executions",
    "jobs",
    "keys",
    "overview",
    "queues",
    "settings",
    "sign-in",
    "sign-out",
    "tenant",
];

/// Mounts the dashboard. To be called after all other services are: what none of them takes, and a browser asks for, is
/// answered with a page that says so.
pub fn configure(cfg: &mut ServiceConfig, dashboard: &Dashboard) {
    cfg.app_data(web::Data::new(dashboard.clone())).configure(assets::configure).service(
        web::scope("")
            .guard(fn_guard(is_for_people))
            .configure(session::configure)
            .configure(pages::configure)
            .default_service(web::to(pages::nowhere))
            .wrap(from_fn(front)),
    );
}

/// Whether a request is for a page, or a browser's for something that is nowhere.
fn is_for_people(request: &GuardContext<'_>) -> bool {
    let head = request.head();
    let path = head.uri.path();
    let first = path.split('/').nth(1).unwrap_or_default();
    let is_browser =
        || head.headers().get_all(ACCEPT).any(|value| value.to_str().is_ok_and(|it| it.contains("text/html")));
    PAGES.contains(&first) || (first != "api" && head.method == Method::GET && is_browser())
}
