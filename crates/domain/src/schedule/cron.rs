//! Cron expressions: reading them strictly, and finding their slots on a wall clock.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use croner::errors::CronError as CronerError;
use croner::parser::{CronParser, Seconds, Year};
use jiff::ToSpan;
use jiff::civil::DateTime;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Timestamp;

use super::calendar::Calendar;
use super::timezone::TimeZone;
use super::wall_clock::Reading;

/// A cron expression that is valid and fires some day. Cheap to clone; two are equal when their texts are.
///
/// Five fields (minute, hour, day of month, month, day of week), six with the second in front, or one of `@yearly`,
/// `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight` and `@hourly`. A field takes `*`, numbers, ranges, lists and
/// steps (`*/5`, `10-40/5`); months and weekdays also take English names of three letters; `L` is the last day of the
/// month, `15W` the weekday nearest to the 15th, `LW` the last weekday, `FRI#2` the second Friday, `5L` the last Friday.
/// Sunday is 0 or 7. When both day fields are restricted, a day that matches either matches; with a `+` before the day
/// of week it has to match both (`0 9 8-14 * +MON`).
#[derive(Clone)]
pub struct CronExpression {
    text: Arc<str>,
    calendar: Arc<Calendar>,
}

/// A field of a cron expression.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CronField {
    /// 0-59; the first field when there are six.
    Second,
    /// 0-59.
    Minute,
    /// 0-23.
    Hour,
    /// 1-31.
    DayOfMonth,
    /// 1-12 or JAN-DEC.
    Month,
    /// 0-7 or SUN-SAT.
    DayOfWeek,
}

/// Why a text is no cron expression that a schedule can use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CronError {
    /// The text is far longer than any expression.
    #[error("the cron expression has {length} characters; at most {max} are read", max = CronExpression::MAX_LENGTH)]
    TooLong {
        /// Its length in bytes.
        length: usize,
    },
    /// There are not five or six fields.
    #[error(
        "a cron expression has 5 fields (minute, hour, day of month, month, day of week) or 6 (second first), or is a \
         name such as @daily; this one has {0}"
    )]
    FieldCount(usize),
    /// The text starts with an at sign and is not one of the names.
    #[error("'{0}' is not known; the names are @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly")]
    UnknownName(String),
    /// One field is not valid.
    #[error("the {field} field '{text}' is not valid: {reason}; it takes {takes}", takes = field.takes())]
    Field {
        /// Which.
        field: CronField,
        /// What it says.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Every field is valid, but no date matches them all.
    #[error("'{0}' never fires: no date matches its day and month fields")]
    NeverFires(String),
}

impl CronField {
    const ALL: [Self; 6] = [Self::Second, Self::Minute, Self::Hour, Self::DayOfMonth, Self::Month, Self::DayOfWeek];

    /// What the field may say, in words for an error.
    const fn takes(self) -> &'static str {
        match self {
            Self::Second | Self::Minute => "0-59, *, lists, ranges and steps such as */5",
            Self::Hour => "0-23, *, lists, ranges and steps such as */5",
            Self::DayOfMonth => "1-31, *, ?, L, LW, W after a day, lists, ranges and steps such as */5",
            Self::Month => "1-12 or JAN-DEC, *, lists, ranges and steps such as */5",
            Self::DayOfWeek => {
                "0-7 or SUN-SAT (0 and 7 are Sunday), *, ?, L or #1 to #5 after a day, lists, ranges and steps"
            }
        }
    }

    /// Whether a run of letters and digits may stand in this field. Croner replaces names wherever they occur, so that
    /// `JAN2` would read as December.
    fn allows_word(self, word: &str) -> bool {
        const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
        const DAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];
        let number = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        let any_of = |names: &[&str], word: &str| names.iter().any(|name| name.eq_ignore_ascii_case(word));
        let before = |suffix: char| word.strip_suffix([suffix, suffix.to_ascii_lowercase()]);
        number(word)
            || match self {
                Self::Second | Self::Minute | Self::Hour => false,
                Self::DayOfMonth => any_of(&["L", "LW"], word) || before('W').is_some_and(number),
                Self::Month => any_of(&MONTHS, word),
                Self::DayOfWeek => {
                    any_of(&DAYS, word) || before('L').is_some_and(|day| number(day) || any_of(&DAYS, day))
                }
            }
    }
}

