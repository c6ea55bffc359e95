//! What Horarium sets out to be, each goal with its measure, its targets and how it is shown.

mod agents;
mod drain;
mod enqueue;
mod fairness;
mod fill;
mod history;
pub(crate) mod http;
mod limits;
pub(crate) mod nodes;
mod pickup;
mod reads;
mod rest;
mod retention;
mod schedules;
mod server;
mod snapshot;
mod sqlite;

use std::path::Path;

use clap::ValueEnum;

use crate::lab::{Backend, Lab, Subject};
use crate::node::Settings;
use crate::report::{Kind, Measured, Record, Target};
use crate::{Failure, told};

/// A goal, by name or by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Goal {
    /// Claiming, running and completing a backlog.
    #[value(alias = "1")]
    Drain,
    /// Accepting one by one and in bulk.
    #[value(alias = "2")]
    Enqueue,
    /// How soon an idle system picks up work.
    #[value(alias = "3")]
    Pickup,
    /// The same through the API.
    #[value(alias = "4")]
    Http,
    /// With ten million executions of history.
    #[value(alias = "5")]
    History,
    /// With a held snapshot and a million dead rows.
    #[value(alias = "6")]
    Snapshot,
    /// A large tenant and a hundred small ones; weights and limits over two nodes.
    #[value(alias = "7")]
    Fairness,
    /// A hundred thousand schedules due at once.
    #[value(alias = "8")]
    Schedules,
    /// Removing a day of a million executions.
    #[value(alias = "9")]
    Retention,
    /// On SQLite.
    #[value(alias = "10")]
    Sqlite,
    /// One, two and four nodes.
    #[value(alias = "11")]
    Nodes,
    /// A broadcast to 200 agents.
    Agents,
    /// The server's start and its rest.
    Rest,
}

/// How a goal is shown.
struct Shown {
    title: &'static str,
    /// What is measured, and how.
    method: &'static str,
    targets: &'static [Target],
    /// The figures that are plotted.
    plotted: &'static [&'static str],
}

impl Goal {
    /// All, in order.
    pub(crate) const ALL: [Self; 13] = [
        Self::Drain,
        Self::Enqueue,
        Self::Pickup,
        Self::Http,
        Self::History,
        Self::Snapshot,
        Self::Fairness,
        Self::Schedules,
        Self::Retention,
        Self::Sqlite,
        Self::Nodes,
        Self::Agents,
        Self::Rest,
    ];

