//! Measures Horarium beside a yardstick, in one run on one machine, and prints the table that docs/performance.md
//! shows. A figure alone says more of the machine than of the program; a ratio taken side by side says what the
//! program costs.
//!
//! `scripts/bench` starts a private PostgreSQL, builds the release binaries, runs this and writes the page.

mod calls;
mod ceiling;
mod drain;
mod process;
mod report;

use std::path::PathBuf;

use clap::Parser;

/// Any error ends the run: a benchmark that carries on after a fault measures something else.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Measures claiming and completing through the engine beside hand-written SQL, listing recent jobs, and what the
/// server costs at rest.
#[derive(Debug, Parser)]
#[command(version, about)]
struct Options {
    /// A PostgreSQL server on which databases may be created; without it only SQLite is measured.
    #[arg(long, env = "HORARIUM_TEST_POSTGRES_URL")]
    postgres: Option<String>,
    /// The server binary whose listing, start and rest are measured; without it they are left out.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Executions drained in each round.
    #[arg(long, default_value_t = 100_000)]
    count: usize,
    /// Rounds; the median is reported. Each round measures the yardstick and the engine in turn.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let options = Options::parse();
    let mut sections = Vec::new();
    if let Some(url) = &options.postgres {
        sections.push(drain::postgres(url, options.count, options.rounds).await?);
    }
    sections.push(drain::sqlite(options.count, options.rounds).await?);
    if let Some(binary) = &options.binary {
        sections.push(process::at_rest(binary, options.rounds)?);
        sections.push(calls::reports(binary, options.postgres.as_deref(), options.rounds).await?);
    }
    report::print(&sections, options.count, options.rounds);
    Ok(())
}
