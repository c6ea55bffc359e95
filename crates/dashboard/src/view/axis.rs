//! What is written along a chart: how high it reaches, and when its bars were.

use std::time::Duration;

use horarium_domain::Timestamp;
use horarium_domain::schedule::TimeZone;
use horarium_domain::stats::TimelinePoint;

use super::calendar::{clock, day, short_day};

/// The most instants that are named along the time axis; on a phone, it is every other one of them.
const MOST_TICKS: usize = 8;

/// So many bars lie between two that are named.
const STEPS: [usize; 8] = [1, 2, 3, 4, 6, 12, 24, 48];

/// Up to this span, an hour alone says when.
const HOURS_ALONE: Duration = Duration::from_hours(48);

/// From this width on, a bar is a day of UTC: it is named as such, whatever the viewer's zone.
const DAY: Duration = Duration::from_hours(24);

/// An instant that is named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tick {
    pub(super) at: Timestamp,
    /// Where, in percent of the width.
    pub(super) place: String,
    /// In UTC.
    pub(super) words: String,
    /// How `times.js` writes it in the viewer's zone, if it is to: `hour` or `weekday`.
    pub(super) format: &'static str,
    /// Whether there is room for it on wide screens alone.
    pub(super) is_minor: bool,
}

/// The instants to name along these bars, each where its bar begins.
pub(super) fn ticks(points: &[TimelinePoint]) -> Vec<Tick> {
    let step = STEPS.into_iter().find(|step| points.len().div_ceil(*step) <= MOST_TICKS).unwrap_or(points.len()).max(1);
    let width = points.iter().zip(points.iter().skip(1)).map(|(one, next)| next.timestamp.since(one.timestamp)).next();
    let width = width.unwrap_or_default();
    let span = width * u32::try_from(points.len()).unwrap_or(u32::MAX);
    let tick = |(number, (index, point)): (usize, (usize, &TimelinePoint))| {
        let wall = TimeZone::UTC.local(point.timestamp).wall;
        let (format, words) = if width >= DAY {
            ("", day(wall))
        } else if span <= HOURS_ALONE {
            ("hour", clock(wall))
        } else {
            ("weekday", format!("{} {}", short_day(wall.weekday()), clock(wall)))
        };
        let place = format!("{:.2}%", index as f64 * 100.0 / points.len() as f64);
        Tick { at: point.timestamp, place, words, format, is_minor: number % 2 == 1 }
    };
    points.iter().enumerate().step_by(step).enumerate().map(tick).collect()
}

/// The least number from `highest` on that is easily read and halved.
pub(super) fn top(highest: i64) -> i64 {
    let round = [2, 4, 6, 8, 10, 12, 16, 20];
    let powers = std::iter::successors(Some(1_i64), |power| power.checked_mul(10));
    let mut tops = powers.flat_map(|power| round.map(|number| power.saturating_mul(number)));
    tops.find(|top| *top >= highest).unwrap_or(highest)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// So many bars of this width from 2025-07-10 14:00 UTC on.
    fn bars(count: usize, width: Duration) -> Vec<TimelinePoint> {
        let beginning: Timestamp = "2025-07-10T14:00:00Z".parse().unwrap();
        let at = std::iter::successors(Some(beginning), |at| Some(*at + width)).take(count);
        let point =
            |timestamp| TimelinePoint { timestamp, succeeded: 1, failed: 0, cancelled: 0, running: 0, duration_ms: 40 };
        at.map(point).collect()
    }

    fn named(count: usize, width: Duration) -> Vec<(String, String)> {
        ticks(&bars(count, width)).into_iter().map(|tick| (tick.place, tick.words)).collect()
    }

    #[test]
    fn a_day_is_told_by_hours_a_week_by_days_and_hours_a_month_by_dates() {
        let day = named(24, Duration::from_hours(1));
        assert_eq!((day.len(), &day[1]), (8, &("12.50%".to_owned(), "17:00".to_owned())));
        let week = named(168, Duration::from_hours(1));
        assert_eq!((week.len(), &week[1]), (7, &("14.29%".to_owned(), "Fri 14:00".to_owned())));
        let month = named(30, Duration::from_hours(24));
        assert_eq!((month.len(), &month[1]), (8, &("13.33%".to_owned(), "14 Jul".to_owned())));
        assert!(named(0, Duration::ZERO).is_empty());
    }

    #[test]
    fn the_top_is_a_round_number() {
        for (highest, round) in [(0, 2), (2, 2), (3, 4), (11, 12), (13, 16), (21, 40), (121, 160), (1901, 2000)] {
            assert_eq!(top(highest), round, "{highest}");
        }
    }
}
