//! The guard in front of real connections.

use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use horarium_domain::job::JobType;
use horarium_executors::egress::NameResolver;
use horarium_executors::{EgressPolicy, HttpCallExecutor, HttpCallSettings};
use serde_json::json;

use crate::support::{RawServer, call_with, execute, failed, run, succeeded, templates};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

fn settings(allow: &str) -> HttpCallSettings {
    HttpCallSettings::new(allow.parse().unwrap(), templates())
}

/// Gives each answer once, in order; the last one for ever.
struct Scripted {
    answers: Mutex<Vec<&'static str>>,
    asked: AtomicUsize,
}

impl Scripted {
    fn new(answers: &[&'static str]) -> Arc<Self> {
        let answers = Mutex::new(answers.iter().rev().copied().collect());
        Arc::new(Self { answers, asked: AtomicUsize::new(0) })
    }
}

#[async_trait]
impl NameResolver for Scripted {
    async fn resolve(&self, _host: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let answer = if answers.len() > 1 { answers.pop().unwrap() } else { answers[0] };
        Ok(answer.split(' ').map(|address| address.parse().unwrap()).collect())
    }
}

#[tokio::test]
async fn nothing_on_this_machine_or_network_is_reached_by_default() {
    let server = RawServer::start().await;
    let port = server.address.port();
    for host in [
        "127.0.0.1",
        "localhost",
        "LOCALHOST",
        "2130706433",
        "0x7f.1",
        "0177.1",
        "127.1",
        "0",
        "0.0.0.0",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "[2002:7f00:1::1]",
        "10.0.0.1",
        "169.254.169.254",
        "[fd00:ec2::254]",
        "192.168.0.1",
        "100.64.0.1",
    ] {
        let url = format!("http://{host}:{port}/latest/meta-data");
        let (failure, _) = failed(call_with(settings(""), &json!({ "url": url })).await);
        assert!(!failure.retryable, "{host}: {failure:?}");
        assert!(failure.error.contains("HORARIUM_EGRESS_ALLOW"), "{host}: {failure:?}");
    }
    assert!(server.was_left_alone());
}

#[tokio::test]
async fn an_operator_can_open_an_address() {
    let server = RawServer::start().await;
    let configuration = json!({ "url": server.url() });
    let (outcome, _) = tokio::join!(call_with(settings("127.0.0.1"), &configuration), server.answer(OK));
    succeeded(outcome);
}

#[tokio::test]
async fn the_address_that_was_checked_is_the_one_that_is_connected_to() {
    let open = RawServer::start_on("127.0.0.2:0").await;
    let port = open.address.port();
    let closed = RawServer::start_on(&format!("127.0.0.1:{port}")).await;
    // A name server under an attacker's control: the first answer is harmless, the later ones are not.
    let names = Scripted::new(&["127.0.0.2", "127.0.0.1"]);
    let executor = HttpCallExecutor::with_resolver(settings("127.0.0.2"), names.clone()).unwrap();
    let configuration = json!({ "url": format!("http://rebinding.example:{port}/") });

    let first = execute(&executor, run(JobType::HttpCall, &configuration));
    let (outcome, head) = tokio::join!(first, open.answer(OK));
    succeeded(outcome);
    assert!(head.to_lowercase().contains(&format!("host: rebinding.example:{port}")), "{head}");
    assert_eq!(names.asked.load(Ordering::SeqCst), 1, "the name was resolved once, for check and connection alike");

    let (failure, _) = failed(execute(&executor, run(JobType::HttpCall, &configuration)).await);
    assert!(!failure.retryable && failure.error.contains("'rebinding.example'"), "{failure:?}");
    assert!(failure.error.contains("127.0.0.1 is a loopback address"), "{failure:?}");
    assert!(closed.was_left_alone());
}

#[tokio::test]
async fn closed_addresses_of_a_name_are_passed_over_for_open_ones() {
    let open = RawServer::start_on("127.0.0.2:0").await;
    let port = open.address.port();
    let closed = RawServer::start_on(&format!("127.0.0.1:{port}")).await;
    let names = Scripted::new(&["127.0.0.1 127.0.0.2"]);
    let executor = HttpCallExecutor::with_resolver(settings("127.0.0.2"), names).unwrap();
    let configuration = json!({ "url": format!("http://two.example:{port}/") });
    let (outcome, _) = tokio::join!(execute(&executor, run(JobType::HttpCall, &configuration)), open.answer(OK));
    succeeded(outcome);
    assert!(closed.was_left_alone());
}

#[tokio::test]
async fn a_redirect_to_a_closed_address_is_refused_like_a_call_to_it() {
    let inside = RawServer::start().await;
    let port = inside.address.port();
    for location in
        [format!("http://127.0.0.1:{port}/"), format!("http://0x7f000001:{port}/"), format!("//[::1]:{port}/")]
    {
        let outside = RawServer::start_on("127.0.0.2:0").await;
        let configuration = json!({ "url": outside.url() });
        let answer = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
        let call = call_with(settings("127.0.0.2"), &configuration);
        let (outcome, _) = tokio::join!(call, outside.answer(answer.as_bytes()));
        let (failure, _) = failed(outcome);
        assert!(!failure.retryable && failure.error.contains("is a loopback address"), "{location}: {failure:?}");
    }
    assert!(inside.was_left_alone());
}

#[tokio::test]
async fn a_redirect_to_a_name_of_a_closed_address_is_refused_too() {
    let outside = RawServer::start_on("127.0.0.2:0").await;
    let names = Scripted::new(&["10.1.2.3"]);
    let executor = HttpCallExecutor::with_resolver(settings("127.0.0.2"), names).unwrap();
    let configuration = json!({ "url": outside.url() });
    let answer = b"HTTP/1.1 307 Temporary Redirect\r\nLocation: https://intranet.example/\r\nContent-Length: 0\r\n\r\n";
    let (outcome, _) = tokio::join!(execute(&executor, run(JobType::HttpCall, &configuration)), outside.answer(answer));
    let (failure, _) = failed(outcome);
    assert!(!failure.retryable && failure.error.contains("10.1.2.3 is a private address"), "{failure:?}");
}

#[test]
fn the_guard_is_on_unless_somebody_opens_it() {
    assert_eq!(EgressPolicy::default(), EgressPolicy::public_only());
}
