//! The page before something that cannot be taken back: what will be done, to how many.

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use askama::Template;

use crate::view::Layout;
use crate::web::{PageError, page};

/// A question before something that cannot be taken back. Its form posts to `action`.
#[derive(Template)]
#[template(path = "confirm.html")]
pub(crate) struct Confirmation {
    /// What is around it.
    pub(crate) layout: Layout,
    /// The question, such as "Delete the job 'nightly'?".
    pub(crate) question: String,
    /// What that means, a sentence each, numbers included.
    pub(crate) consequences: Vec<String>,
    /// Where the form goes.
    pub(crate) action: String,
    /// What the form carries besides, such as the version that was looked at.
    pub(crate) fields: Vec<(&'static str, String)>,
    /// What the button says, such as "Delete the job".
    pub(crate) verb: String,
    /// Where whoever thinks better of it goes.
    pub(crate) back: String,
}

impl Confirmation {
    /// The page.
    pub(crate) fn show(&self) -> Result<HttpResponse, PageError> {
        page(StatusCode::OK, self)
    }
}
