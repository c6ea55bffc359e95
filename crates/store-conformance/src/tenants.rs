//! Tenants: made whole, found by id or slug, removed whole.

use horarium_domain::TenantId;
use horarium_domain::execution::ExecutionState;
use horarium_domain::page::PageRequest;
use horarium_domain::store::{Conflict, Enqueued, Reservation, Reserved};
use horarium_domain::tenant::{Tenant, TenantRef};

use crate::World;
use crate::world::{START, assert_conflict, assert_not_found, at, at_millis};

pub async fn a_tenant_is_found_by_its_id_and_by_its_slug(world: World) {
    let tenant = Tenant {
        name: "Zoë & Söhne \"GmbH\"".to_owned(),
        is_active: false,
        created_at: at_millis(-1),
        ..world.new_tenant()
    };
    world.a.create_tenant(tenant.clone(), Vec::new()).await.unwrap();
    assert_eq!(world.b.tenant(&TenantRef::Id(tenant.id)).await.unwrap(), tenant);
    assert_eq!(world.b.tenant(&TenantRef::Slug(tenant.slug.clone())).await.unwrap(), tenant);
    assert_not_found(world.a.tenant(&TenantRef::Id(TenantId::from_uuid(world.ids.uuid(START)))).await);
    assert_not_found(world.a.tenant(&TenantRef::Slug("nobody".parse().unwrap())).await);
}

pub async fn a_tenant_comes_with_the_jobs_that_every_tenant_has(world: World) {
    let tenant = world.new_tenant();
    let manual = world.new_job(tenant.id, |_| {});
    let scheduled = world.new_job(tenant.id, |_| {});
    let jobs = vec![(manual.clone(), None), (scheduled.clone(), Some(at(60)))];
    world.a.create_tenant(tenant.clone(), jobs).await.unwrap();
    assert_eq!(world.summary(&manual).await.job, manual);
    assert_eq!(world.summary(&scheduled).await.next_run_at, Some(at(60)));
    let id = world.submit_one(&manual).await;
    assert_eq!(world.state(tenant.id, id).await, ExecutionState::Pending);
}

pub async fn an_id_or_slug_that_is_taken_makes_no_tenant(world: World) {
    let tenant = world.new_tenant();
    world.a.create_tenant(tenant.clone(), Vec::new()).await.unwrap();
    let same_slug = Tenant { slug: tenant.slug.clone(), ..world.new_tenant() };
    let job = world.new_job(same_slug.id, |_| {});
    let answer = world.a.create_tenant(same_slug.clone(), vec![(job.clone(), Some(at(60)))]).await;
    assert_conflict(answer, Conflict::NameTaken);
    assert_not_found(world.a.tenant(&TenantRef::Id(same_slug.id)).await);
    assert_not_found(world.a.job(same_slug.id, job.id).await);
    let same_id = Tenant { id: tenant.id, ..world.new_tenant() };
    assert_conflict(world.a.create_tenant(same_id, Vec::new()).await, Conflict::NameTaken);
    assert_eq!(world.a.tenant(&TenantRef::Id(tenant.id)).await.unwrap(), tenant);
}

pub async fn of_two_that_create_a_tenant_at_once_one_succeeds(world: World) {
    for _ in 0..5 {
        let first = world.new_tenant();
        let second = Tenant { slug: first.slug.clone(), ..world.new_tenant() };
        let (one, other) =
            tokio::join!(world.a.create_tenant(first, Vec::new()), world.b.create_tenant(second, Vec::new()));
        assert_eq!(usize::from(one.is_ok()) + usize::from(other.is_ok()), 1);
        assert_conflict(if one.is_ok() { other } else { one }, Conflict::NameTaken);
    }
}

