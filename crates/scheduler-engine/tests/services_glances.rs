//! What many pages show at once is read once a second.

mod services_support;

use std::time::Duration;

use horarium_scheduler_engine::service::QueueInput;
use services_support::{World, manual};
use tokio::time::advance;

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_tenants_figures_at_a_glance_are_at_most_a_second_old() {
    let world = World::new().await;
    let job = world.create(manual("job")).await.job;
    let executions = &world.services.executions;
    let pending = async || executions.glance(world.tenant().id).await.unwrap().stats.pending;
    assert_eq!(pending().await, 0);
    world.trigger(job.id).await;
    assert_eq!(pending().await, 0, "as it was when it was looked at last");
    assert_eq!(executions.dashboard(world.tenant().id).await.unwrap().stats.pending, 1, "who must know is told");
    let stranger = world.stranger().await;
    assert_eq!(executions.glance(stranger.tenant).await.unwrap().stats.total_jobs, 0, "each tenant has its own");
    advance(SECOND).await;
    assert_eq!(pending().await, 1);
}

#[tokio::test(start_paused = true)]
async fn a_list_of_queues_at_a_glance_is_at_most_a_second_old() {
    let world = World::new().await;
    let queues = &world.services.queues;
    let set = async |name: &str| {
        let limits = QueueInput { max_length: Some(9), ..QueueInput::default() };
        queues.set(&world.alice(), name, limits).await.unwrap();
    };
    let names = async |after: Option<&str>| {
        let listed = queues.list_at_a_glance(world.tenant().id, after, 10).await.unwrap().items;
        listed.into_iter().map(|queue| queue.limits.name.to_string()).collect::<Vec<_>>()
    };
    set("mail").await;
    assert_eq!(names(None).await, ["mail"]);
    set("reports").await;
    assert_eq!(names(None).await, ["mail"], "as it was when it was looked at last");
    assert_eq!(names(Some("mail")).await, ["reports"], "another part of the list was not looked at");
    advance(SECOND).await;
    assert_eq!(names(None).await, ["mail", "reports"]);
}
