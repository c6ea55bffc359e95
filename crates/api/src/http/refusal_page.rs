//! What shows refusals to people. The API answers programs; where a server has pages beside it, a browser that is refused
//! outside of the API's paths is shown a page, whether nothing was there, its time was up or something broke.

use std::fmt;
use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::{ACCEPT, HeaderMap};

/// Makes a page of a status, a sentence and the request's name.
type Draw = dyn Fn(StatusCode, &str, &str) -> HttpResponse + Send + Sync;

/// Makes a page of a refusal. A server that has pages adds one to the application's data.
#[derive(Clone)]
pub struct RefusalPage(Arc<Draw>);

impl RefusalPage {
    /// `draw` is given the status, a sentence for whoever reads it, and the request's name, as the log tells it.
    pub fn new(draw: impl Fn(StatusCode, &str, &str) -> HttpResponse + Send + Sync + 'static) -> Self {
        Self(Arc::new(draw))
    }

    pub(super) fn draw(&self, status: StatusCode, detail: &str, request_id: &str) -> HttpResponse {
        (self.0)(status, detail, request_id)
    }
}

impl fmt::Debug for RefusalPage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RefusalPage")
    }
}

/// Whether whoever sends these headers reads pages: programs do not ask for them.
pub(super) fn reads_pages(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).any(|value| value.to_str().is_ok_and(|media| media.contains("text/html")))
}