pub async fn tenants_are_listed_by_slug(world: World) {
    for slug in ["beta", "alpha", "gamma", "delta"] {
        let tenant = Tenant { slug: slug.parse().unwrap(), ..world.new_tenant() };
        world.a.create_tenant(tenant, Vec::new()).await.unwrap();
    }
    let page = async |number| {
        let page = world.a.tenants(PageRequest { number, size: 3 }).await.unwrap();
        assert_eq!(page.total, 4);
        page.items.into_iter().map(|tenant| tenant.slug.as_str().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(page(1).await, ["alpha", "beta", "delta"]);
    assert_eq!(page(2).await, ["gamma"]);
    assert_eq!(page(3).await, [""; 0]);
}

pub async fn a_tenants_name_and_activity_can_be_changed(world: World) {
    let tenant = world.new_tenant();
    world.a.create_tenant(tenant.clone(), Vec::new()).await.unwrap();
    let changed = Tenant { name: "Another name".to_owned(), is_active: false, ..tenant.clone() };
    world.a.update_tenant(changed.clone()).await.unwrap();
    assert_eq!(world.b.tenant(&TenantRef::Id(tenant.id)).await.unwrap(), changed);

    let other_slug = Tenant { slug: "somebody-else".parse().unwrap(), created_at: at(99), ..tenant.clone() };
    world.a.update_tenant(other_slug).await.unwrap();
    assert_eq!(world.b.tenant(&TenantRef::Id(tenant.id)).await.unwrap(), tenant, "a slug stays for good");
    assert_not_found(world.a.update_tenant(world.new_tenant()).await);
}

pub async fn a_deleted_tenant_takes_everything_along(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let job = world.scheduled_job(tenant, at(60)).await;
    let kept = world.job(other).await;
    world.limit_queue(tenant, |queue| queue.max_length = Some(9)).await;
    let ended = world.run(&job, at(0), at(1), ExecutionState::Failed).await;
    let waiting = world.submit_one(&job).await;
    world.submit(world.execution_at(&job, at(30))).await;
    let key = crate::keys::new_key(&world, tenant);
    world.a.create_key(key.clone()).await.unwrap();
    let fresh = Reserved { at: at(0), seed: world.ids.request_seed(at(0)) };
    let reserve = async || world.a.reserve_key(tenant, "k", [1; 32], fresh, at(-60), at(-600)).await;
    assert_eq!(reserve().await.unwrap(), Reservation::Fresh(fresh));
    let kept_execution = world.submit_one(&kept).await;

    world.b.delete_tenant(tenant).await.unwrap();
    assert_not_found(world.a.tenant(&TenantRef::Id(tenant)).await);
    assert_not_found(world.a.job(tenant, job.id).await);
    assert_not_found(world.a.execution(tenant, ended).await);
    assert_not_found(world.a.execution(tenant, waiting).await);
    assert_not_found(world.a.key(key.id).await);
    assert!(world.a.queues(tenant, None, 100, at(0)).await.unwrap().is_empty());
    assert!(world.a.due(at(600), 10).await.unwrap().is_empty());
    assert_eq!(world.a.enqueue(vec![world.execution(&job)]).await.unwrap(), [Enqueued::NoSuchJob]);
    assert_eq!(world.a.promote(at(600), 10).await.unwrap().count, 0);
    assert_eq!(world.claim_one(at(600)).await.lease.execution_id, kept_execution);
    assert_not_found(world.a.delete_tenant(tenant).await);
    assert_eq!(world.a.tenants(PageRequest::default()).await.unwrap().total, 1);
}

pub async fn a_tenant_is_not_deleted_while_an_execution_of_it_runs(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.submit_one(&job).await;
    let run = world.claim_one(at(0)).await;
    let waiting = world.submit_one(&job).await;
    assert_conflict(world.a.delete_tenant(tenant).await, Conflict::ExecutionRunning);
    assert_eq!(world.state(tenant, waiting).await, ExecutionState::Pending, "nothing of it was done");
    world.succeed(&run, at(1)).await;
    world.a.delete_tenant(tenant).await.unwrap();
}
