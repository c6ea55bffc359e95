//! The pages of jobs.

mod actions;
mod form;
mod list;
mod show;
