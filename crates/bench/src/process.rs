//! The server as a process: how soon it is ready, and what it costs when there is nothing to do.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;
use crate::report::{Line, Section};

/// How long the idle server is watched.
const REST: Duration = Duration::from_secs(10);

/// The kernel counts a process's CPU time in hundredths of a second (USER_HZ) on every Linux of today.
const TICKS_PER_SECOND: f64 = 100.0;

/// A running server, on a port of its own.
pub(crate) struct Server {
    child: Child,
    address: SocketAddr,
}

impl Server {
    /// Starts it with its data in `folder`; it is ready when this returns.
    pub(crate) fn start(binary: &Path, folder: &Path, environment: &[(&str, &str)]) -> Result<Self, Failure> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let start = Instant::now();
        let child = Command::new(binary)
            .arg("serve")
            .env("HORARIUM_LISTEN", address.to_string())
            .env("HORARIUM_DATA_DIR", folder)
            .envs(environment.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let server = Self { child, address };
        while !is_ready(address) {
            if start.elapsed() > Duration::from_secs(30) {
                return Err("the server was not ready within 30 s".into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        Ok(server)
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way it must not outlive the measurement.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the server on an empty data folder and measures until it is ready, then at rest.
pub(crate) fn at_rest(binary: &Path, rounds: usize) -> Result<Section, Failure> {
    let (mut ready_ms, mut resident, mut cpu) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..rounds {
        let folder = tempfile::tempdir()?;
        let start = Instant::now();
        let server = Server::start(binary, &folder.path().join("data"), &[])?;
        ready_ms.push(start.elapsed().as_secs_f64() * 1000.0);
        // One look at rest is enough, and takes its time.
        if round == 0 {
            let pid = server.child.id();
            let before = cpu_ticks(pid)?;
            std::thread::sleep(REST);
            cpu.push((cpu_ticks(pid)? - before) / TICKS_PER_SECOND / REST.as_secs_f64() * 100.0);
            resident.push(resident_mib(pid)?);
        }
    }
    Ok(Section {
        title: "The server at rest (SQLite, empty data folder)",
        note: "From the start of the process to the first 200 of `/health/ready`; then ten seconds with nothing to do.",
        lines: vec![
            Line { what: "start to ready".to_owned(), unit: "ms", samples: ready_ms, yardstick: None },
            Line { what: "resident memory at rest".to_owned(), unit: "MiB", samples: resident, yardstick: None },
            Line { what: "CPU at rest".to_owned(), unit: "% of a core", samples: cpu, yardstick: None },
        ],
    })
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

fn cpu_ticks(pid: u32) -> Result<f64, Failure> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The program's name, in parentheses, may hold spaces; fields are counted after it.
    let fields: Vec<_> = stat.rsplit_once(')').ok_or("malformed /proc stat")?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).ok_or("short /proc stat")?.parse::<f64>().map_err(Failure::from);
    Ok(ticks(11)? + ticks(12)?)
}

fn resident_mib(pid: u32) -> Result<f64, Failure> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).ok_or("no VmRSS in /proc status")?;
    let kib: f64 = line.split_whitespace().nth(1).ok_or("malformed VmRSS")?.parse()?;
    Ok(kib / 1024.0)
}
