//! `network.ping.do`: whether another machine answers, and how fast.
//!
//! It opens TCP connections rather than sending ICMP echoes, which need a raw socket or a program that has one, and which
//! many networks drop while the service that one wants to know of is reachable. A connection that is refused counts as
//! an answer: something is there to refuse it.
//!
//! Data: see [`Ping`]. Result: see [`Pinged`]; it fails when nothing answers at all.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::{Instant, sleep, timeout};

use super::{Done, Problem};

/// The pause between two tries.
const PAUSE: Duration = Duration::from_millis(100);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Ping {
    /// A name or an address.
    #[serde(alias = "host")]
    address: String,
    /// The TCP port, 443 unless given.
    #[serde(default = "Ping::default_port")]
    port: u16,
    /// How often to try, from 1 to 20; 3 times unless given.
    #[serde(default = "Ping::default_count")]
    count: u32,
    /// How long to wait for each answer, from 1 to 60,000 ms; 2,000 unless given.
    #[serde(default = "Ping::default_timeout_ms")]
    timeout_ms: u64,
}

impl Ping {
    const fn default_port() -> u16 {
        443
    }

    const fn default_count() -> u32 {
        3
    }

    const fn default_timeout_ms() -> u64 {
        2000
    }
}

/// Times are milliseconds; absent when nothing answered.
#[derive(Debug, Serialize)]
struct Pinged {
    address: String,
    ip: String,
    port: u16,
    packets_sent: u32,
    packets_received: u32,
    packet_loss_percent: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    min_rtt_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    avg_rtt_ms: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_rtt_ms: Option<f64>,
}

pub(super) async fn ping(ping: Ping) -> Result<Done, Problem> {
    if !(1..=20).contains(&ping.count) {
        return Err(Problem::permanent("data: count is between 1 and 20"));
    }
    if !(1..=60_000).contains(&ping.timeout_ms) {
        return Err(Problem::permanent("data: timeout_ms is between 1 and 60000"));
    }
    let limit = Duration::from_millis(ping.timeout_ms);
    let target = resolve(&ping, limit).await?;
    let mut times = Vec::new();
    let mut last_problem = String::new();
    for number in 0..ping.count {
        if number > 0 {
            sleep(PAUSE).await;
        }
        match answer(target, limit).await {
            Ok(time) => times.push(time.as_secs_f64() * 1000.0),
            Err(problem) => last_problem = problem,
        }
    }
    let received = times.len() as u32; // at most 20
    let pinged = Pinged {
        ip: target.ip().to_string(),
        port: target.port(),
        packets_sent: ping.count,
        packets_received: received,
        packet_loss_percent: 100.0 * f64::from(ping.count - received) / f64::from(ping.count),
        min_rtt_ms: times.iter().copied().reduce(f64::min),
        avg_rtt_ms: (received > 0).then(|| times.iter().sum::<f64>() / f64::from(received)),
        max_rtt_ms: times.iter().copied().reduce(f64::max),
        address: ping.address,
    };
    let done = Done::with(&pinged, false)?;
    if received == 0 {
        let told = format!("'{}' does not answer at {target}: {last_problem}", pinged.address);
        return Err(Problem::passing(told).having(done));
    }
    Ok(done)
}

async fn resolve(ping: &Ping, limit: Duration) -> Result<SocketAddr, Problem> {
    let host = ping.address.trim_start_matches('[').trim_end_matches(']');
    let unknown = |problem: &str| Problem::passing(format!("'{}' cannot be resolved: {problem}", ping.address));
    match timeout(limit, lookup_host((host, ping.port))).await {
        Ok(Ok(mut addresses)) => addresses.next().ok_or_else(|| unknown("it has no address")),
        Ok(Err(error)) => Err(unknown(&error.to_string())),
        Err(_) => Err(unknown("no answer in time")),
    }
}

async fn answer(target: SocketAddr, limit: Duration) -> Result<Duration, String> {
    let began = Instant::now();
    match timeout(limit, TcpStream::connect(target)).await {
        Ok(Ok(_)) => Ok(began.elapsed()),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Ok(began.elapsed()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err(format!("nothing within {} ms", limit.as_millis())),
    }
}
