//! Which cron expressions are read, and what their refusals say.

#![allow(clippy::unwrap_used, reason = "a helper of a test may fail by panicking, as a test does")]

use horarium_domain::Timestamp;
use horarium_domain::schedule::{CronError, CronExpression, CronField, TimeZone};

/// The first `count` slots in UTC after the start of 2025, a Wednesday, to the minute.
fn first(count: usize, expression: &str) -> Vec<String> {
    let cron: CronExpression = expression.parse().unwrap();
    let mut at: Timestamp = "2025-01-01T00:00:00Z".parse().unwrap();
    (0..count)
        .map(|_| {
            at = cron.next_after(at, &TimeZone::UTC).unwrap();
            at.to_string().trim_end_matches(".000Z").to_owned()
        })
        .collect()
}

fn refusal(expression: &str) -> CronError {
    expression.parse::<CronExpression>().unwrap_err()
}

fn refused_field(expression: &str) -> CronField {
    match refusal(expression) {
        CronError::Field { field, .. } => field,
        other => panic!("'{expression}' is refused without naming a field: {other}"),
    }
}

#[test]
fn five_fields_start_with_the_minute_and_six_with_the_second() {
    assert_eq!(first(2, "5 4 * * *"), ["2025-01-01T04:05:00", "2025-01-02T04:05:00"]);
    assert_eq!(first(2, "5 4 3 * * *"), ["2025-01-01T03:04:05", "2025-01-02T03:04:05"]);
    assert_eq!(first(2, "*/20 * * * * *"), ["2025-01-01T00:00:20", "2025-01-01T00:00:40"]);
}

#[test]
fn names_stand_for_their_usual_times() {
    for (name, expected) in [
        ("@yearly", "2026-01-01T00:00:00"),
        ("@annually", "2026-01-01T00:00:00"),
        ("@monthly", "2025-02-01T00:00:00"),
        ("@weekly", "2025-01-05T00:00:00"),
        ("@daily", "2025-01-02T00:00:00"),
        ("@midnight", "2025-01-02T00:00:00"),
        ("@hourly", "2025-01-01T01:00:00"),
        ("@Daily", "2025-01-02T00:00:00"),
    ] {
        assert_eq!(first(1, name), [expected], "{name}");
    }
}

#[test]
fn months_and_weekdays_have_names_in_any_case() {
    assert_eq!(first(1, "0 0 1 mar,JUL *"), ["2025-03-01T00:00:00"]);
    assert_eq!(first(2, "0 9 * * Mon-fri"), ["2025-01-01T09:00:00", "2025-01-02T09:00:00"]);
    assert_eq!(first(1, "0 9 * * 7"), first(1, "0 9 * * SUN"));
}

#[test]
fn irregular_days_are_found() {
    assert_eq!(first(2, "0 0 L * *"), ["2025-01-31T00:00:00", "2025-02-28T00:00:00"]);
    assert_eq!(first(2, "0 0 LW * *"), ["2025-01-31T00:00:00", "2025-02-28T00:00:00"]);
    assert_eq!(first(1, "0 0 15W 2 *"), ["2025-02-14T00:00:00"]);
    assert_eq!(first(2, "0 0 * * FRI#2"), ["2025-01-10T00:00:00", "2025-02-14T00:00:00"]);
    assert_eq!(first(2, "0 0 * * 5L"), ["2025-01-31T00:00:00", "2025-02-28T00:00:00"]);
    assert_eq!(first(2, "0 0 29 2 *"), ["2028-02-29T00:00:00", "2032-02-29T00:00:00"]);
}

#[test]
fn two_restricted_day_fields_match_either_and_with_a_plus_both() {
    assert_eq!(first(3, "0 0 3 * MON"), ["2025-01-03T00:00:00", "2025-01-06T00:00:00", "2025-01-13T00:00:00"]);
    assert_eq!(first(1, "0 0 8-14 * +MON"), ["2025-01-13T00:00:00"]);
    assert_eq!(first(2, "0 0 29 2 +MON"), ["2044-02-29T00:00:00", "2072-02-29T00:00:00"]);
}

