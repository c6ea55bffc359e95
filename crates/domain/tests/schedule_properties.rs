//! Properties of schedules over many expressions, zones and instants, most of them near a jump of the clock.
//!
//! Two witnesses that share nothing with the search under test: croner's own search on a clock that does not jump, and
//! a walk over every minute of a few days that applies the two sentences of the daylight saving policy as they stand.

#![allow(clippy::unwrap_used, reason = "a helper of a test may fail by panicking, as a test does")]

use std::time::Duration;

use croner::Cron;
use croner::parser::{CronParser, Seconds};
use horarium_domain::Timestamp;
use horarium_domain::schedule::{
    CronExpression, MisfirePolicy, PlanLimits, Schedule, ScheduleInput, ShiftEffect, ShiftOutlook, TimeZone, WallTime,
    jitter,
};
use jiff::civil::DateTime;
use jiff::tz;
use proptest::prelude::*;
use uuid::Uuid;

/// Both hemispheres, whole and broken hours, shifts of 30 minutes to a day, at midnight and elsewhere, and none.
const ZONES: [&str; 16] = [
    "UTC",
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/St_Johns",
    "America/Santiago",
    "America/Sao_Paulo",
    "Australia/Adelaide",
    "Australia/Lord_Howe",
    "Pacific/Chatham",
    "Pacific/Apia",
    "Asia/Kolkata",
    "Asia/Tehran",
    "Africa/Casablanca",
    "Africa/Cairo",
    "Antarctica/Troll",
];

fn zone() -> impl Strategy<Value = &'static str> {
    prop::sample::select(ZONES.as_slice())
}

/// A field: everything, a step, a number, a range or a list.
fn field(low: u32, high: u32) -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("*".to_owned()),
        1 => (2..=(high / 2).max(2)).prop_map(|step| format!("*/{step}")),
        3 => (low..=high).prop_map(|value| value.to_string()),
        1 => (low..=high, low..=high).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        1 => prop::collection::vec(low..=high, 1..4)
            .prop_map(|values| values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")),
    ]
}

fn day_of_month() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => Just("*".to_owned()),
        3 => field(1, 31),
        1 => prop::sample::select(vec!["L", "LW", "15W", "1W", "?"]).prop_map(str::to_owned),
    ]
}

fn day_of_week() -> impl Strategy<Value = String> {
    prop_oneof![
        6 => Just("*".to_owned()),
        2 => field(0, 7),
        1 => prop::sample::select(vec!["MON-FRI", "SAT,SUN", "FRI#2", "5L", "+MON", "?"]).prop_map(str::to_owned),
    ]
}

/// Five fields; the hours of the night are favoured, for that is when clocks jump.
fn five_fields() -> impl Strategy<Value = String> {
    let hour = prop_oneof![2 => field(0, 23), 2 => field(0, 3), 1 => Just("*".to_owned())];
    let month = prop_oneof![4 => Just("*".to_owned()), 1 => field(1, 12)];
    (field(0, 59), hour, day_of_month(), month, day_of_week())
        .prop_map(|(minute, hour, day, month, weekday)| format!("{minute} {hour} {day} {month} {weekday}"))
}

fn six_fields() -> impl Strategy<Value = String> {
    (field(0, 59), five_fields()).prop_map(|(second, rest)| format!("{second} {rest}"))
}

/// An expression that fires; those that never do are tested elsewhere.
fn firing(expressions: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    expressions.prop_filter("never fires", |text| text.parse::<CronExpression>().is_ok())
}

fn input() -> impl Strategy<Value = ScheduleInput> {
    prop_oneof![
        4 => (firing(six_fields()), zone()).prop_map(|(text, zone)| ScheduleInput::cron(text).in_zone(zone)),
        1 => (1_i64..100_000).prop_map(ScheduleInput::interval),
    ]
}

