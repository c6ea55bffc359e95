//! The application under test, and browsers that go to it.

mod app;
mod browser;
mod host;
mod work;

pub(crate) use app::{BEGINNING, TestApp, token};
pub(crate) use browser::{Browser, Shown};
