//! The pages, in a real browser on a real server.
//!
//! `scripts/test` installs Chromium, ChromeDriver and axe-core; docs/contributing.md says how to run one of these tests.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[path = "../common/mod.rs"]
mod common;
mod support;

mod api_documentation;
mod awkward;
mod broadcasts;
mod every_page;
mod executions;
mod integrations;
mod jobs;
mod keyboard;
mod keys;
mod live;
mod oidc;
mod overview;
mod readers;
mod samples;
mod sign_in;
mod tenants;
