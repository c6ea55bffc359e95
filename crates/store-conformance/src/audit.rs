//! The audit log.

use horarium_domain::audit::{AuditActor, AuditActorKind, AuditEntry, AuditTarget};
use horarium_domain::callback::NewCallback;
use horarium_domain::execution::NewExecution;
use horarium_domain::store::{AcceptanceNote, AuditFilter, Enqueued};
use horarium_domain::{AuditId, ExecutionId, TenantId};

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

/// What is noted of the execution at this position of a batch.
fn noted(world: &World, tenant: TenantId, position: usize) -> AcceptanceNote {
    AcceptanceNote { entry: entry(world, tenant, 0), asked: position..position + 1 }
}

/// What the entries of a tenant are about, the oldest first.
async fn targets(world: &World, tenant: TenantId) -> Vec<AuditTarget> {
    let entries = world.b.audit(tenant, &AuditFilter::default(), None, 100).await.unwrap();
    entries.into_iter().rev().filter_map(|entry| entry.target).collect()
}

fn about(before: Option<&str>, after: String) -> AuditTarget {
    let kind = if before.is_some() { "job" } else { "execution" };
    let (kind, before, after) = (kind.to_owned(), before.map(str::to_owned), Some(after));
    AuditTarget { kind, before, after, ..AuditTarget::default() }
}

pub async fn what_is_noted_of_executions_is_written_with_those_that_are_accepted(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let (job, foreign) = (world.job(tenant).await, world.job(other).await);
    let keyed = || NewExecution { unique_key: Some("k".to_owned()), ..world.execution(&job) };
    let nowhere = NewExecution { job_id: foreign.id, ..world.execution(&job) };
    let batch = [world.execution(&job), keyed(), keyed(), nowhere, world.execution(&job)];
    let ids: Vec<ExecutionId> = batch.iter().map(|new| new.id).collect();
    let mut notes: Vec<_> = (0..4).map(|position| noted(&world, tenant, position)).collect();
    notes[0].entry.target =
        Some(AuditTarget { kind: "job".to_owned(), before: Some("j".to_owned()), ..AuditTarget::default() });
    let answers = world.a.enqueue_noted(batch.to_vec(), notes).await.unwrap();
    let accepted = Enqueued::Accepted;
    assert_eq!(answers, [accepted, accepted, Enqueued::Duplicate(ids[1]), Enqueued::NoSuchJob, accepted]);
    let expected = [about(Some("j"), ids[0].to_string()), about(None, ids[1].to_string())];
    assert_eq!(targets(&world, tenant).await, expected);
    assert_eq!(world.claim(10, at(0)).await.len(), 3);

    // Whoever did not hear the answer asks again, as another call, and beside others.
    let again = vec![world.execution(&job), batch[0].clone()];
    let notes = vec![noted(&world, tenant, 1)];
    assert_eq!(world.b.enqueue_noted(again, notes).await.unwrap(), [accepted, accepted]);
    assert_eq!(targets(&world, tenant).await[2..], [about(None, ids[0].to_string())]);
    assert_eq!(world.claim(10, at(1)).await.len(), 1);
}

pub async fn a_batch_is_noted_with_the_first_and_the_last_of_it_that_are_accepted(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.limit_queue(tenant, |queue| queue.max_length = Some(2)).await;
    let submit = async || {
        let batch: Vec<_> = (0..3).map(|_| world.execution(&job)).collect();
        let ids: Vec<ExecutionId> = batch.iter().map(|new| new.id).collect();
        let note = AcceptanceNote { entry: entry(&world, tenant, 0), asked: 0..3 };
        (ids, world.a.enqueue_noted(batch, vec![note]).await.unwrap())
    };
    let full = Enqueued::QueueFull { max_length: 2 };
    let (ids, answers) = submit().await;
    assert_eq!(answers, [Enqueued::Accepted, Enqueued::Accepted, full]);
    let noted = [about(None, format!("{}..{}", ids[0], ids[1]))];
    assert_eq!(targets(&world, tenant).await, noted);
    assert_eq!(submit().await.1, [full, full, full]);
    assert_eq!(targets(&world, tenant).await, noted, "there was nothing to note");
}

pub async fn an_execution_with_a_callback_is_noted_if_it_is_accepted(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let keyed = || NewExecution { unique_key: Some("k".to_owned()), ..world.execution(&job) };
    let (first, second) = (keyed(), keyed());
    let id = first.id;
    for execution in [first, second] {
        let note = Some(noted(&world, tenant, 0));
        world.a.enqueue_with_callback(execution, NewCallback::default(), note).await.unwrap();
    }
    assert_eq!(targets(&world, tenant).await, [about(None, id.to_string())]);
}

pub async fn an_entry_that_is_there_stays_as_it_is(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let unanswered = AuditEntry { status: None, ..entry(&world, tenant, 0) };
    world.a.append_audit(vec![unanswered.clone()]).await.unwrap();
    let later = AuditEntry { status: Some(202), ..unanswered.clone() };
    world.a.append_audit(vec![later.clone()]).await.unwrap();
    let note = AcceptanceNote { entry: later, asked: 0..1 };
    let answers = world.b.enqueue_noted(vec![world.execution(&job)], vec![note]).await.unwrap();
    assert_eq!(answers, [Enqueued::Accepted]);
    assert_eq!(world.b.audit(tenant, &AuditFilter::default(), None, 10).await.unwrap(), [unanswered]);
}
