//! The server as people run it: its own program, in a process of its own.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Failure;

/// A server that runs until this is dropped.
pub(super) struct Server {
    child: Child,
    pub(super) address: SocketAddr,
    /// From the start of the process to the first 200 of `/health/ready`.
    pub(super) took: Duration,
}

impl Server {
    /// Starts it on a free port with these settings besides, and waits until it is ready.
    pub(super) fn start(program: &Path, data: &Path, settings: &[(&str, &str)]) -> Result<Self, Failure> {
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        let start = Instant::now();
        let child = Command::new(program)
            .arg("serve")
            .env("HORARIUM_LISTEN", address.to_string())
            .env("HORARIUM_DATA_DIR", data)
            .envs(settings.iter().copied())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        let mut server = Self { child, address, took: Duration::ZERO };
        let is_ready = |server: &Self| {
            server.answer_to("GET /health/ready", "", "").is_ok_and(|answer| answer.starts_with("HTTP/1.1 200"))
        };
        while !is_ready(&server) {
            if start.elapsed() > Duration::from_secs(30) {
                return Err("the server was not ready within 30 s".into());
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        server.took = start.elapsed();
        Ok(server)
    }

    /// The process.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }

    /// The whole answer to a request over a connection of its own. `headers` are lines that end with `\r\n`.
    pub(super) fn answer_to(&self, request: &str, headers: &str, body: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(self.address)?;
        write!(
            stream,
            "{request} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            self.address,
            body.len()
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way it must not outlive the measurement.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
