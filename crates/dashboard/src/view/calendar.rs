//! Dates and times of a zone's clock, in words. Schedules are told so; all else is told in the viewer's zone.

use horarium_domain::schedule::{LocalTime, WallTime, Weekday};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `Sun`.
pub(crate) const fn short_day(day: Weekday) -> &'static str {
    match day {
        Weekday::Monday => "Mon",
        Weekday::Tuesday => "Tue",
        Weekday::Wednesday => "Wed",
        Weekday::Thursday => "Thu",
        Weekday::Friday => "Fri",
        Weekday::Saturday => "Sat",
        Weekday::Sunday => "Sun",
    }
}

/// `28 Mar`.
pub(crate) fn day(wall: WallTime) -> String {
    let month = MONTHS.get(usize::from(wall.month()).saturating_sub(1)).copied().unwrap_or_default();
    format!("{} {month}", wall.day())
}

/// `Sun 28 Mar 2027`.
pub(crate) fn date(wall: WallTime) -> String {
    format!("{} {} {}", short_day(wall.weekday()), day(wall), wall.year())
}

/// `02:30`, and `02:30:15` where seconds matter.
pub(crate) fn clock(wall: WallTime) -> String {
    if wall.second() == 0 {
        format!("{:02}:{:02}", wall.hour(), wall.minute())
    } else {
        format!("{:02}:{:02}:{:02}", wall.hour(), wall.minute(), wall.second())
    }
}

/// `Sun 28 Mar 2027 03:00`.
pub(crate) fn moment(local: &LocalTime) -> String {
    format!("{} {}", date(local.wall), clock(local.wall))
}

/// `2027-03-28T02:30`, as a field for a date and a time holds it.
pub(crate) fn input(wall: WallTime) -> String {
    let text = wall.to_string().replace(' ', "T");
    text.strip_suffix(":00").unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_and_times_are_short() {
        let told = |text| {
            let wall = WallTime::parse(text).unwrap();
            format!("{} {}", date(wall), clock(wall))
        };
        assert_eq!(told("2027-03-28T02:30"), "Sun 28 Mar 2027 02:30");
        assert_eq!(told("2027-12-03T02:30:05"), "Fri 3 Dec 2027 02:30:05");
        for text in ["2027-03-28T02:30", "2027-12-03T00:00", "2027-12-03T02:30:05"] {
            assert_eq!(input(WallTime::parse(text).unwrap()), text);
        }
    }
}
