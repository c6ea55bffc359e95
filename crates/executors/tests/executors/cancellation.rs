//! A cancelled attempt lets go of its target at once.

use horarium_domain::job::JobType;
use horarium_executors::HttpCallExecutor;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{DEADLINE, RawServer, execute, failed, open_settings, run};

async fn sees_the_connection_close(stream: &mut TcpStream) -> bool {
    let mut rest = Vec::new();
    let read = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut rest)).await.expect("the connection closes");
    // A reset closes it too.
    read.map_or(true, |_| rest.is_empty())
}

#[tokio::test]
async fn the_target_sees_the_connection_close_when_it_has_not_answered_yet() {
    let server = RawServer::start().await;
    let run = run(JobType::HttpCall, &json!({ "url": server.url() }));
    let cancellation = run.cancellation.clone();
    let executor = HttpCallExecutor::new(open_settings()).unwrap();
    let target = async {
        let (mut stream, _) = server.accept().await;
        cancellation.cancel();
        sees_the_connection_close(&mut stream).await
    };
    let (outcome, closed) = tokio::join!(execute(&executor, run), target);
    assert!(closed);
    assert!(failed(outcome).0.error.contains("stopped"));
}

#[tokio::test]
async fn the_target_sees_the_connection_close_in_the_middle_of_its_answer() {
    let server = RawServer::start().await;
    let run = run(JobType::HttpCall, &json!({ "url": server.url() }));
    let cancellation = run.cancellation.clone();
    let executor = HttpCallExecutor::new(open_settings()).unwrap();
    let target = async {
        let (mut stream, _) = server.accept().await;
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nbegun").await.unwrap();
        cancellation.cancel();
        sees_the_connection_close(&mut stream).await
    };
    let (outcome, closed) = tokio::join!(execute(&executor, run), target);
    assert!(closed);
    failed(outcome);
}

#[tokio::test]
async fn an_attempt_that_is_cancelled_before_it_begins_sends_nothing() {
    let server = RawServer::start().await;
    let run = run(JobType::HttpCall, &json!({ "url": server.url() }));
    run.cancellation.cancel();
    failed(execute(&HttpCallExecutor::new(open_settings()).unwrap(), run).await);
    assert!(server.was_left_alone());
}
