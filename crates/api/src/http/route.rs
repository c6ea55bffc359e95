//! The route that a request matches, found once for all who ask before it is routed: to find it then is to walk over the
//! patterns of all routes.

use std::rc::Rc;

use actix_web::HttpMessage;
use actix_web::dev::ServiceRequest;

/// What was found.
struct Matched(Option<Rc<str>>);

/// The pattern of the route, with `{…}` in the place of its parameters; `None` where there is no route.
pub(super) fn route(req: &ServiceRequest) -> Option<Rc<str>> {
    if let Some(Matched(found)) = req.extensions().get() {
        return found.clone();
    }
    let found: Option<Rc<str>> = req.match_pattern().map(Rc::from);
    req.extensions_mut().insert(Matched(found.clone()));
    found
}
