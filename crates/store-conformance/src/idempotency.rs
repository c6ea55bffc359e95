//! Requests with an `Idempotency-Key`: the first is answered, its repetitions hear the same.

use horarium_domain::TenantId;
use horarium_domain::Timestamp;
use horarium_domain::store::{Reservation, SharedStore, StoredAnswer};

use crate::World;
use crate::world::at;

/// Reservations of dead callers count for a minute, records for an hour.
async fn reserve(store: &SharedStore, tenant: TenantId, key: &str, request: u8, now: Timestamp) -> Reservation {
    let ago = |seconds| now - std::time::Duration::from_secs(seconds);
    store.reserve_key(tenant, key, [request; 32], now, ago(60), ago(3600)).await.unwrap()
}

fn answer() -> StoredAnswer {
    StoredAnswer {
        status: 201,
        location: Some("/api/v1/scheduler/jobs/1".to_owned()),
        etag: Some("\"1\"".to_owned()),
        content_type: "application/json; charset=utf-8".to_owned(),
        body: (0..=255).collect(),
    }
}

pub async fn a_repeated_request_hears_the_first_answer(world: World) {
    let tenant = world.tenant().await;
    assert_eq!(reserve(&world.a, tenant, "k", 1, at(0)).await, Reservation::Fresh);
    assert_eq!(reserve(&world.b, tenant, "k", 1, at(1)).await, Reservation::InProgress);
    world.a.complete_key(tenant, "k", answer()).await.unwrap();
    for seconds in [2, 100, 3000] {
        assert_eq!(reserve(&world.b, tenant, "k", 1, at(seconds)).await, Reservation::Answered(answer()));
    }
    let bare = StoredAnswer { status: 204, location: None, etag: None, content_type: String::new(), body: Vec::new() };
    assert_eq!(reserve(&world.a, tenant, "bare", 1, at(0)).await, Reservation::Fresh);
    world.a.complete_key(tenant, "bare", bare.clone()).await.unwrap();
    assert_eq!(reserve(&world.a, tenant, "bare", 1, at(1)).await, Reservation::Answered(bare));
}

pub async fn a_key_used_for_another_request_is_told(world: World) {
    let tenant = world.tenant().await;
    assert_eq!(reserve(&world.a, tenant, "k", 1, at(0)).await, Reservation::Fresh);
    assert_eq!(reserve(&world.a, tenant, "k", 2, at(1)).await, Reservation::Mismatch);
    world.a.complete_key(tenant, "k", answer()).await.unwrap();
    assert_eq!(reserve(&world.a, tenant, "k", 2, at(2)).await, Reservation::Mismatch);
    assert_eq!(reserve(&world.a, tenant, "k", 1, at(3)).await, Reservation::Answered(answer()));
}

pub async fn each_tenant_and_each_key_stands_for_itself(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    for (tenant, key) in [(tenant, "k"), (tenant, "K"), (tenant, "k "), (other, "k"), (tenant, "'; --")] {
        assert_eq!(reserve(&world.a, tenant, key, 1, at(0)).await, Reservation::Fresh, "{key}");
    }
    world.a.complete_key(other, "k", answer()).await.unwrap();
    assert_eq!(reserve(&world.a, tenant, "k", 1, at(1)).await, Reservation::InProgress);
    world.a.release_key(other, "K").await.unwrap();
    assert_eq!(reserve(&world.a, tenant, "K", 1, at(1)).await, Reservation::InProgress);
}

pub async fn a_released_key_is_as_good_as_new(world: World) {
    let tenant = world.tenant().await;
    assert_eq!(reserve(&world.a, tenant, "k", 1, at(0)).await, Reservation::Fresh);
    world.b.release_key(tenant, "k").await.unwrap();
    assert_eq!(reserve(&world.a, tenant, "k", 2, at(1)).await, Reservation::Fresh, "also for another request");
    world.a.complete_key(tenant, "k", answer()).await.unwrap();
    // What was answered is not forgotten by a late release.
    world.b.release_key(tenant, "k").await.unwrap();
    assert_eq!(reserve(&world.a, tenant, "k", 2, at(2)).await, Reservation::Answered(answer()));
    // Nothing to complete or to release is no error.
    world.a.complete_key(tenant, "unknown", answer()).await.unwrap();
    world.a.release_key(tenant, "unknown").await.unwrap();
    assert_eq!(reserve(&world.a, tenant, "unknown", 1, at(0)).await, Reservation::Fresh);
}

