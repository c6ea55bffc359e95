//! `/api/integrations/jobs`: the runner of one organization's integrations: its metrics and health, what is behind the
//! counts, and new work for it. Errors are problem details.

mod dto;
mod error;
mod map;
mod request;
mod routes;

pub(crate) use routes::configure;
