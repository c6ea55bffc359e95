//! Schedules in words.

use askama::Template;
use askama::filters::HtmlSafe;
use horarium_domain::schedule::{Schedule, ScheduleKind};

use super::Preset;
use super::calendar::moment;

/// When a job runs, in a few words.
#[derive(Debug, Clone, PartialEq, Eq, Template)]
#[template(path = "parts/when.html")]
pub(crate) struct When {
    words: String,
    /// Whether the words are a cron expression.
    is_code: bool,
    /// The zone whose clock is meant, unless it is UTC.
    zone: Option<String>,
}

impl HtmlSafe for When {}

impl When {
    /// That of a schedule.
    pub(crate) fn of(schedule: &Schedule) -> Self {
        let name = schedule.timezone().name();
        let zone = Some(name).filter(|name| *name != "UTC").map(str::to_owned);
        let plain = |words: String| Self { words, is_code: false, zone: zone.clone() };
        match schedule.kind() {
            ScheduleKind::Manual => Self { words: "On demand".to_owned(), is_code: false, zone: None },
            ScheduleKind::OneTime { at } => plain(format!("Once, {}", moment(&schedule.timezone().local(*at)))),
            // Elapsed time is the same in every zone.
            ScheduleKind::Interval { seconds, .. } => {
                Self { words: format!("Every {}", span(*seconds)), is_code: false, zone: None }
            }
            ScheduleKind::Cron(cron) => match Preset::read(cron.as_str()) {
                Some(preset) => plain(preset.to_string()),
                None => Self { words: cron.as_str().to_owned(), is_code: true, zone: zone.clone() },
            },
        }
    }
}

/// A whole number of seconds in the largest unit that divides it.
fn span(seconds: u64) -> String {
    let (amount, unit) = in_units(seconds);
    match unit {
        1 => format!("{amount} s"),
        60 => format!("{amount} min"),
        3600 => format!("{amount} h"),
        _ => format!("{amount} d"),
    }
}

/// A number of seconds as so many of the largest unit that divides it, and that unit's seconds.
pub(crate) fn in_units(seconds: u64) -> (u64, u64) {
    let unit = [86_400, 3600, 60].into_iter().find(|unit| seconds > 0 && seconds.is_multiple_of(*unit)).unwrap_or(1);
    (seconds / unit, unit)
}

#[cfg(test)]
mod tests {
    use horarium_domain::Timestamp;
    use horarium_domain::schedule::ScheduleInput;

    use super::*;

    #[test]
    fn a_schedule_is_told_on_its_zones_clock() {
        let at: Timestamp = "2027-03-28T01:00:00Z".parse().unwrap();
        for (input, words) in [
            (ScheduleInput::default(), "On demand"),
            (ScheduleInput::one_time(at), "Once, Sun 28 Mar 2027 03:00, Europe/Berlin"),
            (ScheduleInput::interval(900), "Every 15 min"),
            (ScheduleInput::interval(90), "Every 90 s"),
            (ScheduleInput::interval(172_800), "Every 2 d"),
            (ScheduleInput::cron("30 2 * * *"), "Daily at 02:30, Europe/Berlin"),
            (ScheduleInput::cron("30 2 * JAN *"), "<code>30 2 * JAN *</code>, Europe/Berlin"),
        ] {
            let schedule = Schedule::new(input.in_zone("Europe/Berlin"), Timestamp::UNIX_EPOCH).unwrap();
            assert_eq!(When::of(&schedule).to_string().trim(), words);
        }
        let utc = Schedule::new(ScheduleInput::cron("30 2 * * *"), Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(When::of(&utc).to_string().trim(), "Daily at 02:30");
    }
}
