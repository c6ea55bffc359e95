//! Measures Horarium beside the database's own limits and beside other job queues, in one run on one machine, and writes
//! what docs/performance.md shows. A figure alone says more of the machine than of the program; a ratio taken side by side
//! says what the program costs.
//!
//! `scripts/bench` starts a private PostgreSQL, builds the release binaries, installs the other job queues when it is
//! asked to, runs this and writes the page.

mod ceiling;
mod driver;
mod goals;
mod lab;
mod node;
mod peers;
mod report;
mod serve;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand};

use goals::{Compared, Goal};
use lab::{Backend, Lab, what};
use node::Settings;
use report::Measured;

/// Any error ends the measure of a goal: one that carries on after a fault measures something else.
type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What went wrong, with what that came from: a database's driver says no more than "db error" itself.
fn told(problem: &Failure) -> String {
    let mut text = problem.to_string();
    let mut source = problem.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

const EXAMPLES: &str = "\
Examples (scripts/bench builds, starts PostgreSQL, installs the other job queues and runs this):
  One goal, beside hand-written SQL:
    scripts/pg run -- horarium-bench measure drain
  Beside other job queues that scripts/bench --peers has installed:
    scripts/pg run -- horarium-bench measure 1 2 --peers target/peers --peer River --rounds 3
  The driver alone, step by step:
    export SQLITE_PATH=/tmp/jobs.db
    horarium-bench driver setup
    horarium-bench driver enq_bulk 10000 1000 2
    horarium-bench driver work 10000";

/// Measures Horarium beside the database's own limits and beside other job queues.
#[derive(Debug, Parser)]
#[command(version, about, after_help = EXAMPLES)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Measures goals and keeps what was found.
    Measure(Measure),
    /// Measures goals 1 to 3 in three rounds, and fails where a ratio to its ceiling lost 30 % against what was kept. What
    /// was not kept is told of, and not compared.
    Check {
        /// A PostgreSQL server on which databases may be created.
        #[arg(long, env = "HORARIUM_TEST_POSTGRES_URL", hide_env_values = true)]
        postgres: String,
        /// The folder of the results that it is compared with.
        #[arg(long, default_value = "docs/performance")]
        results: PathBuf,
    },
    /// Writes the page and its plots from what was kept.
    Page {
        /// The folder of the results; plots are written beside them.
        #[arg(long, default_value = "docs/performance")]
        results: PathBuf,
        /// The page, in the folder above.
        #[arg(long, default_value = "docs/performance.md")]
        page: PathBuf,
    },
    /// Speaks the protocol that all who are compared speak.
    Driver {
        #[command(flatten)]
        settings: Settings,
        #[command(subcommand)]
        command: driver::Command,
    },
    /// Serves the API over a node whose jobs do nothing.
    Serve {
        #[command(flatten)]
        settings: Settings,
    },
}

#[derive(Debug, Args)]
struct Measure {
    /// Which goals, by name or number; all when none is named.
    goals: Vec<Goal>,
    /// A PostgreSQL server on which databases may be created.
    #[arg(long, env = "HORARIUM_TEST_POSTGRES_URL", hide_env_values = true)]
    postgres: Option<String>,
    /// The server's program, whose start and rest are measured.
    #[arg(long)]
    server: Option<PathBuf>,
    /// The folder of the other job queues; without it Horarium is measured beside the ceilings alone.
    #[arg(long)]
    peers: Option<PathBuf>,
    /// Only the peers whose names hold this; may be given several times.
    #[arg(long = "peer")]
    wanted: Vec<String>,
    /// Rounds of goals 1 to 3; the median is reported. In each round everything takes its turn. The others take one.
    #[arg(long, default_value_t = 3, value_parser = RangedU64ValueParser::<usize>::new().range(1..=100))]
    rounds: usize,
    /// A hundredth of the work in one round: shows that everything runs, and says nothing of speed.
    #[arg(long)]
    quick: bool,
    /// Only goals that were not yet measured of this code, in so many rounds and beside other job queues if these are
    /// given: for a run that was broken off.
    #[arg(long)]
    resume: bool,
    /// Where results are kept.
    #[arg(long, default_value = "docs/performance")]
    results: PathBuf,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse().command).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("error: {}", told(&problem));
            ExitCode::FAILURE
        }
    }
}

