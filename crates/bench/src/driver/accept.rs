//! Accepting executions, by all the ways there are.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use horarium_domain::store::Enqueued;
use serde_json::json;
use tokio::task::JoinSet;

use crate::Failure;
use crate::lab::clock::now_ns;
use crate::node::Node;

/// One call for each execution.
pub(super) async fn one_by_one(node: &Arc<Node>, count: u64, callers: u64) -> Result<(), Failure> {
    let node = Arc::clone(node);
    let call = move |first, _| {
        let node = Arc::clone(&node);
        async move {
            let answer = node.core.enqueue(node.execution(first, 0)).await?;
            accepted(&[answer])
        }
    };
    by_callers(callers, count, 1, call).await
}

/// One call for each batch.
pub(super) async fn in_batches(node: &Arc<Node>, count: u64, batch: u64, callers: u64) -> Result<(), Failure> {
    let node = Arc::clone(node);
    let call = move |first, end| {
        let node = Arc::clone(&node);
        async move {
            let executions = (first..end).map(|number| node.execution(number, 0)).collect();
            let answers = node.core.enqueue_many(executions).await?;
            accepted(&answers)
        }
    };
    by_callers(callers, count, batch.max(1), call).await
}

/// One call now and then; how long each took, in microseconds.
pub(super) async fn now_and_then(node: &Node, count: u64, interval: Duration) -> Result<Vec<u64>, Failure> {
    let mut ticks = tokio::time::interval(interval);
    let mut took = Vec::new();
    for number in 0..count {
        ticks.tick().await;
        let called = now_ns();
        accepted(&[node.core.enqueue(node.execution(number, called)).await?])?;
        took.push((now_ns() - called) / 1000);
    }
    Ok(took)
}

/// Has callers make calls at once, each for the next `step` numbers, and prints how long all of it took.
async fn by_callers<C, F>(callers: u64, count: u64, step: u64, call: C) -> Result<(), Failure>
where
    C: Fn(u64, u64) -> F + Clone + Send + 'static,
    F: Future<Output = Result<(), Failure>> + Send,
{
    let next = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let mut calling = JoinSet::new();
    for _ in 0..callers.max(1) {
        let (next, call) = (Arc::clone(&next), call.clone());
        calling.spawn(async move {
            loop {
                let first = next.fetch_add(step, Ordering::Relaxed);
                if first >= count {
                    return Ok::<_, Failure>(());
                }
                call(first, count.min(first + step)).await?;
            }
        });
    }
    while let Some(caller) = calling.join_next().await {
        caller??;
    }
    println!("{}", json!({ "n": count, "secs": start.elapsed().as_secs_f64() }));
    Ok(())
}

fn accepted(answers: &[Enqueued]) -> Result<(), Failure> {
    match answers.iter().find(|answer| **answer != Enqueued::Accepted) {
        Some(refusal) => Err(format!("an execution was not accepted: {refusal:?}").into()),
        None => Ok(()),
    }
}
