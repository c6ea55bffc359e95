//! Which wall times an expression matches, with the calendar's own irregularities but without any time zone.

use croner::{CronPattern, Weekday};
use jiff::civil::{Date, DateTime, Time};

/// The fields of an expression, ready to search.
///
/// Croner has read them and says which days match (`L`, `W`, `#` and the ways of combining the two day fields are its
/// affair). The search is done here, on bit sets, because croner's own search has a policy of its own for the jumps of
/// the clock, and fails on a jump of more than two hours.
#[derive(Debug, Clone)]
pub(super) struct Calendar {
    seconds: u64,
    minutes: u64,
    hours: u64,
    months: u64,
    days: CronPattern,
}

const EVERY_HOUR: u64 = (1 << 24) - 1;

impl Calendar {
    pub(super) fn new(mut days: CronPattern) -> Self {
        // Five kilobytes of years, one byte each, that nothing here asks for.
        days.years = croner::CronComponent::default();
        Self {
            seconds: bits(&days.seconds),
            minutes: bits(&days.minutes),
            hours: bits(&days.hours),
            months: bits(&days.months),
            days,
        }
    }

    /// Whether the hour field leaves out no hour.
    pub(super) fn allows_every_hour(&self) -> bool {
        self.hours == EVERY_HOUR
    }

    /// Whether any day matches at all.
    ///
    /// The day fields depend on nothing but the month, its length and its first weekday, and 28 years in a row without a
    /// century among them show every combination of those that there is.
    pub(super) fn matches_any_day(&self) -> bool {
        (2000..2028).any(|year| (1..=12).any(|month| self.first_day_in(year, month, 1).is_some()))
    }

    /// The first matching time that is not before `from`; `None` when there is none before the year 10000.
    pub(super) fn first_from(&self, from: DateTime) -> Option<DateTime> {
        let date = self.first_date_from(from.date())?;
        if date > from.date() {
            return Some(date.to_datetime(self.first_time_from(0, 0, 0)?));
        }
        let time = from.time();
        if let Some(time) = self.first_time_from(time.hour(), time.minute(), time.second()) {
            return Some(date.to_datetime(time));
        }
        let date = self.first_date_from(date.tomorrow().ok()?)?;
        Some(date.to_datetime(self.first_time_from(0, 0, 0)?))
    }

    fn first_date_from(&self, from: Date) -> Option<Date> {
        let (mut year, mut month, mut day) = (from.year(), from.month(), from.day());
        while year <= Date::MAX.year() {
            if let Some(found) = self.first_day_in(year, month, day) {
                return Some(found);
            }
            day = 1;
            (year, month) = if month == 12 { (year + 1, 1) } else { (year, month + 1) };
        }
        None
    }

    /// The first matching day of a month, from `day` on.
    fn first_day_in(&self, year: i16, month: i8, day: i8) -> Option<Date> {
        if !has(self.months, month) {
            return None;
        }
        let from = Date::new(year, month, day).ok()?;
        let weekday = Weekday::from_days_from_sunday(from.weekday().to_sunday_zero_offset().unsigned_abs().into());
        (day..=from.days_in_month())
            .find(|candidate| {
                let ahead = i32::from(candidate - day);
                let (year, month, day) = (i32::from(year), unsigned(month), unsigned(*candidate));
                // It only fails on a date that does not exist.
                self.days.day_match(year, month, day, weekday.shift(ahead)).unwrap_or(false)
            })
            .and_then(|day| Date::new(year, month, day).ok())
    }

    /// The first matching time of a day that is not before the given one.
    fn first_time_from(&self, hour: i8, minute: i8, second: i8) -> Option<Time> {
        let at = |hour, minute, second| Time::new(hour, minute, second, 0).ok();
        let (first_minute, first_second) = (first(self.minutes, 0)?, first(self.seconds, 0)?);
        if has(self.hours, hour) {
            if has(self.minutes, minute)
                && let Some(second) = first(self.seconds, second)
            {
                return at(hour, minute, second);
            }
            if let Some(minute) = first(self.minutes, minute + 1) {
                return at(hour, minute, first_second);
            }
        }
        at(first(self.hours, hour + 1)?, first_minute, first_second)
    }
}

/// The values that a field allows, as a set of bits. None is above 59.
fn bits(field: &croner::CronComponent) -> u64 {
    field.values().into_iter().fold(0, |set, value| set | (1 << value))
}

fn has(set: u64, value: i8) -> bool {
    set & (1 << value) != 0
}

/// The least member of `set` that is not below `from`, which is at most 60.
fn first(set: u64, from: i8) -> Option<i8> {
    let rest = set >> from << from;
    (rest != 0).then(|| rest.trailing_zeros() as i8)
}

/// Months and days of the month are positive.
fn unsigned(value: i8) -> u32 {
    u32::from(value.unsigned_abs())
}
