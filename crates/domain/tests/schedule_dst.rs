//! What cron schedules do when the clock is put forward or back, zone by zone.

#![allow(clippy::unwrap_used, reason = "a helper of a test may fail by panicking, as a test does")]

use horarium_domain::Timestamp;
use horarium_domain::schedule::{Schedule, ScheduleInput};

/// All slots of `expression` in `zone` from one instant (exclusive) to another (inclusive), as the clock shows them.
fn slots(expression: &str, zone: &str, from: &str, until: &str) -> Vec<String> {
    let schedule = cron(expression, zone);
    let until: Timestamp = until.parse().unwrap();
    schedule
        .slots_after(from.parse().unwrap())
        .take_while(|slot| *slot <= until)
        .map(|slot| shown(slot, zone))
        .collect()
}

fn cron(expression: &str, zone: &str) -> Schedule {
    Schedule::new(ScheduleInput::cron(expression).in_zone(zone), Timestamp::UNIX_EPOCH).unwrap()
}

/// What the clock in `zone` shows at `slot`, with its offset to tell the two passes of a repeated hour apart.
fn shown(slot: Timestamp, zone: &str) -> String {
    let zoned = jiff::Timestamp::from_microsecond(slot.as_micros()).unwrap().in_tz(zone).unwrap();
    zoned.strftime("%m-%d %H:%M %:z").to_string()
}

#[test]
fn a_time_that_does_not_exist_runs_at_the_first_instant_after_the_gap() {
    for (zone, expression, from, until, expected) in [
        (
            "Europe/Berlin",
            "30 2 * * *",
            "2025-03-29T12:00:00+01:00",
            "2025-03-31T12:00:00+02:00",
            ["03-30 03:00 +02:00", "03-31 02:30 +02:00"],
        ),
        (
            "America/New_York",
            "30 2 * * *",
            "2025-03-08T12:00:00-05:00",
            "2025-03-10T12:00:00-04:00",
            ["03-09 03:00 -04:00", "03-10 02:30 -04:00"],
        ),
        (
            "Australia/Adelaide",
            "30 2 * * *",
            "2025-10-04T12:00:00+09:30",
            "2025-10-06T12:00:00+10:30",
            ["10-05 03:00 +10:30", "10-06 02:30 +10:30"],
        ),
        // Half an hour is left out.
        (
            "Australia/Lord_Howe",
            "15 2 * * *",
            "2025-10-04T12:00:00+10:30",
            "2025-10-06T12:00:00+11:00",
            ["10-05 02:30 +11:00", "10-06 02:15 +11:00"],
        ),
        // Midnight is left out.
        (
            "America/Santiago",
            "0 0 * * *",
            "2025-09-06T12:00:00-04:00",
            "2025-09-08T12:00:00-03:00",
            ["09-07 01:00 -03:00", "09-08 00:00 -03:00"],
        ),
    ] {
        assert_eq!(slots(expression, zone, from, until), expected, "{expression} in {zone}");
    }
}

#[test]
fn a_time_that_happens_twice_runs_once_at_the_first() {
    for (zone, expression, from, until, expected) in [
        (
            "Europe/Berlin",
            "30 2 * * *",
            "2025-10-25T12:00:00+02:00",
            "2025-10-27T12:00:00+01:00",
            ["10-26 02:30 +02:00", "10-27 02:30 +01:00"],
        ),
        (
            "America/New_York",
            "30 1 * * *",
            "2025-11-01T12:00:00-04:00",
            "2025-11-03T12:00:00-05:00",
            ["11-02 01:30 -04:00", "11-03 01:30 -05:00"],
        ),
        (
            "Australia/Adelaide",
            "30 2 * * *",
            "2025-04-05T12:00:00+10:30",
            "2025-04-07T12:00:00+09:30",
            ["04-06 02:30 +10:30", "04-07 02:30 +09:30"],
        ),
        (
            "Australia/Lord_Howe",
            "45 1 * * *",
            "2025-04-05T12:00:00+11:00",
            "2025-04-07T12:00:00+10:30",
            ["04-06 01:45 +11:00", "04-07 01:45 +10:30"],
        ),
        (
            "America/Santiago",
            "30 23 * * *",
            "2025-04-05T12:00:00-03:00",
            "2025-04-07T12:00:00-04:00",
            ["04-05 23:30 -03:00", "04-06 23:30 -04:00"],
        ),
    ] {
        assert_eq!(slots(expression, zone, from, until), expected, "{expression} in {zone}");
    }
}

#[test]
fn several_times_in_one_gap_fire_once_after_it() {
    let spring_day =
        |expression| slots(expression, "Europe/Berlin", "2025-03-30T00:00:00+01:00", "2025-03-30T12:00:00+02:00");
    assert_eq!(spring_day("*/30 2 * * *"), ["03-30 03:00 +02:00"]);
    assert_eq!(spring_day("*/10 2 * * *"), ["03-30 03:00 +02:00"]);
    assert_eq!(
        spring_day("*/30 1-3 * * *"),
        ["03-30 01:00 +01:00", "03-30 01:30 +01:00", "03-30 03:00 +02:00", "03-30 03:30 +02:00"],
        "03:00 stands for itself and for what was left out"
    );
}

