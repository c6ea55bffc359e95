//! Callbacks: recorded with an execution, due with its end, handed over to one delivery.

use std::time::Duration;

use horarium_domain::callback::{DueCallback, HandedOver, Handover, NewCallback, SigningSecret};
use horarium_domain::execution::NewExecution;
use horarium_domain::job::{Job, QueueName};
use horarium_domain::queue::QueueLimits;
use horarium_domain::store::{CancelOutcome, Enqueued};
use horarium_domain::{ExecutionId, TenantId};
use serde_json::json;

use crate::World;
use crate::world::{assert_not_found, at, failure, lost, retry, success};

const LIMIT: usize = 10;

fn to_a_url() -> NewCallback {
    NewCallback { url: Some("https://example.com/hook".to_owned()), reference: None }
}

impl World {
    /// Has an execution of `job` accepted that is called back.
    async fn submit_called_back(&self, job: &Job) -> ExecutionId {
        let execution = self.execution(job);
        let id = execution.id;
        assert_eq!(self.a.enqueue_with_callback(execution, to_a_url(), None).await.unwrap(), Enqueued::Accepted);
        id
    }

    /// Has an execution of `job` that is called back run and end at `seconds`.
    async fn end_called_back(&self, job: &Job, seconds: i64) -> ExecutionId {
        let id = self.submit_called_back(job).await;
        let run = self.claim_one(at(seconds)).await;
        assert_eq!(run.lease.execution_id, id);
        self.succeed(&run, at(seconds)).await;
        id
    }

    async fn due(&self, seconds: i64) -> Vec<ExecutionId> {
        let due = self.a.due_callbacks(at(seconds), LIMIT).await.unwrap();
        due.into_iter().map(|callback| callback.execution_id).collect()
    }

    /// A delivery of the callback of an execution, by an execution of `job`.
    fn delivery(&self, job: &Job, of: ExecutionId) -> Handover {
        let delivery = NewExecution { unique_key: Some(of.to_string()), ..self.execution(job) };
        Handover { execution_id: of, delivery }
    }
}

/// A callback is stored with the execution it belongs to, for its tenant alone.
pub async fn a_callback_is_read_back_as_it_was_asked_for(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let job = world.job(tenant).await;
    let asked = NewCallback {
        url: Some("https://example.com/hook?a=1".to_owned()),
        reference: Some(json!({"order": 7, "tags": ["é", null]})),
    };
    let execution = world.execution(&job);
    let id = execution.id;
    let accepted = world.a.enqueue_with_callback(execution.clone(), asked.clone(), None).await.unwrap();
    assert_eq!(accepted, Enqueued::Accepted);
    let stored = world.b.callback(tenant, id).await.unwrap().unwrap();
    assert_eq!((stored.execution_id, &stored.asked), (id, &asked));
    assert_eq!((stored.due_at, stored.delivery_id), (None, None));
    assert_eq!(world.a.callback(other, id).await.unwrap(), None);
    let without = world.submit_one(&job).await;
    assert_eq!(world.a.callback(tenant, without).await.unwrap(), None);

    // The same id again changes nothing.
    assert_eq!(world.a.enqueue_with_callback(execution, to_a_url(), None).await.unwrap(), Enqueued::Accepted);
    assert_eq!(world.a.callback(tenant, id).await.unwrap().unwrap().asked, asked);
}

/// A caller who did not hear the answer asks again: while it runs, when it is over, and when the callback is handed over.
pub async fn an_execution_submitted_again_is_called_back_once(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let execution = NewExecution { unique_key: Some("k".to_owned()), ..world.execution(&job) };
    let id = execution.id;
    let submit = async || world.b.enqueue_with_callback(execution.clone(), to_a_url(), None).await.unwrap();
    assert_eq!(submit().await, Enqueued::Accepted);
    let run = world.claim_one(at(1)).await;
    assert_eq!(submit().await, Enqueued::Accepted);
    world.succeed(&run, at(2)).await;
    assert_eq!(submit().await, Enqueued::Accepted);
    assert_eq!(world.due(10).await, [id]);
    let handed_over = world.a.hand_over(vec![world.delivery(&job, id)], at(60)).await.unwrap();
    assert_eq!(handed_over, [HandedOver::Accepted]);
    assert_eq!(submit().await, Enqueued::Accepted);
    assert!(world.due(10).await.is_empty());
    let delivery = world.claim_one(at(3)).await;
    assert_ne!(delivery.lease.execution_id, id);
    assert!(world.claim(10, at(3)).await.is_empty());
}

