//! The pages of jobs.

mod actions;
mod list;
mod show;
