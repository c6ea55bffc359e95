//! Queues as an operator sees them.

use horarium_domain::execution::NewExecution;
use horarium_domain::job::QueueName;
use horarium_domain::queue::{QueueLimits, QueueSummary};

use crate::World;
use crate::world::{at, retry};

fn name(text: &str) -> QueueName {
    text.parse().unwrap()
}

pub async fn limits_are_read_back_as_they_were_set(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let full = QueueLimits {
        name: name("Mixed.Case:1_2-3"),
        max_concurrency: Some(7),
        max_length: Some(1_000_000),
        rate_limit_per_second: Some(250),
        paused: true,
        weight: 300,
    };
    world.a.set_queue(tenant, full.clone()).await.unwrap();
    assert_eq!(world.b.queue(tenant, &full.name, at(0)).await.unwrap().limits, full);
    let changed =
        QueueLimits { max_length: Some(0), rate_limit_per_second: None, paused: false, weight: 1, ..full.clone() };
    world.b.set_queue(tenant, changed.clone()).await.unwrap();
    assert_eq!(world.a.queue(tenant, &full.name, at(0)).await.unwrap().limits, changed);
    let elsewhere = world.a.queue(other, &full.name, at(0)).await.unwrap().limits;
    assert_eq!(elsewhere, QueueLimits::none(full.name));
}

pub async fn pausing_a_queue_leaves_its_other_limits(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let limits = QueueLimits {
        max_concurrency: Some(7),
        max_length: Some(9),
        rate_limit_per_second: Some(11),
        weight: 300,
        ..QueueLimits::none(name("mail"))
    };
    world.a.set_queue(tenant, limits.clone()).await.unwrap();
    for paused in [true, true, false] {
        world.b.pause_queue(tenant, &limits.name, paused).await.unwrap();
        let shown = world.a.queue(tenant, &limits.name, at(0)).await.unwrap().limits;
        assert_eq!(shown, QueueLimits { paused, ..limits.clone() });
    }
    // One without limits comes to be by being paused.
    world.a.pause_queue(other, &limits.name, true).await.unwrap();
    let paused = QueueLimits { paused: true, ..QueueLimits::none(limits.name.clone()) };
    assert_eq!(world.b.queue(other, &limits.name, at(0)).await.unwrap().limits, paused);
    world.a.pause_queue(other, &limits.name, false).await.unwrap();
    assert!(world.b.queues(other, None, 10, at(0)).await.unwrap().is_empty());
}

pub async fn a_queue_that_is_paused_and_resumed_holds_back_what_its_limits_say(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.submit_many(&job, 3).await;
    let queue = QueueName::default();
    world.a.pause_queue(tenant, &queue, true).await.unwrap();
    world.submit_one(&job).await;
    assert!(world.claim(10, at(1)).await.is_empty());
    world.a.pause_queue(tenant, &queue, false).await.unwrap();
    assert_eq!(world.claim(2, at(2)).await.len(), 2);

    world.limit_queue(tenant, |limits| limits.max_concurrency = Some(3)).await;
    for paused in [true, false] {
        world.a.pause_queue(tenant, &queue, paused).await.unwrap();
    }
    assert_eq!(world.claim(10, at(3)).await.len(), 1, "three at once");
}

pub async fn a_queue_that_nobody_knows_is_empty_and_without_limits(world: World) {
    let tenant = world.tenant().await;
    let expected =
        QueueSummary { limits: QueueLimits::none(name("unheard-of")), pending: 0, running: 0, oldest_due_at: None };
    assert_eq!(world.a.queue(tenant, &name("unheard-of"), at(0)).await.unwrap(), expected);
    assert!(world.a.queues(tenant, None, 100, at(0)).await.unwrap().is_empty());
    assert_eq!(world.a.queue_totals(at(0)).await.unwrap(), (0, 0, None));
}

pub async fn queues_are_listed_by_name_with_what_they_hold(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let job = world.job(tenant).await;
    let into = |queue: &str, run_at| NewExecution { queue: queue.to_owned(), ..world.execution_at(&job, run_at) };
    for execution in [into("b", at(0)), into("b", at(0)), into("b", at(0)), into("c", at(300)), into("d", at(0))] {
        world.submit(execution).await;
    }
    let limited = QueueLimits { max_concurrency: Some(1), ..QueueLimits::none(name("a")) };
    world.a.set_queue(tenant, limited.clone()).await.unwrap();
    world.submit_one(&world.job(other).await).await;
    // The first claimed is the oldest of "b"; the one of "d" ends, and nothing is left there.
    let mut runs = world.claim(10, at(1)).await;
    runs.retain(|run| run.tenant_id == tenant);
    assert_eq!(runs.len(), 4);
    world.settle(retry(&runs[1], at(2), at(60))).await;
    world.settle(retry(&runs[2], at(3), at(40))).await;
    world.succeed(&runs[3], at(3)).await;

    let summary = |queue: &str, pending, running, oldest_due_at| QueueSummary {
        limits: QueueLimits::none(name(queue)),
        pending,
        running,
        oldest_due_at,
    };
    let empty = QueueSummary { limits: limited, ..summary("a", 0, 0, None) };
    let queues = world.b.queues(tenant, None, 100, at(30)).await.unwrap();
    assert_eq!(queues, [empty.clone(), summary("b", 2, 1, None), summary("c", 1, 0, None)]);
    // What is due counts from when it became due, whether or not it was promoted.
    world.a.promote(at(50), 10).await.unwrap();
    let queues = world.b.queues(tenant, None, 100, at(400)).await.unwrap();
    assert_eq!(queues, [empty, summary("b", 2, 1, Some(at(40))), summary("c", 1, 0, Some(at(300)))]);
    assert_eq!(world.a.queue(tenant, &name("b"), at(400)).await.unwrap(), queues[1]);
    // In parts.
    assert_eq!(world.b.queues(tenant, None, 2, at(400)).await.unwrap(), queues[..2]);
    assert_eq!(world.b.queues(tenant, Some("a"), 1, at(400)).await.unwrap(), queues[1..2]);
    assert_eq!(world.b.queues(tenant, Some("bb"), 10, at(400)).await.unwrap(), queues[2..]);
    assert!(world.b.queues(tenant, Some("c"), 10, at(400)).await.unwrap().is_empty());
}

pub async fn the_totals_are_over_all_tenants(world: World) {
    for _ in 0..3 {
        let job = world.job(world.tenant().await).await;
        world.submit_many(&job, 2).await;
        world.submit(world.execution_at(&job, at(100))).await;
    }
    world.claim(4, at(1)).await;
    assert_eq!(world.b.queue_totals(at(50)).await.unwrap(), (5, 4, Some(at(0))));
    world.claim(10, at(1)).await;
    assert_eq!(world.b.queue_totals(at(50)).await.unwrap(), (3, 6, None));
    assert_eq!(world.b.queue_totals(at(200)).await.unwrap(), (3, 6, Some(at(100))));
}