/// Not before, and not when only an attempt ends.
pub async fn a_callback_becomes_due_with_the_end_of_its_execution(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let id = world.submit_called_back(&job).await;
    assert!(world.due(100).await.is_empty());
    let run = world.claim_one(at(1)).await;
    world.settle(retry(&run, at(2), at(2))).await;
    let run = world.claim_one(at(3)).await;
    world.settle(lost(&run, at(60))).await;
    let run = world.claim_one(at(61)).await;
    assert!(world.due(100).await.is_empty());
    world.succeed(&run, at(62)).await;
    assert!(world.due(61).await.is_empty());
    let due = world.b.due_callbacks(at(62), LIMIT).await.unwrap();
    assert_eq!(due, [DueCallback { execution_id: id, tenant_id: tenant, due_at: at(62) }]);
    // A result that comes late changes nothing.
    world.settle(success(&run, at(70))).await;
    assert_eq!(world.a.callback(tenant, id).await.unwrap().unwrap().due_at, Some(at(62)));
}

/// Failed, or cancelled while it waited or ran.
pub async fn a_callback_becomes_due_however_the_execution_ends(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let failed = world.submit_called_back(&job).await;
    let run = world.claim_one(at(1)).await;
    world.settle(failure(&run, at(2))).await;
    let ran = world.submit_called_back(&job).await;
    world.claim_one(at(3)).await;
    assert_eq!(world.a.cancel(tenant, ran, "alice", at(4)).await.unwrap(), CancelOutcome::WasRunning);
    let waited = world.submit_called_back(&job).await;
    assert_eq!(world.a.cancel(tenant, waited, "alice", at(5)).await.unwrap(), CancelOutcome::WasPending);
    assert_eq!(world.due(10).await, [failed, ran, waited]);
}

/// It only keeps the submitter's reference.
pub async fn a_callback_without_a_url_is_never_due(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let execution = world.execution(&job);
    let id = execution.id;
    let asked = NewCallback { url: None, reference: Some(json!("order-7")) };
    world.a.enqueue_with_callback(execution, asked.clone(), None).await.unwrap();
    let run = world.claim_one(at(1)).await;
    world.succeed(&run, at(2)).await;
    assert!(world.due(100).await.is_empty());
    assert_eq!(world.a.callback(tenant, id).await.unwrap().unwrap().asked, asked);
}

/// A duplicate, a full queue, no such job.
pub async fn an_execution_that_is_not_accepted_leaves_no_callback(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let job = world.job(tenant).await;
    let keyed = || NewExecution { unique_key: Some("k".to_owned()), ..world.execution(&job) };
    let (first, second) = (keyed(), keyed());
    let (first_id, second_id) = (first.id, second.id);
    assert_eq!(world.a.enqueue_with_callback(first, to_a_url(), None).await.unwrap(), Enqueued::Accepted);
    let answer = world.a.enqueue_with_callback(second, to_a_url(), None).await.unwrap();
    assert_eq!(answer, Enqueued::Duplicate(first_id));
    assert_eq!(world.a.callback(tenant, second_id).await.unwrap(), None);

    world.limit_queue(tenant, |limits| limits.max_length = Some(1)).await;
    let refused = world.execution(&job);
    let id = refused.id;
    let answer = world.a.enqueue_with_callback(refused, to_a_url(), None).await.unwrap();
    assert_eq!(answer, Enqueued::QueueFull { max_length: 1 });
    assert_eq!(world.a.callback(tenant, id).await.unwrap(), None);

    let foreign = NewExecution { tenant_id: other, ..world.execution(&job) };
    let id = foreign.id;
    assert_eq!(world.a.enqueue_with_callback(foreign, to_a_url(), None).await.unwrap(), Enqueued::NoSuchJob);
    assert_eq!(world.a.callback(other, id).await.unwrap(), None);
}

