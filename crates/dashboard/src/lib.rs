//! The dashboard: Horarium for people, as pages that a browser shows.
//!
//! [`configure`] mounts it into an actix application, over a [`Dashboard`] that the server makes. A page's route extracts
//! what it needs (first a `Visit` that names the permission), calls services, and hands a view model to a
//! template. It asks the same services as the API and has no rule and no SQL of its own.
//!
//! - `session`: signing in and out, and who a request comes from.
//! - `web`: what lies around every page: cookies, forms, where a form was sent from, headers, refusals as pages.
//! - `pages`: a file for each page. `pages/overview.rs` is the example to follow.
//! - `view`: what pages are made of: states, times, numbers, charts, lists' ends.
//! - `assets`: the style sheet and the modules, in the binary.
//!
//! Pages work without JavaScript: a form is posted, and answered by sending the browser on to a page (303) that says
//! what was done. The modules only add to that.

mod app;
mod assets;
mod host;
mod pages;
mod session;
mod state;
mod view;
mod web;

pub use app::configure;
pub use host::{Host, HostCheck};
pub use pages::refusal_page;
pub use state::{Dashboard, DashboardConfig, DashboardParts};
