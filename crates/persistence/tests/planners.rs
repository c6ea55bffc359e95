//! Nodes that plan one PostgreSQL database together.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test that cannot go on panics

mod common;

use std::sync::Arc;
use std::time::{Duration, Instant};

use common::fixtures::{NOW, job, tenant};
use common::{PostgresDatabase, block_on, with_connection};
use horarium_domain::execution::{NewExecution, Trigger};
use horarium_domain::job::Job;
use horarium_domain::schedule::{PlanLimits, Schedule, ScheduleInput};
use horarium_domain::store::{Decide, DueSlot, Firing, SharedStore};
use horarium_domain::tenant::Tenant;
use horarium_domain::{IdGenerator, Timestamp};

const SLOT: Timestamp = Timestamp::from_seconds(1_760_000_040);

/// A tenant with so many jobs, which are all due at [`SLOT`], and each minute after it.
async fn crowd(store: &SharedStore, jobs: usize) -> Tenant {
    let owner = tenant("planned");
    store.create_tenant(owner.clone(), Vec::new()).await.unwrap();
    let schedule = Schedule::new(ScheduleInput::cron("* * * * *"), NOW).unwrap();
    let jobs: Vec<(Job, Option<Timestamp>)> = (0..jobs)
        .map(|number| {
            let mut job = job(&owner, &format!("job-{number}"));
            job.spec.schedule = schedule.clone();
            (job, Some(SLOT))
        })
        .collect();
    for part in jobs.chunks(1000) {
        store.import_jobs(part.to_vec(), false).await.unwrap();
    }
    owner
}

/// Decides as the engine's planner does.
fn as_planned() -> Decide {
    let ids = IdGenerator::new();
    Arc::new(move |due: DueSlot| {
        let plan = due.schedule.plan(due.slot, SLOT, due.misfire_policy, PlanLimits::default());
        let executions = plan.fire.iter().map(|slot| NewExecution {
            id: ids.execution(SLOT),
            tenant_id: due.tenant_id,
            job_id: due.job_id,
            trigger: Trigger::Schedule,
            triggered_by: "schedule".to_owned(),
            payload: None,
            queue: due.queue.as_str().to_owned(),
            priority: due.priority,
            scheduled_for: slot.at,
            run_at: slot.at,
            created_at: SLOT,
            retry_parent_id: None,
            unique_key: None,
            concurrency_key: None,
            max_attempts: None,
        });
        Firing {
            tenant_id: due.tenant_id,
            job_id: due.job_id,
            slot: due.slot,
            next: plan.next,
            executions: executions.collect(),
            skipped: Vec::new(),
            concurrency: due.concurrency,
            now: SLOT,
        }
    })
}

#[test]
fn what_a_planner_dies_with_is_passed_over_until_then_and_fired_by_another() {
    block_on(async {
        let Some(database) = PostgresDatabase::migrated().await else { return };
        let store: SharedStore = Arc::new(database.store().await);
        crowd(&store, 30).await;
        let url = database.text();
        let fired = with_connection(&url, async |dying| {
            let hold = "begin; select from job_slots order by job_id limit 10 for update";
            dying.batch_execute(hold).await.unwrap();
            let fire = store.fire_due(SLOT, 100, as_planned());
            tokio::time::timeout(Duration::from_secs(20), fire).await.expect("it waits for nobody").unwrap().len()
        });
        assert_eq!(fired.await, 20);
        // The connection is gone, and with it the transaction; the server may take a moment to see it.
        let deadline = Instant::now() + Duration::from_secs(20);
        let mut left = 10;
        while left > 0 {
            assert!(Instant::now() < deadline, "{left} slots are left unfired");
            left -= store.fire_due(SLOT, 100, as_planned()).await.unwrap().len();
        }
        assert_eq!(store.next_slot_at().await.unwrap(), Some(SLOT + Duration::from_mins(1)));
    });
}

/// A hundred thousand jobs of the one.
const MULTIPLY: &str = "
    insert into jobs select more.* from jobs job cross join generate_series(2, 100000) number
    cross join lateral jsonb_populate_record(job, jsonb_build_object('id', gen_random_uuid(), 'name', number)) more;
    insert into job_counters (job_id, tenant_id) select id, tenant_id from jobs on conflict do nothing;
    insert into job_slots (job_id, tenant_id, next_run_at)
    select job.id, job.tenant_id, slot.next_run_at from jobs job cross join job_slots slot on conflict do nothing;
    analyze";

/// How long two nodes take to fire a hundred thousand slots of one instant.
#[test]
#[ignore = "a measurement: cargo test --release -p horarium-persistence --test planners -- --ignored --nocapture"]
fn a_hundred_thousand_slots_of_one_instant_are_fired_in_seconds() {
    const JOBS: usize = 100_000;
    const BATCH: usize = 500;
    block_on(async {
        let Some(database) = PostgresDatabase::migrated().await else { return };
        let nodes: [SharedStore; 2] = [Arc::new(database.store().await), Arc::new(database.store().await)];
        crowd(&nodes[0], 1).await;
        with_connection(&database.text(), async |client| client.batch_execute(MULTIPLY).await.unwrap()).await;
        let started = Instant::now();
        let planners = [0, 0, 1, 1].map(|node| {
            let (store, decide) = (Arc::clone(&nodes[node]), as_planned());
            tokio::spawn(async move {
                let mut fired = 0;
                while store.next_slot_at().await.unwrap().is_some_and(|next| next <= SLOT) {
                    fired += store.fire_due(SLOT, BATCH, Arc::clone(&decide)).await.unwrap().len();
                }
                fired
            })
        });
        let mut shares = Vec::new();
        for planner in planners {
            shares.push(planner.await.unwrap());
        }
        println!("{JOBS} slots in {:?}, by the planners {shares:?}", started.elapsed());
        assert_eq!(shares.iter().sum::<usize>(), JOBS, "each once");
    });
}
