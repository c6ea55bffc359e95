//! Handlers: found by name, given what the job says, and their ends told to the engine.

use std::time::Duration;

use async_trait::async_trait;
use horarium_domain::execution::{Failure, Output};
use horarium_domain::job::JobType;
use horarium_executors::{CodeExecutor, Handler, HandlerContext, HandlerOutput, Handlers};
use horarium_scheduler_engine::{Outcome, Run};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::support::{execute, failed, run, run_with_payload, succeeded, templates};

fn executor(handlers: Handlers) -> CodeExecutor {
    CodeExecutor::new(handlers, templates())
}

fn code(configuration: &Value) -> Run {
    run(JobType::CodeExecution, configuration)
}

#[tokio::test]
async fn an_async_closure_is_a_handler() {
    let handlers = Handlers::new().register("greet", |context: HandlerContext| async move {
        let name: String = context.parameter("name")?;
        Ok(HandlerOutput::text(format!("Hello, {name}")).with_items_processed(1_u64))
    });
    let run = code(&json!({ "handlerType": "greet", "parameters": { "name": "{{Environment.MachineName}}" } }));
    let (output, items) = succeeded(execute(&executor(handlers), run).await);
    assert_eq!(output, Some(Output { text: "Hello, node-1".into(), truncated: false }));
    assert_eq!(items, Some(1));
}

struct Invoices;

#[derive(Deserialize)]
struct Order {
    id: u32,
}

#[async_trait]
impl Handler for Invoices {
    async fn handle(&self, context: HandlerContext) -> Result<HandlerOutput, Failure> {
        let order: Order = context.payload()?;
        let copies: Option<u8> = context.optional_parameter("copies")?;
        let method = context.method_name.as_deref().unwrap_or("print");
        Ok(HandlerOutput::json(&json!({ "method": method, "order": order.id, "copies": copies })))
    }
}

#[tokio::test]
async fn a_handler_sees_the_method_the_parameters_and_the_payload() {
    let configuration = json!({ "handlerType": "invoices", "methodName": "send", "parameters": { "copies": 2 } });
    let run = run_with_payload(JobType::CodeExecution, &configuration, json!({ "id": 7 }));
    let (output, _) = succeeded(execute(&executor(Handlers::new().register("invoices", Invoices)), run).await);
    let output: Value = serde_json::from_str(&output.unwrap().text).unwrap();
    assert_eq!(output, json!({ "method": "send", "order": 7, "copies": 2 }));
}

#[tokio::test]
async fn what_a_handler_cannot_work_with_fails_for_good() {
    let handlers = Handlers::new().register("invoices", Invoices);
    let executor = executor(handlers);
    for (parameters, payload, told) in [
        (json!({}), None, "no payload"),
        (json!({}), Some(json!({ "id": "seven" })), "payload: "),
        (json!({ "copies": 1000 }), Some(json!({ "id": 7 })), "jobConfiguration.parameters.copies: "),
        (json!({ "copies": "{{Nope}}" }), Some(json!({ "id": 7 })), "jobConfiguration.parameters: unknown template"),
    ] {
        let run = Run { payload, ..code(&json!({ "handlerType": "invoices", "parameters": parameters })) };
        let (failure, _) = failed(execute(&executor, run).await);
        assert!(!failure.retryable && failure.error.contains(told), "{failure:?}");
    }
}

#[tokio::test]
async fn a_handler_that_nobody_registered_is_named() {
    let (failure, _) = failed(execute(&executor(Handlers::new()), code(&json!({ "handlerType": "greet" }))).await);
    assert!(!failure.retryable && failure.error.contains("'greet'"), "{failure:?}");
}

#[tokio::test]
async fn a_handler_can_fail_and_can_ask_for_a_later_time() {
    let handlers = Handlers::new()
        .register("fails", |_| async { Err(Failure::retryable("the printer is out of paper")) })
        .register("waits", |_| async { Ok(HandlerOutput::snooze(Duration::from_mins(1))) });
    let executor = executor(handlers);
    let (failure, _) = failed(execute(&executor, code(&json!({ "handlerType": "fails" }))).await);
    assert_eq!(failure, Failure::retryable("the printer is out of paper"));
    let outcome = execute(&executor, code(&json!({ "handlerType": "waits" }))).await;
    assert_eq!(outcome, Outcome::Snoozed { delay: Duration::from_mins(1) });
}

#[tokio::test]
async fn a_long_output_is_cut() {
    let handlers = Handlers::new().register("talks", |_| async { Ok(HandlerOutput::text("x".repeat(100))) });
    let executor = executor(handlers).with_output_limit(10);
    let (output, _) = succeeded(execute(&executor, code(&json!({ "handlerType": "talks" }))).await);
    assert_eq!(output, Some(Output { text: "x".repeat(10), truncated: true }));
}

#[tokio::test]
async fn a_job_of_another_type_is_a_plain_failure() {
    let run = run(JobType::HttpCall, &json!({ "url": "http://a.example/" }));
    let (failure, _) = failed(execute(&executor(Handlers::new()), run).await);
    assert!(!failure.retryable && failure.error.contains("HttpCall"), "{failure:?}");
}
