//! What readiness is told of a node's loops, in virtual time.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

mod support;

use std::time::Duration;

use horarium_scheduler_engine::Outcome;
use horarium_scheduler_engine::engine::LoopName;
use horarium_scheduler_engine::memory::Disturbance;
use support::{World, config, pass};

#[tokio::test(start_paused = true)]
async fn a_node_is_well_once_every_loop_that_promises_rest_on_has_turned() {
    let world = World::new().await;
    let (_core, engine) = world.node_with(config("a"), |_| async { Outcome::succeeded() });
    let health = engine.health();
    for name in [LoopName::Planner, LoopName::Reaper, LoopName::Notifier, LoopName::AgentKeeper] {
        assert!(health.stalled().contains(&name), "{}", name.as_str());
    }
    pass(Duration::from_secs(6)).await;
    assert_eq!(health.stalled(), []);

    world.memory.disturb(Disturbance { unavailable: true, ..Disturbance::default() });
    pass(Duration::from_mins(2)).await;
    assert!(health.stalled().contains(&LoopName::Dispatcher), "{:?}", health.stalled());
    world.memory.disturb(Disturbance::default());
    pass(Duration::from_secs(30)).await;
    assert_eq!(health.stalled(), []);
    engine.shutdown().await;
}
