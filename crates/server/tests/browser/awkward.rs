//! An organization whose every name is as long as it may be, can be broken nowhere, and would be markup if it could.

use serde_json::json;

use crate::samples::Samples;
use crate::support::{Agent, Manner, Outside, Site, Tenant, awkward};

/// The longest names, labels, descriptions, slugs, names of queues and of hosts.
const NAME: usize = 200;
const LABEL: usize = 100;
const DESCRIPTION: usize = 4000;
const SLUG: usize = 63;
const QUEUE: usize = 100;
const HOST: usize = 253;

/// Everything that has a page, with such names.
pub(crate) async fn samples() -> Samples {
    let site = Site::start_with(|home| home.with("HORARIUM_BROADCAST_TIMEOUT_SECONDS", "1")).await;
    let tenant = site.tenant_with_key(&"a".repeat(SLUG), &awkward(NAME)).await;
    let (queue, agent) = ("q".repeat(QUEUE), "h".repeat(HOST));
    let agents = vec![introduce(&tenant, &agent, Manner::Wordy).await, introduce(&tenant, "gone", Manner::Dead).await];
    let broadcast = tenant.broadcast("service.restart.do").await;
    let (job, succeeded) = run(&tenant, 1, Outside::Wordy, "Succeeded").await;
    let (_, failed) = run(&tenant, 2, Outside::BrokenAndWordy, "Failed").await;
    let (_, running) = run(&tenant, 3, Outside::Slow, "Running").await;
    tenant.put(&format!("/api/v1/queues/{queue}"), json!({"paused": true, "maxLength": 500})).await;
    let waits = tenant.job(&name(4), Outside::Fine, json!({"queue": queue})).await;
    tenant.trigger(&waits).await;
    tenant.reaches(&broadcast, "Failed").await;
    let key = tenant.key;
    Samples { site, key, job, succeeded, failed, running, broadcast, queue, agent, _agents: agents }
}

/// One of several names that differ.
fn name(number: u8) -> String {
    format!("{}{number}", awkward(NAME - 1))
}

/// Has a job of the integrations run, and waits until it is so far; gives it and the execution.
async fn run(tenant: &Tenant<'_>, number: u8, outside: Outside, until: &str) -> (String, String) {
    let members = json!({
        "description": awkward(DESCRIPTION), "group": "integration", "tags": [awkward(LABEL), "t".repeat(LABEL)],
        "scheduleType": "Cron", "scheduleExpression": "1-59/7 0,3,5,7,9-12,17 1-7,15-21 1,3,5,7-12 *",
        "timezone": "America/Argentina/ComodRivadavia", "retryPolicy": {"maxAttempts": 1},
    });
    let job = tenant.job(&name(number), outside, members).await;
    let execution = tenant.trigger(&job).await;
    tenant.reaches(&execution, until).await;
    (job, execution)
}

async fn introduce(tenant: &Tenant<'_>, hostname: &str, manner: Manner) -> Agent {
    let introduction = json!({
        "hostname": hostname,
        "operations": ["service.restart.do", awkward(HOST)],
        "labels": {awkward(HOST): awkward(HOST)},
        "version": awkward(HOST),
        "facts": {awkward(HOST): awkward(NAME), "disks": [{"path": awkward(HOST)}]},
    });
    Agent::introduce(tenant, &introduction, manner).await
}
