//! Checking, storing and reading back schedules; intervals, windows and jitter.

#![allow(clippy::unwrap_used, reason = "a helper of a test may fail by panicking, as a test does")]

use std::time::Duration;

use horarium_domain::Timestamp;
use horarium_domain::schedule::{Schedule, ScheduleInput, ScheduleKind, ScheduleType, TimeZone, jitter};
use uuid::Uuid;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn created() -> Timestamp {
    at("2025-01-01T00:00:00Z")
}

fn schedule(input: ScheduleInput) -> Schedule {
    Schedule::new(input, created()).unwrap()
}

/// The fields to blame for `input`.
fn blamed(input: ScheduleInput) -> Vec<&'static str> {
    Schedule::new(input, created()).unwrap_err().iter().map(|error| error.field().name()).collect()
}

#[test]
fn what_a_kind_needs_must_be_there() {
    let of_type = |schedule_type| ScheduleInput { schedule_type, ..ScheduleInput::default() };
    assert_eq!(blamed(of_type(ScheduleType::Cron)), ["scheduleExpression"]);
    assert_eq!(blamed(of_type(ScheduleType::Interval)), ["intervalSeconds"]);
    assert_eq!(blamed(of_type(ScheduleType::OneTime)), ["runAt"]);
    assert_eq!(schedule(of_type(ScheduleType::Manual)).next_after(created()), None);
}

#[test]
fn all_errors_are_reported_at_once_each_with_its_field() {
    let input = ScheduleInput {
        jitter_seconds: Some(-1),
        effective_from: Some(at("2025-02-01T00:00:00Z")),
        expires_at: Some(at("2025-01-01T00:00:00Z")),
        ..ScheduleInput::cron("0 25 * * *").in_zone("Europe/Bärlin")
    };
    assert_eq!(blamed(input.clone()), ["scheduleExpression", "timezone", "expiresAt", "jitterSeconds"]);
    let message = Schedule::new(input, created()).unwrap_err().to_string();
    assert!(message.contains("timezone: 'Europe/Bärlin' is not an IANA time zone"), "{message}");
}

#[test]
fn intervals_and_jitter_have_a_range() {
    for seconds in [i64::MIN, -1, 0, 3_155_760_001, i64::MAX] {
        assert_eq!(blamed(ScheduleInput::interval(seconds)), ["intervalSeconds"], "{seconds}");
    }
    let with_jitter = |seconds| ScheduleInput { jitter_seconds: Some(seconds), ..ScheduleInput::interval(1) };
    assert_eq!(blamed(with_jitter(86_401)), ["jitterSeconds"]);
    assert_eq!(schedule(with_jitter(86_400)).jitter_seconds(), 86_400);
}

#[test]
fn a_one_time_run_outside_of_its_window_is_refused() {
    let input = ScheduleInput {
        expires_at: Some(at("2025-01-31T00:00:00Z")),
        ..ScheduleInput::one_time(at("2025-02-01T00:00:00Z"))
    };
    assert_eq!(blamed(input), ["runAt"]);
}

#[test]
fn time_zones_are_known_by_name_in_any_case() {
    let zone: TimeZone = "europe/BERLIN".parse().unwrap();
    assert_eq!(zone.name(), "Europe/Berlin");
    assert_eq!("utc".parse::<TimeZone>().unwrap(), TimeZone::UTC);
    for unknown in ["", " ", "Mars/Olympus", "Factory", "Etc/Unknown", "+02:00", "CET-1CEST", "../etc/passwd", "\0"] {
        let error = unknown.parse::<TimeZone>().unwrap_err();
        assert!(error.to_string().starts_with(&format!("'{unknown}' is not an IANA time zone")));
    }
}

#[test]
fn an_interval_counts_from_its_anchor_without_drift() {
    let hourly =
        schedule(ScheduleInput { anchor: Some(at("2025-01-01T00:10:00.250Z")), ..ScheduleInput::interval(3600) });
    assert_eq!(hourly.next_after(at("2024-01-01T00:00:00Z")), Some(at("2025-01-01T00:10:00.250Z")));
    assert_eq!(hourly.next_after(at("2025-01-01T00:10:00.250Z")), Some(at("2025-01-01T01:10:00.250Z")));
    assert_eq!(hourly.next_after(at("2031-07-09T11:59:59.999Z")), Some(at("2031-07-09T12:10:00.250Z")));
    assert_eq!(hourly.next_after(Timestamp::MAX), None);
}

