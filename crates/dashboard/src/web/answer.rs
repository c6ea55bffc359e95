//! The two ways a page's route answers: with a page, or by sending the browser on.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use askama::Template;

use super::{Flash, LocalPath, PageError, Site};

/// A page.
pub(crate) fn page(status: StatusCode, template: &impl Template) -> Result<HttpResponse, PageError> {
    let html = template.render().map_err(PageError::internal)?;
    Ok(HttpResponse::build(status).content_type("text/html; charset=utf-8").body(html))
}

/// Sends the browser on to another page with GET, which shows what is to be told.
pub(crate) fn redirect(to: &LocalPath, flash: Option<&Flash>, site: Site) -> HttpResponse {
    let mut answer = HttpResponse::SeeOther();
    answer.insert_header((LOCATION, to.as_str()));
    if let Some(flash) = flash {
        answer.append_header(site.set(flash.to_cookie()));
    }
    answer.finish()
}
