//! Requests with an `Idempotency-Key`: the first is answered, its repetitions hear the same.

use std::time::Duration;

use horarium_domain::store::{Reservation, Reserved, SharedStore, StoredAnswer};
use horarium_domain::{IdGenerator, TenantId, Timestamp};

use crate::World;
use crate::world::at;

/// Reservations of dead callers count for a minute, records for an hour.
async fn reserve(store: &SharedStore, tenant: TenantId, key: &str, request: u8, now: Timestamp) -> Reservation {
    let fresh = Reserved { at: now, seed: IdGenerator::new().request_seed(now) };
    let ago = |seconds| now - Duration::from_secs(seconds);
    store.reserve_key(tenant, key, [request; 32], fresh, ago(60), ago(3600)).await.unwrap()
}

/// The same where nothing stands against it.
async fn fresh(store: &SharedStore, tenant: TenantId, key: &str, request: u8, now: Timestamp) -> Reserved {
    match reserve(store, tenant, key, request, now).await {
        Reservation::Fresh(reserved) => {
            assert_eq!(reserved.at, now);
            reserved
        }
        other => panic!("'{key}' is not free: {other:?}"),
    }
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
    let first = fresh(&world.a, tenant, "k", 1, at(0)).await;
    assert_eq!(reserve(&world.b, tenant, "k", 1, at(1)).await, Reservation::InProgress);
    world.a.complete_key(tenant, "k", first.at, answer()).await.unwrap();
    for seconds in [2, 100, 3000] {
        assert_eq!(reserve(&world.b, tenant, "k", 1, at(seconds)).await, Reservation::Answered(answer()));
    }
    let bare = StoredAnswer { status: 204, location: None, etag: None, content_type: String::new(), body: Vec::new() };
    let first = fresh(&world.a, tenant, "bare", 1, at(0)).await;
    world.a.complete_key(tenant, "bare", first.at, bare.clone()).await.unwrap();
    assert_eq!(reserve(&world.a, tenant, "bare", 1, at(1)).await, Reservation::Answered(bare));
}

pub async fn a_key_used_for_another_request_is_told(world: World) {
    let tenant = world.tenant().await;
    let first = fresh(&world.a, tenant, "k", 1, at(0)).await;
    assert_eq!(reserve(&world.a, tenant, "k", 2, at(1)).await, Reservation::Mismatch);
    world.a.complete_key(tenant, "k", first.at, answer()).await.unwrap();
    assert_eq!(reserve(&world.a, tenant, "k", 2, at(2)).await, Reservation::Mismatch);
    assert_eq!(reserve(&world.a, tenant, "k", 1, at(3)).await, Reservation::Answered(answer()));
}

pub async fn each_tenant_and_each_key_stands_for_itself(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    for (tenant, key) in [(tenant, "k"), (tenant, "K"), (tenant, "k "), (other, "k"), (tenant, "'; --")] {
        fresh(&world.a, tenant, key, 1, at(0)).await;
    }
    world.a.complete_key(other, "k", at(0), answer()).await.unwrap();
    assert_eq!(reserve(&world.a, tenant, "k", 1, at(1)).await, Reservation::InProgress);
    world.a.release_key(other, "K", at(0)).await.unwrap();
    world.a.abandon_key(other, "K", at(0), at(-3000)).await.unwrap();
    assert_eq!(reserve(&world.a, tenant, "K", 1, at(1)).await, Reservation::InProgress);
}

pub async fn a_released_key_is_as_good_as_new(world: World) {
    let tenant = world.tenant().await;
    let first = fresh(&world.a, tenant, "k", 1, at(0)).await;
    world.b.release_key(tenant, "k", first.at).await.unwrap();
    let second = fresh(&world.a, tenant, "k", 1, at(1)).await;
    assert_ne!(second.seed, first.seed);
    world.b.release_key(tenant, "k", second.at).await.unwrap();
    let third = fresh(&world.a, tenant, "k", 2, at(2)).await;
    world.a.complete_key(tenant, "k", third.at, answer()).await.unwrap();
    // What was answered is not forgotten by a late release.
    world.b.release_key(tenant, "k", third.at).await.unwrap();
    assert_eq!(reserve(&world.a, tenant, "k", 2, at(3)).await, Reservation::Answered(answer()));
    // Nothing to complete or to release is no error.
    world.a.complete_key(tenant, "unknown", at(0), answer()).await.unwrap();
    world.a.release_key(tenant, "unknown", at(0)).await.unwrap();
    world.a.abandon_key(tenant, "unknown", at(0), at(0)).await.unwrap();
    fresh(&world.a, tenant, "unknown", 1, at(0)).await;
}

