//! What every service of this kind has: health, metrics, documentation, events, and the keepers of keys, tenants, queues
//! and limits.

mod agents;
mod audit;
mod bulk;
mod docs;
mod events;
mod executions;
mod health;
mod key_limits;
mod keys;
mod metrics;
mod queues;
mod tenant_limits;
mod tenants;
mod webhook_secret;

use utoipa_actix_web::service_config::ServiceConfig;

/// Routes that need no tenant; each decides for itself who may call it.
pub(crate) fn open(cfg: &mut ServiceConfig<'_>) {
    cfg.service(health::get_liveness)
        .service(health::get_readiness)
        .service(health::get_health)
        .service(metrics::get_metrics)
        .service(docs::get_openapi)
        .configure(docs::pages);
}

/// Routes below `/api/v1`, within the authenticating scope.
pub(crate) fn configure(cfg: &mut ServiceConfig<'_>) {
    // What has a fixed name comes before what has an id in the same place.
    cfg.configure(agents::configure)
        .service(audit::list_audit)
        .service(audit::export_audit)
        .service(bulk::submit_executions)
        .service(executions::list_executions)
        .service(executions::read_execution)
        .service(executions::stop_execution)
        .service(executions::rerun_execution)
        .service(events::follow_events)
        .service(keys::create_key)
        .service(keys::list_keys)
        .service(keys::get_key)
        .service(keys::revoke_key)
        .service(keys::rotate_key)
        .service(webhook_secret::get_webhook_secret)
        .service(webhook_secret::rotate_webhook_secret)
        .service(queues::list_queues)
        .service(queues::get_queue)
        .service(queues::set_queue)
        .service(key_limits::list_limited_keys)
        .service(key_limits::get_key_limits)
        .service(key_limits::set_key_limits)
        .service(tenants::create_tenant)
        .service(tenants::list_tenants)
        .service(tenants::get_tenant)
        .service(tenants::update_tenant)
        .service(tenants::delete_tenant)
        .service(tenant_limits::get_tenant_limits)
        .service(tenant_limits::set_tenant_limits);
}
