//! The page that shows a key's text, this once. Nothing of it is in an address, a cookie or a session, and whoever
//! reloads it sends the form again, which then says that the key is there, or has another secret already.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;
use horarium_auth::api_key::ApiKey;

use crate::view::{Layout, Section};
use crate::web::{PageError, Visit, page};

#[derive(Template)]
#[template(path = "keys/shown.html")]
struct ShownPage {
    layout: Layout,
    name: String,
    text: String,
}

/// The page.
pub(super) fn show<P>(visit: &Visit<P>, name: String, key: &ApiKey) -> Result<HttpResponse, PageError> {
    let layout = visit.layout(format!("{name} · API key"), Some(Section::Keys));
    page(StatusCode::OK, &ShownPage { layout, name, text: key.reveal() })
}