impl fmt::Display for CronField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day-of-month",
            Self::Month => "month",
            Self::DayOfWeek => "day-of-week",
        })
    }
}

impl CronExpression {
    /// The longest text that is read, in bytes; enough to list every second and every minute.
    pub const MAX_LENGTH: usize = 512;

    /// The expression as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether the expression allows every hour and so follows elapsed time; see [the module](super) for what that
    /// means when the clock jumps.
    pub fn follows_elapsed_time(&self) -> bool {
        self.calendar.allows_every_hour()
    }

    /// The first slot strictly after `after` on the wall clock of `timezone`; `None` beyond the year 9999.
    ///
    /// It costs well under a microsecond for common expressions, and some tens at the most (29 February on a Monday).
    pub fn next_after(&self, after: Timestamp, timezone: &TimeZone) -> Option<Timestamp> {
        // Slots are whole seconds, so one after the fraction is one after the second.
        let after = after.as_seconds();
        let wall = timezone.wall_at(after)?;
        let slot = if self.follows_elapsed_time() {
            self.next_elapsed(after, wall, timezone)
        } else {
            self.next_appointment(after, wall, timezone)
        }?;
        Some(Timestamp::from_seconds(slot))
    }

    /// The first matching wall time that is not before `from`, whether any clock shows it or not.
    pub(super) fn first_wall_from(&self, from: DateTime) -> Option<DateTime> {
        self.calendar.first_from(from)
    }

    /// The first matching wall time after `wall`, whether any clock shows it or not.
    pub(super) fn first_wall_after(&self, wall: DateTime) -> Option<DateTime> {
        self.calendar.first_from(next_second(wall)?)
    }

    /// The first slot after `after`, where the slot of a matching wall time is the earliest instant at which the clock
    /// shows that time or a later one. That instant does not decrease from one wall time to the next, so the first
    /// matching time beyond all that the clock has shown so far is the one.
    fn next_appointment(&self, after: i64, wall: DateTime, timezone: &TimeZone) -> Option<i64> {
        let from = match timezone.reading(wall)? {
            // In the second pass the clock has already shown all that it repeats.
            Reading::Twice { second, shift, .. } if second == after => shift.wall_before()?,
            _ => next_second(wall)?,
        };
        Some(match timezone.reading(self.calendar.first_from(from)?)? {
            Reading::Once(instant) | Reading::Twice { first: instant, .. } => instant,
            Reading::Never(shift) => shift.at,
        })
    }

    /// The first instant after `after` at which the clock shows a matching time.
    fn next_elapsed(&self, after: i64, wall: DateTime, timezone: &TimeZone) -> Option<i64> {
        let ahead = self.first_shown_from(next_second(wall)?, after, timezone);
        // In the first pass, what the clock is about to repeat lies ahead too, though it reads as past.
        if let Some(Reading::Twice { first, shift, .. }) = timezone.reading(wall)
            && first == after
        {
            let repeated = self.first_shown_from(shift.wall_after()?, shift.at - 1, timezone);
            return [ahead, repeated].into_iter().flatten().min();
        }
        ahead
    }

    /// The first instant after `after` at which the clock shows the first matching time that is not before `from` and
    /// that it shows at all.
    fn first_shown_from(&self, mut from: DateTime, after: i64, timezone: &TimeZone) -> Option<i64> {
        loop {
            match timezone.reading(self.calendar.first_from(from)?)? {
                Reading::Once(instant) => return Some(instant),
                Reading::Twice { first, .. } if first > after => return Some(first),
                Reading::Twice { second, .. } => return Some(second),
                Reading::Never(shift) => from = shift.wall_after()?,
            }
        }
    }
}

