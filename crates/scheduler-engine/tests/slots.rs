//! Who gets a node's slots while there is more to do than it has: in virtual time, with slow work.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

mod support;

use std::time::Duration;

use horarium_domain::execution::ExecutionState;
use horarium_scheduler_engine::{EngineConfig, Outcome, Run};
use support::{BEGINNING, World, config, pass};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_mins(1);

fn with_slots(concurrency: usize) -> EngineConfig {
    EngineConfig { concurrency, ..config("a") }
}

#[tokio::test(start_paused = true)]
async fn a_tenants_backlog_of_slow_work_does_not_hold_up_anothers_execution() {
    let world = World::new().await;
    let (core, engine) = world.node_with(with_slots(8), |_| async {
        pass(SECOND).await;
        Outcome::succeeded()
    });
    let slow = world.job("slow", |_| {}).await;
    core.enqueue_many((0..2000).map(|_| world.execution_of(&slow)).collect()).await.unwrap();
    let small = world.of_another_tenant("small").await;
    let job = small.job("now and then", |_| {}).await;
    for _ in 0..10 {
        pass(Duration::from_millis(1370)).await;
        let id = small.trigger(&core, &job).await;
        // All slots are taken, so it has to wait for one of those that began together to end, and for nothing else.
        small.until(id, ExecutionState::Running, SECOND + Duration::from_millis(100)).await;
        let ended = small.until(id, ExecutionState::Succeeded, MINUTE).await.summary;
        let waited = ended.started_at.unwrap().since(ended.scheduled_for);
        assert!(waited <= SECOND + Duration::from_millis(100), "waited {waited:?} for a slot");
    }
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_claimed_in_a_hurry_does_not_hold_up_others_when_work_turns_slow() {
    let world = World::new().await;
    let (core, engine) = world.node_with(with_slots(8), |run: Run| async move {
        if run.job.spec.name == "slow" {
            pass(SECOND).await;
        }
        Outcome::succeeded()
    });
    let (quick, slow) = (world.job("quick", |_| {}).await, world.job("slow", |_| {}).await);
    let quick = (0..3000).map(|_| world.execution_of(&quick));
    core.enqueue_many(quick.collect()).await.unwrap();
    core.enqueue_many((0..3000).map(|_| world.execution_of(&slow)).collect()).await.unwrap();
    pass(Duration::from_millis(1500)).await;
    let small = world.of_another_tenant("small").await;
    let job = small.job("now and then", |_| {}).await;
    let id = small.trigger(&core, &job).await;
    let ended = small.until(id, ExecutionState::Succeeded, MINUTE).await.summary;
    let waited = ended.started_at.unwrap().since(ended.scheduled_for);
    // One round of slots comes free before it is claimed, and one before it starts.
    assert!(waited <= 3 * SECOND, "waited {waited:?} for a slot");
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_claims_no_more_than_it_will_start_soon() {
    let world = World::new().await;
    let (core, engine) = world.node_with(with_slots(8), |_| async {
        pass(10 * SECOND).await;
        Outcome::succeeded()
    });
    let slow = world.job("slow", |_| {}).await;
    core.enqueue_many((0..500).map(|_| world.execution_of(&slow)).collect()).await.unwrap();
    for _ in 0..50 {
        pass(SECOND).await;
        let (_, claimed, _) = world.store.queue_totals(world.now()).await.unwrap();
        assert!(claimed <= 16, "{claimed} claimed for eight slots");
    }
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn no_slot_is_idle_while_there_is_work() {
    for (work, count) in [(100, 200), (20, 1000)] {
        let world = World::new().await;
        let (core, engine) = world.node_with(with_slots(10), move |_: Run| async move {
            pass(Duration::from_millis(work)).await;
            Outcome::succeeded()
        });
        let job = world.job("steady", |_| {}).await;
        let batch: Vec<_> = (0..count).map(|_| world.execution_of(&job)).collect();
        let last = batch.last().unwrap().id;
        core.enqueue_many(batch).await.unwrap();
        let took = world.until(last, ExecutionState::Succeeded, MINUTE).await.summary.completed_at.unwrap();
        let took = took.since(BEGINNING);
        assert!(took <= Duration::from_millis(2200), "two seconds of work took {took:?}");
        engine.shutdown().await;
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_limit_held_back_starts_as_soon_as_there_is_room() {
    let world = World::new().await;
    let (core, engine) = world.node_with(with_slots(10), |_| async {
        pass(Duration::from_millis(20)).await;
        Outcome::succeeded()
    });
    let job = world.job("one by one", |spec| spec.max_concurrency = Some(1)).await;
    let batch: Vec<_> = (0..50).map(|_| world.execution_of(&job)).collect();
    let last = batch.last().unwrap().id;
    core.enqueue_many(batch).await.unwrap();
    let took = world.until(last, ExecutionState::Succeeded, MINUTE).await.summary.completed_at.unwrap();
    let took = took.since(BEGINNING);
    assert!(took <= Duration::from_millis(1200), "a second of work took {took:?}");
    engine.shutdown().await;
}

#[tokio::test(start_paused = true)]
async fn a_node_whose_slots_are_all_taken_for_long_is_well() {
    let world = World::new().await;
    let (core, engine) = world.node_with(with_slots(2), |_| async {
        pass(10 * MINUTE).await;
        Outcome::succeeded()
    });
    let job = world.job("long", |spec| spec.timeout_seconds = 3600).await;
    for _ in 0..10 {
        world.trigger(&core, &job).await;
    }
    pass(5 * MINUTE).await;
    assert_eq!(engine.health().stalled(), []);
    engine.shutdown().await;
}
