//! What is shown in the place of a page.

use actix_web::http::StatusCode;
use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpRequest, HttpResponse};
use askama::Template;

use crate::state::Dashboard;
use crate::view::Layout;
use crate::web::{PageError, page};

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
    answer
}
