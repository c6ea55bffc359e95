//! Schedules: each slot becomes its executions exactly once, or is recorded as skipped.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use horarium_domain::execution::{EventKind, ExecutionState, NewExecution, Trigger};
use horarium_domain::job::{ConcurrencyPolicy, Job};
use horarium_domain::store::{Conflict, Decide, DueSlot, FireOutcome, Firing, JobChange, SkippedSlots};
use horarium_domain::tenant::Tenant;
use horarium_domain::{ExecutionId, JobId, Timestamp};

use crate::World;
use crate::world::{assert_conflict, at, ids_of, success};

fn fired(accepted: usize) -> FireOutcome {
    FireOutcome::Fired { accepted, cancelled: Vec::new() }
}

async fn due(world: &World, now: Timestamp) -> Vec<(JobId, Timestamp)> {
    world.a.due(now, 100).await.unwrap().into_iter().map(|due| (due.job_id, due.slot)).collect()
}

async fn fire(world: &World, firing: Firing) -> FireOutcome {
    let mut outcomes = world.a.fire(vec![firing]).await.unwrap();
    assert_eq!(outcomes.len(), 1);
    outcomes.remove(0)
}

/// A decision to fire several slots of a job at once: one a minute, from `slots[0]` on.
fn catch_up(world: &World, job: &Job, slots: &[Timestamp], next: Option<Timestamp>) -> Firing {
    let executions = slots.iter().flat_map(|slot| world.firing(job, *slot, None).executions).collect();
    Firing { executions, now: slots[slots.len() - 1], ..world.firing(job, slots[0], next) }
}

pub async fn due_jobs_come_soonest_first(world: World) {
    let tenant = world.tenant().await;
    let mut jobs = Vec::new();
    for seconds in [30, 10, 20, 40] {
        jobs.push(world.scheduled_job(tenant, at(seconds)).await);
    }
    world.job(tenant).await;
    assert!(due(&world, at(9)).await.is_empty());
    let expected = [(jobs[1].id, at(10)), (jobs[2].id, at(20)), (jobs[0].id, at(30))];
    assert_eq!(due(&world, at(30)).await, expected);
    assert_eq!(world.a.due(at(60), 2).await.unwrap().len(), 2);
    assert_eq!(world.a.next_slot_at().await.unwrap(), Some(at(10)));

    let job = &jobs[1];
    let expected = DueSlot {
        tenant_id: tenant,
        job_id: job.id,
        slot: at(10),
        schedule: Arc::new(job.spec.schedule.clone()),
        misfire_policy: job.spec.misfire_policy,
        concurrency: job.spec.concurrency_policy,
        queue: job.spec.queue.clone(),
        priority: job.spec.priority,
    };
    assert_eq!(world.b.due(at(10), 100).await.unwrap(), [expected], "with what a decision takes");
}

/// A decision about each of these jobs: its slot fires, and the next one is a minute later.
fn fire_each(world: &World, jobs: &[(&Job, Timestamp)]) -> Decide {
    let firings = jobs.iter().map(|(job, slot)| world.firing(job, *slot, Some(*slot + Duration::from_mins(1))));
    let firings: HashMap<JobId, Firing> = firings.map(|firing| (firing.job_id, firing)).collect();
    Arc::new(move |due| {
        let firing = firings[&due.job_id].clone();
        assert_eq!((due.tenant_id, due.slot), (firing.tenant_id, firing.slot));
        firing
    })
}

pub async fn what_is_due_is_fired_as_it_was_decided(world: World) {
    let tenant = world.tenant().await;
    let (second, first) = (world.scheduled_job(tenant, at(20)).await, world.scheduled_job(tenant, at(10)).await);
    world.scheduled_job(tenant, at(90)).await;
    let decide = fire_each(&world, &[(&first, at(10)), (&second, at(20))]);
    let soonest = world.a.fire_due(at(30), 1, Arc::clone(&decide)).await.unwrap();
    let other = world.b.fire_due(at(30), 100, Arc::clone(&decide)).await.unwrap();
    let expected = |job: &Job, slot| {
        let due = DueSlot {
            tenant_id: tenant,
            job_id: job.id,
            slot,
            schedule: Arc::new(job.spec.schedule.clone()),
            misfire_policy: job.spec.misfire_policy,
            concurrency: job.spec.concurrency_policy,
            queue: job.spec.queue.clone(),
            priority: job.spec.priority,
        };
        [(decide(due), fired(1))]
    };
    assert_eq!((&soonest[..], &other[..]), (&expected(&first, at(10))[..], &expected(&second, at(20))[..]));
    assert!(world.a.fire_due(at(30), 100, decide).await.unwrap().is_empty());

    assert_eq!(due(&world, at(80)).await, [(first.id, at(70)), (second.id, at(80))], "each moved on from its slot");
    let accepted = [soonest[0].0.executions[0].id, other[0].0.executions[0].id];
    assert_eq!(ids_of(&world.claim(10, at(30)).await), accepted);
}

