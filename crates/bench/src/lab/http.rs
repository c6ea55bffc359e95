//! One kept connection of HTTP/1.1, as light as can be, since it shares the machine with what it measures.

use std::time::Instant;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

use crate::Failure;

/// A connection with a credential.
pub(crate) struct Caller {
    stream: BufReader<TcpStream>,
    credential: String,
}

impl Caller {
    /// `credential` is one or more header lines.
    pub(crate) async fn connect(address: &str, credential: &str) -> Result<Self, Failure> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream: BufReader::new(stream), credential: credential.to_owned() })
    }

    /// Sends a request and reads the whole answer; any but a 2xx is an error.
    pub(crate) async fn call(&mut self, method: &str, path: &str, body: &str) -> Result<Vec<u8>, Failure> {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: localhost\r\n{}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.credential,
            body.len(),
        );
        self.stream.write_all(request.as_bytes()).await?;
        let mut status = String::new();
        self.stream.read_line(&mut status).await?;
        let mut length = None;
        loop {
            let mut header = String::new();
            self.stream.read_line(&mut header).await?;
            let header = header.trim_end().to_ascii_lowercase();
            if header.is_empty() {
                break;
            }
            if let Some(value) = header.strip_prefix("content-length:") {
                length = Some(value.trim().parse::<usize>()?);
            }
        }
        let mut answer = Vec::new();
        match length {
            Some(length) => {
                answer.resize(length, 0);
                self.stream.read_exact(&mut answer).await?;
            }
            None => self.read_chunks(&mut answer).await?,
        }
        if status.starts_with("HTTP/1.1 2") {
            Ok(answer)
        } else {
            Err(format!("{method} {path}: {status}{}", String::from_utf8_lossy(&answer)).into())
        }
    }

    /// The same, for an answer in JSON.
    pub(crate) async fn json(&mut self, method: &str, path: &str, body: &str) -> Result<Value, Failure> {
        Ok(serde_json::from_slice(&self.call(method, path, body).await?)?)
    }

    /// Makes a call many times; how long each took, in milliseconds.
    pub(crate) async fn timed(
        &mut self,
        calls: usize,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<Vec<f64>, Failure> {
        let mut took = Vec::with_capacity(calls);
        for _ in 0..calls {
            let start = Instant::now();
            self.call(method, path, body).await?;
            took.push(start.elapsed().as_secs_f64() * 1000.0);
        }
        Ok(took)
    }

    async fn read_chunks(&mut self, answer: &mut Vec<u8>) -> Result<(), Failure> {
        loop {
            let mut size = String::new();
            self.stream.read_line(&mut size).await?;
            let size = usize::from_str_radix(size.trim_end(), 16)?;
            let start = answer.len();
            // The chunk and the line end after it.
            answer.resize(start + size + 2, 0);
            self.stream.read_exact(&mut answer[start..]).await?;
            answer.truncate(start + size);
            if size == 0 {
                return Ok(());
            }
        }
    }
}
