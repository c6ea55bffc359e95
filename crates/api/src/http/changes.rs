//! Which calls may change something: those are on record, and can be made safe to repeat.

use actix_web::http::Method;

/// The routes of reads that are asked for with POST.
const POSTED_READS: &[&str] = &["/v1/toolkit/jobs/status", "/v1/toolkit/job/status", "/paid/get/all/jobs/id/status"];

/// Whether the call may change something.
pub(super) fn changes(method: &Method, route: &str) -> bool {
    ![Method::GET, Method::HEAD, Method::OPTIONS].contains(method) && !is_posted_read(route)
}

/// Whether what is posted to the route only asks for something.
pub(crate) fn is_posted_read(route: &str) -> bool {
    POSTED_READS.contains(&route)
}