fn next_second(wall: DateTime) -> Option<DateTime> {
    wall.checked_add(1.second()).ok()
}

impl FromStr for CronExpression {
    type Err = CronError;

    fn from_str(text: &str) -> Result<Self, CronError> {
        if text.len() > Self::MAX_LENGTH {
            return Err(CronError::TooLong { length: text.len() });
        }
        let trimmed = text.trim();
        let written = if trimmed.starts_with('@') { expand(trimmed)? } else { trimmed };
        let mut fields: Vec<&str> = written.split_whitespace().collect();
        match fields.len() {
            5 => fields.insert(0, "0"),
            6 => {}
            count => return Err(CronError::FieldCount(count)),
        }
        for (field, text) in CronField::ALL.into_iter().zip(&fields) {
            check_words(field, text).map_err(|reason| invalid(field, text, reason))?;
        }
        let pattern = parse(&fields).map_err(|error| locate(&fields, &error))?;
        let calendar = Calendar::new(pattern);
        if !calendar.matches_any_day() {
            return Err(CronError::NeverFires(trimmed.to_owned()));
        }
        Ok(Self { text: text.into(), calendar: Arc::new(calendar) })
    }
}

/// The fields that an `@` name stands for.
fn expand(name: &str) -> Result<&'static str, CronError> {
    match name.to_ascii_lowercase().as_str() {
        "@yearly" | "@annually" => Ok("0 0 1 1 *"),
        "@monthly" => Ok("0 0 1 * *"),
        "@weekly" => Ok("0 0 * * 0"),
        "@daily" | "@midnight" => Ok("0 0 * * *"),
        "@hourly" => Ok("0 * * * *"),
        _ => Err(CronError::UnknownName(name.to_owned())),
    }
}

/// Refuses what croner would read as something else than it says.
fn check_words(field: CronField, text: &str) -> Result<(), String> {
    if text.split(',').any(str::is_empty) {
        return Err("its list has an empty item".to_owned());
    }
    let words = text.split(|character: char| !character.is_alphanumeric()).filter(|word| !word.is_empty());
    match words.into_iter().find(|word| !field.allows_word(word)) {
        Some(word) => Err(format!("'{word}' means nothing there")),
        None => Ok(()),
    }
}

/// Reads six fields.
fn parse(fields: &[&str]) -> Result<croner::CronPattern, CronerError> {
    let parser = CronParser::builder().seconds(Seconds::Required).year(Year::Required).build();
    // Nine tenths of croner's work would be to note 5,000 years for a `*`; the calendar does without years.
    Ok(parser.parse(&format!("{} 1", fields.join(" ")))?.pattern)
}

/// Finds the field that croner's `error` is about, which croner does not say: the one that fails alone.
fn locate(fields: &[&str], error: &CronerError) -> CronError {
    let culprit = CronField::ALL.into_iter().zip(fields).enumerate().find_map(|(index, (field, text))| {
        let mut alone = ["*"; 6];
        alone[index] = text;
        parse(&alone).err().map(|error| invalid(field, text, reason(&error)))
    });
    // Fields are read one by one, so one of them fails alone; the fallback is never taken.
    culprit.unwrap_or_else(|| invalid(CronField::Second, fields.first().unwrap_or(&""), reason(error)))
}

fn reason(error: &CronerError) -> String {
    let message = match error {
        CronerError::ComponentError(message)
        | CronerError::IllegalCharacters(message)
        | CronerError::InvalidPattern(message) => message.clone(),
        other => other.to_string(),
    };
    let message = message.trim_end_matches('.');
    let mut characters = message.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}

fn invalid(field: CronField, text: &str, reason: String) -> CronError {
    CronError::Field { field, text: text.to_owned(), reason }
}

impl PartialEq for CronExpression {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for CronExpression {}

impl Hash for CronExpression {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

impl fmt::Display for CronExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Debug for CronExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CronExpression({:?})", self.text)
    }
}

impl Serialize for CronExpression {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

impl<'de> Deserialize<'de> for CronExpression {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
