//! A broadcast to 200 agents, as `scripts/e2e/broadcast.py` makes it.

use std::path::Path;
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::Shown;
use crate::Failure;
use crate::report::{Kind, Record, Unit};

const TOOK: (&str, Unit) = ("submit to the last answer", Unit::Seconds);
const CPU: (&str, Unit) = ("the server's CPU", Unit::Seconds);
const MEMORY: (&str, Unit) = ("the server's memory", Unit::MiB);

pub(super) const SHOWN: Shown = Shown {
    title: "A broadcast to 200 agents",
    method: "From the submit to the end that holds every host's answer, five times. The agents are 200 connections on the same \
        machine, which share its cores with the server.",
    targets: &[],
    plotted: &[],
};

#[derive(Deserialize)]
struct Figures {
    database: String,
    seconds: Vec<f64>,
    cpu: Vec<f64>,
    mib: f64,
}

/// The script has rounds of its own.
pub(super) fn round(program: Option<&Path>, round: usize, record: &mut Record) -> Result<(), Failure> {
    if round > 1 {
        return Ok(());
    }
    let program = program.ok_or("this needs the server's program: --server")?;
    let figures = tempfile::NamedTempFile::new()?;
    let status = Command::new("python3")
        .arg("scripts/e2e/broadcast.py")
        .env("HORARIUM_BIN", program.canonicalize()?)
        .env("HORARIUM_BROADCAST_FIGURES", figures.path())
        .stdout(Stdio::null())
        .status()?;
    if !status.success() {
        return Err("scripts/e2e/broadcast.py failed".into());
    }
    for line in std::fs::read_to_string(figures.path())?.lines() {
        let Figures { database, seconds, cpu, mib } = serde_json::from_str(line)?;
        for (took, cpu) in seconds.into_iter().zip(cpu) {
            record.add(&database, Kind::Horarium, TOOK, took);
            record.add(&database, Kind::Horarium, CPU, cpu);
        }
        record.add(&database, Kind::Horarium, MEMORY, mib);
    }
    Ok(())
}