pub async fn planners_share_what_is_due_and_leave_nothing(world: World) {
    const JOBS: usize = 60;
    let tenant = world.tenant().await;
    let mut jobs = Vec::new();
    for _ in 0..JOBS {
        jobs.push(world.scheduled_job(tenant, at(60)).await);
    }
    let decide = fire_each(&world, &jobs.iter().map(|job| (job, at(60))).collect::<Vec<_>>());
    let planners = [&world.a, &world.b, &world.a, &world.b].map(|store| {
        let (store, decide) = (store.clone(), Arc::clone(&decide));
        tokio::spawn(async move {
            let mut fired = 0;
            while store.next_slot_at().await.unwrap().is_some_and(|next| next <= at(60)) {
                fired += store.fire_due(at(60), 7, Arc::clone(&decide)).await.unwrap().len();
            }
            fired
        })
    });
    let mut fired = 0;
    for planner in planners {
        fired += planner.await.unwrap();
    }
    assert_eq!(fired, JOBS);
    let runs = world.claim(2 * JOBS, at(60)).await;
    let of_jobs: HashSet<_> = runs.iter().map(|run| run.job_id).collect();
    assert_eq!((runs.len(), of_jobs.len()), (JOBS, JOBS), "each job's slot once");
}

pub async fn a_job_that_is_paused_disabled_or_deleted_is_not_due(world: World) {
    let tenant = world.tenant().await;
    let changes: [fn(&mut Job); 3] =
        [|job| job.is_paused = true, |job| job.spec.is_enabled = false, |job| job.is_deleted = true];
    for change in changes {
        let job = world.scheduled_job(tenant, at(10)).await;
        world.change_job(&job, None, change).await;
    }
    assert!(due(&world, at(600)).await.is_empty());
    assert_eq!(world.a.next_slot_at().await.unwrap(), None);
}

pub async fn the_jobs_of_an_inactive_tenant_are_not_due(world: World) {
    let tenant = world.new_tenant();
    world.a.create_tenant(tenant.clone(), Vec::new()).await.unwrap();
    let job = world.scheduled_job(tenant.id, at(10)).await;
    world.a.update_tenant(Tenant { is_active: false, ..tenant.clone() }).await.unwrap();
    assert!(due(&world, at(60)).await.is_empty());
    assert_eq!(world.a.next_slot_at().await.unwrap(), None, "nobody is woken for it");

    world.a.update_tenant(tenant).await.unwrap();
    assert_eq!(due(&world, at(60)).await, [(job.id, at(10))], "its slot is still there");
}

pub async fn a_fired_slot_becomes_an_execution_and_the_job_moves_on(world: World) {
    let tenant = world.tenant().await;
    let job = world.scheduled_job(tenant, at(10)).await;
    let firing = world.firing(&job, at(10), Some(at(70)));
    let id = firing.executions[0].id;
    assert_eq!(fire(&world, firing).await, fired(1));

    assert!(due(&world, at(69)).await.is_empty());
    assert_eq!(due(&world, at(70)).await, [(job.id, at(70))]);
    assert_eq!(world.summary(&job).await.next_run_at, Some(at(70)));
    let read = world.read(tenant, id).await.summary;
    assert_eq!((read.trigger, read.triggered_by.as_str()), (Trigger::Schedule, "schedule"));
    assert_eq!(read.scheduled_for, at(10));
    let run = world.claim_one(at(10)).await;
    assert_eq!((run.lease.execution_id, run.scheduled_for), (id, at(10)));
}

pub async fn an_execution_with_jitter_waits_for_its_own_time(world: World) {
    let tenant = world.tenant().await;
    let job = world.scheduled_job(tenant, at(10)).await;
    let mut firing = world.firing(&job, at(10), Some(at(70)));
    firing.executions[0].run_at = at(15);
    assert_eq!(fire(&world, firing).await, fired(1));
    assert!(world.claim(10, at(10)).await.is_empty());
    assert_eq!(world.a.promote(at(15), 10).await.unwrap().count, 1);
    assert_eq!(world.claim_one(at(15)).await.scheduled_for, at(10));
}

