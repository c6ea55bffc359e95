//! Tenants: who comes into being when, and what is refused.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

mod services_support;

use std::sync::Arc;

use horarium_domain::job::{CodeExecution, Job, JobSpec};
use horarium_domain::page::PageRequest;
use horarium_domain::store::JobFilter;
use horarium_domain::tenant::TenantRef;
use horarium_domain::{IdGenerator, TenantId, Timestamp};
use horarium_scheduler_engine::memory::MemoryStore;
use horarium_scheduler_engine::service::{NewTenant, ServiceError, TenantChange, TenantPolicy};
use services_support::{START, World, manual, problems};

fn slug(text: &str) -> TenantRef {
    text.parse().unwrap()
}

fn built_in(tenant_id: TenantId, ids: &IdGenerator, now: Timestamp) -> Vec<(Job, Option<Timestamp>)> {
    let spec = JobSpec::new("tidy", CodeExecution::of("tidy"));
    vec![(Job::new(ids.job(now), tenant_id, spec, now), None)]
}

async fn world(create_on_first_sight: bool) -> World {
    let policy = TenantPolicy { create_on_first_sight, built_in_jobs: Arc::new(built_in) };
    World::over(Arc::new(MemoryStore::new()), policy).await
}

#[tokio::test]
async fn a_tenant_comes_into_being_on_first_sight_with_the_jobs_that_every_tenant_has() {
    let world = world(true).await;
    let (tenants, jobs) = (&world.services.tenants, &world.services.jobs);
    assert_eq!(tenants.resolve(&slug("org-123")).await.unwrap(), None);
    let made = tenants.ensure(&slug("ORG-123")).await.unwrap().unwrap();
    assert_eq!((made.slug.as_str(), made.name.as_str(), made.is_active), ("org-123", "org-123", true));
    assert_eq!(jobs.list(made.id, &JobFilter::default(), PageRequest::default()).await.unwrap().total, 1);

    assert_eq!(tenants.ensure(&slug("org-123")).await.unwrap(), Some(made.clone()));
    assert_eq!(tenants.resolve(&TenantRef::Id(made.id)).await.unwrap(), Some(made));
}

#[tokio::test]
async fn a_tenant_that_is_named_by_its_id_gets_that_id_and_a_slug_made_of_it() {
    let world = world(true).await;
    let named = slug("018f3f5e-7a52-7c3e-9d5b-0a1b2c3d4e5f");
    let TenantRef::Id(id) = named else { panic!("a UUID is an id") };
    let made = world.services.tenants.ensure(&named).await.unwrap().unwrap();
    assert_eq!((made.id, made.slug.as_str()), (id, "tenant-018f3f5e7a527c3e9d5b0a1b2c3d4e5f"));
}

#[tokio::test]
async fn many_that_see_a_tenant_first_at_the_same_time_meet_in_one() {
    let world = world(true).await;
    let sights: Vec<_> = (0..20)
        .map(|_| {
            let tenants = world.services.tenants.clone();
            tokio::spawn(async move { tenants.ensure(&slug("busy")).await.unwrap().unwrap().id })
        })
        .collect();
    let mut ids = Vec::new();
    for sight in sights {
        ids.push(sight.await.unwrap());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1);
}

#[tokio::test]
async fn nothing_comes_into_being_where_that_is_switched_off_but_the_default_tenant() {
    let world = world(false).await;
    let tenants = &world.services.tenants;
    assert_eq!(tenants.ensure(&slug("org-123")).await.unwrap(), None);
    let default = tenants.ensure_default().await.unwrap();
    assert_eq!(default.slug.as_str(), "default");
    assert_eq!(tenants.ensure_default().await.unwrap(), default);
    assert_eq!(tenants.ensure(&slug("default")).await.unwrap(), Some(default));
}

#[tokio::test]
async fn a_new_tenants_slug_is_checked_and_taken_once() {
    let world = world(true).await;
    let tenants = &world.services.tenants;
    let new = |slug: &str| NewTenant { slug: Some(slug.into()), name: Some("A name".into()) };
    assert_eq!(problems(tenants.create(&NewTenant::default()).await), "slug: is required\n");
    assert!(problems(tenants.create(&new("-a")).await).starts_with("slug: a tenant's slug is"));
    let unnamed = NewTenant { slug: Some("b".into()), name: Some(String::new()) };
    assert_eq!(problems(tenants.create(&unnamed).await), "name: must not be empty\n");
    let made = tenants.create(&new("b")).await.unwrap();
    assert_eq!((made.name.as_str(), made.created_at), ("A name", START));
    assert!(matches!(tenants.create(&new("B")).await, Err(ServiceError::Conflict(_))));
}

#[tokio::test]
async fn a_tenant_that_is_deactivated_is_so_at_once_for_this_node() {
    let world = world(true).await;
    let tenants = &world.services.tenants;
    let made = tenants.ensure(&slug("org")).await.unwrap().unwrap();
    let change = TenantChange { name: Some(" The Org ".into()), is_active: Some(false) };
    let changed = tenants.update(made.id, &change).await.unwrap();
    assert_eq!((changed.name.as_str(), changed.is_active), ("The Org", false));
    assert_eq!(tenants.resolve(&slug("org")).await.unwrap(), Some(changed.clone()));
    assert_eq!(tenants.resolve(&TenantRef::Id(made.id)).await.unwrap(), Some(changed));
}

#[tokio::test]
async fn a_tenant_is_not_deleted_while_it_works_and_the_default_one_never() {
    let world = world(true).await;
    let (tenants, acme) = (&world.services.tenants, world.tenant().id);
    let job = world.create(manual("job")).await.job;
    world.trigger(job.id).await;
    let claimed = world.claim().await;
    assert!(matches!(tenants.delete(acme).await, Err(ServiceError::Conflict(_))));
    world.finish(&claimed[0], true).await;
    tenants.delete(acme).await.unwrap();
    assert_eq!(tenants.resolve(&slug("acme")).await.unwrap(), None);
    assert_eq!(tenants.delete(acme).await.unwrap_err(), ServiceError::NotFound("tenant"));

    let default = tenants.ensure_default().await.unwrap();
    assert!(matches!(tenants.delete(default.id).await, Err(ServiceError::Conflict(_))));
}
