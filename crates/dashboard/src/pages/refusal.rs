//! What is shown in the place of a page.

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderValue, RETRY_AFTER};
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use crate::state::Dashboard;
use crate::view::Layout;
use crate::web::{PageError, harden, page};

#[derive(Template)]
#[template(path = "refusal.html")]
struct RefusalPage {
    layout: Layout,
    status: u16,
    title: &'static str,
    detail: String,
    fields: Vec<(String, String)>,
    request_id: String,
    is_ours: bool,
}

/// The page for a refusal.
pub(crate) fn refusal(
    dashboard: &Dashboard,
    request: &HttpRequest,
    refusal: &PageError,
    request_id: String,
) -> HttpResponse {
    let (title, detail) = refusal.told();
    let status = refusal.status();
    let shown = RefusalPage {
        layout: Layout::of(dashboard, request, title.to_owned(), None),
        status: status.as_u16(),
        title,
        detail,
        fields: refusal.fields(),
        request_id,
        is_ours: status.is_server_error(),
    };
    let mut answer = page(status, &shown).unwrap_or_else(|_| HttpResponse::new(StatusCode::INTERNAL_SERVER_ERROR));
    if let Some(seconds) = refusal.retry_after() {
        answer.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    if let Some(allowed) = refusal.allow() {
        answer.headers_mut().insert(ALLOW, HeaderValue::from_static(allowed));
    }
    answer
}

/// The page for what the program around the dashboard refuses to a browser, before it is known who asks or after the
/// request is gone: its time was up, it broke, or nothing takes it.
///
/// `detail` is a sentence for whoever reads it, `request_id` the name under which the log tells more.
pub fn refusal_page(dashboard: &Dashboard, status: StatusCode, detail: &str, request_id: &str) -> HttpResponse {
    let title = match status {
        StatusCode::NOT_FOUND => "There is nothing here",
        StatusCode::METHOD_NOT_ALLOWED => "This cannot be asked for like that",
        StatusCode::PAYLOAD_TOO_LARGE => "This is too long",
        StatusCode::TOO_MANY_REQUESTS => "Slow down",
        StatusCode::SERVICE_UNAVAILABLE => "There is no answer for now",
        status if status.is_server_error() => "Something went wrong",
        _ => "This was refused",
    };
    let shown = RefusalPage {
        layout: Layout::plain(dashboard, title.to_owned()),
        status: status.as_u16(),
        title,
        detail: detail.to_owned(),
        fields: Vec::new(),
        request_id: request_id.to_owned(),
        is_ours: status.is_server_error(),
    };
    let mut answer = page(status, &shown).unwrap_or_else(|_| HttpResponse::new(status));
    harden(answer.headers_mut());
    answer
}