/// However many submit at once, through whichever node.
pub async fn a_queue_fills_to_its_limit_exactly_with_callbacks_too(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    world.limit_queue(tenant, |limits| limits.max_length = Some(5)).await;
    let submit = |number: usize| {
        let store = if number.is_multiple_of(2) { world.a.clone() } else { world.b.clone() };
        let execution = world.execution(&job);
        tokio::spawn(async move {
            match number % 3 {
                0 => store.enqueue(vec![execution]).await.unwrap()[0],
                _ => store.enqueue_with_callback(execution, to_a_url(), None).await.unwrap(),
            }
        })
    };
    let mut accepted = 0;
    let submitted: Vec<_> = (0..24).map(submit).collect();
    for answer in submitted {
        match answer.await.unwrap() {
            Enqueued::Accepted => accepted += 1,
            answer => assert_eq!(answer, Enqueued::QueueFull { max_length: 5 }),
        }
    }
    assert_eq!(accepted, 5);
}

/// Up to a limit.
pub async fn callbacks_come_the_longest_due_first(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let (job, theirs) = (world.job(tenant).await, world.job(other).await);
    let third = world.end_called_back(&job, 3).await;
    let first = world.end_called_back(&theirs, 1).await;
    let second = world.end_called_back(&job, 2).await;
    assert_eq!(world.due(10).await, [first, second, third]);
    assert_eq!(world.due(2).await, [first, second]);
    let due = world.a.due_callbacks(at(10), 2).await.unwrap();
    assert_eq!(due.len(), 2);
    assert_eq!(due[0].tenant_id, other);
}

/// The other is told, and writes nothing.
pub async fn of_two_nodes_that_hand_over_a_callback_one_delivers_it(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let mut ended = Vec::new();
    for second in 1..=4 {
        ended.push(world.end_called_back(&job, second).await);
    }
    let batch = || -> Vec<_> { ended.iter().map(|id| world.delivery(&job, *id)).collect() };
    let (one, mut other) = (batch(), batch());
    other.reverse();
    let (a, b) = (world.a.clone(), world.b.clone());
    let (one, other) = tokio::join!(
        tokio::spawn(async move { a.hand_over(one, at(100)).await.unwrap() }),
        tokio::spawn(async move { b.hand_over(other, at(100)).await.unwrap() })
    );
    let (one, mut other) = (one.unwrap(), other.unwrap());
    other.reverse();
    for (one, other) in one.iter().zip(&other) {
        let outcomes = [*one, *other];
        assert!(outcomes.contains(&HandedOver::Accepted) && outcomes.contains(&HandedOver::Superseded), "{outcomes:?}");
    }
    assert!(world.due(200).await.is_empty());
    let deliveries = world.claim(10, at(10)).await;
    assert_eq!(deliveries.len(), 4);
    for id in ended {
        let delivery = world.a.callback(tenant, id).await.unwrap().unwrap().delivery_id.unwrap();
        assert!(deliveries.iter().any(|run| run.lease.execution_id == delivery));
    }
}

/// It is not lost, and does not come at once again.
pub async fn a_delivery_that_is_refused_leaves_the_callback_due_later(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let deliverer = world.job_with(tenant, |spec| spec.queue = QueueName::system()).await;
    let id = world.end_called_back(&job, 1).await;
    let mut limits = QueueLimits::none(QueueName::system());
    limits.max_length = Some(0);
    world.a.set_queue(tenant, limits.clone()).await.unwrap();
    let answers = world.a.hand_over(vec![world.delivery(&deliverer, id)], at(30)).await.unwrap();
    assert_eq!(answers, [HandedOver::Postponed]);
    assert!(world.due(29).await.is_empty());
    assert_eq!(world.due(30).await, [id]);
    assert_eq!(world.a.callback(tenant, id).await.unwrap().unwrap().delivery_id, None);

    limits.max_length = None;
    world.a.set_queue(tenant, limits).await.unwrap();
    // A delivery that is live already, by its key, is the one that delivers it.
    let earlier = world.delivery(&deliverer, id).delivery;
    let earlier_id = world.submit(earlier).await;
    let answers = world.a.hand_over(vec![world.delivery(&deliverer, id)], at(60)).await.unwrap();
    assert_eq!(answers, [HandedOver::Accepted]);
    assert_eq!(world.a.callback(tenant, id).await.unwrap().unwrap().delivery_id, Some(earlier_id));
    assert_eq!(world.claim(10, at(61)).await.len(), 1);
}

