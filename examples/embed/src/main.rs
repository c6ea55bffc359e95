//! Horarium inside another program: its own handler, run on a schedule and by hand, without a server and without SQL.
//!
//! `cargo run -p horarium-example-embed`
//!
//! The store is in memory here; `horarium_persistence::SqlStore` takes its place where work must survive the process.

use std::error::Error;
use std::sync::Arc;

use horarium_domain::execution::Failure;
use horarium_domain::job::JobType;
use horarium_domain::tenant::TenantRef;
use horarium_domain::{Clock, IdGenerator, SystemClock};
use horarium_executors::{CodeExecutor, HandlerContext, HandlerOutput, Handlers, Templates};
use horarium_scheduler_engine::memory::MemoryStore;
use horarium_scheduler_engine::service::{JobInput, TenantPolicy, TriggerInput};
use horarium_scheduler_engine::{Actor, Core, Engine, EngineConfig, Registry, Services, SystemEntropy};
use serde_json::json;

/// Greets whom the payload names.
async fn greet(context: HandlerContext) -> Result<HandlerOutput, Failure> {
    let greeting: String = context.parameter("greeting")?;
    let name = context.run.payload.as_ref().and_then(|payload| payload["name"].as_str()).unwrap_or("world");
    Ok(HandlerOutput::text(format!("{greeting}, {name}!")).with_items_processed(1))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    // What runs the jobs: handlers by name.
    let handlers = Handlers::new().register("greet", greet);
    let registry = Registry::new().with(JobType::CodeExecution, CodeExecutor::new(handlers, Templates::new("example")));

    // A node: the store, its clock, its loops.
    let core = Core::new(Arc::new(MemoryStore::new()), Arc::new(SystemClock), Arc::new(SystemEntropy));
    let node = IdGenerator::new().node(SystemClock.now());
    let engine = Engine::start(Arc::clone(&core), registry, EngineConfig::new(node, "example"));

    // The use cases that the HTTP API is made of.
    let services = Services::new(&core, TenantPolicy::without_jobs());
    let tenant = services.tenants.ensure(&"acme".parse::<TenantRef>()?).await?.ok_or("no tenant")?;
    let actor = Actor::new(tenant.id, "example");
    let job = services
        .jobs
        .create(
            &actor,
            &JobInput {
                name: Some("greeting".to_owned()),
                job_type: Some("CodeExecution".to_owned()),
                job_configuration: Some(json!({ "handlerType": "greet", "parameters": { "greeting": "Hello" } })),
                schedule_type: Some("Cron".to_owned()),
                schedule_expression: Some("* * * * * *".to_owned()),
                ..JobInput::default()
            },
        )
        .await?;

    let payload = Some(json!({ "name": "Ada" }));
    let triggered =
        services.executions.trigger(&actor, job.job.id, TriggerInput { payload, ..TriggerInput::default() }).await?;
    loop {
        let execution = services.executions.get(tenant.id, triggered.id).await?;
        if execution.summary.lifecycle.state.is_terminal() {
            let output = execution.output.map(|output| output.text).unwrap_or_default();
            println!("{}: {output}", execution.summary.lifecycle.state);
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    engine.shutdown().await;
    Ok(())
}
