//! The protocol that everything which is compared speaks, for Horarium as a library: a program with five commands, each
//! of which prints one line of JSON.
//!
//! ```text
//! setup                          the schema, and a job that does nothing
//! enq_one N CALLERS              {"n":N,"secs":S}
//! enq_bulk N BATCH CALLERS       {"n":N,"secs":S}
//! lat N INTERVAL_MS              {"call_us":[…]}
//! work N                         {"ready":NS}, then {"done":N,"first_ns":…,"last_ns":…,"dups":…,"lat_us":[…]}
//! ```
//!
//! Jobs carry `{"i": number, "t": start of the call}`; instants are nanoseconds of `CLOCK_MONOTONIC`, which processes of
//! one machine share. Horarium's driver knows a sixth, `alone`: `lat` and `work` in one process, which is how Horarium
//! runs on SQLite and how a server of its own runs what it accepts.

mod accept;
mod tracker;

use std::time::Duration;

use clap::Subcommand;
use serde_json::json;

use crate::Failure;
use crate::lab::clock::now_ns;
use crate::node::{Node, Settings};
use tracker::Tracker;

/// A node that has nothing to do is left alone for so long before `alone` calls it.
const REST: Duration = Duration::from_secs(2);

/// The commands.
#[derive(Debug, Clone, Copy, Subcommand)]
#[command(rename_all = "snake_case")]
pub(crate) enum Command {
    /// Makes the schema, and a job that does nothing.
    Setup,
    /// Accepts executions one by one.
    EnqOne {
        /// How many, all callers together.
        count: u64,
        /// How many call at once.
        callers: u64,
    },
    /// Accepts executions in batches.
    EnqBulk {
        /// How many, all callers together.
        count: u64,
        /// How many in one call.
        batch: u64,
        /// How many call at once.
        callers: u64,
    },
    /// Accepts one execution after another, for a worker in another process that is otherwise idle.
    Lat {
        /// How many.
        count: u64,
        /// Milliseconds from the start of one call to the next.
        interval_ms: u64,
    },
    /// Runs executions until it is killed; tells when so many different ones have come.
    Work {
        /// How many.
        count: u64,
    },
    /// Does what `lat` and `work` do in one process.
    Alone {
        /// How many.
        count: u64,
        /// Milliseconds from the start of one call to the next.
        interval_ms: u64,
    },
}

/// Runs a command.
pub(crate) async fn run(command: Command, settings: &Settings) -> Result<(), Failure> {
    if matches!(command, Command::Setup) {
        return Node::prepare(settings).await.map(drop);
    }
    let node = Node::open(settings).await?;
    match command {
        Command::Setup => {}
        Command::EnqOne { count, callers } => {
            accept::one_by_one(&node, count, callers).await?;
            node.told_others().await?;
        }
        Command::EnqBulk { count, batch, callers } => {
            accept::in_batches(&node, count, batch, callers).await?;
            node.told_others().await?;
        }
        Command::Lat { count, interval_ms } => {
            let called = accept::now_and_then(&node, count, Duration::from_millis(interval_ms)).await?;
            node.told_others().await?;
            println!("{}", json!({ "call_us": called }));
        }
        Command::Work { count } => {
            let tracker = Tracker::new(count);
            let _engine = node.work(settings, tracker.clone());
            println!("{}", json!({ "ready": now_ns() }));
            println!("{}", tracker.complete().await);
            // Ends are still being written, and who started this may want to look at the process.
            std::future::pending::<()>().await;
        }
        Command::Alone { count, interval_ms } => {
            let tracker = Tracker::new(count);
            let engine = node.work(settings, tracker.clone());
            tokio::time::sleep(REST).await;
            accept::now_and_then(&node, count, Duration::from_millis(interval_ms)).await?;
            println!("{}", tracker.complete().await);
            engine.shutdown().await;
        }
    }
    Ok(())
}
