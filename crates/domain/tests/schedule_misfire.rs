//! What becomes of slots that a planner comes to late.

#![allow(clippy::unwrap_used, reason = "a helper of a test may fail by panicking, as a test does")]

use std::time::Duration;

use horarium_domain::Timestamp;
use horarium_domain::schedule::{MisfirePolicy, Plan, PlanLimits, Schedule, ScheduleInput, SkipReason, Skipped, Slot};

const LIMITS: PlanLimits = PlanLimits { grace: Duration::from_secs(30), max_fires: 3 };

fn at(text: &str) -> Timestamp {
    format!("2025-01-01T{text}Z").parse().unwrap()
}

fn every_minute() -> Schedule {
    Schedule::new(ScheduleInput::cron("* * * * *"), at("00:00:00")).unwrap()
}

fn missed(text: &str) -> Slot {
    Slot { at: at(text), missed: true }
}

fn on_time(text: &str) -> Slot {
    Slot { at: at(text), missed: false }
}

#[test]
fn nothing_is_due_before_the_slot() {
    let plan = every_minute().plan(at("00:05:00"), at("00:04:59.999"), MisfirePolicy::FireOnce, LIMITS);
    assert!(plan.is_empty());
    assert_eq!(plan.next, Some(at("00:05:00")));
}

#[test]
fn a_slot_within_the_grace_fires_whatever_the_policy() {
    for policy in MisfirePolicy::ALL {
        for now in ["00:05:00", "00:05:30"] {
            let plan = every_minute().plan(at("00:05:00"), at(now), policy, LIMITS);
            let expected = Plan { fire: vec![on_time("00:05:00")], skipped: None, next: Some(at("00:06:00")) };
            assert_eq!(plan, expected, "{policy} at {now}");
        }
    }
}

#[test]
fn skip_reports_what_it_skips_and_goes_on_with_what_is_on_time() {
    let plan = every_minute().plan(at("00:05:00"), at("00:09:10"), MisfirePolicy::Skip, LIMITS);
    assert_eq!(plan.fire, [on_time("00:09:00")]);
    assert_eq!(
        plan.skipped,
        Some(Skipped {
            first: at("00:05:00"),
            last: at("00:08:00"),
            count: 4,
            count_is_exact: true,
            reason: SkipReason::Missed
        })
    );
    assert_eq!(plan.next, Some(at("00:10:00")));
}

#[test]
fn fire_once_fires_the_latest_missed_slot_for_all() {
    let plan = every_minute().plan(at("00:05:00"), at("00:08:50"), MisfirePolicy::FireOnce, LIMITS);
    assert_eq!(plan.fire, [missed("00:08:00")]);
    assert_eq!(
        plan.skipped,
        Some(Skipped {
            first: at("00:05:00"),
            last: at("00:07:00"),
            count: 3,
            count_is_exact: true,
            reason: SkipReason::Coalesced
        })
    );
    assert_eq!(plan.next, Some(at("00:09:00")));
}

#[test]
fn fire_once_skips_nothing_when_one_slot_was_missed() {
    let plan = every_minute().plan(at("00:05:00"), at("00:05:50"), MisfirePolicy::FireOnce, LIMITS);
    assert_eq!(plan, Plan { fire: vec![missed("00:05:00")], skipped: None, next: Some(at("00:06:00")) });
}

#[test]
fn fire_all_fires_each_and_leaves_what_does_not_fit_for_the_next_plan() {
    let plan = every_minute().plan(at("00:05:00"), at("00:08:10"), MisfirePolicy::FireAll, LIMITS);
    assert_eq!(plan.fire, [missed("00:05:00"), missed("00:06:00"), missed("00:07:00")]);
    assert_eq!(plan.skipped, None);
    assert_eq!(plan.next, Some(at("00:08:00")), "on time, but one too many for this plan");
}

#[test]
fn fire_all_beyond_its_limit_fires_the_latest_and_reports_the_rest() {
    let plan = every_minute().plan(at("00:01:00"), at("00:08:50"), MisfirePolicy::FireAll, LIMITS);
    assert_eq!(plan.fire, [missed("00:06:00"), missed("00:07:00"), missed("00:08:00")]);
    let skipped = plan.skipped.unwrap();
    assert_eq!((skipped.first, skipped.last, skipped.count), (at("00:01:00"), at("00:05:00"), 5));
    assert_eq!(skipped.reason, SkipReason::OverLimit);
}

#[test]
fn a_year_of_missed_seconds_is_planned_at_once() {
    let now: Timestamp = "2026-01-01T00:00:00.500Z".parse().unwrap();
    let limits = PlanLimits { grace: Duration::ZERO, max_fires: 1_000 };
    for input in [ScheduleInput::cron("* * * * * *"), ScheduleInput::interval(1)] {
        let is_cron = input.schedule_expression.is_some();
        let schedule = Schedule::new(input, at("00:00:00")).unwrap();
        let plan = schedule.plan(at("00:00:01"), now, MisfirePolicy::FireAll, limits);
        assert_eq!(plan.fire.len(), 1_000);
        assert_eq!(plan.fire.last().unwrap().at, "2026-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(plan.next, Some("2026-01-01T00:00:01Z".parse().unwrap()));
        let skipped = plan.skipped.unwrap();
        assert_eq!(skipped.last, "2025-12-31T23:43:20Z".parse().unwrap());
        if is_cron {
            assert_eq!((skipped.count, skipped.count_is_exact), (Skipped::COUNT_LIMIT, false));
        } else {
            assert_eq!((skipped.count, skipped.count_is_exact), (365 * 86_400 - 1_000, true));
        }
    }
}

#[test]
fn a_one_time_run_that_was_missed_follows_the_policy() {
    let once = Schedule::new(ScheduleInput::one_time(at("00:05:00")), at("00:00:00")).unwrap();
    let plan = |policy| once.plan(at("00:05:00"), at("09:00:00"), policy, LIMITS);
    assert_eq!(plan(MisfirePolicy::FireOnce), Plan { fire: vec![missed("00:05:00")], skipped: None, next: None });
    assert!(plan(MisfirePolicy::Skip).fire.is_empty());
    assert_eq!(plan(MisfirePolicy::Skip).skipped.unwrap().count, 1);
}

#[test]
fn slots_after_the_schedule_has_expired_are_not_planned() {
    let input = ScheduleInput { expires_at: Some(at("00:06:00")), ..ScheduleInput::cron("* * * * *") };
    let schedule = Schedule::new(input, at("00:00:00")).unwrap();
    let plan = schedule.plan(at("00:05:00"), at("12:00:00"), MisfirePolicy::FireAll, LIMITS);
    assert_eq!(plan.fire, [missed("00:05:00"), missed("00:06:00")]);
    assert_eq!(plan.next, None);
    let stale = schedule.plan(at("00:07:00"), at("12:00:00"), MisfirePolicy::FireAll, LIMITS);
    assert_eq!(stale, Plan { fire: vec![], skipped: None, next: None });
}

#[test]
fn the_default_policy_is_fire_once_and_the_names_are_those_of_the_contract() {
    assert_eq!(MisfirePolicy::default(), MisfirePolicy::FireOnce);
    let names = MisfirePolicy::ALL.map(|policy| serde_json::to_value(policy).unwrap());
    assert_eq!(names, ["Skip", "FireOnce", "FireAll"]);
    assert!(MisfirePolicy::ALL.iter().all(|policy| serde_json::to_value(policy).unwrap() == policy.as_str()));
}
