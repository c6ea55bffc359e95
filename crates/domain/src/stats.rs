//! Figures about executions: all from counters and rollups, none from a scan of the history.

use std::time::Duration;

use crate::job::LastRun;
use crate::{JobId, Timestamp};

/// The two widths of rollup bucket, in seconds: five minutes and one hour.
pub const ROLLUP_WIDTHS: [Duration; 2] = [Duration::from_mins(5), Duration::from_hours(1)];

/// One bucket of a tenant's or a job's rollup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RollupBucket {
    /// Executions that ended well within it.
    pub succeeded: i64,
    /// Executions that failed within it.
    pub failed: i64,
    /// Executions that were cancelled within it.
    pub cancelled: i64,
    /// Attempts that started within it, counted when they end.
    pub started: i64,
    /// Attempts that ended within it.
    pub stopped: i64,
    /// How long the executions that succeeded or failed within it ran, together, in milliseconds.
    pub duration_ms: i64,
}

/// A job's whole history that is kept, as counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JobCounters {
    /// Executions waiting now.
    pub pending: i64,
    /// Executions running now.
    pub running: i64,
    /// Executions that ended well.
    pub succeeded: i64,
    /// Executions that failed.
    pub failed: i64,
    /// Executions that were cancelled.
    pub cancelled: i64,
    /// How long those that succeeded or failed ran, together, in milliseconds.
    pub duration_ms: i64,
}

/// All jobs of a group, taken together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct GroupFigures {
    /// Executions waiting now, those of a later time included.
    pub pending: u64,
    /// Executions running now.
    pub running: u64,
    /// Executions that failed, over the whole history that is kept.
    pub failed: i64,
    /// When the first of those that wait became due, or will.
    pub oldest_due_at: Option<Timestamp>,
    /// The run that succeeded or failed last. Where a job's latest runs were all cancelled, the one before them counts
    /// only if it is among the job's newest [`GroupFigures::LOOK_BACK`] executions.
    pub last_run: Option<LastRun>,
}

impl GroupFigures {
    /// How far back a run is sought that was not cancelled.
    pub const LOOK_BACK: usize = 200;
}

/// One point of the timeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimelinePoint {
    /// The bucket's start.
    pub timestamp: Timestamp,
    /// Executions that ended well within it.
    pub succeeded: i64,
    /// Executions that failed within it.
    pub failed: i64,
    /// Executions that were cancelled within it.
    pub cancelled: i64,
    /// How many were running at the bucket's start.
    pub running: i64,
    /// How long those that succeeded or failed within it ran, together, in milliseconds.
    pub duration_ms: i64,
}

impl TimelinePoint {
    /// How many milliseconds those that succeeded or failed within it ran on average; `None` when there were none.
    pub fn average_ms(&self) -> Option<f64> {
        let ended = self.succeeded + self.failed;
        (ended > 0).then(|| self.duration_ms as f64 / ended as f64)
    }
}

/// A tenant at a glance.
#[derive(Debug, Clone, PartialEq)]
pub struct DashboardStats {
    /// Jobs that are not deleted.
    pub total_jobs: u64,
    /// Of those, the enabled ones that are not paused.
    pub enabled_jobs: u64,
    /// Of those, the enabled ones that are paused.
    pub paused_jobs: u64,
    /// Executions that ended well in the last 24 hours, to the five-minute bucket.
    pub succeeded: i64,
    /// Executions that failed in the last 24 hours.
    pub failed: i64,
    /// Executions that ended since midnight UTC.
    pub executions_today: i64,
    /// How long those of the last 24 hours that succeeded or failed ran, together, in milliseconds.
    pub duration_ms: i64,
    /// Executions running now.
    pub running: u64,
    /// Executions waiting now.
    pub pending: u64,
    /// Jobs whose next slot, and waiting executions whose start, lies within the next hour, those that are late
    /// included.
    pub upcoming: u64,
    /// The next slots, soonest first.
    pub next_runs: Vec<UpcomingRun>,
}

/// A slot to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpcomingRun {
    /// Of which job.
    pub job_id: JobId,
    /// That job's name.
    pub job_name: String,
    /// When.
    pub next_run: Timestamp,
}

/// The duration histogram's buckets: four to each doubling, so that a percentile read from it is within 19 % of the
/// true one. Bucket 0 holds what took less than a millisecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DurationBucket(u8);

impl DurationBucket {
    /// The last bucket; it also holds everything longer (about 24 days and up).
    pub const MAX: Self = Self(124);

    /// The bucket that holds a duration in milliseconds.
    pub fn of_ms(ms: i64) -> Self {
        if ms < 1 {
            return Self(0);
        }
        let position = (ms as f64).log2() * 4.0;
        // Rounding at a bucket's edge may go either way; both neighbours are within the stated precision.
        Self((position.floor().clamp(0.0, f64::from(Self::MAX.0 - 1)) as u8) + 1)
    }

    /// From its number, as stored; larger ones are the last bucket.
    pub fn from_number(number: i64) -> Self {
        Self(number.clamp(0, i64::from(Self::MAX.0)) as u8)
    }

    /// Its number, as stored.
    pub const fn number(self) -> u8 {
        self.0
    }

    /// The geometric middle of the durations that it holds, in milliseconds.
    pub fn middle_ms(self) -> f64 {
        if self.0 == 0 { 0.5 } else { ((f64::from(self.0) - 0.5) / 4.0).exp2() }
    }
}

/// How often each duration occurred.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DurationHistogram(std::collections::BTreeMap<DurationBucket, i64>);

impl DurationHistogram {
    /// Adds `count` durations of one bucket.
    pub fn add(&mut self, bucket: DurationBucket, count: i64) {
        *self.0.entry(bucket).or_default() += count;
    }

    /// The buckets that hold something, shortest first.
    pub fn iter(&self) -> impl Iterator<Item = (DurationBucket, i64)> + '_ {
        self.0.iter().map(|(bucket, count)| (*bucket, *count)).filter(|(_, count)| *count != 0)
    }

    /// The duration in milliseconds that `share` (0..=1) of all do not exceed; `None` when there are none.
    pub fn percentile_ms(&self, share: f64) -> Option<f64> {
        let total: i64 = self.0.values().filter(|count| **count > 0).sum();
        if total == 0 {
            return None;
        }
        let rank = ((total as f64) * share.clamp(0.0, 1.0)).ceil().max(1.0) as i64;
        let mut seen = 0;
        self.iter().find_map(|(bucket, count)| {
            seen += count.max(0);
            (seen >= rank).then(|| bucket.middle_ms())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentile_is_within_a_fifth_of_the_true_one() {
        let mut histogram = DurationHistogram::default();
        for ms in 1..=10_000 {
            histogram.add(DurationBucket::of_ms(ms), 1);
        }
        for (share, truth) in [(0.5, 5_000.0), (0.95, 9_500.0), (0.99, 9_900.0)] {
            let read = histogram.percentile_ms(share).unwrap();
            assert!((read / truth - 1.0).abs() < 0.19, "{share}: {read} for {truth}");
        }
        assert_eq!(DurationHistogram::default().percentile_ms(0.5), None);
    }

    #[test]
    fn every_duration_has_a_bucket() {
        for ms in [i64::MIN, -1, 0, 1, 2, 999, i64::MAX] {
            assert!(DurationBucket::of_ms(ms) <= DurationBucket::MAX);
        }
        assert!(DurationBucket::of_ms(1) > DurationBucket::of_ms(0));
    }
}
