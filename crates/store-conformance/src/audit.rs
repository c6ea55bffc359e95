//! The audit log.

use horarium_domain::audit::{AuditActor, AuditActorKind, AuditEntry, AuditTarget};
use horarium_domain::store::AuditFilter;
use horarium_domain::{AuditId, TenantId};

use crate::World;
use crate::world::{START, at, at_millis};

fn entry(world: &World, tenant: TenantId, seconds: i64) -> AuditEntry {
    AuditEntry {
        id: world.ids.audit(at(seconds)),
        tenant_id: tenant,
        at: at(seconds),
        actor: AuditActor { kind: AuditActorKind::Token, id: "alice".to_owned(), name: None, email: None },
        action: "trigger_job".to_owned(),
        method: "POST".to_owned(),
        route: "/jobs/{jobId}/trigger".to_owned(),
        target: None,
        status: Some(202),
        address: None,
        user_agent: None,
        request_id: "r1".to_owned(),
    }
}

async fn listed(world: &World, tenant: TenantId, filter: &AuditFilter) -> Vec<AuditId> {
    world.b.audit(tenant, filter, None, 100).await.unwrap().into_iter().map(|entry| entry.id).collect()
}

pub async fn an_entry_is_read_back_as_it_was_written(world: World) {
    let tenant = world.tenant().await;
    let full = AuditEntry {
        at: at_millis(1),
        actor: AuditActor {
            kind: AuditActorKind::ApiKey,
            id: "api-key:7".to_owned(),
            name: Some("CI of Zoë's \"team\"".to_owned()),
            email: Some("zoe@example.org".to_owned()),
        },
        target: Some(AuditTarget {
            kind: "execution".to_owned(),
            before: Some("e1".to_owned()),
            after: Some("e2".to_owned()),
            version_before: Some(3),
            version_after: Some(4),
        }),
        status: Some(599),
        address: Some("2001:db8::1".to_owned()),
        user_agent: Some("curl/8".to_owned()),
        ..entry(&world, tenant, 0)
    };
    let bare = AuditEntry { status: None, ..entry(&world, tenant, 1) };
    world.a.append_audit(vec![full.clone(), bare.clone()]).await.unwrap();
    world.a.append_audit(Vec::new()).await.unwrap();
    let found = world.b.audit(tenant, &AuditFilter::default(), None, 10).await.unwrap();
    assert_eq!(found, [bare, full]);
}

pub async fn an_audit_log_is_walked_from_the_newest_to_the_oldest(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let entries: Vec<_> = (0..5).map(|second| entry(&world, tenant, second)).collect();
    let mut expected: Vec<_> = entries.iter().map(|entry| entry.id).collect();
    expected.reverse();
    world.a.append_audit(entries).await.unwrap();
    world.a.append_audit(vec![entry(&world, other, 2)]).await.unwrap();

    let mut found = Vec::new();
    let mut before = None;
    loop {
        let page = world.a.audit(tenant, &AuditFilter::default(), before, 2).await.unwrap();
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        before = Some(last.id);
        found.extend(page.into_iter().map(|entry| entry.id));
    }
    assert_eq!(found, expected);
    assert_eq!(listed(&world, other, &AuditFilter::default()).await.len(), 1);
}

pub async fn an_audit_log_is_filtered_by_actor_action_target_and_time(world: World) {
    let tenant = world.tenant().await;
    let about = |before: Option<&str>, after: Option<&str>| {
        let (before, after) = (before.map(str::to_owned), after.map(str::to_owned));
        Some(AuditTarget { kind: "execution".to_owned(), before, after, ..AuditTarget::default() })
    };
    let first = AuditEntry { target: about(Some("e1"), Some("e2")), ..entry(&world, tenant, 0) };
    let second = AuditEntry { target: about(None, Some("e1")), action: "x".to_owned(), ..entry(&world, tenant, 1) };
    let mut third = AuditEntry { target: about(Some("e3"), None), ..entry(&world, tenant, 2) };
    third.actor.id = "bob".to_owned();
    let same = AuditEntry { target: about(Some("e4"), Some("e4")), ..entry(&world, tenant, 3) };
    let ids = [first.id, second.id, third.id, same.id];
    world.a.append_audit(vec![first, second, third, same]).await.unwrap();

    let named = |text: &str| Some(text.to_owned());
    let none = AuditFilter::default;
    let cases: [(AuditFilter, &[usize]); 10] = [
        (none(), &[3, 2, 1, 0]),
        (AuditFilter { actor: named("bob"), ..none() }, &[2]),
        (AuditFilter { actor: named("bo"), ..none() }, &[]),
        (AuditFilter { action: named("trigger_job"), ..none() }, &[3, 2, 0]),
        (AuditFilter { target: named("e1"), ..none() }, &[1, 0]),
        (AuditFilter { target: named("e4"), ..none() }, &[3]),
        (AuditFilter { target: named("e3"), actor: named("alice"), ..none() }, &[]),
        (AuditFilter { since: Some(at(1)), ..none() }, &[3, 2, 1]),
        (AuditFilter { until: Some(at(1)), ..none() }, &[0]),
        (AuditFilter { since: Some(at(1)), until: Some(at(3)), target: named("e1"), ..none() }, &[1]),
    ];
    for (filter, expected) in cases {
        let expected: Vec<_> = expected.iter().map(|index| ids[*index]).collect();
        assert_eq!(listed(&world, tenant, &filter).await, expected, "{filter:?}");
    }
}

pub async fn another_tenants_entries_are_not_shown(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let mut theirs = entry(&world, tenant, 0);
    theirs.target =
        Some(AuditTarget { kind: "job".to_owned(), before: Some("j".to_owned()), ..AuditTarget::default() });
    world.a.append_audit(vec![theirs]).await.unwrap();
    for filter in [AuditFilter::default(), AuditFilter { target: Some("j".to_owned()), ..AuditFilter::default() }] {
        assert!(listed(&world, other, &filter).await.is_empty());
    }
}

pub async fn what_is_past_its_time_is_deleted_a_batch_at_a_time_and_nothing_else(world: World) {
    let (tenant, gone) = (world.tenant().await, world.new_tenant().id);
    let old: Vec<_> = (0..5).map(|second| entry(&world, if second < 4 { tenant } else { gone }, second)).collect();
    let kept = [entry(&world, tenant, 10), entry(&world, tenant, 11)];
    let ids: Vec<_> = kept.iter().rev().map(|entry| entry.id).collect();
    world.a.append_audit(old).await.unwrap();
    world.a.append_audit(kept.to_vec()).await.unwrap();
    assert_eq!(world.a.prune_audit(START, 100).await.unwrap(), 0);
    assert_eq!(world.a.prune_audit(at(10), 3).await.unwrap(), 3);
    assert_eq!(world.a.prune_audit(at(10), 3).await.unwrap(), 2);
    assert_eq!(world.a.prune_audit(at(10), 3).await.unwrap(), 0);
    // A later call with an earlier instant brings nothing back and takes nothing away.
    assert_eq!(world.a.prune_audit(at(5), 3).await.unwrap(), 0);
    assert_eq!(listed(&world, tenant, &AuditFilter::default()).await, ids);
}