/// From 1970 to 2070, to the microsecond.
fn instant() -> impl Strategy<Value = Timestamp> {
    (0_i64..3_155_760_000_000_000).prop_map(Timestamp::from_micros)
}

/// A zone, and an instant within two hours or a day of a jump of its clock, if it has any.
fn near_a_jump() -> impl Strategy<Value = (&'static str, Timestamp)> {
    let distance = prop_oneof![-7_200_i64..7_200, -93_600_i64..93_600];
    (zone(), 315_532_800_i64..2_208_988_800, distance).prop_map(|(name, seconds, distance)| {
        let rules = tz::TimeZone::get(name).unwrap();
        let from = jiff::Timestamp::from_second(seconds).unwrap();
        let jump = rules.following(from).next().map_or(seconds, |transition| transition.timestamp().as_second());
        (name, Timestamp::from_seconds(jump + distance))
    })
}

fn schedule(input: ScheduleInput) -> Schedule {
    Schedule::new(input, Timestamp::from_seconds(1_000_000_000)).unwrap()
}

/// What the clock shows.
fn wall(rules: &tz::TimeZone, at: Timestamp) -> DateTime {
    rules.to_datetime(jiff::Timestamp::from_microsecond(at.as_micros()).unwrap())
}

fn croner(text: &str) -> Cron {
    CronParser::builder().seconds(Seconds::Optional).build().parse(text).unwrap()
}