/// Nor can one be delivered that is not due.
pub async fn another_tenant_cannot_deliver_a_callback(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let (job, theirs) = (world.job(tenant).await, world.job(other).await);
    let ended = world.end_called_back(&job, 1).await;
    let live = world.submit_called_back(&job).await;
    let batch = vec![world.delivery(&theirs, ended), world.delivery(&job, live)];
    let answers = world.a.hand_over(batch, at(30)).await.unwrap();
    assert_eq!(answers, [HandedOver::Superseded, HandedOver::Superseded]);
    assert_eq!(world.due(10).await, [ended]);
    assert_eq!(world.claim(10, at(2)).await.len(), 1);
    assert!(world.a.hand_over(Vec::new(), at(30)).await.unwrap().is_empty());
}

/// What is pruned or purged is called back no more.
pub async fn a_callback_goes_with_its_execution(world: World) {
    let tenant = world.tenant().await;
    let job = world.job(tenant).await;
    let pruned = world.end_called_back(&job, 1).await;
    assert_eq!(world.a.prune_executions(tenant, at(1) + Duration::from_mins(5), LIMIT).await.unwrap(), 1);
    assert_eq!(world.a.callback(tenant, pruned).await.unwrap(), None);
    let purged = world.end_called_back(&job, 2).await;
    world.a.purge_job(tenant, job.id, None).await.unwrap();
    assert_eq!(world.a.callback(tenant, purged).await.unwrap(), None);
    assert!(world.due(100).await.is_empty());
}

/// Of two that make the first one, one is kept, and both learn which.
pub async fn the_first_signing_secret_holds_until_it_is_replaced(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let secret = |text: &str, seconds| SigningSecret { sealed: text.to_owned(), created_at: at(seconds) };
    assert_eq!(world.a.signing_secret(tenant).await.unwrap(), None);
    let kept = world.a.keep_signing_secret(tenant, secret("one", 1)).await.unwrap();
    assert_eq!(kept, secret("one", 1));
    assert_eq!(world.b.keep_signing_secret(tenant, secret("two", 2)).await.unwrap(), kept);
    assert!(world.a.replace_signing_secret(tenant, secret("three", 3), None).await.unwrap());
    assert_eq!(world.b.signing_secret(tenant).await.unwrap(), Some(secret("three", 3)));
    // In the place of one that is gone, nothing is put.
    assert!(!world.a.replace_signing_secret(tenant, secret("lost", 4), Some(kept)).await.unwrap());
    let only = Some(secret("three", 3));
    assert!(world.b.replace_signing_secret(tenant, secret("anew", 3), only).await.unwrap());
    assert_eq!(world.a.signing_secret(tenant).await.unwrap(), Some(secret("anew", 3)));
    assert_eq!(world.a.signing_secret(other).await.unwrap(), None);
    assert!(world.a.replace_signing_secret(other, secret("four", 4), None).await.unwrap());
    assert_eq!(world.a.signing_secret(other).await.unwrap(), Some(secret("four", 4)));

    world.a.delete_tenant(tenant).await.unwrap();
    assert_eq!(world.a.signing_secret(tenant).await.unwrap(), None);
    let nobody: TenantId = world.new_tenant().id;
    assert_not_found(world.a.keep_signing_secret(nobody, secret("five", 5)).await);
    assert_not_found(world.a.replace_signing_secret(nobody, secret("six", 6), None).await);
}
