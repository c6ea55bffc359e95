//! What a clock on the wall shows.

use std::fmt;

use jiff::civil::{self, DateTime};

use crate::Timestamp;

use super::timezone::TimeZone;
use super::wall_clock::Reading;

/// A date and a time of day, to the second, without saying of which zone. No clock need ever show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WallTime(DateTime);

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Weekday {
    /// The first of the working week.
    Monday,
    /// The second.
    Tuesday,
    /// The third.
    Wednesday,
    /// The fourth.
    Thursday,
    /// The fifth.
    Friday,
    /// The sixth.
    Saturday,
    /// The seventh.
    Sunday,
}

impl WallTime {
    pub(super) const fn new(wall: DateTime) -> Self {
        Self(wall)
    }

    pub(super) const fn date_time(self) -> DateTime {
        self.0
    }

    /// Reads `2027-03-28T02:30`, with or without seconds, as browsers write what is chosen in a field for a date and a time.
    /// `None` when it is no such thing.
    pub fn parse(text: &str) -> Option<Self> {
        let (date, time) = text.trim().split_once(['T', ' '])?;
        let date: civil::Date = date.parse().ok()?;
        let time: civil::Time = time.parse().ok()?;
        let time = civil::Time::new(time.hour(), time.minute(), time.second(), 0).ok()?;
        Some(Self(date.to_datetime(time)))
    }

    /// The year.
    pub fn year(self) -> i16 {
        self.0.year()
    }

    /// The month, 1 to 12.
    pub fn month(self) -> u8 {
        self.0.month().unsigned_abs()
    }

    /// The day of the month, 1 to 31.
    pub fn day(self) -> u8 {
        self.0.day().unsigned_abs()
    }

    /// The day of the week.
    pub fn weekday(self) -> Weekday {
        match self.0.weekday() {
            civil::Weekday::Monday => Weekday::Monday,
            civil::Weekday::Tuesday => Weekday::Tuesday,
            civil::Weekday::Wednesday => Weekday::Wednesday,
            civil::Weekday::Thursday => Weekday::Thursday,
            civil::Weekday::Friday => Weekday::Friday,
            civil::Weekday::Saturday => Weekday::Saturday,
            civil::Weekday::Sunday => Weekday::Sunday,
        }
    }

    /// The hour, 0 to 23.
    pub fn hour(self) -> u8 {
        self.0.hour().unsigned_abs()
    }

    /// The minute, 0 to 59.
    pub fn minute(self) -> u8 {
        self.0.minute().unsigned_abs()
    }

    /// The second, 0 to 59.
    pub fn second(self) -> u8 {
        self.0.second().unsigned_abs()
    }
}

impl fmt::Display for WallTime {
    /// `2027-03-28 02:30:00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = (self.year(), self.month(), self.day());
        write!(f, "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", self.hour(), self.minute(), self.second())
    }
}

/// What a zone's clock shows at an instant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LocalTime {
    /// The date and the time.
    pub wall: WallTime,
    /// How far the clock is ahead of UTC, in seconds.
    pub offset_seconds: i32,
    /// What the zone calls its time then, such as `CEST` or `+03`.
    pub abbreviation: String,
}

/// When a zone's clock shows a wall time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// At one instant.
    Once(Timestamp),
    /// Never: the clock is put forward over it.
    Never(ClockShift),
    /// At two instants: the clock is put back over it.
    Twice {
        /// Before the clock is put back.
        first: Timestamp,
        /// After it.
        second: Timestamp,
    },
}

/// A clock being put forward or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClockShift {
    /// The first instant with the new offset.
    pub at: Timestamp,
    /// What the clock would have shown at that instant.
    pub from: WallTime,
    /// What it shows; later than `from` where the clock is put forward.
    pub to: WallTime,
}

impl ClockShift {
    /// Whether the clock is put forward.
    pub fn is_forward(&self) -> bool {
        self.to > self.from
    }
}

impl TimeZone {
    /// What the zone's clock shows at an instant, fractions of a second left out.
    pub fn local(&self, at: Timestamp) -> LocalTime {
        // Only the last hours of the year 9999 are outside of the calendar.
        let instant = jiff::Timestamp::from_second(at.as_seconds()).unwrap_or(jiff::Timestamp::MAX);
        let info = self.rules().to_offset_info(instant);
        LocalTime {
            wall: WallTime(info.offset().to_datetime(instant)),
            offset_seconds: info.offset().seconds(),
            abbreviation: info.abbreviation().to_owned(),
        }
    }

    /// When the zone's clock shows a wall time; `None` at the ends of the calendar.
    pub fn when(&self, wall: WallTime) -> Option<Shown> {
        Some(match self.reading(wall.0)? {
            Reading::Once(instant) => Shown::Once(Timestamp::from_seconds(instant)),
            Reading::Never(shift) => Shown::Never(shift.told()?),
            Reading::Twice { first, second, .. } => {
                Shown::Twice { first: Timestamp::from_seconds(first), second: Timestamp::from_seconds(second) }
            }
        })
    }

    /// The next time after an instant that the clock is put forward or back; `None` when the rules know of none in the next
    /// two years. A zone that only gives its time another name does not count.
    pub fn next_shift(&self, after: Timestamp) -> Option<ClockShift> {
        self.shift_following(after.as_seconds())?.told()
    }
}
