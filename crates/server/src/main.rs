//! The program `horarium`: it puts the layers together, reads the configuration and is the command line.
//!
//! There are no rules of scheduling here; they are in the crates below. [`compose`] is where those meet.

mod cli;
mod compose;
mod config;
mod dashboard;
mod entropy;
mod first_run;
mod jwks;
mod oidc;
mod readiness;
mod secrets;
mod telemetry;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
