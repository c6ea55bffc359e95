//! The cron expressions that have words of their own, and that the form makes from a few choices.

use std::fmt;

use horarium_domain::schedule::Weekday;

use super::calendar::short_day;

/// What most cron expressions say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Preset {
    /// Every so many minutes; they divide the hour.
    Minutes(u8),
    /// Every hour at this minute.
    Hourly(u8),
    /// Every day at this time.
    Daily(Clock),
    /// On these days of the week, the first of which is Monday, at this time.
    Weekly(Vec<Weekday>, Clock),
    /// On this day of each month that has it, at this time.
    Monthly(u8, Clock),
}

/// A time of day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Clock {
    hour: u8,
    minute: u8,
}

/// Every day of the week, in order, with its name in expressions.
pub(crate) const WEEKDAYS: [(Weekday, &str); 7] = [
    (Weekday::Monday, "MON"),
    (Weekday::Tuesday, "TUE"),
    (Weekday::Wednesday, "WED"),
    (Weekday::Thursday, "THU"),
    (Weekday::Friday, "FRI"),
    (Weekday::Saturday, "SAT"),
    (Weekday::Sunday, "SUN"),
];

const WORKING_DAYS: &str = "MON-FRI";

/// The numbers of minutes that divide the hour, so that they are evenly apart.
pub(crate) const EVENLY: [u8; 11] = [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30];

impl Clock {
    /// Reads `02:30`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (hour, minute) = text.trim().split_once(':')?;
        Some(Self { hour: below(hour, 24)?, minute: below(minute, 60)? })
    }
}

impl fmt::Display for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}:{:02}", self.hour, self.minute)
    }
}

impl Preset {
    /// The working days at a time.
    pub(crate) fn working_days(at: Clock) -> Self {
        Self::Weekly(WEEKDAYS[..5].iter().map(|(day, _)| *day).collect(), at)
    }

    /// Whether it is about the working days.
    pub(crate) fn is_of_working_days(&self) -> bool {
        matches!(self, Self::Weekly(days, at) if Self::Weekly(days.clone(), *at) == Self::working_days(*at))
    }

    /// What an expression says, if it is written as [`expression`](Self::expression) would.
    pub(crate) fn read(expression: &str) -> Option<Self> {
        let fields: Vec<_> = expression.split_whitespace().collect();
        let [minute, hour, day, "*", weekday] = fields[..] else { return None };
        let at = || Some(Clock { hour: below(hour, 24)?, minute: below(minute, 60)? });
        let preset = match (hour, day, weekday) {
            ("*", "*", "*") if minute == "*" => Self::Minutes(1),
            ("*", "*", "*") => match minute.strip_prefix("*/") {
                Some(step) => Self::Minutes(below(step, 60)?),
                None => Self::Hourly(below(minute, 60)?),
            },
            (_, "*", "*") => Self::Daily(at()?),
            (_, "*", WORKING_DAYS) => Self::working_days(at()?),
            (_, "*", days) => Self::Weekly(days.split(',').map(weekday_named).collect::<Option<_>>()?, at()?),
            (_, day, "*") => Self::Monthly(below(day, 32)?, at()?),
            _ => return None,
        };
        (preset.is_sound() && preset.expression() == expression.trim()).then_some(preset)
    }

    /// Whether it says what its words say.
    fn is_sound(&self) -> bool {
        match self {
            Self::Minutes(step) => EVENLY.contains(step),
            Self::Weekly(days, _) => !days.is_empty(),
            Self::Monthly(day, _) => *day > 0,
            Self::Hourly(_) | Self::Daily(_) => true,
        }
    }

    /// The expression that says it.
    pub(crate) fn expression(&self) -> String {
        let timed = |at: &Clock, days: &str| format!("{} {} {days}", at.minute, at.hour);
        match self {
            Self::Minutes(1) => "* * * * *".to_owned(),
            Self::Minutes(step) => format!("*/{step} * * * *"),
            Self::Hourly(minute) => format!("{minute} * * * *"),
            Self::Daily(at) => timed(at, "* * *"),
            Self::Weekly(_, at) if self.is_of_working_days() => timed(at, &format!("* * {WORKING_DAYS}")),
            Self::Weekly(days, at) => {
                let named = WEEKDAYS.iter().filter(|(day, _)| days.contains(day)).map(|(_, name)| *name);
                timed(at, &format!("* * {}", named.collect::<Vec<_>>().join(",")))
            }
            Self::Monthly(day, at) => timed(at, &format!("{day} * *")),
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Minutes(1) => f.write_str("Every minute"),
            Self::Minutes(step) => write!(f, "Every {step} min"),
            Self::Hourly(minute) => write!(f, "Hourly at :{minute:02}"),
            Self::Daily(at) => write!(f, "Daily at {at}"),
            Self::Weekly(_, at) if self.is_of_working_days() => write!(f, "Mon–Fri at {at}"),
            Self::Weekly(days, at) => {
                let named: Vec<_> = days.iter().map(|day| short_day(*day)).collect();
                write!(f, "{} at {at}", named.join(", "))
            }
            Self::Monthly(day, at) => write!(f, "Monthly on the {day}{} at {at}", ordinal(*day)),
        }
    }
}

fn weekday_named(name: &str) -> Option<Weekday> {
    WEEKDAYS.iter().find(|(_, given)| *given == name).map(|(day, _)| *day)
}

/// A number below a bound, written in digits.
fn below(text: &str, bound: u8) -> Option<u8> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().ok())?.filter(|number| *number < bound)
}

const fn ordinal(day: u8) -> &'static str {
    match day {
        1 | 21 | 31 => "st",
        2 | 22 => "nd",
        3 | 23 => "rd",
        _ => "th",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_most_expressions_say_has_words() {
        for (expression, words) in [
            ("* * * * *", "Every minute"),
            ("*/5 * * * *", "Every 5 min"),
            ("10 * * * *", "Hourly at :10"),
            ("30 2 * * *", "Daily at 02:30"),
            ("0 9 * * MON-FRI", "Mon–Fri at 09:00"),
            ("0 18 * * MON,THU", "Mon, Thu at 18:00"),
            ("0 0 1 * *", "Monthly on the 1st at 00:00"),
            ("15 6 22 * *", "Monthly on the 22nd at 06:15"),
        ] {
            let preset = Preset::read(expression).unwrap();
            assert_eq!(preset.to_string(), words);
            assert_eq!(preset.expression(), expression);
        }
    }

    #[test]
    fn what_is_written_in_another_way_is_left_as_it_is() {
        for expression in [
            "",
            "@daily",
            "*/7 * * * *",
            "*/1 * * * *",
            "0 0 30 2 * *",
            "30 02 * * *",
            "30 2 * JAN *",
            "30 2 1 * MON",
            "0 9 * * 1-5",
            "0 9 * * mon",
            "0 9 * * THU,MON",
            "0 9 * * MON,TUE,WED,THU,FRI",
            "60 2 * * *",
            "0 24 * * *",
            "0 0 0 * *",
            "0 0 L * *",
            "0,30 2 * * *",
        ] {
            assert_eq!(Preset::read(expression), None, "{expression}");
        }
    }

    #[test]
    fn a_time_of_day_is_read_as_it_is_written() {
        assert_eq!(Clock::parse(" 2:05 ").unwrap().to_string(), "02:05");
        for text in ["", "24:00", "12:60", "noon", "12", "+1:00", "12:00:00"] {
            assert_eq!(Clock::parse(text), None, "{text}");
        }
    }
}
