//! docs/scaling.md's arithmetic: what one execution costs, times how many there are; and what it rests on.

use std::fmt::Write;

use horarium_persistence::DatabaseOptions;

use super::figures::{plain, whole};
use super::{Measured, table};
use crate::goals::Goal;
use crate::goals::http::{API, NODE_CPU};
use crate::goals::nodes::{BULK, DISK, ONE_NODE, ONES, WAL};
use crate::lab::what::{SERVER_CPU, WORKER_CPU};

/// How many are accepted and run in a second.
const RATES: [f64; 3] = [1_000.0, 10_000.0, 100_000.0];

/// What part of a machine is planned with: the rest is for peaks, vacuum, backups and a node that is away.
const LOAD: f64 = 0.6;

/// A node's cores, in the table.
const NODE_CORES: f64 = 4.0;

const SECONDS_A_DAY: f64 = 86_400.0;

/// What one execution costs. Processor time is in seconds for one.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Cost {
    node_accept: f64,
    node_run: f64,
    database_accept: f64,
    database_accept_bulk: f64,
    database_run: f64,
    wal_accept: f64,
    wal_accept_bulk: f64,
    wal_run: f64,
    disk: f64,
}

impl Cost {
    /// As measured; none where a figure is missing.
    fn of(nodes: &Measured, http: &Measured) -> Option<Self> {
        let figure = |measured: &Measured, subject: &str, what: &str| Some(measured.find(subject, what)?.median());
        let seconds = |measured, subject, what| Some(figure(measured, subject, what)? / 10_000.0);
        Some(Self {
            node_accept: seconds(http, API, NODE_CPU.0)?,
            node_run: seconds(nodes, ONE_NODE, WORKER_CPU.0)?,
            database_accept: seconds(nodes, ONES, SERVER_CPU.0)?,
            database_accept_bulk: seconds(nodes, BULK, SERVER_CPU.0)?,
            database_run: seconds(nodes, ONE_NODE, SERVER_CPU.0)?,
            wal_accept: figure(nodes, ONES, WAL.0)?,
            wal_accept_bulk: figure(nodes, BULK, WAL.0)?,
            wal_run: figure(nodes, ONE_NODE, WAL.0)?,
            disk: figure(nodes, ONE_NODE, DISK.0)?,
        })
    }
}

/// What is reckoned, and the figures of several nodes and of one on SQLite; or what to do to have them.
pub(super) fn tables(nodes: Option<&Measured>, http: Option<&Measured>, sqlite: Option<&Measured>) -> String {
    let mut text = match nodes.zip(http).and_then(|(nodes, http)| Cost::of(nodes, http)) {
        Some(cost) => format!("{}\n{}", each(&cost), together(&cost)),
        None => missing("http --goal nodes"),
    };
    let measured = [
        ("One, two and four nodes on one machine", nodes, Goal::Nodes),
        ("One process on SQLite", sqlite, Goal::Sqlite),
    ];
    for (title, measured, goal) in measured {
        let shown = measured.map_or_else(|| missing(goal.key()), table::tables);
        // Writing to a String cannot fail.
        let _ = write!(text, "\n### {title}\n\n{shown}");
    }
    text
}

fn missing(goals: &str) -> String {
    format!("Not measured yet: `scripts/bench --goal {goals}` fills this in.\n")
}

/// What one costs, by step.
fn each(cost: &Cost) -> String {
    let mut text = "| one execution | node's CPU | database's CPU | write-ahead log | disk |\n\
        | --- | --- | --- | --- | --- |\n"
        .to_owned();
    let rows = [
        ("accepted by itself", Some(cost.node_accept), cost.database_accept, cost.wal_accept, None),
        ("accepted among 1000", None, cost.database_accept_bulk, cost.wal_accept_bulk, None),
        ("claimed, run and ended", Some(cost.node_run), cost.database_run, cost.wal_run, Some(cost.disk)),
    ];
    let micros = |seconds: f64| format!("{} µs", plain(seconds * 1e6));
    for (step, node, database, wal, disk) in rows {
        let node = node.map_or_else(String::new, micros);
        let disk = disk.map_or_else(String::new, |bytes| format!("{} B", plain(bytes)));
        // Writing to a String cannot fail.
        let _ = writeln!(text, "| {step} | {node} | {} | {} B | {disk} |", micros(database), plain(wal));
    }
    text
}

/// What all of them cost, at each rate.
fn together(cost: &Cost) -> String {
    let mut text =
        "| accepted by themselves and run | nodes of 4 cores | database's cores | connections | write-ahead log \
        | history a day |\n| --- | --- | --- | --- | --- | --- |\n"
            .to_owned();
    // One more listens.
    let options = DatabaseOptions::default();
    let connections = (options.connections + options.hot_connections + 1) as f64;
    for rate in RATES {
        let nodes = (rate * (cost.node_accept + cost.node_run) / (NODE_CORES * LOAD)).ceil().max(1.0);
        let cores = (rate * (cost.database_accept + cost.database_run) / LOAD).ceil().max(1.0);
        let wal = rate * (cost.wal_accept + cost.wal_run) / 1e6;
        let history = rate * cost.disk * SECONDS_A_DAY / 1e9;
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "| {}/s | {nodes:.0} | {cores:.0} | {} | {} MB/s | {} GB |",
            whole(rate),
            whole(nodes * connections),
            plain(wal),
            plain(history)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const COST: Cost = Cost {
        node_accept: 60e-6,
        node_run: 12e-6,
        database_accept: 30e-6,
        database_accept_bulk: 10e-6,
        database_run: 30e-6,
        wal_accept: 1_000.0,
        wal_accept_bulk: 600.0,
        wal_run: 1_500.0,
        disk: 500.0,
    };

    #[test]
    fn costs_are_of_one_execution() {
        assert!(each(&COST).contains("| accepted by itself | 60.0 µs | 30.0 µs | 1,000 B |  |"));
        assert!(each(&COST).contains("| claimed, run and ended | 12.0 µs | 30.0 µs | 1,500 B | 500 B |"));
    }

    #[test]
    fn many_cost_as_many_times_as_much_and_machines_are_not_filled() {
        // 10,000 · 72 µs = 0.72 cores of 2.4 that a node gives; 10,000 · 60 µs = 0.6 cores, which are 1 at 60 %.
        assert!(together(&COST).contains("| 10,000/s | 1 | 1 | 17 | 25.0 MB/s | 432 GB |"));
        assert!(together(&COST).contains("| 100,000/s | 3 | 10 | 51 | 250 MB/s | 4,320 GB |"));
    }

    #[test]
    fn what_was_not_measured_is_not_reckoned_with() {
        assert!(tables(None, None, None).starts_with("Not measured yet"));
    }
}