async fn run(command: Command) -> Result<(), Failure> {
    match command {
        Command::Measure(measure) => measure.run().await,
        Command::Check { postgres, results } => check(&postgres, &results).await,
        Command::Page { results, page } => report::write(&results, &page),
        Command::Driver { settings, command } => driver::run(command, &settings).await,
        Command::Serve { settings } => serve::run(&settings).await,
    }
}

/// Measures as much as was measured for the page, since a ratio depends on that too, but in three rounds, and beside the
/// ceilings alone. The slowest of so few pickups are a matter of luck, so they are not compared.
async fn check(postgres: &str, results: &Path) -> Result<(), Failure> {
    const MOST: f64 = 0.3;
    const FIGURES: [&str; 4] = [what::DRAIN.0, what::ONE_8.0, what::BULK.0, what::P50.0];
    let mut kept = Vec::new();
    for goal in [Goal::Drain, Goal::Enqueue, Goal::Pickup] {
        match Measured::read(results, goal.key())?.filter(|kept| kept.part == 1) {
            Some(measured) => kept.push((goal, measured)),
            None => println!("NOT COMPARED: {}: {} holds nothing to compare with", goal.title(), results.display()),
        }
    }
    if kept.is_empty() {
        return Ok(());
    }
    let lab = Lab::open(Some(postgres), false, 3, 1).await?;
    let compared = Compared { peers: &[], missing: &[], server: None };
    let mut is_slower = false;
    for (goal, before) in kept {
        eprintln!("{}", goal.title());
        let now = goal.measure(&lab, &compared).await?;
        for loss in report::losses(&before, &now, &FIGURES) {
            let verdict = if loss.share > MOST { "SLOWER" } else { "well" };
            println!("{verdict}: {}", loss.text);
            is_slower |= loss.share > MOST;
        }
    }
    if is_slower { Err("a ratio to its ceiling lost more than 30 %".into()) } else { Ok(()) }
}

impl Measure {
    async fn run(self) -> Result<(), Failure> {
        let peers = match &self.peers {
            Some(folder) => peers::find(folder, &self.wanted)?,
            None => peers::Found::default(),
        };
        let needs_redis = peers.installed.iter().any(|peer| matches!(peer.backend, Backend::Redis(_)));
        let rounds = if self.quick { 1 } else { self.rounds };
        let part = if self.quick { 100 } else { 1 };
        let lab = Lab::open(self.postgres.as_deref(), needs_redis, rounds, part).await?;
        let compared = Compared { peers: &peers.installed, missing: &peers.missing, server: self.server.as_deref() };
        let mut goals = Vec::new();
        for &goal in if self.goals.is_empty() { &Goal::ALL[..] } else { &self.goals } {
            if self.resume && self.is_done(goal)? {
                eprintln!("{}: measured already", goal.title());
            } else {
                goals.push(goal);
            }
        }
        let mut failed = Vec::new();
        for (number, goal) in goals.iter().enumerate() {
            eprintln!("{} ({} of {})", goal.title(), number + 1, goals.len());
            let measured = goal.measure(&lab, &compared).await;
            if let Err(problem) = measured.and_then(|measured| measured.keep(&self.results, goal.key())) {
                eprintln!("  not measured: {}", told(&problem));
                failed.push(goal.key());
            }
        }
        // The others are worth keeping: all of them together take hours.
        if failed.is_empty() { Ok(()) } else { Err(format!("not measured: {}", failed.join(", ")).into()) }
    }

    /// Whether what is kept of a goal is as good as what would be measured now.
    fn is_done(&self, goal: Goal) -> Result<bool, Failure> {
        let needs_peers = goal.compares() && self.peers.is_some();
        let is_as_good =
            |kept: Measured| kept.is_current(goal.rounds(self.rounds)) && (kept.has_peers() || !needs_peers);
        Ok(Measured::read(&self.results, goal.key())?.is_some_and(is_as_good))
    }
}
