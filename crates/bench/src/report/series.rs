//! Samples, by what was measured of what.

use std::path::Path;
use std::process::Command;

use horarium_domain::{Clock, SystemClock};
use serde::{Deserialize, Serialize};

use super::figures::median;
use crate::Failure;
use crate::lab::Machine;

/// What kind of thing was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// Horarium.
    Horarium,
    /// The database itself, by hand-written SQL.
    Ceiling,
    /// Another job queue, which keeps finished jobs as Horarium does.
    Keeping,
    /// Another job queue, which deletes finished jobs.
    Deleting,
}

/// A figure's unit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    PerSecond,
    Milliseconds,
    Seconds,
    MiB,
    Bytes,
    Percent,
    Count,
}

impl Unit {
    /// What follows a figure.
    pub(crate) const fn suffix(self) -> &'static str {
        match self {
            Self::PerSecond => "/s",
            Self::Milliseconds => " ms",
            Self::Seconds => " s",
            Self::MiB => " MiB",
            Self::Bytes => " B",
            Self::Percent => " %",
            Self::Count => "",
        }
    }

    /// Whether more is better; of all else, less is.
    pub(crate) const fn more_is_better(self) -> bool {
        matches!(self, Self::PerSecond)
    }
}

/// One figure of one subject, a sample for each round.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Series {
    pub(crate) subject: String,
    pub(crate) kind: Kind,
    pub(crate) what: String,
    pub(crate) unit: Unit,
    pub(crate) samples: Vec<f64>,
}

impl Series {
    pub(crate) fn median(&self) -> f64 {
        median(&self.samples)
    }

    /// The median of the rounds' ratios: a slow moment of the machine weighs on both.
    pub(crate) fn ratio_to(&self, other: &Self) -> f64 {
        median(&self.samples.iter().zip(&other.samples).map(|(ours, other)| ours / other).collect::<Vec<_>>())
    }
}

/// A program that took part: which it was, and how it was set up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Described {
    pub(crate) name: String,
    pub(crate) version: String,
    /// None of a database, which is not compared.
    pub(crate) kind: Option<Kind>,
    /// As `NAME=value`, one after another.
    pub(crate) settings: String,
}

/// A subject that could not be measured, and why.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Absent {
    pub(crate) subject: String,
    pub(crate) problem: String,
}

/// Everything that was measured for one goal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Measured {
    /// The day.
    pub(crate) on: String,
    /// The last commit that changed what is measured.
    pub(crate) commit: String,
    pub(crate) machine: Machine,
    /// Databases and subjects.
    pub(crate) described: Vec<Described>,
    pub(crate) rounds: usize,
    /// What part of the work was done: 1 for all of it, 100 for a hundredth.
    pub(crate) part: u64,
    /// The largest share of the machine that other programs took in a phase, 0 to 1.
    pub(crate) disturbed: f64,
    pub(crate) series: Vec<Series>,
    pub(crate) absent: Vec<Absent>,
}