pub async fn a_schedule_that_has_ended_fires_no_more(world: World) {
    let tenant = world.tenant().await;
    let job = world.scheduled_job(tenant, at(10)).await;
    assert_eq!(fire(&world, world.firing(&job, at(10), None)).await, fired(1));
    assert!(due(&world, at(9_999)).await.is_empty());
    assert_eq!(world.a.next_slot_at().await.unwrap(), None);
    assert_eq!(world.summary(&job).await.next_run_at, None);
    assert_eq!(fire(&world, world.firing(&job, at(10), None)).await, FireOutcome::Superseded);
}

pub async fn a_slot_fires_once_however_many_planners_come_to_it(world: World) {
    let tenant = world.tenant().await;
    let mut jobs = Vec::new();
    for _ in 0..5 {
        jobs.push(world.scheduled_job(tenant, at(60)).await);
    }
    // Two planners race through ten slots of five jobs.
    let planners = [world.a.clone(), world.b.clone()].map(|store| {
        let batches: Vec<Vec<Firing>> = (1..=10)
            .map(|minute| {
                jobs.iter().map(|job| world.firing(job, at(60 * minute), Some(at(60 * (minute + 1))))).collect()
            })
            .collect();
        tokio::spawn(async move {
            let mut fired = 0;
            for batch in batches {
                for outcome in store.fire(batch).await.unwrap() {
                    fired += usize::from(outcome != FireOutcome::Superseded);
                }
            }
            fired
        })
    });
    let mut fired = 0;
    for planner in planners {
        fired += planner.await.unwrap();
    }
    assert_eq!(fired, 50);
    assert_eq!(world.claim(200, at(9_999)).await.len(), 50);
    for job in &jobs {
        assert_eq!(world.summary(job).await.next_run_at, Some(at(660)));
    }
}

pub async fn a_superseded_firing_writes_nothing(world: World) {
    let tenant = world.tenant().await;
    let job = world.scheduled_job(tenant, at(10)).await;
    assert_eq!(fire(&world, world.firing(&job, at(10), Some(at(70)))).await, fired(1));
    let late = Firing {
        skipped: vec![SkippedSlots {
            first: at(10),
            last: at(10),
            count: 1,
            reason: "late".to_owned(),
            recorded_at: at(11),
        }],
        ..world.firing(&job, at(10), Some(at(130)))
    };
    assert_eq!(fire(&world, late).await, FireOutcome::Superseded);
    assert_eq!(world.summary(&job).await.next_run_at, Some(at(70)));
    assert!(world.a.skipped_slots(tenant, job.id, 10).await.unwrap().is_empty());
    assert_eq!(world.claim(10, at(20)).await.len(), 1);
}

pub async fn the_answers_are_in_the_order_of_the_batch(world: World) {
    let tenant = world.tenant().await;
    let first = world.scheduled_job(tenant, at(10)).await;
    let second = world.scheduled_job(tenant, at(10)).await;
    let third = world.scheduled_job(tenant, at(10)).await;
    assert_eq!(fire(&world, world.firing(&second, at(10), Some(at(70)))).await, fired(1));
    let nothing = Firing { executions: Vec::new(), ..world.firing(&first, at(10), Some(at(70))) };
    let batch = vec![
        catch_up(&world, &third, &[at(10), at(70)], Some(at(130))),
        world.firing(&second, at(10), Some(at(70))),
        nothing,
    ];
    assert_eq!(world.a.fire(batch).await.unwrap(), [fired(2), FireOutcome::Superseded, fired(0)]);
}

pub async fn a_job_that_changed_since_it_was_due_is_not_fired(world: World) {
    let tenant = world.tenant().await;
    let rescheduled = world.scheduled_job(tenant, at(10)).await;
    let paused = world.scheduled_job(tenant, at(10)).await;
    let deleted = world.scheduled_job(tenant, at(10)).await;
    let purged = world.scheduled_job(tenant, at(10)).await;
    assert_eq!(due(&world, at(10)).await.len(), 4);
    world.change_job(&rescheduled, Some(at(15)), |_| {}).await;
    world.change_job(&paused, None, |job| job.is_paused = true).await;
    world.change_job(&deleted, None, |job| job.is_deleted = true).await;
    world.b.purge_job(tenant, purged.id, None).await.unwrap();

    let jobs = [&rescheduled, &paused, &deleted, &purged];
    let batch = jobs.map(|job| world.firing(job, at(10), Some(at(70)))).to_vec();
    let outcomes = world.a.fire(batch).await.unwrap();
    assert!(outcomes.iter().all(|outcome| *outcome == FireOutcome::Superseded), "{outcomes:?}");
    assert_eq!(world.summary(&rescheduled).await.next_run_at, Some(at(15)));
    assert!(world.claim(10, at(10)).await.is_empty());
}

