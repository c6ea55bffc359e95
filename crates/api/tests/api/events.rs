//! The event stream.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use horarium_api::ApiConfig;
use horarium_auth::Role;
use reqwest::Method;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::{Client, TestApp, http_job};

/// An open stream, read block by block.
pub(super) struct Stream {
    chunks: BoxStream<'static, Vec<u8>>,
    rest: String,
}

/// One event.
#[derive(Debug)]
pub(super) struct Received {
    id: String,
    pub(super) kind: String,
    pub(super) data: Value,
}

impl Stream {
    pub(super) async fn open(client: &Client, query: &str) -> Self {
        let response = client.open(Method::GET, &format!("/api/v1/events{query}"), None).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let chunks = response.bytes_stream().map(|chunk| chunk.unwrap().to_vec()).boxed();
        let mut stream = Self { chunks, rest: String::new() };
        // The first block says that the subscription holds, so nothing that happens from here on is missed.
        assert_eq!(stream.block().await.as_deref(), Some(": connected"));
        stream
    }

    /// The next block, or `None` at the end of the stream.
    async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.rest.split_once("\n\n") {
                let block = block.to_owned();
                self.rest = rest.to_string();
                return Some(block);
            }
            let chunk = tokio::time::timeout(Duration::from_secs(10), self.chunks.next()).await;
            self.rest.push_str(std::str::from_utf8(&chunk.expect("something comes within 10 s")?).unwrap());
        }
    }

    /// The next event; comments are passed over.
    pub(super) async fn event(&mut self) -> Received {
        loop {
            let block = self.block().await.expect("the stream goes on");
            let field =
                |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().to_owned();
            if !block.starts_with(':') {
                let data = serde_json::from_str(&field("data: ")).unwrap();
                return Received { id: field("id: "), kind: field("event: "), data };
            }
        }
    }
}

#[tokio::test]
async fn a_listener_hears_what_happens_in_its_tenant_and_nowhere_else() {
    let app = TestApp::start().await;
    let mut stream = Stream::open(&app.as_role(Role::Read), "").await;

    app.as_role_in(Role::Owner, "org-2").trigger_new_job("theirs").await;
    let (job, execution) = app.owner().trigger_new_job("ours").await;
    app.owner().call(&format!("/api/v1/executions/{execution}/cancel")).await.expect(200);

    let created = stream.event().await;
    assert_eq!((created.kind.as_str(), created.data["jobId"].as_str()), ("jobCreated", Some(job.as_str())));
    let accepted = stream.event().await;
    assert_eq!(accepted.kind, "executionCreated");
    let told =
        json!({"timestamp": "2025-07-10T14:50:00.000Z", "jobId": job, "executionId": execution, "status": "Pending"});
    assert_eq!(accepted.data, told);
    assert!(Uuid::try_parse(&accepted.id).is_ok());
    let cancelled = stream.event().await;
    assert_eq!((cancelled.kind.as_str(), cancelled.data["status"].as_str()), ("executionCancelled", Some("Cancelled")));
}

#[tokio::test]
async fn a_listener_hears_only_of_the_job_and_the_status_it_asks_for() {
    let app = TestApp::start().await;
    let job = app.owner().create_job(http_job("wanted")).await;
    let mut stream = Stream::open(&app.owner(), &format!("?jobId={job}&status=cancelled")).await;
    let (_, other) = app.owner().trigger_new_job("other").await;
    app.owner().call(&format!("/api/v1/executions/{other}/cancel")).await.expect(200);
    let execution = app.owner().trigger(&job).await;
    app.owner().call(&format!("/api/v1/executions/{execution}/cancel")).await.expect(200);

    let heard = stream.event().await;
    assert_eq!(
        (heard.kind.as_str(), heard.data["executionId"].as_str()),
        ("executionCancelled", Some(execution.as_str()))
    );
    app.owner().get("/api/v1/events?jobId=x&status=Lost").await.problem(400);
}

#[tokio::test]
async fn a_listener_that_comes_back_is_told_what_it_missed() {
    let app = TestApp::start().await;
    let mut stream = Stream::open(&app.owner(), "").await;
    app.owner().create_job(http_job("first")).await;
    let last_seen = stream.event().await.id;
    drop(stream);
    let missed = app.owner().create_job(http_job("second")).await;

    let mut stream = Stream::open(&app.owner().with_header("last-event-id", &last_seen), "").await;

    assert_eq!(stream.event().await.data["jobId"], missed.as_str());
}

#[tokio::test]
async fn a_listener_whose_last_event_is_not_remembered_is_told_to_read_afresh() {
    let app = TestApp::start().await;
    for unknown in [Uuid::from_u128(3).to_string(), "not-one-of-ours".to_owned()] {
        let mut stream = Stream::open(&app.owner().with_header("last-event-id", &unknown), "").await;
        assert_eq!(stream.event().await.kind, "reset");
    }
}

#[tokio::test]
async fn a_quiet_stream_shows_that_it_is_alive_and_ends_in_time() {
    let config = ApiConfig {
        event_heartbeat: Duration::from_millis(20),
        event_stream_lifetime: Duration::from_millis(200),
        ..ApiConfig::default()
    };
    let app = TestApp::with(config).await;
    let mut stream = Stream::open(&app.owner(), "").await;
    assert_eq!(stream.block().await.as_deref(), Some(": alive"));
    while stream.block().await.is_some() {}
}

#[tokio::test]
async fn streams_end_when_the_server_stops() {
    let app = TestApp::start().await;
    let mut stream = Stream::open(&app.owner(), "").await;
    app.shut_down_streams();
    assert_eq!(stream.block().await, None);
}
