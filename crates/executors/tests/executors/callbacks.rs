//! Callbacks to real receivers, by a whole engine.

use std::sync::Arc;
use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use horarium_domain::callback::NewCallback;
use horarium_domain::execution::{EventKind, Execution, ExecutionState, NewExecution, Trigger};
use horarium_domain::job::{CodeExecution, Job, JobSpec, JobType};
use horarium_domain::retry::RetryPolicy;
use horarium_domain::store::{Enqueued, SharedStore};
use horarium_domain::tenant::Tenant;
use horarium_domain::{ExecutionId, NodeId, SystemClock};
use horarium_executors::{
    CallbackDelivery, CodeExecutor, EgressPolicy, HandlerContext, HandlerOutput, Handlers, HttpCallExecutor,
    HttpCallSettings, callback,
};
use horarium_scheduler_engine::memory::MemoryStore;
use horarium_scheduler_engine::service::{Services, TenantPolicy};
use horarium_scheduler_engine::{Core, Engine, EngineConfig, Registry, SystemEntropy, SystemJob};
use serde_json::{Value, json};
use sha2::Sha256;
use uuid::Uuid;
use wiremock::matchers::any;
use wiremock::{Mock, MockServer, Request, ResponseTemplate};

use crate::support::{TENANT, templates, until};

/// A node that works on jobs and delivers callbacks.
struct Node {
    core: Arc<Core>,
    services: Services,
    job: Job,
    engine: Engine,
}

impl Node {
    /// One that may reach what `egress` says, and tries deliveries again at once.
    async fn start(egress: &str) -> Self {
        let store: SharedStore = Arc::new(MemoryStore::new());
        let core = Core::new(Arc::clone(&store), Arc::new(SystemClock), Arc::new(SystemEntropy));
        let services = Services::new(&core, TenantPolicy::without_jobs());
        let now = core.now();
        let slug = "acme".parse().unwrap();
        let tenant = Tenant { id: TENANT, slug, name: "Acme".to_owned(), is_active: true, created_at: now };
        store.create_tenant(tenant, Vec::new()).await.unwrap();
        let name = SystemJob::CallbackDelivery.name();
        let again = RetryPolicy { max_attempts: 3, delay_seconds: 0, ..RetryPolicy::default() };
        let delivery = JobSpec { retry_policy: again, ..JobSpec::new(name, CodeExecution::of(name)) };
        store.create_job(Job::new(core.ids.job(now), TENANT, delivery, now), None).await.unwrap();
        let job = Job::new(core.ids.job(now), TENANT, JobSpec::new("work", CodeExecution::of("work")), now);
        store.create_job(job.clone(), None).await.unwrap();

        let egress: EgressPolicy = egress.parse().unwrap();
        let http = HttpCallExecutor::new(HttpCallSettings::new(egress, templates())).unwrap();
        let body = Arc::new(|execution: &Execution, reference: Option<Value>, waiting: u64| {
            let output = execution.output.as_ref().map(|output| output.text.clone());
            json!({ "output": output, "id": reference, "waiting": waiting }).to_string().into_bytes()
        });
        let clock = Arc::clone(&core.clock);
        let handlers = Handlers::new().register("work", |context: HandlerContext| async move {
            Ok(HandlerOutput::text(format!("did {}", context.payload::<String>()?)))
        });
        let handlers = callback::register(handlers, CallbackDelivery::new(services.clone(), http, clock, body));
        let registry = Registry::new().with(JobType::CodeExecution, CodeExecutor::new(handlers, templates()));
        let config = EngineConfig {
            poll_interval: Duration::from_millis(20),
            ..EngineConfig::new(NodeId::from_uuid(Uuid::from_u128(9)), "node")
        };
        let engine = Engine::start(Arc::clone(&core), registry, config);
        Self { core, services, job, engine }
    }

    /// Has an execution done that calls `url` back.
    async fn submit(&self, url: String) -> ExecutionId {
        let now = self.core.now();
        let execution = NewExecution {
            id: self.core.ids.execution(now),
            tenant_id: TENANT,
            job_id: self.job.id,
            trigger: Trigger::Api,
            triggered_by: "a test".to_owned(),
            payload: Some(json!("it")),
            queue: self.job.spec.queue.as_str().to_owned(),
            priority: 0,
            scheduled_for: now,
            run_at: now,
            created_at: now,
            retry_parent_id: None,
            unique_key: None,
            concurrency_key: None,
            max_attempts: None,
        };
        let id = execution.id;
        let callback = NewCallback { url: Some(url), reference: Some(json!("order-7")) };
        assert_eq!(self.core.enqueue_with_callback(execution, callback, None).await.unwrap(), Enqueued::Accepted);
        id
    }

    /// The execution that delivers the callback of another one, once it is over.
    async fn delivery(&self, of: ExecutionId) -> Execution {
        until("the callback is delivered, or given up", async || {
            let callback = self.services.callbacks.find(TENANT, of).await.unwrap().unwrap();
            let delivery = self.services.executions.get(TENANT, callback.delivery_id?).await.unwrap();
            delivery.summary.lifecycle.state.is_terminal().then_some(delivery)
        })
        .await
    }

    async fn story(&self, of: ExecutionId) -> Vec<(EventKind, Option<String>)> {
        let execution = self.services.executions.get(TENANT, of).await.unwrap();
        execution.events.into_iter().map(|event| (event.kind, event.error)).collect()
    }