pub async fn a_reservation_whose_caller_died_is_taken_over(world: World) {
    let tenant = world.tenant().await;
    assert_eq!(reserve(&world.a, tenant, "k", 1, at(0)).await, Reservation::Fresh);
    assert_eq!(reserve(&world.b, tenant, "k", 1, at(59)).await, Reservation::InProgress);
    assert_eq!(reserve(&world.b, tenant, "k", 1, at(61)).await, Reservation::Fresh);
    assert_eq!(reserve(&world.a, tenant, "k", 1, at(100)).await, Reservation::InProgress, "the new one counts anew");
    // Also by another request.
    assert_eq!(reserve(&world.a, tenant, "k", 2, at(200)).await, Reservation::Fresh);
    world.a.complete_key(tenant, "k", answer()).await.unwrap();
    assert_eq!(reserve(&world.a, tenant, "k", 2, at(300)).await, Reservation::Answered(answer()));
}

pub async fn an_answer_is_forgotten_in_the_end(world: World) {
    let tenant = world.tenant().await;
    assert_eq!(reserve(&world.a, tenant, "k", 1, at(0)).await, Reservation::Fresh);
    world.a.complete_key(tenant, "k", answer()).await.unwrap();
    assert_eq!(reserve(&world.a, tenant, "k", 1, at(3599)).await, Reservation::Answered(answer()));
    assert_eq!(reserve(&world.a, tenant, "k", 2, at(3601)).await, Reservation::Fresh);
    assert_eq!(reserve(&world.a, tenant, "k", 2, at(3602)).await, Reservation::InProgress, "the old answer is gone");
}

pub async fn of_many_that_reserve_a_key_at_once_one_succeeds(world: World) {
    let tenant = world.tenant().await;
    for round in 0..5 {
        let calls: Vec<_> = (0..8)
            .map(|n| {
                let store = if n % 2 == 0 { world.a.clone() } else { world.b.clone() };
                tokio::spawn(async move { reserve(&store, tenant, &format!("k{round}"), 1, at(0)).await })
            })
            .collect();
        let mut fresh = 0;
        for call in calls {
            match call.await.unwrap() {
                Reservation::Fresh => fresh += 1,
                other => assert_eq!(other, Reservation::InProgress),
            }
        }
        assert_eq!(fresh, 1);
    }
}

pub async fn of_many_that_take_over_a_dead_reservation_at_once_one_succeeds(world: World) {
    let tenant = world.tenant().await;
    assert_eq!(reserve(&world.a, tenant, "k", 1, at(0)).await, Reservation::Fresh);
    let (first, second) =
        tokio::join!(reserve(&world.a, tenant, "k", 1, at(100)), reserve(&world.b, tenant, "k", 1, at(100)));
    let mut answers = [first, second];
    answers.sort_by_key(|answer| *answer != Reservation::Fresh);
    assert_eq!(answers, [Reservation::Fresh, Reservation::InProgress]);
}

pub async fn old_records_are_deleted(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    for (tenant, key, seconds) in [(tenant, "old", 0), (tenant, "dead", 1), (tenant, "new", 100), (other, "old", 0)] {
        assert_eq!(reserve(&world.a, tenant, key, 1, at(seconds)).await, Reservation::Fresh);
    }
    world.a.complete_key(tenant, "old", answer()).await.unwrap();
    assert_eq!(world.a.delete_idempotency_records(tenant, at(50)).await.unwrap(), 2);
    assert_eq!(world.a.delete_idempotency_records(tenant, at(50)).await.unwrap(), 0);
    assert_eq!(reserve(&world.a, tenant, "old", 2, at(101)).await, Reservation::Fresh);
    assert_eq!(reserve(&world.a, tenant, "new", 1, at(101)).await, Reservation::InProgress);
    assert_eq!(reserve(&world.a, other, "old", 1, at(10)).await, Reservation::InProgress);
}