pub async fn a_change_decided_on_a_slot_that_fired_meanwhile_is_a_conflict(world: World) {
    let tenant = world.tenant().await;
    let job = world.scheduled_job(tenant, at(10)).await;
    assert_eq!(fire(&world, world.firing(&job, at(10), Some(at(70)))).await, fired(1));
    let change = JobChange {
        job: Job { version: 2, ..job.clone() },
        expected_version: 1,
        seen_next_run_at: Some(at(10)),
        next_run_at: Some(at(10)),
    };
    assert_conflict(world.a.update_job(change.clone()).await, Conflict::VersionChanged);
    assert_eq!(world.summary(&job).await.next_run_at, Some(at(70)), "the slot does not fire again");
    let unaware = JobChange { seen_next_run_at: None, ..change.clone() };
    assert_conflict(world.a.update_job(unaware).await, Conflict::VersionChanged);
    world
        .a
        .update_job(JobChange { seen_next_run_at: Some(at(70)), next_run_at: Some(at(80)), ..change })
        .await
        .unwrap();
    assert_eq!(world.summary(&job).await.next_run_at, Some(at(80)));
}

pub async fn another_tenants_job_cannot_be_fired(world: World) {
    let job = world.scheduled_job(world.tenant().await, at(10)).await;
    let stranger = world.tenant().await;
    let firing = world.firing(&job, at(10), Some(at(70)));
    let executions = firing.executions.iter().cloned();
    let executions = executions.map(|execution| NewExecution { tenant_id: stranger, ..execution }).collect();
    let foreign = Firing { tenant_id: stranger, executions, ..firing };
    assert_eq!(fire(&world, foreign).await, FireOutcome::Superseded);
    assert_eq!(due(&world, at(10)).await, [(job.id, at(10))]);
}

pub async fn skipped_slots_are_recorded_latest_first(world: World) {
    let tenant = world.tenant().await;
    let job = world.scheduled_job(tenant, at(60)).await;
    let skipped = |first: i64, last: i64, count: u64| SkippedSlots {
        first: at(first),
        last: at(last),
        count,
        reason: "missed while nobody was there: 'Skip'".to_owned(),
        recorded_at: at(last + 60),
    };
    let (early, late) = (skipped(60, 600, 10), skipped(660, 660, 1));
    let firing =
        Firing { executions: Vec::new(), skipped: vec![early.clone()], ..world.firing(&job, at(60), Some(at(660))) };
    assert_eq!(fire(&world, firing).await, fired(0));
    let firing = Firing { skipped: vec![late.clone()], ..world.firing(&job, at(660), Some(at(720))) };
    assert_eq!(fire(&world, firing).await, fired(1));

    assert_eq!(world.b.skipped_slots(tenant, job.id, 10).await.unwrap(), [late.clone(), early]);
    assert_eq!(world.b.skipped_slots(tenant, job.id, 1).await.unwrap(), [late]);
}

async fn skipped_count(world: &World, job: &Job) -> u64 {
    let skipped = world.a.skipped_slots(job.tenant_id, job.id, 100).await.unwrap();
    assert!(skipped.iter().all(|slots| !slots.reason.is_empty()));
    skipped.iter().map(|slots| slots.count).sum()
}

pub async fn forbid_skips_a_slot_while_an_earlier_execution_is_live(world: World) {
    let tenant = world.tenant().await;
    let job =
        world.scheduled_job_with(tenant, at(60), |spec| spec.concurrency_policy = ConcurrencyPolicy::Forbid).await;
    assert_eq!(fire(&world, world.firing(&job, at(60), Some(at(120)))).await, fired(1));
    assert_eq!(fire(&world, world.firing(&job, at(120), Some(at(180)))).await, fired(0), "the first waits");
    let run = world.claim_one(at(150)).await;
    assert_eq!(fire(&world, world.firing(&job, at(180), Some(at(240)))).await, fired(0), "the first runs");
    assert_eq!(world.summary(&job).await.next_run_at, Some(at(240)));

    let skipped = world.a.skipped_slots(tenant, job.id, 10).await.unwrap();
    let slots: Vec<_> = skipped.iter().map(|slots| (slots.first, slots.last, slots.count, slots.recorded_at)).collect();
    assert_eq!(slots, [(at(180), at(180), 1, at(180)), (at(120), at(120), 1, at(120))]);

    world.settle(success(&run, at(200))).await;
    assert_eq!(fire(&world, world.firing(&job, at(240), Some(at(300)))).await, fired(1));
    assert_eq!(skipped_count(&world, &job).await, 2);
}