#[test]
fn an_interval_is_anchored_where_it_takes_effect_or_else_where_it_was_created() {
    let every_minute = ScheduleInput::interval(60);
    assert_eq!(schedule(every_minute.clone()).next_after(created()), Some(at("2025-01-01T00:01:00Z")));
    let later = ScheduleInput { effective_from: Some(at("2025-03-01T00:00:30Z")), ..every_minute };
    assert_eq!(schedule(later.clone()).next_after(created()), Some(at("2025-03-01T00:00:30Z")));
    assert!(serde_json::from_str::<Schedule>(r#"{"scheduleType":"Interval","intervalSeconds":60}"#).is_err());
}

#[test]
fn no_slot_lies_outside_of_the_window_and_its_ends_belong_to_it() {
    let schedule = schedule(ScheduleInput {
        effective_from: Some(at("2025-01-03T09:00:00Z")),
        expires_at: Some(at("2025-01-05T09:00:00Z")),
        ..ScheduleInput::cron("0 9 * * *")
    });
    assert_eq!(
        schedule.preview(created(), 100),
        [at("2025-01-03T09:00:00Z"), at("2025-01-04T09:00:00Z"), at("2025-01-05T09:00:00Z")]
    );
    assert_eq!(schedule.next_after(at("2025-01-05T09:00:00Z")), None);
}

#[test]
fn a_one_time_run_is_due_even_when_it_has_just_passed() {
    let once = schedule(ScheduleInput::one_time(at("2024-12-31T23:59:59Z")));
    assert_eq!(once.first_slot(created()), Some(at("2024-12-31T23:59:59Z")));
    assert_eq!(once.next_after(created()), None);
    assert!(!once.is_recurring());
}

#[test]
fn a_preview_is_bounded() {
    assert_eq!(schedule(ScheduleInput::interval(1)).preview(created(), usize::MAX).len(), Schedule::MAX_PREVIEW);
    assert!(Schedule::manual().preview(created(), 10).is_empty());
}

#[test]
fn a_stored_schedule_is_read_back_with_the_same_slots() {
    let anchor = at("2025-01-01T00:00:00.123456Z");
    for input in [
        ScheduleInput::default(),
        ScheduleInput::one_time(at("2025-06-01T00:00:00.123456Z")),
        ScheduleInput { anchor: Some(anchor), ..ScheduleInput::interval(7) },
        ScheduleInput {
            effective_from: Some(anchor),
            expires_at: Some(at("2027-01-01T00:00:00Z")),
            jitter_seconds: Some(30),
            ..ScheduleInput::cron("0 30 2 * * MON-FRI").in_zone("australia/lord_howe")
        },
    ] {
        let schedule = schedule(input);
        let stored = serde_json::to_string(&schedule).unwrap();
        let read: Schedule = serde_json::from_str(&stored).unwrap();
        assert_eq!(read, schedule, "{stored}");
        assert_eq!(read.preview(created(), 5), schedule.preview(created(), 5), "{stored}");
    }
}

#[test]
fn the_stored_form_is_the_one_that_was_promised() {
    let cron = schedule(ScheduleInput::cron("@daily").in_zone("Europe/Berlin"));
    assert_eq!(
        serde_json::to_string(&cron).unwrap(),
        r#"{"scheduleType":"Cron","scheduleExpression":"@daily","timezone":"Europe/Berlin"}"#
    );
    let interval = schedule(ScheduleInput::interval(5));
    assert_eq!(
        serde_json::to_string(&interval).unwrap(),
        r#"{"scheduleType":"Interval","intervalSeconds":5,"anchor":"2025-01-01T00:00:00.000Z","timezone":"UTC"}"#
    );
}

#[test]
fn a_stored_schedule_that_is_not_valid_is_refused() {
    let error = serde_json::from_str::<Schedule>(r#"{"scheduleType":"Cron","scheduleExpression":"0 0 31 2 *"}"#);
    assert!(error.unwrap_err().to_string().contains("never fires"));
}

#[test]
fn what_the_kind_has_no_use_for_is_dropped() {
    let schedule = schedule(ScheduleInput { interval_seconds: Some(-5), ..ScheduleInput::cron("@daily") });
    assert!(matches!(schedule.kind(), ScheduleKind::Cron(_)));
    assert_eq!(ScheduleInput::from(schedule).interval_seconds, None);
}

#[test]
fn jitter_is_the_same_in_every_release() {
    let job = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0001);
    let of = |slot: &str, max| jitter(job, at(slot), max).as_millis();
    assert_eq!(
        [of("2025-01-01T00:00:00Z", 60), of("2025-01-01T00:01:00Z", 60), of("2025-01-01T00:02:00Z", 3600)],
        JITTER_FIXTURE
    );
    assert_eq!(jitter(job, created(), 0), Duration::ZERO);
}

/// Worked out apart from this crate.
const JITTER_FIXTURE: [u128; 3] = [29_812, 2_585, 517_509];

#[test]
fn jitter_spreads_jobs_evenly_over_its_width() {
    let mut tenths = [0_u32; 10];
    for job in 0..10_000_u128 {
        let delay = jitter(Uuid::from_u128(job), created(), 10);
        tenths[usize::try_from(delay.as_secs()).unwrap()] += 1;
    }
    assert!(tenths.iter().all(|count| (850..1150).contains(count)), "{tenths:?}");
}