#[test]
fn an_expression_that_names_hours_keeps_to_the_first_pass() {
    let autumn_day =
        |expression| slots(expression, "Europe/Berlin", "2025-10-26T00:00:00+02:00", "2025-10-26T12:00:00+01:00");
    assert_eq!(autumn_day("*/30 2 * * *"), ["10-26 02:00 +02:00", "10-26 02:30 +02:00"]);
    assert_eq!(
        autumn_day("0 */2 * * *"),
        [
            "10-26 02:00 +02:00",
            "10-26 04:00 +01:00",
            "10-26 06:00 +01:00",
            "10-26 08:00 +01:00",
            "10-26 10:00 +01:00",
            "10-26 12:00 +01:00"
        ]
    );
}

#[test]
fn an_expression_that_allows_every_hour_follows_elapsed_time_through_both_passes() {
    for (zone, from, until, quarters) in [
        ("Europe/Berlin", "2025-03-29T23:00:00Z", "2025-03-30T22:00:00Z", 23 * 4),
        ("Europe/Berlin", "2025-10-25T22:00:00Z", "2025-10-26T23:00:00Z", 25 * 4),
        ("America/New_York", "2025-03-09T05:00:00Z", "2025-03-10T04:00:00Z", 23 * 4),
        ("America/New_York", "2025-11-02T04:00:00Z", "2025-11-03T05:00:00Z", 25 * 4),
        ("Australia/Lord_Howe", "2025-10-04T13:30:00Z", "2025-10-05T13:00:00Z", 23 * 4 + 2),
        ("Australia/Lord_Howe", "2025-04-05T13:00:00Z", "2025-04-06T13:30:00Z", 24 * 4 + 2),
        ("America/Santiago", "2025-04-05T03:00:00Z", "2025-04-06T04:00:00Z", 25 * 4),
        ("Asia/Kolkata", "2025-10-25T18:30:00Z", "2025-10-26T18:30:00Z", 24 * 4),
    ] {
        let schedule = cron("*/15 * * * *", zone);
        let (mut previous, until): (Timestamp, Timestamp) = (from.parse().unwrap(), until.parse().unwrap());
        let mut count = 0;
        for slot in schedule.slots_after(previous).take_while(|slot| *slot <= until) {
            assert_eq!(slot.since(previous).as_secs(), 15 * 60, "after {previous} in {zone}");
            previous = slot;
            count += 1;
        }
        assert_eq!(count, quarters, "{zone} until {until}");
    }
}

#[test]
fn an_hourly_schedule_runs_every_elapsed_hour() {
    let day = |from, until| slots("@hourly", "Europe/Berlin", from, until).len();
    assert_eq!(day("2025-03-29T23:00:00Z", "2025-03-30T22:00:00Z"), 23);
    assert_eq!(day("2025-10-25T22:00:00Z", "2025-10-26T23:00:00Z"), 25);
}

#[test]
fn an_hourly_schedule_makes_nothing_up_for_an_hour_that_never_was() {
    assert_eq!(
        slots("7 * * * *", "Europe/Berlin", "2025-03-30T01:00:00+01:00", "2025-03-30T05:00:00+02:00"),
        ["03-30 01:07 +01:00", "03-30 03:07 +02:00", "03-30 04:07 +02:00"]
    );
}

#[test]
fn every_second_fires_every_second_through_both_passes() {
    let schedule = cron("* * * * * *", "Europe/Berlin");
    let start: Timestamp = "2025-10-25T23:59:00Z".parse().unwrap();
    for (index, slot) in schedule.slots_after(start).take(2 * 3600).enumerate() {
        assert_eq!(slot, Timestamp::from_seconds(start.as_seconds() + 1 + index as i64));
    }
}

#[test]
fn asking_from_within_a_repeated_hour_does_not_bring_back_what_has_run() {
    let schedule = cron("30 2 * * *", "Europe/Berlin");
    let next = |after: &str| shown(schedule.next_after(after.parse().unwrap()).unwrap(), "Europe/Berlin");
    assert_eq!(next("2025-10-26T02:29:59+02:00"), "10-26 02:30 +02:00");
    assert_eq!(next("2025-10-26T02:30:00+02:00"), "10-27 02:30 +01:00");
    assert_eq!(next("2025-10-26T02:00:00+01:00"), "10-27 02:30 +01:00");
    assert_eq!(next("2025-10-26T02:29:59.999+01:00"), "10-27 02:30 +01:00");
    assert_eq!(next("2025-10-26T03:00:00+01:00"), "10-27 02:30 +01:00");
}

#[test]
fn the_day_that_samoa_left_out_runs_at_the_start_of_the_next() {
    assert_eq!(
        slots("0 12 * * *", "Pacific/Apia", "2011-12-29T00:00:00-10:00", "2012-01-01T00:00:00+14:00"),
        ["12-29 12:00 -10:00", "12-31 00:00 +14:00", "12-31 12:00 +14:00"]
    );
    assert_eq!(
        slots("0 12 30 12 *", "Pacific/Apia", "2011-06-01T00:00:00Z", "2012-12-31T00:00:00Z"),
        ["12-31 00:00 +14:00", "12-30 12:00 +14:00"]
    );
}

#[test]
fn a_weekday_rule_is_about_the_day_that_was_meant() {
    // Sunday's midnight does not exist in Santiago on 7 September; the Sunday starts at one.
    assert_eq!(
        slots("0 0 * * SUN", "America/Santiago", "2025-09-01T00:00:00Z", "2025-09-15T00:00:00Z"),
        ["09-07 01:00 -03:00", "09-14 00:00 -03:00"]
    );
}
