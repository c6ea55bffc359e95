//! What a schedule will do, as people are told it: slots on the zone's clock, and what its next shift does.

#![allow(clippy::unwrap_used, reason = "a helper of a test may fail by panicking, as a test does")]

use horarium_domain::Timestamp;
use horarium_domain::schedule::{
    ClockShift, Outlook, Schedule, ScheduleInput, ShiftEffect, Shown, TimeZone, WallTime, Weekday,
};

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn wall(text: &str) -> WallTime {
    WallTime::parse(text).unwrap()
}

fn schedule(input: ScheduleInput) -> Schedule {
    Schedule::new(input, Timestamp::UNIX_EPOCH).unwrap()
}

fn outlook(expression: &str, zone: &str, after: &str) -> Outlook {
    schedule(ScheduleInput::cron(expression).in_zone(zone)).outlook(at(after), 3)
}

fn effect(expression: &str, zone: &str, after: &str) -> ShiftEffect {
    outlook(expression, zone, after).shift.unwrap().effect
}

#[test]
fn slots_are_told_as_the_zones_clock_shows_them() {
    let outlook = outlook("30 2 * * *", "Europe/Berlin", "2027-03-26T12:00:00Z");
    let told: Vec<_> = outlook
        .slots
        .iter()
        .map(|slot| format!("{} {} {}", slot.local.wall, slot.local.abbreviation, slot.local.offset_seconds / 3600))
        .collect();
    assert_eq!(told, ["2027-03-27 02:30:00 CET 1", "2027-03-28 03:00:00 CEST 2", "2027-03-29 02:30:00 CEST 2"]);
    assert_eq!(outlook.slots[1].at, at("2027-03-28T01:00:00Z"));
    assert_eq!(outlook.slots[1].local.wall.weekday(), Weekday::Sunday);
}

#[test]
fn the_next_shift_is_told_with_what_the_clock_shows() {
    for (zone, after, expected) in [
        (
            "Europe/Berlin",
            "2026-11-22T15:00:00Z",
            Some(("2027-03-28T01:00:00Z", "2027-03-28T02:00", "2027-03-28T03:00")),
        ),
        (
            "Europe/Berlin",
            "2027-03-28T01:00:00Z",
            Some(("2027-10-31T01:00:00Z", "2027-10-31T03:00", "2027-10-31T02:00")),
        ),
        (
            "Australia/Lord_Howe",
            "2027-01-01T00:00:00Z",
            Some(("2027-04-03T15:00:00Z", "2027-04-04T02:00", "2027-04-04T01:30")),
        ),
        (
            "Pacific/Apia",
            "2011-12-01T00:00:00Z",
            Some(("2011-12-30T10:00:00Z", "2011-12-30T00:00", "2011-12-31T00:00")),
        ),
        ("UTC", "2027-01-01T00:00:00Z", None),
        ("Asia/Kolkata", "2027-01-01T00:00:00Z", None),
        ("Europe/Moscow", "2027-01-01T00:00:00Z", None),
    ] {
        let zone: TimeZone = zone.parse().unwrap();
        let expected =
            expected.map(|(instant, from, to)| ClockShift { at: at(instant), from: wall(from), to: wall(to) });
        assert_eq!(zone.next_shift(at(after)), expected, "{zone}");
    }
}

#[test]
fn a_run_in_the_hour_that_is_left_out_is_moved_behind_it() {
    let moved = |wall_time: &str, runs_at: &str, merged| ShiftEffect::Moved {
        wall: wall(wall_time),
        runs_at: at(runs_at),
        merged,
    };
    for (expression, zone, after, expected) in [
        ("30 2 * * *", "Europe/Berlin", "2027-03-01T00:00:00Z", moved("2027-03-28T02:30", "2027-03-28T01:00:00Z", 1)),
        ("*/30 2 * * *", "Europe/Berlin", "2027-03-01T00:00:00Z", moved("2027-03-28T02:00", "2027-03-28T01:00:00Z", 2)),
        // 03:00 is a run of its own, and stands for the two that are left out as well.
        (
            "*/30 1-3 * * *",
            "Europe/Berlin",
            "2027-03-01T00:00:00Z",
            moved("2027-03-28T02:00", "2027-03-28T01:00:00Z", 3),
        ),
        (
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2027-09-01T00:00:00Z",
            moved("2027-10-03T02:15", "2027-10-02T15:30:00Z", 1),
        ),
        ("0 12 * * *", "Pacific/Apia", "2011-12-01T00:00:00Z", moved("2011-12-30T12:00", "2011-12-30T10:00:00Z", 1)),
    ] {
        assert_eq!(effect(expression, zone, after), expected, "{expression} in {zone}");
    }
}

