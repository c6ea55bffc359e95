//! The executors from outside: real requests to real servers on loopback, as the engine would have them made.

mod builtin_jobs;
mod cancellation;
mod code;
mod egress;
mod http_call;
mod redirects;
mod support;
mod templates;
