//! `/agents`: the machines that work for a tenant.

mod act;
mod detail;
mod list;

use actix_web::web::{self, ServiceConfig};
use horarium_domain::agent::Agent;

/// Where the agents are.
const ADDRESS: &str = "/agents";

pub(crate) fn configure(cfg: &mut ServiceConfig) {
    cfg.route(ADDRESS, web::get().to(list::show))
        .route("/agents/{hostname}", web::get().to(detail::show))
        .route("/agents/{hostname}/drain", web::get().to(act::ask_to_drain))
        .route("/agents/{hostname}/drain", web::post().to(act::drain))
        .route("/agents/{hostname}/undrain", web::post().to(act::undrain))
        .route("/agents/{hostname}/forget", web::get().to(act::ask_to_forget))
        .route("/agents/{hostname}/forget", web::post().to(act::forget));
}

/// The page of one agent. A hostname needs no escaping.
fn address(hostname: &str) -> String {
    format!("{ADDRESS}/{hostname}")
}

/// Labels as they are written in targets.
fn labels(agent: &Agent) -> Vec<String> {
    agent.labels.iter().map(|(key, value)| format!("{key}:{value}")).collect()
}
