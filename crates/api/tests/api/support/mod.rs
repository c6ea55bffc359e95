//! The application under test, and a client for each identity.

mod agents;
mod answer;
mod app;
mod client;
mod document;
mod work;

pub(crate) use answer::{Answer, redacted};
pub(crate) use app::TestApp;
pub(crate) use client::Client;
pub(crate) use document::assert_has_the_shape_of;
pub(crate) use work::http_job;
