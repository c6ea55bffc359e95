//! A private Redis, as its operators run it when jobs matter: an append-only file, synced every second.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::cpu;
use crate::Failure;
use crate::report::Described;

/// A running server; it ends with this.
pub(crate) struct Redis {
    server: Child,
    pub(crate) port: u16,
    pub(crate) described: Described,
}

/// How durable it is: less than PostgreSQL, whose answers wait for the disk.
const DURABILITY: [&str; 4] = ["--appendonly", "yes", "--appendfsync", "everysec"];

impl Redis {
    /// Starts one with its data in `folder`.
    pub(crate) fn start(folder: &Path) -> Result<Self, Failure> {
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let said = Command::new("redis-server")
            .arg("--version")
            .output()
            .map_err(|error| format!("redis-server cannot be run: {error}"))?;
        let said = String::from_utf8_lossy(&said.stdout).into_owned();
        let described = Described {
            name: "Redis".to_owned(),
            version: said.split_whitespace().find_map(|word| word.strip_prefix("v=")).unwrap_or_default().to_owned(),
            kind: None,
            settings: DURABILITY.chunks(2).map(|pair| pair.join("=").replace("--", "")).collect::<Vec<_>>().join(" "),
        };
        let server = Command::new("redis-server")
            .args(["--bind", "127.0.0.1", "--port", &port.to_string(), "--save", ""])
            .args(DURABILITY)
            .args(["--maxmemory-policy", "noeviction", "--dir"])
            .arg(folder)
            .stdout(Stdio::null())
            .spawn()?;
        let redis = Self { server, port, described };
        let start = Instant::now();
        while redis.number("DBSIZE").is_err() {
            if start.elapsed() > Duration::from_secs(10) {
                return Err("redis-server did not answer within 10 s".into());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(redis)
    }

    /// Its process.
    pub(crate) fn process(&self) -> u32 {
        self.server.id()
    }

    /// Seconds of processor time that it took so far.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        cpu::seconds(self.server.id())
    }

    /// The answer to a command that is answered with a number.
    pub(crate) fn number(&self, command: &str) -> Result<i64, Failure> {
        let answer = self.ask(command)?;
        let number = answer.strip_prefix(':').ok_or_else(|| format!("redis answered {answer:?} to {command}"))?;
        Ok(number.parse()?)
    }

    /// Removes everything.
    pub(crate) fn clear(&self) -> Result<(), Failure> {
        match self.ask("FLUSHALL")?.as_str() {
            "+OK" => Ok(()),
            answer => Err(format!("redis answered {answer:?} to FLUSHALL").into()),
        }
    }

    fn ask(&self, command: &str) -> Result<String, Failure> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
        stream.set_read_timeout(Some(Duration::from_secs(10)))?;
        write!(stream, "{command}\r\n")?;
        let mut answer = String::new();
        BufReader::new(stream).read_line(&mut answer)?;
        Ok(answer.trim_end().to_owned())
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        // It may have ended by itself; either way it must not outlive the measurement.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}