/// Whoever was there first may have done the work: what it made has the same ids when it is made again.
pub async fn a_reservation_whose_caller_died_is_taken_over_with_its_seed(world: World) {
    let tenant = world.tenant().await;
    let first = fresh(&world.a, tenant, "k", 1, at(0)).await;
    assert_eq!(reserve(&world.b, tenant, "k", 1, at(59)).await, Reservation::InProgress);
    assert_eq!(fresh(&world.b, tenant, "k", 1, at(61)).await.seed, first.seed);
    assert_eq!(reserve(&world.a, tenant, "k", 1, at(100)).await, Reservation::InProgress, "the new one counts anew");
    assert_eq!(fresh(&world.a, tenant, "k", 1, at(150)).await.seed, first.seed);
    // Another request makes something else.
    let other = fresh(&world.a, tenant, "k", 2, at(220)).await;
    assert_ne!(other.seed, first.seed);
    world.a.complete_key(tenant, "k", other.at, answer()).await.unwrap();
    assert_eq!(reserve(&world.a, tenant, "k", 2, at(300)).await, Reservation::Answered(answer()));
    // After so long nobody asks for the same any more.
    let old = fresh(&world.a, tenant, "old", 1, at(0)).await;
    assert_ne!(fresh(&world.a, tenant, "old", 1, at(3601)).await.seed, old.seed);
}

pub async fn who_lost_a_reservation_cannot_touch_it(world: World) {
    let tenant = world.tenant().await;
    let lost = fresh(&world.a, tenant, "k", 1, at(0)).await;
    let held = fresh(&world.b, tenant, "k", 1, at(61)).await;
    world.a.release_key(tenant, "k", lost.at).await.unwrap();
    world.a.abandon_key(tenant, "k", lost.at, at(-3000)).await.unwrap();
    world.a.complete_key(tenant, "k", lost.at, StoredAnswer { status: 200, ..answer() }).await.unwrap();
    assert_eq!(reserve(&world.a, tenant, "k", 1, at(62)).await, Reservation::InProgress);
    world.b.complete_key(tenant, "k", held.at, answer()).await.unwrap();
    assert_eq!(reserve(&world.a, tenant, "k", 1, at(63)).await, Reservation::Answered(answer()));
}

pub async fn an_abandoned_key_is_taken_over_at_once(world: World) {
    let tenant = world.tenant().await;
    let first = fresh(&world.a, tenant, "k", 1, at(0)).await;
    world.a.abandon_key(tenant, "k", first.at, at(-1800)).await.unwrap();
    let second = fresh(&world.b, tenant, "k", 1, at(1)).await;
    assert_eq!(second.seed, first.seed);
    world.b.complete_key(tenant, "k", second.at, answer()).await.unwrap();
    world.b.abandon_key(tenant, "k", second.at, at(-1800)).await.unwrap();
    assert_eq!(reserve(&world.a, tenant, "k", 1, at(2)).await, Reservation::Answered(answer()));
}

pub async fn an_answer_is_forgotten_in_the_end(world: World) {
    let tenant = world.tenant().await;
    let first = fresh(&world.a, tenant, "k", 1, at(0)).await;
    world.a.complete_key(tenant, "k", first.at, answer()).await.unwrap();
    assert_eq!(reserve(&world.a, tenant, "k", 1, at(3599)).await, Reservation::Answered(answer()));
    assert_ne!(fresh(&world.a, tenant, "k", 1, at(3601)).await.seed, first.seed);
    assert_eq!(reserve(&world.a, tenant, "k", 1, at(3602)).await, Reservation::InProgress, "the old answer is gone");
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
                Reservation::Fresh(_) => fresh += 1,
                other => assert_eq!(other, Reservation::InProgress),
            }
        }
        assert_eq!(fresh, 1);
    }
}

pub async fn of_many_that_take_over_a_dead_reservation_at_once_one_succeeds(world: World) {
    let tenant = world.tenant().await;
    let dead = fresh(&world.a, tenant, "k", 1, at(0)).await;
    let (first, second) =
        tokio::join!(reserve(&world.a, tenant, "k", 1, at(100)), reserve(&world.b, tenant, "k", 1, at(100)));
    let mut answers = [first, second];
    answers.sort_by_key(|answer| *answer == Reservation::InProgress);
    let taken = Reservation::Fresh(Reserved { at: at(100), seed: dead.seed });
    assert_eq!(answers, [taken, Reservation::InProgress]);
}

pub async fn old_records_are_deleted(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    for (tenant, key, seconds) in [(tenant, "old", 0), (tenant, "dead", 1), (tenant, "new", 100), (other, "old", 0)] {
        fresh(&world.a, tenant, key, 1, at(seconds)).await;
    }
    world.a.complete_key(tenant, "old", at(0), answer()).await.unwrap();
    assert_eq!(world.a.delete_idempotency_records(tenant, at(50)).await.unwrap(), 2);
    assert_eq!(world.a.delete_idempotency_records(tenant, at(50)).await.unwrap(), 0);
    fresh(&world.a, tenant, "old", 2, at(101)).await;
    assert_eq!(reserve(&world.a, tenant, "new", 1, at(101)).await, Reservation::InProgress);
    assert_eq!(reserve(&world.a, other, "old", 1, at(10)).await, Reservation::InProgress);
}