/// The slots of a five-field expression from `start`, exclusive, to `minutes` later, by walking over every minute.
fn walked(text: &str, rules: &tz::TimeZone, start: Timestamp, minutes: i64) -> Vec<Timestamp> {
    let pattern = croner(text);
    let matches = |wall: DateTime| pattern.is_time_matching(&wall).unwrap();
    let every_hour = pattern.pattern.hours.values().len() == 24;
    let start = start.as_seconds().div_euclid(60) * 60;
    // What the clock has shown so far; a day and more of it, to know of what it is about to repeat.
    let lead = 2 * 24 * 60;
    let mut shown = wall(rules, Timestamp::from_seconds(start - lead * 60));
    let mut slots = Vec::new();
    for minute in -lead + 1..=minutes {
        let at = Timestamp::from_seconds(start + minute * 60);
        let now = wall(rules, at);
        let fires = if every_hour {
            matches(now)
        } else {
            // The earliest instant at which the clock shows a matching time or a later one.
            let mut fires = false;
            while shown < now {
                shown = shown.checked_add(jiff::Span::new().minutes(1)).unwrap();
                fires |= matches(shown);
            }
            fires
        };
        if fires && minute > 0 {
            slots.push(at);
        }
    }
    slots
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_next_slot_is_later_and_there_is_none_in_between(
        input in input(),
        after in instant(),
        part in 0.0..1.0_f64,
    ) {
        let schedule = schedule(input);
        let next = schedule.next_after(after).unwrap();
        prop_assert!(next > after);
        let within = after + next.since(after).mul_f64(part);
        if within < next {
            prop_assert_eq!(schedule.next_after(within), Some(next));
        }
        prop_assert!(schedule.next_after(next).unwrap() > next);
    }

    #[test]
    fn near_a_jump_of_the_clock_the_slots_are_those_of_the_policy(
        text in firing(five_fields()),
        (zone, start) in near_a_jump(),
    ) {
        let rules = tz::TimeZone::get(zone).unwrap();
        let start = Timestamp::from_seconds(start.as_seconds().div_euclid(60) * 60);
        let minutes: i64 = 2 * 24 * 60;
        let end = start + Duration::from_secs(60 * minutes.unsigned_abs());
        let schedule = schedule(ScheduleInput::cron(text.clone()).in_zone(zone));
        let found: Vec<_> = schedule.slots_after(start).take_while(|slot| *slot <= end).collect();
        prop_assert_eq!(found, walked(&text, &rules, start, minutes), "{} in {} from {}", text, zone, start);
    }

    #[test]
    fn a_slot_matches_the_fields_unless_it_ends_a_gap(
        text in firing(six_fields()),
        zone in zone(),
        after in instant(),
    ) {
        let schedule = schedule(ScheduleInput::cron(text.clone()).in_zone(zone));
        let rules = tz::TimeZone::get(zone).unwrap();
        let pattern = croner(&text);
        for slot in schedule.preview(after, 20) {
            let shown = wall(&rules, slot);
            let before = wall(&rules, slot - Duration::from_secs(1));
            let ends_a_gap = shown > before.checked_add(jiff::Span::new().seconds(1)).unwrap();
            prop_assert!(
                pattern.is_time_matching(&shown).unwrap() || ends_a_gap,
                "{} fires at {} in {}, which does not match", text, shown, zone
            );
        }
    }

    #[test]
    fn without_jumps_the_slots_are_those_of_croner(text in firing(six_fields()), after in instant()) {
        let cron: CronExpression = text.parse().unwrap();
        let whole = Timestamp::from_seconds(after.as_seconds());
        let expected: DateTime = croner(&text).find_next_occurrence(&wall(&tz::TimeZone::UTC, whole), false).unwrap();
        let found = cron.next_after(after, &TimeZone::UTC).unwrap();
        prop_assert_eq!(wall(&tz::TimeZone::UTC, found), expected);
    }

    #[test]
    fn an_interval_never_drifts(seconds in 1_i64..10_000_000, anchor in instant(), after in instant()) {
        let anchor = Timestamp::from_millis(anchor.as_millis());
        let schedule = schedule(ScheduleInput { anchor: Some(anchor), ..ScheduleInput::interval(seconds) });
        for slot in schedule.preview(after, 10) {
            prop_assert!(slot > after);
            prop_assert_eq!((slot.as_micros() - anchor.as_micros()).rem_euclid(seconds * 1_000_000), 0);
        }
    }

    #[test]
    fn a_plan_decides_about_every_due_slot_once(
        input in input(),
        after in instant(),
        periods in 0_usize..60,
        late in 0_u64..600,
        grace in 0_u64..7_200,
        max_fires in 1_usize..20,
        policy in prop::sample::select(MisfirePolicy::ALL.as_slice()),
    ) {
        let schedule = schedule(input);
        let first = schedule.next_after(after).unwrap();
        let now = schedule.slots_after(after).nth(periods).unwrap() + Duration::from_secs(late);
        let limits = PlanLimits { grace: Duration::from_secs(grace), max_fires };
        // Few enough to be counted exactly, even of every second.
        let due: Vec<_> = schedule.slots_after(after).take_while(|slot| *slot <= now).collect();

        let plan = schedule.plan(first, now, policy, limits);
        let mut decided = Vec::new();
        if let Some(skipped) = plan.skipped {
            decided.extend(due.iter().copied().filter(|slot| (skipped.first..=skipped.last).contains(slot)));
            prop_assert_eq!(decided.first(), Some(&skipped.first));
            prop_assert_eq!(decided.last(), Some(&skipped.last));
            prop_assert!(skipped.count_is_exact);
            prop_assert_eq!(skipped.count, decided.len() as u64);
            prop_assert!(skipped.last < now - limits.grace, "nothing on time is skipped");
        }
        decided.extend(plan.fire.iter().map(|slot| slot.at));
        prop_assert_eq!(&decided, &due[..decided.len()], "in order, without holes, each once");
        prop_assert_eq!(plan.next, schedule.next_after(decided.last().copied().unwrap_or(after)));
        prop_assert!(plan.fire.len() <= max_fires);
        prop_assert!(decided.len() == due.len() || plan.fire.len() == max_fires, "only a full plan leaves due slots");
        for slot in &plan.fire {
            prop_assert_eq!(slot.missed, slot.at < now - limits.grace);
        }
        if policy == MisfirePolicy::Skip {
            prop_assert!(plan.fire.iter().all(|slot| !slot.missed));
        }
        if policy == MisfirePolicy::FireOnce {
            prop_assert!(plan.fire.iter().filter(|slot| slot.missed).count() <= 1);
        }
    }

    #[test]
    fn what_a_shift_is_said_to_do_is_what_happens(
        text in firing(five_fields()),
        (zone, after) in near_a_jump(),
    ) {
        let rules = tz::TimeZone::get(zone).unwrap();
        let schedule = schedule(ScheduleInput::cron(&text).in_zone(zone));
        let Some(ShiftOutlook { shift, effect }) = schedule.outlook(after, 0).shift else { return Ok(()) };
        prop_assert!(shift.at > after);
        let pattern = croner(&text);
        // The matching times between two that the clock shows or leaves out, both included.
        let matching = |from: WallTime, to: WallTime| {
            let [from, to] = [from, to].map(|it| it.to_string().parse::<DateTime>().unwrap());
            std::iter::successors(Some(from), |at| at.checked_add(jiff::Span::new().minutes(1)).ok())
                .take_while(|at| *at <= to)
                .filter(|at| pattern.is_time_matching(at).unwrap())
                .collect::<Vec<_>>()
        };
        let fires = |at: Timestamp| schedule.next_after(at - Duration::from_secs(1)) == Some(at);
        let shown = |at: Timestamp| wall(&rules, at).to_string().replace('T', " ");
        match effect {
            ShiftEffect::ElapsedTime => prop_assert_eq!(pattern.pattern.hours.values().len(), 24),
            ShiftEffect::Untouched if shift.is_forward() => {
                let left_out = matching(shift.from, shift.to);
                prop_assert!(left_out.iter().all(|at| at.to_string().replace('T', " ") == shift.to.to_string()));
            }
            ShiftEffect::Untouched => {
                let next = schedule.next_after(after);
                prop_assert!(next.is_none_or(|at| at >= shift.at || shown(at) < shift.to.to_string()));
            }
            ShiftEffect::Moved { wall, runs_at, merged } => {
                prop_assert_eq!(runs_at, shift.at);
                prop_assert!(shift.from <= wall && wall < shift.to && fires(runs_at));
                prop_assert_eq!(matching(shift.from, shift.to).len(), merged as usize);
            }
            ShiftEffect::Once { wall, first, second } => {
                prop_assert!(after < first && first < shift.at && shift.at <= second);
                prop_assert_eq!(shown(first), wall.to_string());
                prop_assert_eq!(shown(second), wall.to_string());
                prop_assert!(fires(first) && !fires(second));
            }
        }
    }

    #[test]
    fn jitter_stays_below_its_width(job in any::<u128>(), slot in instant(), width in 0_u32..=86_400) {
        let delay = jitter(Uuid::from_u128(job), slot, width);
        prop_assert!(delay < Duration::from_secs(width.into()) || (width == 0 && delay.is_zero()));
        prop_assert_eq!(delay, jitter(Uuid::from_u128(job), slot, width));
    }

    #[test]
    fn no_text_makes_the_readers_panic(text in any::<String>(), fields in "([0-9*/,#LW?+@A-Z-]{0,6}[ \t]){3,7}") {
        for text in [&text, &fields] {
            let _ = text.parse::<CronExpression>();
            let _ = text.parse::<TimeZone>();
            let _ = serde_json::from_str::<Schedule>(text);
        }
    }

    #[test]
    fn no_instant_makes_the_search_panic(text in firing(six_fields()), zone in zone(), micros in any::<i64>()) {
        let schedule = schedule(ScheduleInput::cron(text).in_zone(zone));
        let at = Timestamp::from_micros(micros);
        for after in [at, Timestamp::MIN, Timestamp::MAX] {
            prop_assert!(schedule.next_after(after).is_none_or(|next| next > after));
        }
    }
}