pub async fn forbid_accepts_one_of_several_slots_of_one_firing(world: World) {
    let tenant = world.tenant().await;
    let job =
        world.scheduled_job_with(tenant, at(60), |spec| spec.concurrency_policy = ConcurrencyPolicy::Forbid).await;
    let firing = catch_up(&world, &job, &[at(60), at(120), at(180)], Some(at(240)));
    assert_eq!(fire(&world, firing).await, fired(1));
    assert_eq!(skipped_count(&world, &job).await, 2);
    assert_eq!(world.claim(10, at(240)).await.len(), 1);
}

pub async fn forbid_heeds_what_somebody_triggered(world: World) {
    let tenant = world.tenant().await;
    let job =
        world.scheduled_job_with(tenant, at(60), |spec| spec.concurrency_policy = ConcurrencyPolicy::Forbid).await;
    let triggered = world.submit_many(&job, 2).await;
    assert_eq!(fire(&world, world.firing(&job, at(60), Some(at(120)))).await, fired(0));
    assert_eq!(ids_of(&world.claim(10, at(60)).await), [triggered[0]], "the other one waits its turn");
}

pub async fn replace_cancels_what_is_live_and_tells_what_ran(world: World) {
    let tenant = world.tenant().await;
    let job =
        world.scheduled_job_with(tenant, at(60), |spec| spec.concurrency_policy = ConcurrencyPolicy::Replace).await;
    let ids = world.submit_many(&job, 2).await;
    let run = world.claim_one(at(30)).await;
    assert_eq!(run.lease.execution_id, ids[0]);

    let firing = world.firing(&job, at(60), Some(at(120)));
    let replacement = firing.executions[0].id;
    let outcome = fire(&world, firing).await;
    assert_eq!(outcome, FireOutcome::Fired { accepted: 1, cancelled: vec![ids[0]] });
    for id in ids {
        let read = world.read(tenant, id).await;
        assert_eq!(read.summary.lifecycle.state, ExecutionState::Cancelled);
        assert_eq!(read.summary.completed_at, Some(at(60)));
        assert_eq!((read.events[0].kind, read.events[0].source.as_str()), (EventKind::Cancelled, "schedule"));
    }
    assert_eq!(world.settle(success(&run, at(61))).await, horarium_domain::store::Settled::Stale);
    assert_eq!(world.claim_one(at(61)).await.lease.execution_id, replacement);
    let (counters, _) = world.a.job_statistics(tenant, job.id).await.unwrap();
    assert_eq!((counters.cancelled, counters.running), (2, 1));
}

pub async fn replace_leaves_other_jobs_alone(world: World) {
    let tenant = world.tenant().await;
    let other = world.job(tenant).await;
    let kept = world.submit_one(&other).await;
    let job =
        world.scheduled_job_with(tenant, at(60), |spec| spec.concurrency_policy = ConcurrencyPolicy::Replace).await;
    assert_eq!(fire(&world, world.firing(&job, at(60), None)).await, fired(1));
    assert_eq!(world.state(tenant, kept).await, ExecutionState::Pending);
}

pub async fn a_full_queue_skips_the_slot(world: World) {
    let tenant = world.tenant().await;
    world.limit_queue(tenant, |queue| queue.max_length = Some(2)).await;
    let job = world.scheduled_job(tenant, at(60)).await;
    let firing = catch_up(&world, &job, &[at(60), at(120), at(180)], Some(at(240)));
    let expected: Vec<ExecutionId> = firing.executions[..2].iter().map(|execution| execution.id).collect();
    assert_eq!(fire(&world, firing).await, fired(2));
    let skipped = world.a.skipped_slots(tenant, job.id, 10).await.unwrap();
    assert_eq!(skipped.len(), 1);
    assert_eq!((skipped[0].first, skipped[0].last, skipped[0].count), (at(180), at(180), 1));
    assert_eq!(world.summary(&job).await.next_run_at, Some(at(240)), "the schedule goes on");
    assert_eq!(ids_of(&world.claim(10, at(240)).await), expected);
}

pub async fn what_is_fired_is_held_to_the_limits_of_its_queue_and_job(world: World) {
    let tenant = world.tenant().await;
    let job = world.scheduled_job_with(tenant, at(60), |spec| spec.max_concurrency = Some(1)).await;
    assert_eq!(fire(&world, catch_up(&world, &job, &[at(60), at(120)], Some(at(180)))).await, fired(2));
    assert_eq!(world.claim(10, at(180)).await.len(), 1);
    assert_eq!(world.claim(10, at(180)).await.len(), 0);
}
