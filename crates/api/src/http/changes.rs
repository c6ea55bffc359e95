//! Which calls may change something: those are on record, and can be made safe to repeat.

use actix_web::http::Method;

/// The routes of reads that are asked for with POST.
const POSTED_READS: &[&str] = &["/v1/toolkit/jobs/status", "/v1/toolkit/job/status", "/paid/get/all/jobs/id/status"];

/// The routes that change something though they are asked for with GET: an OpenID provider sends browsers back so, and
/// whoever comes with its answer is signed in.
const CHANGES_BY_GET: &[&str] = &["/sign-in/oidc/callback"];

/// Whether the call may change something.
pub(super) fn changes(method: &Method, route: &str) -> bool {
    match *method {
        Method::GET => CHANGES_BY_GET.contains(&route),
        Method::HEAD | Method::OPTIONS => false,
        _ => !is_posted_read(route),
    }
}

/// Whether what is posted to the route only asks for something.
pub(crate) fn is_posted_read(route: &str) -> bool {
    POSTED_READS.contains(&route)
}
