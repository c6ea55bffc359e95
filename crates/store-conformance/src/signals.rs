//! Hints between nodes. Nothing depends on them but how soon things happen.

use std::time::Duration;

use horarium_domain::store::{Enqueued, Signal};

use crate::World;
use crate::world::at;

/// Publishes on one node until the other one hears it: a listener needs a moment to be there.
async fn hears(world: &World, signal: &Signal) {
    let publish = async {
        loop {
            world.a.publish(signal.clone()).await.unwrap();
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let listen = async {
        // What was published before may still come first.
        while world.b.next_signal().await.unwrap() != *signal {}
    };
    tokio::select! {
        () = publish => {}
        () = listen => {}
    }
}

pub async fn a_signal_reaches_the_other_node_where_there_is_one(world: World) {
    if !world.signals {
        return;
    }
    hears(&world, &Signal::Work).await;
    hears(&world, &Signal::Schedules).await;
    hears(&world, &Signal::Cancelled(vec![world.ids.execution(at(0)), world.ids.execution(at(0))])).await;
    hears(&world, &Signal::Relay("{\"text\": \"it's ü \u{1F600}\"}".to_owned())).await;
    hears(&world, &Signal::Relay("x".repeat(7_000))).await;
}

pub async fn what_is_accepted_and_told_of_reaches_the_other_node(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    if world.signals {
        // From here on the other node listens, and has heard all that was said so far.
        hears(&world, &Signal::Relay("here".to_owned())).await;
    }
    let batch = vec![world.execution(&job), world.execution(&job)];
    let told = world.a.enqueue_and_tell(batch, Vec::new()).await.unwrap();
    assert_eq!(told, [Enqueued::Accepted; 2]);
    if world.signals {
        while world.b.next_signal().await.unwrap() != Signal::Work {}
    }
    assert_eq!(world.claim(10, at(0)).await.len(), 2);
}

pub async fn many_cancellations_reach_the_other_node_in_parts(world: World) {
    if !world.signals {
        return;
    }
    hears(&world, &Signal::Work).await;
    let ids: Vec<_> = (0..1000).map(|_| world.ids.execution(at(0))).collect();
    world.a.publish(Signal::Cancelled(ids.clone())).await.unwrap();
    let mut heard = Vec::new();
    while heard.len() < ids.len() {
        if let Signal::Cancelled(part) = world.b.next_signal().await.unwrap() {
            heard.extend(part);
        }
    }
    heard.sort_unstable();
    assert_eq!(heard, ids);
}

pub async fn a_signal_that_nobody_hears_is_no_error(world: World) {
    world.a.publish(Signal::Work).await.unwrap();
    world.b.publish(Signal::Cancelled(Vec::new())).await.unwrap();
}
