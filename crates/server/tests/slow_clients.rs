//! Clients that hold on to a connection without using it are let go, and nobody else notices.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use common::Home;

/// Sends `first`, and then `drop_by_drop` for ever; answers what comes back until the server closes the connection.
fn drip(address: &str, first: &str, drop_by_drop: &'static str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.write_all(first.as_bytes()).unwrap();
    let mut dripping = socket.try_clone().unwrap();
    std::thread::spawn(move || {
        while dripping.write_all(drop_by_drop.as_bytes()).is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let mut answer = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match socket.read(&mut chunk) {
            Ok(0) => break,
            Ok(count) => answer.extend_from_slice(&chunk[..count]),
            // A reset, because what was still dripping in is not read any more.
            Err(error) => {
                let said = String::from_utf8_lossy(&answer);
                assert_ne!(error.kind(), std::io::ErrorKind::WouldBlock, "the connection was kept: {said}");
                break;
            }
        }
    }
    String::from_utf8(answer).unwrap()
}

#[tokio::test]
async fn heads_and_bodies_that_drip_are_given_up() {
    let home = Home::new().with("HORARIUM_CLIENT_TIMEOUT_SECONDS", "1");
    let mut server = home.serve().await;
    let token = home.stdout_of(&["token", "create", "--tenant", "default", "--role", "admin"]);
    let address = server.url.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let body = format!(
        "POST /api/v1/scheduler/jobs HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
    );
    let started = Instant::now();
    let heads = tokio::task::spawn_blocking({
        let address = address.clone();
        move || drip(&address, "GET /health/live HTTP/1.1\r\nHost: x\r\nX-Drip: ", "x")
    });
    let bodies = tokio::task::spawn_blocking(move || drip(&address, &body, " "));
    // Others are served meanwhile.
    assert_eq!(server.call("GET", "/health/live", "", None).await.0, 200);
    let (head, body) = (heads.await.unwrap(), bodies.await.unwrap());
    assert!(head.is_empty() || head.starts_with("HTTP/1.1 408 "), "{head}");
    assert!(body.starts_with("HTTP/1.1 408 "), "{body}");
    assert!(started.elapsed() < Duration::from_secs(15), "{:?}", started.elapsed());
    server.stop();
}
