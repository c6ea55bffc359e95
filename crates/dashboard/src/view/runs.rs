//! What a schedule will do: its next runs on its zone's clock, and what becomes of it when that clock changes.

use askama::Template;
use askama::filters::HtmlSafe;
use horarium_domain::Timestamp;
use horarium_domain::schedule::{Outlook, Schedule, ScheduleType, ShiftEffect, ShiftOutlook};

use super::calendar::{clock, date, moment};
use super::{Ago, When};

/// How many runs are told.
pub(crate) const RUNS: usize = 10;

/// The next runs of a schedule.
#[derive(Debug, Clone, Template)]
#[template(path = "parts/runs.html")]
pub(crate) struct Runs {
    when: When,
    title: String,
    next: Vec<Run>,
    /// What to know of them beside.
    notes: Vec<String>,
}

impl HtmlSafe for Runs {}

#[derive(Debug, Clone)]
struct Run {
    local: String,
    zone: String,
    at: Ago,
}

impl Runs {
    /// Those of an outlook that was asked for [`RUNS`] of them.
    pub(crate) fn of(outlook: &Outlook, now: Timestamp) -> Self {
        let schedule = &outlook.schedule;
        let next: Vec<_> = outlook
            .slots
            .iter()
            .map(|slot| Run {
                local: moment(&slot.local),
                zone: slot.local.abbreviation.clone(),
                at: Ago { at: Some(slot.at), now },
            })
            .collect();
        let shift = match schedule.schedule_type() {
            ScheduleType::Manual | ScheduleType::OneTime => None,
            ScheduleType::Interval | ScheduleType::Cron => Some(shift_words(schedule, outlook.shift.as_ref(), now)),
        };
        Self {
            when: When::of(schedule),
            title: format!("Next runs in {}", schedule.timezone()),
            notes: end_words(schedule, next.len()).into_iter().chain(shift).collect(),
            next,
        }
    }
}

/// Why there are fewer runs than asked for.
fn end_words(schedule: &Schedule, runs: usize) -> Option<String> {
    match (schedule.schedule_type(), runs) {
        (_, RUNS..) | (ScheduleType::OneTime, 1) => None,
        (ScheduleType::Manual, _) => Some("It runs when somebody triggers it.".to_owned()),
        (_, 0) => Some("It does not run any more.".to_owned()),
        (_, 1) => Some("Only 1 run before it ends.".to_owned()),
        (_, runs) => Some(format!("Only {runs} runs before it ends.")),
    }
}

/// What the next change of the clocks does.
fn shift_words(schedule: &Schedule, shift: Option<&ShiftOutlook>, now: Timestamp) -> String {
    let zone = schedule.timezone().name();
    let Some(ShiftOutlook { shift, effect }) = shift else {
        return if zone == "UTC" {
            "UTC has no daylight saving time.".to_owned()
        } else if schedule.timezone().next_shift(now).is_some() {
            format!("It ends before the clocks in {zone} change.")
        } else {
            format!("The clocks in {zone} do not change in the next two years.")
        };
    };
    let (from, to) = (clock(shift.from), clock(shift.to));
    let go = if shift.is_forward() { "go" } else { "go back" };
    let change = format!("On {} the clocks in {zone} {go} from {from} to {to}.", date(shift.from));
    let effect = match effect {
        ShiftEffect::ElapsedTime => {
            "This schedule follows elapsed time, so it runs on as before; only its times on the clock move.".to_owned()
        }
        ShiftEffect::Untouched => "No run lies in between: it keeps its time on the clock.".to_owned(),
        ShiftEffect::Moved { wall, runs_at, merged } => {
            let (missing, instead) = (clock(*wall), clock(schedule.timezone().local(*runs_at).wall));
            let merged = if *merged > 1 {
                format!(" Its {merged} runs from {missing} to {instead} fall together into one.")
            } else {
                String::new()
            };
            format!("{missing} does not exist that day; the job runs at {instead} instead.{merged}")
        }
        ShiftEffect::Once { wall, first, .. } => {
            let utc = first.to_string();
            format!("{} happens twice that day; the job runs once, at the first ({} UTC).", clock(*wall), &utc[11..16])
        }
    };
    format!("{change} {effect}")
}

#[cfg(test)]
mod tests {
    use horarium_domain::schedule::ScheduleInput;

    use super::*;

    fn told(input: ScheduleInput, zone: &str, now: &str) -> String {
        let now: Timestamp = now.parse().unwrap();
        let schedule = Schedule::new(input.in_zone(zone), now).unwrap();
        Runs::of(&schedule.outlook(now, RUNS), now).to_string()
    }

    #[track_caller]
    fn assert_says(html: &str, text: &str) {
        assert!(html.contains(text), "{html}");
    }

    #[test]
    fn runs_are_told_on_the_zones_clock_with_the_zones_name() {
        let html = told(ScheduleInput::cron("30 2 * * *"), "Europe/Berlin", "2027-03-27T12:00:00Z");
        assert_says(&html, "Next runs in Europe/Berlin");
        assert_says(&html, "Sun 28 Mar 2027 03:00");
        assert_says(&html, "CEST");
        assert_eq!(html.matches("<li").count(), RUNS);
    }

    #[test]
    fn what_the_next_change_of_the_clocks_does_is_said() {
        let spring = "2027-03-01T00:00:00Z";
        let berlin = |expression, now| told(ScheduleInput::cron(expression), "Europe/Berlin", now);
        let forward = "On Sun 28 Mar 2027 the clocks in Europe/Berlin go from 02:00 to 03:00.";
        assert_says(
            &berlin("30 2 * * *", spring),
            &format!("{forward} 02:30 does not exist that day; the job runs at 03:00 instead."),
        );
        assert_says(&berlin("*/30 2 * * *", spring), "Its 2 runs from 02:00 to 03:00 fall together into one.");
        assert_says(&berlin("0 9 * * *", spring), &format!("{forward} No run lies in between"));
        assert_says(&berlin("*/15 * * * *", spring), &format!("{forward} This schedule follows elapsed time"));
        assert_says(
            &berlin("30 2 * * *", "2027-10-01T00:00:00Z"),
            "On Sun 31 Oct 2027 the clocks in Europe/Berlin go back from 03:00 to 02:00. 02:30 happens twice that day; the \
             job runs once, at the first (00:30 UTC).",
        );
    }

    #[test]
    fn where_the_clocks_do_not_change_that_is_said_as_well() {
        let now = "2027-03-01T00:00:00Z";
        let daily = || ScheduleInput::cron("30 2 * * *");
        assert_says(&told(daily(), "UTC", now), "UTC has no daylight saving time.");
        assert_says(&told(daily(), "Europe/Moscow", now), "The clocks in Europe/Moscow do not change");
        let ends = ScheduleInput { expires_at: Some("2027-03-03T12:00:00Z".parse().unwrap()), ..daily() };
        let html = told(ends, "Europe/Berlin", now);
        assert_says(&html, "Only 3 runs before it ends.");
        assert_says(&html, "It ends before the clocks in Europe/Berlin change.");
        assert_says(&told(ScheduleInput::default(), "UTC", now), "It runs when somebody triggers it.");
    }
}