impl Measured {
    /// What was kept in a folder for a goal; none when it was never measured.
    pub(crate) fn read(folder: &Path, goal: &str) -> Result<Option<Self>, Failure> {
        match std::fs::read(folder.join(format!("{goal}.json"))) {
            Ok(text) => Ok(Some(serde_json::from_slice(&text)?)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Whether it was measured of the code as it is now, without changes that nobody committed, in whole and in so many
    /// rounds.
    pub(crate) fn is_current(&self, rounds: usize) -> bool {
        self.part == 1 && self.rounds >= rounds && self.commit == commit() && !self.commit.ends_with(DIRTY)
    }

    /// Whether other job queues took part, or would have.
    pub(crate) fn has_peers(&self) -> bool {
        !self.absent.is_empty()
            || self.series.iter().any(|series| matches!(series.kind, Kind::Keeping | Kind::Deleting))
    }

    /// Keeps it.
    pub(crate) fn keep(&self, folder: &Path, goal: &str) -> Result<(), Failure> {
        std::fs::create_dir_all(folder)?;
        let text = serde_json::to_string_pretty(self)? + "\n";
        Ok(std::fs::write(folder.join(format!("{goal}.json")), text)?)
    }

    /// The series of one figure of one subject.
    pub(crate) fn find(&self, subject: &str, what: &str) -> Option<&Series> {
        self.series.iter().find(|series| series.subject == subject && series.what == what)
    }

    /// The ceiling of the same figure, if there is one and this is not it.
    pub(crate) fn ceiling_of(&self, series: &Series) -> Option<&Series> {
        let is_ceiling = |other: &&Series| other.kind == Kind::Ceiling && other.what == series.what;
        self.series.iter().find(is_ceiling).filter(|_| series.kind != Kind::Ceiling)
    }
}

/// Gathers what a goal's measures find.
pub(crate) struct Record(Measured);

impl Record {
    /// Nothing yet.
    pub(crate) fn new(rounds: usize, part: u64) -> Self {
        Self(Measured {
            on: SystemClock.now().to_string().chars().take("2026-01-01".len()).collect(),
            commit: commit(),
            machine: Machine::here(),
            described: Vec::new(),
            rounds,
            part,
            disturbed: 0.0,
            series: Vec::new(),
            absent: Vec::new(),
        })
    }

    /// Adds a round's sample; a figure that could not be had is left out.
    pub(crate) fn add(&mut self, subject: &str, kind: Kind, (what, unit): (&str, Unit), sample: f64) {
        if !sample.is_finite() {
            return;
        }
        eprintln!("    {subject}: {what} {}", super::figures::with_unit(sample, unit));
        if let Some(series) = self.0.series.iter_mut().find(|s| s.subject == subject && s.what == what) {
            series.samples.push(sample);
            return;
        }
        self.0.series.push(Series {
            subject: subject.to_owned(),
            kind,
            what: what.to_owned(),
            unit,
            samples: vec![sample],
        });
    }

    /// Notes that a subject could not be measured. The others go on: one stubborn peer must not stop the rest. What it
    /// showed in earlier rounds is left out, since ratios are taken round by round.
    pub(crate) fn absent(&mut self, subject: &str, problem: &str) {
        eprintln!("    {subject} is left out: {problem}");
        let problem: String = problem.lines().next().unwrap_or_default().chars().take(200).collect();
        self.0.series.retain(|series| series.subject != subject);
        self.0.absent.push(Absent { subject: subject.to_owned(), problem });
    }

    /// Whether a subject was left out.
    pub(crate) fn is_absent(&self, subject: &str) -> bool {
        self.0.absent.iter().any(|absent| absent.subject == subject)
    }

    /// All of it, with who took part and how disturbed the machine was meanwhile.
    pub(crate) fn finish(mut self, described: Vec<Described>, disturbed: f64) -> Measured {
        self.0.described = described;
        self.0.disturbed = disturbed;
        self.0
    }
}

/// What follows a commit from which the measured code differs.
const DIRTY: &str = "-dirty";

/// The last commit that changed what is measured: results and pages may be committed between one goal and the next.
fn commit() -> String {
    const MEASURED: [&str; 4] = ["--", ":(top)crates", ":(top)migrations", ":(top)Cargo.lock"];
    let git = |arguments: &[&str]| Command::new("git").args(arguments).args(MEASURED).output();
    let said = git(&["log", "-1", "--format=%h"]).ok().filter(|output| output.status.success());
    let commit = said.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()).unwrap_or_default();
    if commit.is_empty() {
        return "unknown".to_owned();
    }
    let is_clean = git(&["diff", "--quiet", "HEAD"]).is_ok_and(|output| output.status.success());
    if is_clean { commit } else { commit + DIRTY }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_fails_in_a_later_round_is_left_out_of_all() {
        let mut record = Record::new(2, 1);
        for name in ["stubborn", "willing"] {
            record.add(name, Kind::Keeping, ("rate", Unit::PerSecond), 10.0);
        }
        record.absent("stubborn", "it hangs\nand says much about it");
        assert!(record.is_absent("stubborn") && !record.is_absent("willing"));
        let measured = record.finish(Vec::new(), 0.0);
        assert_eq!(measured.series.iter().map(|series| series.subject.as_str()).collect::<Vec<_>>(), ["willing"]);
        assert_eq!(measured.absent[0].problem, "it hangs");
    }
}
