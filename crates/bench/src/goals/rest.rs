//! The server's start, and what it costs when there is nothing to do.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::Shown;
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
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    let start = Instant::now();
    let server = Running(
        Command::new(program)
            .arg("serve")
            .env("HORARIUM_LISTEN", address.to_string())
            .env("HORARIUM_DATA_DIR", folder.path().join("data"))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?,
    );
    while !is_ready(address) {
        if start.elapsed() > Duration::from_secs(30) {
            return Err("the server was not ready within 30 s".into());
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    record.add("horarium serve", Kind::Horarium, READY, start.elapsed().as_secs_f64() * 1000.0);
    // One look at rest is enough, and takes its time.
    if round == 1 {
        let pid = server.0.id();
        let before = cpu::seconds(pid);
        std::thread::sleep(REST);
        let share = (cpu::seconds(pid) - before) / REST.as_secs_f64();
        record.add("horarium serve", Kind::Horarium, CPU, share * 100.0);
        record.add("horarium serve", Kind::Horarium, MEMORY, cpu::memory_mib(pid, "VmRSS")?);
    }
    Ok(())
}

fn is_ready(address: SocketAddr) -> bool {
    let ask = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(address)?;
        write!(stream, "GET /health/ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    ask().is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
}

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself; either way it must not outlive the measurement.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
