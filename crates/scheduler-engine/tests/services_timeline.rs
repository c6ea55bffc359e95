//! The timeline agrees with a recount of every attempt.

use std::time::Duration;

use horarium_domain::Timestamp;
use horarium_domain::stats::RollupBucket;
use horarium_domain::store::TimelineData;
use horarium_scheduler_engine::service::TimelineRange;
use proptest::prelude::*;

const NOW: Timestamp = Timestamp::from_seconds(1_772_453_137);

/// An attempt that was the only one of its execution: when it started, how long it took (`None`: it still runs), and
/// how it ended.
#[derive(Debug, Clone, Copy)]
struct Run {
    started: Timestamp,
    ended: Option<(Timestamp, End)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Succeeded,
    Failed,
    Cancelled,
    /// The attempt failed, but the execution waits for another.
    Requeued,
}

fn runs(hours: i64) -> impl Strategy<Value = Vec<Run>> {
    let reach = hours * 3600 + 7200;
    let end = prop_oneof![Just(End::Succeeded), Just(End::Failed), Just(End::Cancelled), Just(End::Requeued)];
    let run = (0..reach, 0..20_000_i64, any::<bool>(), end).prop_map(|(ago, took, live, end)| {
        let started = Timestamp::from_seconds(NOW.as_seconds() - ago);
        let ended = Timestamp::from_seconds(started.as_seconds() + took);
        Run { started, ended: (!live && ended <= NOW).then_some((ended, end)) }
    });
    prop::collection::vec(run, 0..60)
}

/// What a store would keep of the runs.
fn rolled_up(runs: &[Run], range: &TimelineRange) -> TimelineData {
    let window = range.window();
    let mut buckets = std::collections::BTreeMap::<Timestamp, RollupBucket>::new();
    let mut running_since = std::collections::BTreeMap::<Timestamp, i64>::new();
    for run in runs {
        let Some((ended, end)) = run.ended else {
            *running_since.entry(run.started.floor_to(window.width)).or_default() += 1;
            continue;
        };
        buckets.entry(run.started.floor_to(window.width)).or_default().started += 1;
        let bucket = buckets.entry(ended.floor_to(window.width)).or_default();
        bucket.stopped += 1;
        match end {
            End::Succeeded => bucket.succeeded += 1,
            End::Failed => bucket.failed += 1,
            End::Cancelled => bucket.cancelled += 1,
            End::Requeued => {}
        }
    }
    let within = |at: &Timestamp| (window.from..window.to).contains(at);
    TimelineData {
        buckets: buckets.into_iter().filter(|(at, _)| within(at)).collect(),
        running_since: running_since.into_iter().collect(),
    }
}

proptest! {
    #[test]
    fn every_point_is_what_a_recount_gives((hours, runs) in prop_oneof![Just(1), Just(6), Just(24), Just(200)]
        .prop_flat_map(|hours| (Just(hours), runs(hours))))
    {
        let range = TimelineRange::new(hours, NOW).unwrap();
        let points = range.points(&rolled_up(&runs, &range));
        let starts: Vec<_> = points.iter().map(|point| point.timestamp).collect();
        let ends = starts.iter().skip(1).copied().chain([range.window().to]);
        for (point, end) in points.iter().zip(ends) {
            let start = point.timestamp;
            let ended = |how| {
                let within = |run: &&Run| run.ended.is_some_and(|(at, end_)| at >= start && at < end && end_ == how);
                runs.iter().filter(within).count() as i64
            };
            prop_assert_eq!(point.succeeded, ended(End::Succeeded));
            prop_assert_eq!(point.failed, ended(End::Failed));
            prop_assert_eq!(point.cancelled, ended(End::Cancelled));
            let running = |run: &&Run| run.started < start && run.ended.is_none_or(|(at, _)| at >= start);
            prop_assert_eq!(point.running, runs.iter().filter(running).count() as i64, "at {}", start);
        }
    }
}

#[test]
fn the_buckets_are_zero_filled_oldest_first_and_end_with_the_present_one() {
    for (hours, width, count) in [(1, 300, 12), (6, 300, 72), (7, 3600, 7), (168, 3600, 168), (169, 86_400, 8)] {
        let range = TimelineRange::new(hours, NOW).unwrap();
        let points = range.points(&TimelineData::default());
        let width = Duration::from_secs(width);
        assert_eq!(points.len(), count, "{hours} hours");
        assert!(points.windows(2).all(|pair| pair[0].timestamp + width == pair[1].timestamp), "{hours} hours");
        assert_eq!(points.last().unwrap().timestamp, NOW.floor_to(width), "{hours} hours");
        assert!(points.iter().all(|point| (point.succeeded, point.running) == (0, 0)));
    }
}

#[test]
fn hours_outside_of_one_to_ninety_days_are_refused() {
    for hours in [i64::MIN, -1, 0, 2161, i64::MAX] {
        let errors = TimelineRange::new(hours, NOW).unwrap_err();
        assert_eq!(errors.to_string(), "hours: must be between 1 and 2160");
    }
    assert!(TimelineRange::new(2160, NOW).is_ok());
}

#[test]
fn a_jobs_buckets_are_never_finer_than_an_hour() {
    for (hours, width, count) in [(1, 3600, 1), (24, 3600, 24), (168, 3600, 168), (720, 86_400, 30)] {
        let range = TimelineRange::of_job(hours, NOW).unwrap();
        let points = range.points(&TimelineData::default());
        assert_eq!((points.len(), range.window().width), (count, Duration::from_hours(1)), "{hours} hours");
        assert_eq!(points.last().unwrap().timestamp, NOW.floor_to(Duration::from_secs(width)), "{hours} hours");
    }
}