    const fn shown(self) -> &'static Shown {
        match self {
            Self::Drain => &drain::SHOWN,
            Self::Enqueue => &enqueue::SHOWN,
            Self::Pickup => &pickup::SHOWN,
            Self::Http => &http::SHOWN,
            Self::History => &history::SHOWN,
            Self::Snapshot => &snapshot::SHOWN,
            Self::Fairness => &fairness::SHOWN,
            Self::Schedules => &schedules::SHOWN,
            Self::Retention => &retention::SHOWN,
            Self::Sqlite => &sqlite::SHOWN,
            Self::Nodes => &nodes::SHOWN,
            Self::Agents => &agents::SHOWN,
            Self::Rest => &rest::SHOWN,
        }
    }

    /// The name that its results are kept under.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Enqueue => "enqueue",
            Self::Pickup => "pickup",
            Self::Http => "http",
            Self::History => "history",
            Self::Snapshot => "snapshot",
            Self::Fairness => "fairness",
            Self::Schedules => "schedules",
            Self::Retention => "retention",
            Self::Sqlite => "sqlite",
            Self::Nodes => "nodes",
            Self::Agents => "agents",
            Self::Rest => "rest",
        }
    }

    /// Its heading.
    pub(crate) const fn title(self) -> &'static str {
        self.shown().title
    }

    /// What is measured, and how.
    pub(crate) const fn method(self) -> &'static str {
        self.shown().method
    }

    /// What is asked for.
    pub(crate) const fn targets(self) -> &'static [Target] {
        self.shown().targets
    }

    /// Whether other job queues take part.
    pub(crate) const fn compares(self) -> bool {
        matches!(self, Self::Drain | Self::Enqueue | Self::Pickup)
    }

    /// In how many rounds, of those asked for. Where others take part, a figure is worth what several rounds say of it;
    /// the rest takes one, which is long, or is of thousands of calls.
    pub(crate) fn rounds(self, asked: usize) -> usize {
        if self.compares() { asked } else { 1 }
    }

    /// The figures that are plotted.
    pub(crate) const fn plotted(self) -> &'static [&'static str] {
        self.shown().plotted
    }

    /// Measures it.
    pub(crate) async fn measure(self, lab: &Lab, compared: &Compared<'_>) -> Result<Measured, Failure> {
        // What is left from a goal that failed.
        lab.take_disturbance();
        lab.take_described();
        let rounds = self.rounds(lab.rounds);
        let mut record = Record::new(rounds, lab.part);
        for round in 1..=rounds {
            eprintln!("  round {round} of {rounds}, {} min after the start", lab.minutes());
            match self {
                Self::Drain => drain::round(lab, compared, round, &mut record).await?,
                Self::Enqueue => enqueue::round(lab, compared, round, &mut record).await?,
                Self::Pickup => pickup::round(lab, compared, round, &mut record).await?,
                Self::Http => http::round(lab, &mut record).await?,
                Self::History => history::round(lab, compared.server, round, &mut record).await?,
                Self::Snapshot => snapshot::round(lab, &mut record).await?,
                Self::Fairness => fairness::round(lab, &mut record).await?,
                Self::Schedules => schedules::round(lab, &mut record).await?,
                Self::Retention => retention::round(lab, &mut record).await?,
                Self::Sqlite => sqlite::round(lab, &mut record).await?,
                Self::Nodes => nodes::round(lab, &mut record).await?,
                Self::Agents => lab.timed(|| agents::round(compared.server, round, &mut record))?,
                Self::Rest => lab.timed(|| rest::round(compared.server, round, &mut record))?,
            }
        }
        Ok(record.finish(lab.take_described(), lab.take_disturbance()))
    }
}

/// What takes part beside Horarium as a library.
pub(crate) struct Compared<'a> {
    /// Other job queues.
    pub(crate) peers: &'a [Subject],
    /// Those that were asked for and cannot be run, by name and problem.
    pub(crate) missing: &'a [(String, String)],
    /// The server's program.
    pub(crate) server: Option<&'a Path>,
}

impl Compared<'_> {
    /// Horarium and its peers, beginning with another one each round. Who failed in an earlier round takes no part.
    fn in_turn(&self, round: usize, record: &mut Record) -> Result<Vec<Subject>, Failure> {
        if round == 1 {
            for (name, problem) in self.missing {
                record.absent(name, problem);
            }
        }
        let mut subjects = vec![horarium("Horarium")?];
        subjects.extend(self.peers.iter().filter(|peer| !record.is_absent(&peer.name)).cloned());
        let first = round % subjects.len();
        subjects.rotate_left(first);
        Ok(subjects)
    }
}

/// Horarium as a library on PostgreSQL, through this program's driver. Each name has a database of its own.
fn horarium(name: &str) -> Result<Subject, Failure> {
    Ok(Subject {
        name: name.to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        kind: Kind::Horarium,
        backend: Backend::Postgres("select count(*) from (select from execution_queue limit 1) x"),
        program: vec![std::env::current_exe()?.into(), "driver".into()],
        settings: Settings::told(),
        most: u64::MAX,
    })
}

/// Takes a subject's figures into the record. Where Horarium fails, so does the measurement; a peer is noted as absent.
fn noted(record: &mut Record, subject: &Subject, result: Result<(), Failure>) -> Result<(), Failure> {
    match result {
        Err(problem) if subject.kind != Kind::Horarium => {
            record.absent(&subject.name, &told(&problem));
            Ok(())
        }
        result => result,
    }
}
