//! What lies around every page.
//!
//! A request passes [`front()`]: where it was sent from, whose session it shows, what its form carries; then the route's
//! extractors, of which the first is a [`Visit`]. Whatever is refused on the way is a [`PageError`], and only the front
//! makes a page of it.

mod answer;
mod cookie;
mod error;
mod flash;
mod form;
mod front;
mod local;
mod operation;
mod origin;
mod visit;

pub(crate) use answer::{page, redirect};
pub(crate) use cookie::{Cookie, Site};
pub(crate) use error::PageError;
pub(crate) use flash::Flash;
pub(crate) use form::Form;
pub(crate) use front::{EVENTS, front, harden};
pub(crate) use local::LocalPath;
pub(crate) use origin::may_be_from_elsewhere;
pub(crate) use visit::{Visit, Visitor, perm};
