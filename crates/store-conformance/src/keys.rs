//! API keys.

use horarium_domain::TenantId;
use horarium_domain::api_key::{ApiKeyRecord, SecretHash};
use horarium_domain::page::PageRequest;

use crate::World;
use crate::world::{START, assert_not_found, at, at_millis};

pub(crate) fn new_key(world: &World, tenant: TenantId) -> ApiKeyRecord {
    ApiKeyRecord {
        id: world.ids.api_key(START),
        tenant_id: tenant,
        name: world.name("key"),
        scopes: vec!["jobs:read".to_owned(), "*".to_owned()],
        secret_hash: SecretHash::from_bytes([7; 32]),
        created_at: START,
        created_by: "alice".to_owned(),
        expires_at: None,
        last_used_at: None,
        revoked_at: None,
    }
}

/// All of a key that can be compared.
fn told(key: &ApiKeyRecord) -> impl PartialEq + std::fmt::Debug + use<> {
    let times = [Some(key.created_at), key.expires_at, key.last_used_at, key.revoked_at];
    let ids = (key.id, key.tenant_id, *key.secret_hash.as_bytes());
    (ids, key.name.clone(), key.scopes.clone(), key.created_by.clone(), times)
}

pub async fn a_key_is_read_back_as_it_was_written(world: World) {
    let tenant = world.tenant().await;
    let mut hash = [0; 32];
    hash.iter_mut().zip(200..).for_each(|(byte, n)| *byte = n);
    let full = ApiKeyRecord {
        name: "CI of Zoë's \"team\"".to_owned(),
        secret_hash: SecretHash::from_bytes(hash),
        expires_at: Some(at_millis(1)),
        last_used_at: Some(at_millis(2)),
        revoked_at: Some(at_millis(3)),
        ..new_key(&world, tenant)
    };
    let bare = ApiKeyRecord { scopes: Vec::new(), ..new_key(&world, tenant) };
    for key in [full, bare] {
        world.a.create_key(key.clone()).await.unwrap();
        assert_eq!(told(&world.b.key(key.id).await.unwrap()), told(&key));
    }
    assert_not_found(world.a.key(world.ids.api_key(START)).await);
}

pub async fn a_tenants_keys_are_listed_newest_first(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let mut ids = Vec::new();
    for _ in 0..5 {
        let key = new_key(&world, tenant);
        ids.insert(0, key.id);
        world.a.create_key(key).await.unwrap();
        world.a.create_key(new_key(&world, other)).await.unwrap();
    }
    let mut seen = Vec::new();
    for number in 1..=3 {
        let page = world.a.keys(tenant, PageRequest { number, size: 2 }).await.unwrap();
        assert_eq!(page.total, 5);
        seen.extend(page.items.into_iter().map(|key| key.id));
    }
    assert_eq!(seen, ids);
}

pub async fn a_key_can_be_rotated_and_revoked(world: World) {
    let (tenant, stranger) = (world.tenant().await, world.tenant().await);
    let key = new_key(&world, tenant);
    world.a.create_key(key.clone()).await.unwrap();
    let rotated =
        ApiKeyRecord { secret_hash: SecretHash::from_bytes([9; 32]), expires_at: Some(at(60)), ..key.clone() };
    world.b.update_key(rotated.clone()).await.unwrap();
    assert_eq!(told(&world.a.key(key.id).await.unwrap()), told(&rotated));
    let revoked = ApiKeyRecord { revoked_at: Some(at(10)), ..rotated };
    world.a.update_key(revoked.clone()).await.unwrap();
    assert_eq!(told(&world.b.key(key.id).await.unwrap()), told(&revoked));

    assert_not_found(world.a.update_key(ApiKeyRecord { tenant_id: stranger, ..key }).await);
    assert_not_found(world.a.update_key(new_key(&world, tenant)).await);
}

pub async fn a_revocation_is_not_undone_by_a_rotation(world: World) {
    let tenant = world.tenant().await;
    let key = new_key(&world, tenant);
    world.a.create_key(key.clone()).await.unwrap();
    world.a.update_key(ApiKeyRecord { revoked_at: Some(at(10)), ..key.clone() }).await.unwrap();
    // Somebody who read the key before that writes it back.
    world.b.update_key(ApiKeyRecord { secret_hash: SecretHash::from_bytes([9; 32]), ..key.clone() }).await.unwrap();
    assert_eq!(world.a.key(key.id).await.unwrap().revoked_at, Some(at(10)));
}

pub async fn the_last_use_of_a_key_never_goes_back(world: World) {
    let tenant = world.tenant().await;
    let keys = [new_key(&world, tenant), new_key(&world, tenant)];
    for key in &keys {
        world.a.create_key(key.clone()).await.unwrap();
    }
    let unknown = world.ids.api_key(START);
    let last_used = async |n: usize| world.a.key(keys[n].id).await.unwrap().last_used_at;
    world.a.touch_keys(&[(keys[0].id, at(10)), (unknown, at(10))]).await.unwrap();
    assert_eq!((last_used(0).await, last_used(1).await), (Some(at(10)), None));
    // Another node tells of an earlier use later.
    world.b.touch_keys(&[(keys[0].id, at(5)), (keys[1].id, at(7))]).await.unwrap();
    assert_eq!((last_used(0).await, last_used(1).await), (Some(at(10)), Some(at(7))));
    // Rotating a key is not using it.
    world.a.update_key(keys[0].clone()).await.unwrap();
    assert_eq!(last_used(0).await, Some(at(10)));
}

pub async fn keys_that_are_long_over_are_deleted(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let variants = |tenant| {
        let key = || new_key(&world, tenant);
        [
            key(),
            ApiKeyRecord { expires_at: Some(at(9)), ..key() },
            ApiKeyRecord { expires_at: Some(at(11)), ..key() },
            ApiKeyRecord { revoked_at: Some(at(9)), expires_at: Some(at(900)), ..key() },
            ApiKeyRecord { revoked_at: Some(at(11)), ..key() },
        ]
    };
    for key in variants(tenant).into_iter().chain(variants(other)) {
        world.a.create_key(key).await.unwrap();
    }
    assert_eq!(world.a.delete_expired_keys(tenant, at(10)).await.unwrap(), 2);
    assert_eq!(world.a.keys(tenant, PageRequest::default()).await.unwrap().total, 3);
    assert_eq!(world.a.keys(other, PageRequest::default()).await.unwrap().total, 5);
}
