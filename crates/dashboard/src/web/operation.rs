//! What is asked for by posting to a page, as the API's description calls it: the audit log tells that also of whoever may
//! not do it, or asks for it of a thing that there is not.

/// The operations by their routes. Where executions are ticked, the form says which it is.
const OPERATIONS: [(&str, &str); 21] = [
    ("/agents/{hostname}/drain", "drain_agent"),
    ("/agents/{hostname}/forget", "delete_agent"),
    ("/agents/{hostname}/undrain", "undrain_agent"),
    ("/executions/{id}/cancel", "stop_execution"),
    ("/executions/{id}/retry", "rerun_execution"),
    ("/executions/{id}/retry-hosts", "retry_agent_job"),
    ("/jobs", "create_job"),
    ("/jobs/{job}", "update_job"),
    ("/jobs/{job}/delete", "delete_job"),
    ("/jobs/{job}/pause", "pause_job"),
    ("/jobs/{job}/resume", "resume_job"),
    ("/jobs/{job}/trigger", "trigger_job"),
    ("/keys", "create_key"),
    ("/keys/{id}/revoke", "revoke_key"),
    ("/keys/{id}/rotate", "rotate_key"),
    ("/queues/{name}", "set_queue"),
    ("/queues/{name}/pause", "set_queue"),
    ("/queues/{name}/resume", "set_queue"),
    ("/settings/integrations/clear", "clear_failed_integrations"),
    ("/sign-out", "sign_out"),
    ("/tenant", "choose_tenant"),
];

/// The operation of a route.
pub(super) fn operation(route: &str) -> Option<&'static str> {
    OPERATIONS.iter().find(|(known, _)| *known == route).map(|(_, operation)| *operation)
}
