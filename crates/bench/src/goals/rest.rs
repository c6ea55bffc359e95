//! The server's start, and what it costs when there is nothing to do.

use std::path::Path;
use std::time::Duration;

use super::Shown;
use super::server::Server;
use crate::Failure;
use crate::lab::cpu;
use crate::report::{Kind, Record, Unit};

/// How long the idle server is watched.
const REST: Duration = Duration::from_secs(10);

const READY: (&str, Unit) = ("start to ready", Unit::Milliseconds);
const MEMORY: (&str, Unit) = ("memory at rest", Unit::MiB);
const CPU: (&str, Unit) = ("CPU at rest, of a core", Unit::Percent);

pub(super) const SHOWN: Shown = Shown {
    title: "The server at rest",
    method: "On SQLite with an empty data folder. From the start of the process to the first 200 of `/health/ready`; then \
        ten seconds with nothing to do.",
    targets: &[],
    plotted: &[],
};

pub(super) fn round(program: Option<&Path>, round: usize, record: &mut Record) -> Result<(), Failure> {
    let program = program.ok_or("this needs the server's program: --server")?;
    let folder = tempfile::tempdir()?;
    let server = Server::start(program, &folder.path().join("data"), &[])?;
    record.add("horarium serve", Kind::Horarium, READY, server.took.as_secs_f64() * 1000.0);
    // One look at rest is enough, and takes its time.
    if round == 1 {
        let pid = server.id();
        let before = cpu::seconds(pid);
        std::thread::sleep(REST);
        let share = (cpu::seconds(pid) - before) / REST.as_secs_f64();
        record.add("horarium serve", Kind::Horarium, CPU, share * 100.0);
        record.add("horarium serve", Kind::Horarium, MEMORY, cpu::memory_mib(pid, "VmRSS")?);
    }
    Ok(())
}
