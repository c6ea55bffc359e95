//! `/api/v1/admin/jobs`: statistics of jobs by their names, and triggering them. Every answer and every refusal is one
//! envelope.

mod dto;
mod error;
mod map;
mod request;
mod routes;
mod words;

pub(crate) use error::{ERROR_SCHEMA, shape};
pub(crate) use routes::{PREFIX, configure};