    /// Checks a request's signature as a receiver would.
    async fn verify(&self, request: &Request) {
        let signature = header(request, "x-horarium-signature");
        let (time, signed) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
        let secret = self.services.callbacks.signing_key(TENANT).await.unwrap().secret;
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(time.as_bytes());
        mac.update(b".");
        mac.update(&request.body);
        let digest = mac.finalize().into_bytes();
        let expected = digest.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
        assert_eq!(signed, expected);
        let age = self.core.now().as_seconds() - time.parse::<i64>().unwrap();
        assert!((0..60).contains(&age), "signed {age} s ago");
    }
}

fn header<'a>(request: &'a Request, name: &str) -> &'a str {
    request.headers.get(name).unwrap_or_else(|| panic!("no {name}")).to_str().unwrap()
}

async fn receiver(answers: &[u16]) -> MockServer {
    let server = MockServer::start().await;
    let (last, first) = answers.split_last().unwrap();
    for status in first {
        Mock::given(any()).respond_with(ResponseTemplate::new(*status)).up_to_n_times(1).mount(&server).await;
    }
    Mock::given(any()).respond_with(ResponseTemplate::new(*last)).mount(&server).await;
    server
}

const LOOPBACK: &str = "127.0.0.0/8, ::1";

#[tokio::test]
async fn a_callback_tells_the_end_of_its_execution_and_is_signed() {
    let node = Node::start(LOOPBACK).await;
    let server = receiver(&[200]).await;
    let id = node.submit(format!("{}/hook?token=s3cret", server.uri())).await;
    let delivery = node.delivery(id).await;
    assert_eq!(delivery.summary.lifecycle.state, ExecutionState::Succeeded);

    let requests = server.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    let request = &requests[0];
    assert_eq!((request.method.as_str(), request.url.path()), ("POST", "/hook"));
    assert_eq!(request.url.query(), Some("token=s3cret"));
    assert_eq!(header(request, "content-type"), "application/json");
    assert_eq!(header(request, "x-horarium-delivery"), id.to_string());
    assert_eq!(header(request, "idempotency-key"), id.to_string());
    assert_eq!(header(request, "x-horarium-attempt"), "1");
    let body: Value = serde_json::from_slice(&request.body).unwrap();
    assert_eq!(body, json!({"output": "did it", "id": "order-7", "waiting": 0}));
    node.verify(request).await;
    assert_eq!(node.story(id).await, [(EventKind::CallbackDelivered, None)]);
    // Neither the story nor the output repeats what a URL may hide.
    let shown = format!("{:?} {:?}", node.services.executions.get(TENANT, id).await.unwrap().events, delivery.output);
    assert!(!shown.contains("s3cret"), "{shown}");
    node.engine.shutdown().await;
}

#[tokio::test]
async fn a_receiver_that_was_away_is_called_again_with_the_same_id() {
    let node = Node::start(LOOPBACK).await;
    let server = receiver(&[503, 200]).await;
    let id = node.submit(server.uri()).await;
    let delivery = node.delivery(id).await;
    assert_eq!(delivery.summary.lifecycle.attempt, 2);

    let requests = server.received_requests().await.unwrap();
    let told = |name: &'static str| requests.iter().map(|request| header(request, name)).collect::<Vec<_>>();
    assert_eq!(told("x-horarium-attempt"), ["1", "2"]);
    assert_eq!(told("x-horarium-delivery"), [id.to_string(), id.to_string()]);
    assert_eq!(requests[0].body, requests[1].body);
    for request in &requests {
        node.verify(request).await;
    }
    let story = node.story(id).await;
    assert_eq!(
        story.iter().map(|(kind, _)| *kind).collect::<Vec<_>>(),
        [EventKind::CallbackFailed, EventKind::CallbackDelivered]
    );
    assert!(story[0].1.as_deref().unwrap().contains("503"), "{story:?}");
    node.engine.shutdown().await;
}

#[tokio::test]
async fn a_callback_that_nobody_takes_is_given_up_and_says_so() {
    let node = Node::start(LOOPBACK).await;
    let server = MockServer::start().await;
    let elsewhere = ResponseTemplate::new(302).insert_header("location", "http://127.0.0.1:1/");
    Mock::given(any()).respond_with(elsewhere).mount(&server).await;
    let id = node.submit(server.uri()).await;
    let delivery = node.delivery(id).await;
    assert_eq!(delivery.summary.lifecycle.state, ExecutionState::Failed);
    assert_eq!(server.received_requests().await.unwrap().len(), 3);
    let story = node.story(id).await;
    assert_eq!(story.len(), 3);
    assert!(story.iter().all(|(kind, _)| *kind == EventKind::CallbackFailed), "{story:?}");
    // What was to be told stays as it was.
    let told = node.services.executions.get(TENANT, id).await.unwrap();
    assert_eq!(told.summary.lifecycle.state, ExecutionState::Succeeded);
    node.engine.shutdown().await;
}

#[tokio::test]
async fn a_callback_reaches_no_further_than_the_calls_of_jobs() {
    let node = Node::start("").await;
    let server = receiver(&[200]).await;
    let id = node.submit(server.uri()).await;
    let delivery = node.delivery(id).await;
    // Trying again would not help.
    assert_eq!((delivery.summary.lifecycle.state, delivery.summary.lifecycle.attempt), (ExecutionState::Failed, 1));
    assert!(server.received_requests().await.unwrap().is_empty());
    assert_eq!(node.story(id).await[0].0, EventKind::CallbackFailed);
    node.engine.shutdown().await;
}
