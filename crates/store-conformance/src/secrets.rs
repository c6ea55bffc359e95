//! Sealed secrets in executions, agents' tasks and callbacks: found one page after the other, and replaced.

use horarium_domain::agent::AgentTask;
use horarium_domain::callback::NewCallback;
use horarium_domain::execution::NewExecution;
use horarium_domain::secret::SEALED_PREFIX;
use horarium_domain::store::{Enqueued, SecretHolder, StoredSecrets};
use serde_json::{Value, json};

use crate::World;
use crate::agents::task;

fn sealed(text: &str) -> String {
    format!("{SEALED_PREFIX}k:{text}")
}

impl World {
    /// Everything of a kind, read in pages of two.
    async fn secrets(&self, holder: SecretHolder) -> Vec<StoredSecrets> {
        let mut all: Vec<StoredSecrets> = Vec::new();
        loop {
            let page = self.a.secrets_after(holder, all.last().map(|last| (last.tenant_id, last.id)), 2).await.unwrap();
            if page.is_empty() {
                return all;
            }
            assert!(page.len() <= 2);
            all.extend(page);
        }
    }

    /// Has an execution with a payload accepted.
    async fn submit_with(&self, execution: NewExecution, payload: Value) -> NewExecution {
        let execution = NewExecution { payload: Some(payload), ..execution };
        assert_eq!(self.a.enqueue(vec![execution.clone()]).await.unwrap(), [Enqueued::Accepted]);
        execution
    }
}

/// Payloads in which something is sealed are found, each once and with its owner; all others are not looked at.
pub async fn payloads_with_sealed_secrets_are_found_and_replaced(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let (job, others) = (world.job(tenant).await, world.job(other).await);
    let mut expected = Vec::new();
    for (number, job) in [&job, &others, &job].into_iter().enumerate() {
        let payload = json!({"headers": {"Authorization": sealed(&number.to_string())}});
        expected.push(world.submit_with(world.execution(job), payload).await);
        world.submit_with(world.execution(job), json!({"headers": {"Accept": "sealed"}})).await;
        world.submit_one(job).await;
    }
    let found = world.secrets(SecretHolder::Execution).await;
    let mut told: Vec<_> =
        found.iter().map(|one| (one.id, one.tenant_id, one.owner, Some(one.document.clone()))).collect();
    told.sort_by_key(|one| one.0);
    let of = |new: &NewExecution| (new.id.as_uuid(), new.tenant_id, new.job_id.as_uuid(), new.payload.clone());
    assert_eq!(told, expected.iter().map(of).collect::<Vec<_>>());

    let anew = json!({"headers": {"Authorization": sealed("anew")}});
    world.b.replace_secrets(SecretHolder::Execution, other, expected[1].id.as_uuid(), &anew).await.unwrap();
    assert_eq!(world.a.execution(other, expected[1].id).await.unwrap().payload, Some(anew));
    assert_eq!(world.a.execution(tenant, expected[0].id).await.unwrap().payload, expected[0].payload);
}

/// The URLs of callbacks are found, sealed or not.
pub async fn the_urls_of_callbacks_are_found_and_replaced(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let mut ids = Vec::new();
    for url in [Some(sealed("url")), None, Some("https://example.com/hook".to_owned())] {
        let execution = world.execution(&job);
        ids.push(execution.id);
        let asked = NewCallback { url, reference: Some(json!(1)) };
        world.a.enqueue_with_callback(execution, asked, None).await.unwrap();
    }
    let found = world.secrets(SecretHolder::Callback).await;
    let told: Vec<_> = found.iter().map(|one| (one.id, one.owner, one.document.clone())).collect();
    let of = |index: usize, url: &str| (ids[index].as_uuid(), ids[index].as_uuid(), Value::from(url));
    assert_eq!(told, [of(0, &sealed("url")), of(2, "https://example.com/hook")]);

    let anew = Value::from(sealed("anew"));
    world.b.replace_secrets(SecretHolder::Callback, tenant, ids[2].as_uuid(), &anew).await.unwrap();
    let stored = world.a.callback(tenant, ids[2]).await.unwrap().unwrap();
    assert_eq!(stored.asked.url.map(Value::from), Some(anew));
}

/// The data of agents' tasks is found and replaced in the same way.
pub async fn the_data_of_tasks_with_sealed_secrets_is_found_and_replaced(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let execution = world.submit_one(&job).await;
    let data = json!({"headers": {"X-Token": sealed("1")}});
    let secret = AgentTask { data: data.clone(), ..task(&world, tenant, execution, Some("web1"), 1) };
    let open = task(&world, tenant, execution, Some("web2"), 1);
    world.a.open_tasks(&[secret.clone(), open]).await.unwrap();
    let found = world.secrets(SecretHolder::AgentTask).await;
    let told: Vec<_> = found.iter().map(|one| (one.id, one.tenant_id, one.owner, &one.document)).collect();
    assert_eq!(told, [(secret.id.as_uuid(), tenant, execution.as_uuid(), &data)]);

    let anew = json!({"headers": {"X-Token": sealed("2")}});
    world.b.replace_secrets(SecretHolder::AgentTask, tenant, secret.id.as_uuid(), &anew).await.unwrap();
    let tasks = world.a.agent_tasks(tenant, &[execution]).await.unwrap();
    assert_eq!(tasks.iter().find(|task| task.id == secret.id).map(|task| &task.data), Some(&anew));
}