#[test]
fn the_text_is_kept_as_written() {
    let cron: CronExpression = "  0 9  * * Mon".parse().unwrap();
    assert_eq!(cron.as_str(), "  0 9  * * Mon");
    assert_eq!(serde_json::to_string(&cron).unwrap(), "\"  0 9  * * Mon\"");
}

#[test]
fn a_refusal_names_the_field() {
    for (expression, field) in [
        ("60 * * * * *", CronField::Second),
        ("60 * * * *", CronField::Minute),
        ("* 24 * * *", CronField::Hour),
        ("* * 0 * *", CronField::DayOfMonth),
        ("* * 32 * *", CronField::DayOfMonth),
        ("* * * 13 *", CronField::Month),
        ("* * * * 8", CronField::DayOfWeek),
        ("*/0 * * * *", CronField::Minute),
        ("10-5 * * * *", CronField::Minute),
        ("* 1,,2 * * *", CronField::Hour),
        ("* , * * *", CronField::Hour),
        ("5/10 * * * *", CronField::Minute),
        ("* x * * *", CronField::Hour),
        ("* * * * MON#6", CronField::DayOfWeek),
        ("* 99999999999999999999 * * *", CronField::Hour),
    ] {
        assert_eq!(refused_field(expression), field, "{expression}");
    }
    assert_eq!(
        refusal("0 25 * * *").to_string(),
        "the hour field '25' is not valid: number out of bounds; it takes 0-23, *, lists, ranges and steps such as */5"
    );
}

#[test]
fn a_name_where_it_means_nothing_is_refused_rather_than_read_as_a_number() {
    assert_eq!(refused_field("0 MON * * *"), CronField::Hour);
    assert_eq!(refused_field("0 0 1 JAN2 *"), CronField::Month);
    assert_eq!(refused_field("0 0 * * SUNMON"), CronField::DayOfWeek);
    assert_eq!(refused_field("0 0 * * ſun"), CronField::DayOfWeek);
    assert_eq!(refused_field("0 0 * JANUARY *"), CronField::Month);
}

#[test]
fn a_wrong_number_of_fields_is_refused() {
    for (expression, count) in [("", 0), ("   ", 0), ("* * * *", 4), ("* * * * * * *", 7)] {
        assert_eq!(refusal(expression), CronError::FieldCount(count), "'{expression}'");
    }
    assert_eq!(refusal("@reboot"), CronError::UnknownName("@reboot".to_owned()));
    assert_eq!(refusal("@daily *"), CronError::UnknownName("@daily *".to_owned()));
    assert_eq!(refusal(&"1,".repeat(1_000)), CronError::TooLong { length: 2_000 });
}

#[test]
fn an_expression_that_never_fires_is_refused() {
    for expression in ["0 0 31 2 *", "0 0 30 2 *", "0 0 31 4,6,9,11 *", "0 0 0 31 2 ?", "0 0 29-31 2 +MON#1"] {
        assert_eq!(refusal(expression), CronError::NeverFires(expression.to_owned()), "{expression}");
    }
}

#[test]
fn the_end_of_the_calendar_is_the_end_of_the_slots() {
    let cron: CronExpression = "@yearly".parse().unwrap();
    assert_eq!(cron.next_after(Timestamp::MAX, &TimeZone::UTC), None);
    assert_eq!(cron.next_after("9999-06-01T00:00:00Z".parse().unwrap(), &TimeZone::UTC), None);
    let first = cron.next_after(Timestamp::MIN, &"Pacific/Honolulu".parse().unwrap()).unwrap();
    assert_eq!(first.to_string(), "0001-01-01T10:31:26.000Z", "on local mean time");
}
