//! API keys: their records from making to revoking, and how their use is noted.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

mod services_support;

use std::time::Duration;

use horarium_domain::api_key::{ApiKeyRecord, ApiKeyState, SecretHash};
use horarium_domain::page::PageRequest;
use horarium_scheduler_engine::service::{NewKey, ServiceError};
use services_support::{World, problems};

fn new_key(world: &World, name: &str) -> NewKey {
    NewKey {
        id: world.services.keys.new_id(),
        name: name.into(),
        scopes: vec!["jobs:read".into()],
        secret_hash: SecretHash::from_bytes([1; 32]),
        expires_at: None,
    }
}

async fn created(world: &World) -> ApiKeyRecord {
    world.services.keys.create(&world.alice(), new_key(world, "ci")).await.unwrap()
}

#[tokio::test]
async fn a_key_needs_a_name_and_an_expiry_that_is_to_come() {
    let world = World::new().await;
    let wrong = NewKey { expires_at: Some("2026-03-02T12:00:00Z".into()), ..new_key(&world, " ") };
    let told = problems(world.services.keys.create(&world.alice(), wrong).await);
    assert_eq!(told, "expiresAt: must lie in the future\nname: must not be empty\n");

    let right = NewKey { expires_at: Some("2026-03-03T12:00:00Z".into()), ..new_key(&world, " ci ") };
    let made = world.services.keys.create(&world.alice(), right).await.unwrap();
    assert_eq!((made.name.as_str(), made.created_by.as_str(), made.tenant_id), ("ci", "alice", world.tenant().id));
    assert_eq!(made.state(world.now() + Duration::from_hours(24)), ApiKeyState::Expired);
    assert_eq!(world.services.keys.list(made.tenant_id, PageRequest::default()).await.unwrap().total, 1);
}

#[tokio::test]
async fn a_revoked_key_is_refused_at_once_on_this_node_and_stays_revoked() {
    let world = World::new().await;
    let keys = &world.services.keys;
    let id = created(&world).await.id;
    assert_eq!(keys.lookup(id).await.unwrap().unwrap().state(world.now()), ApiKeyState::Active);
    let revoked = keys.revoke(&world.alice(), id).await.unwrap();
    assert_eq!(keys.lookup(id).await.unwrap().unwrap().state(world.now()), ApiKeyState::Revoked);

    world.clock.advance(Duration::from_secs(5));
    assert_eq!(keys.revoke(&world.alice(), id).await.unwrap().revoked_at, revoked.revoked_at);
    let rotated = keys.rotate(&world.alice(), id, SecretHash::from_bytes([2; 32])).await;
    assert!(matches!(rotated, Err(ServiceError::Conflict(_))));
    // As by somebody who read the key before it was revoked.
    let stale = ApiKeyRecord { revoked_at: None, ..revoked };
    world.store.update_key(stale).await.unwrap();
    assert_eq!(keys.get(world.tenant().id, id).await.unwrap().state(world.now()), ApiKeyState::Revoked);
}

#[tokio::test]
async fn a_rotated_key_has_its_new_secret_at_once_on_this_node() {
    let world = World::new().await;
    let keys = &world.services.keys;
    let id = created(&world).await.id;
    assert_eq!(keys.lookup(id).await.unwrap().unwrap().secret_hash.as_bytes(), &[1; 32]);
    keys.rotate(&world.alice(), id, SecretHash::from_bytes([2; 32])).await.unwrap();
    assert_eq!(keys.lookup(id).await.unwrap().unwrap().secret_hash.as_bytes(), &[2; 32]);
}

#[tokio::test]
async fn another_tenants_key_does_not_exist() {
    let world = World::new().await;
    let stranger = world.stranger().await;
    let id = created(&world).await.id;
    let keys = &world.services.keys;
    let missing = ServiceError::NotFound("API key");
    assert_eq!(keys.get(stranger.tenant, id).await.unwrap_err(), missing);
    assert_eq!(keys.revoke(&stranger, id).await.unwrap_err(), missing);
    assert_eq!(keys.rotate(&stranger, id, SecretHash::from_bytes([2; 32])).await.unwrap_err(), missing);
    assert!(keys.lookup(keys.new_id()).await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn the_last_use_is_written_soon_and_then_once_a_minute() {
    let world = World::new().await;
    let keys = &world.services.keys;
    let id = created(&world).await.id;
    let last_used = || async { keys.get(world.tenant().id, id).await.unwrap().last_used_at };
    let first = world.now();
    keys.touch(&keys.lookup(id).await.unwrap().unwrap());
    assert_eq!(last_used().await, None);
    // Virtual time: the clock is paused.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(last_used().await, Some(first));

    world.clock.advance(Duration::from_secs(59));
    keys.touch(&keys.lookup(id).await.unwrap().unwrap());
    keys.write_uses().await;
    assert_eq!(last_used().await, Some(first));

    world.clock.advance(Duration::from_secs(1));
    keys.touch(&keys.lookup(id).await.unwrap().unwrap());
    keys.write_uses().await;
    assert_eq!(last_used().await, Some(world.now()));
}
