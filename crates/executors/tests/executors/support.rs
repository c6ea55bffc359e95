//! Attempts to hand to executors, and servers that say exactly what a test wants said.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use horarium_domain::execution::{Failure, Output, Trigger};
use horarium_domain::job::{Job, JobConfiguration, JobSpec, JobType};
use horarium_domain::schedule::MisfirePolicy;
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};
use horarium_executors::{HttpCallExecutor, HttpCallSettings, Templates};
use horarium_scheduler_engine::{Executor, Outcome, Progress, Run};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// Longer than anything here takes; reached only when something is broken.
pub(crate) const DEADLINE: Duration = Duration::from_secs(20);

pub(crate) const TENANT: TenantId = TenantId::from_uuid(Uuid::from_u128(0x7e));
pub(crate) const EXECUTION: &str = "00000000-0000-0000-0000-0000000000ee";

pub(crate) fn job(job_type: JobType, configuration: &Value) -> Job {
    let at = Timestamp::from_seconds(1_750_000_000);
    let spec = JobSpec {
        misfire_policy: MisfirePolicy::FireOnce,
        ..JobSpec::new("nightly", JobConfiguration::parse(job_type, configuration).unwrap())
    };
    Job::new(JobId::from_uuid(Uuid::from_u128(0x10b)), TENANT, spec, at)
}

/// The second attempt of an execution, due and started on the evening of 2025-07-10 UTC.
pub(crate) fn run(job_type: JobType, configuration: &Value) -> Run {
    Run {
        execution_id: EXECUTION.parse::<ExecutionId>().unwrap(),
        job: Arc::new(job(job_type, configuration)),
        attempt: 2,
        lost: 0,
        trigger: Trigger::Manual,
        scheduled_for: "2025-07-10T22:50:00Z".parse().unwrap(),
        started_at: "2025-07-10T22:50:00.125Z".parse().unwrap(),
        payload: None,
        cancellation: CancellationToken::new(),
        progress: Progress::new(),
    }
}

pub(crate) fn run_with_payload(job_type: JobType, configuration: &Value, payload: Value) -> Run {
    Run { payload: Some(payload), ..run(job_type, configuration) }
}

pub(crate) fn templates() -> Templates {
    Templates::new("node-1")
}

/// Settings under which loopback can be reached.
pub(crate) fn open_settings() -> HttpCallSettings {
    HttpCallSettings::new("127.0.0.0/8, ::1".parse().unwrap(), templates())
}

pub(crate) async fn call(configuration: &Value) -> Outcome {
    call_with(open_settings(), configuration).await
}

pub(crate) async fn call_with(settings: HttpCallSettings, configuration: &Value) -> Outcome {
    execute(&HttpCallExecutor::new(settings).unwrap(), run(JobType::HttpCall, configuration)).await
}

pub(crate) async fn execute(executor: &impl Executor, run: Run) -> Outcome {
    tokio::time::timeout(DEADLINE, executor.execute(run)).await.expect("the attempt ends")
}

/// Looks again and again until it finds what must come, and gives it.
pub(crate) async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(DEADLINE, found).await.unwrap_or_else(|_| panic!("not within {DEADLINE:?}: {what}"))
}

#[track_caller]
pub(crate) fn succeeded(outcome: Outcome) -> (Option<Output>, Option<i64>) {
    match outcome {
        Outcome::Succeeded { output, items_processed } => (output, items_processed),
        other => panic!("expected a success, got {other:?}"),
    }
}

#[track_caller]
pub(crate) fn failed(outcome: Outcome) -> (Failure, Option<Output>) {
    match outcome {
        Outcome::Failed { failure, output } => (failure, output),
        other => panic!("expected a failure, got {other:?}"),
    }
}

/// A server that reads one request per connection and answers with fixed bytes.
pub(crate) struct RawServer {
    pub(crate) address: SocketAddr,
    listener: TcpListener,
}

impl RawServer {
    pub(crate) async fn start() -> Self {
        Self::start_on("127.0.0.1:0").await
    }

    pub(crate) async fn start_on(address: &str) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        Self { address: listener.local_addr().unwrap(), listener }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    /// Waits for a connection.
    pub(crate) async fn accept_silently(&self) -> TcpStream {
        let accepted = tokio::time::timeout(DEADLINE, self.listener.accept()).await.expect("somebody connects");
        accepted.unwrap().0
    }

    /// Waits for a connection and the head of its first request.
    pub(crate) async fn accept(&self) -> (TcpStream, String) {
        let mut stream = self.accept_silently().await;
        let head = read_head(&mut stream).await;
        (stream, head)
    }

    /// Answers the next request and closes its connection.
    pub(crate) async fn answer(&self, response: &[u8]) -> String {
        let (mut stream, head) = self.accept().await;
        stream.write_all(response).await.unwrap();
        stream.shutdown().await.unwrap();
        head
    }

    /// Whether nobody (else) connected.
    pub(crate) fn was_left_alone(self) -> bool {
        // Asked of the system itself: a connection that was made is in the backlog by the time its client has an answer.
        let pending = self.listener.into_std().unwrap().accept();
        pending.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
    }
}

/// Reads a request as far as the blank line after its headers.
pub(crate) async fn read_head(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let byte = tokio::time::timeout(DEADLINE, stream.read_u8()).await.expect("a request comes");
        head.push(byte.unwrap());
    }
    String::from_utf8(head).unwrap()
}