#[test]
fn a_run_in_the_hour_that_is_repeated_is_at_the_first() {
    let expected = ShiftEffect::Once {
        wall: wall("2027-10-31T02:30"),
        first: at("2027-10-31T00:30:00Z"),
        second: at("2027-10-31T01:30:00Z"),
    };
    assert_eq!(effect("30 2 * * *", "Europe/Berlin", "2027-10-01T00:00:00Z"), expected);
    // Within the repeated hour, what has run is over.
    assert_eq!(effect("30 2 * * *", "Europe/Berlin", "2027-10-31T00:29:59Z"), expected);
    assert_eq!(effect("30 2 * * *", "Europe/Berlin", "2027-10-31T00:30:00Z"), ShiftEffect::Untouched);
}

#[test]
fn a_run_at_another_hour_is_untouched() {
    for after in ["2027-03-01T00:00:00Z", "2027-10-01T00:00:00Z"] {
        for expression in ["30 1 * * *", "0 3 * * *", "30 2 * * MON", "0 9 * * MON-FRI"] {
            assert_eq!(effect(expression, "Europe/Berlin", after), ShiftEffect::Untouched, "{expression}");
        }
    }
}

#[test]
fn what_follows_elapsed_time_runs_on() {
    assert_eq!(effect("*/15 * * * *", "Europe/Berlin", "2027-03-01T00:00:00Z"), ShiftEffect::ElapsedTime);
    let interval = schedule(ScheduleInput::interval(3600).in_zone("Europe/Berlin"));
    let shift = interval.outlook(at("2027-03-01T00:00:00Z"), 0).shift.unwrap();
    assert_eq!((shift.shift.at, shift.effect), (at("2027-03-28T01:00:00Z"), ShiftEffect::ElapsedTime));
}

#[test]
fn no_shift_concerns_what_speaks_of_no_clock_or_is_over_before() {
    let now = at("2027-03-01T00:00:00Z");
    let berlin = |input: ScheduleInput| schedule(input.in_zone("Europe/Berlin"));
    let ends = |until| berlin(ScheduleInput { expires_at: Some(at(until)), ..ScheduleInput::cron("30 2 * * *") });
    for schedule in [
        Schedule::manual(),
        berlin(ScheduleInput::one_time(at("2027-04-01T00:00:00Z"))),
        schedule(ScheduleInput::cron("30 2 * * *")),
        ends("2027-03-28T00:59:59Z"),
    ] {
        assert_eq!(schedule.outlook(now, 0).shift, None, "{schedule:?}");
    }
    assert!(ends("2027-03-28T01:00:00Z").outlook(now, 0).shift.is_some());
}

#[test]
fn the_shift_is_the_first_within_the_window() {
    let from = Some(at("2027-06-01T00:00:00Z"));
    let later = ScheduleInput { effective_from: from, ..ScheduleInput::cron("30 2 * * *").in_zone("Europe/Berlin") };
    let shift = schedule(later).outlook(at("2027-03-01T00:00:00Z"), 0).shift.unwrap();
    assert_eq!(shift.shift.at, at("2027-10-31T01:00:00Z"));
}

#[test]
fn a_wall_time_is_found_once_never_or_twice() {
    let berlin: TimeZone = "Europe/Berlin".parse().unwrap();
    let when = |text| berlin.when(wall(text)).unwrap();
    assert_eq!(when("2027-06-01T12:00"), Shown::Once(at("2027-06-01T10:00:00Z")));
    let shift = berlin.next_shift(at("2027-03-01T00:00:00Z")).unwrap();
    assert!(shift.is_forward());
    assert_eq!(when("2027-03-28T02:30"), Shown::Never(shift));
    let (first, second) = (at("2027-10-31T00:30:00Z"), at("2027-10-31T01:30:00Z"));
    assert_eq!(when("2027-10-31T02:30:00"), Shown::Twice { first, second });
}

#[test]
fn only_dates_with_times_are_wall_times() {
    assert_eq!(wall("2027-03-28T02:30").to_string(), "2027-03-28 02:30:00");
    assert_eq!(wall(" 2027-03-28 02:30:15.9 ").to_string(), "2027-03-28 02:30:15");
    for text in ["", "2027-03-28", "02:30", "2027-02-30T02:30", "2027-03-28T25:00", "2027-03-28T02:30Z", "tomorrow"] {
        assert_eq!(WallTime::parse(text), None, "{text}");
    }
}
