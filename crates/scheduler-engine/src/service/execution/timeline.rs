//! The timeline: what ended in each bucket of time, and what was running at its start.

use std::time::Duration;

use horarium_domain::Timestamp;
use horarium_domain::stats::{ROLLUP_WIDTHS, RollupBucket, TimelinePoint};
use horarium_domain::store::{RollupWindow, TimelineData};

use crate::service::{FieldErrors, limits};

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// How far back a timeline reaches and how it is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimelineRange {
    bucket: Duration,
    window: RollupWindow,
}

impl TimelineRange {
    /// The longest look back, in hours: 90 days.
    pub const MAX_HOURS: i64 = 2160;

    /// The last `hours` up to `now`, in UTC buckets of five minutes (up to 6 hours), one hour (up to 7 days), or one
    /// day. The last bucket is the one that `now` lies in, and there are as many as the hours take.
    ///
    /// # Errors
    /// Under `hours`, when they are not 1 to [`MAX_HOURS`](Self::MAX_HOURS).
    pub fn new(hours: i64, now: Timestamp) -> Result<Self, FieldErrors> {
        Self::divided(hours, now, ROLLUP_WIDTHS)
    }

    /// The same for one job, in buckets of an hour at least: of a job, none of five minutes are stored.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of_job(hours: i64, now: Timestamp) -> Result<Self, FieldErrors> {
        let [_, hour] = ROLLUP_WIDTHS;
        Self::divided(hours, now, [hour, hour])
    }

    fn divided(hours: i64, now: Timestamp, [finest, hour]: [Duration; 2]) -> Result<Self, FieldErrors> {
        let mut errors = FieldErrors::default();
        let Some(hours) = limits::number::<u32>(&mut errors, "hours", hours, 1..=Self::MAX_HOURS) else {
            return Err(errors);
        };
        // Days are added up from hours: no such rollup is stored.
        let (bucket, width) = match hours {
            ..=6 => (finest, finest),
            7..=168 => (hour, hour),
            _ => (DAY, hour),
        };
        let count = (HOUR * hours).as_secs().div_ceil(bucket.as_secs());
        let to = now.floor_to(bucket) + bucket;
        let from = to - Duration::from_secs(count * bucket.as_secs());
        Ok(Self { bucket, window: RollupWindow { width, from, to } })
    }

    /// What to ask the store for.
    pub const fn window(&self) -> RollupWindow {
        self.window
    }

    /// The points, oldest first, none left out.
    ///
    /// A store counts an attempt once it has ended: in the bucket that it started in and in the one that it stopped in.
    /// At the end of the window none of those was running, so how many were at the start of a bucket follows from how
    /// many were at its end. To those come the attempts that still run and had started before.
    pub fn points(&self, data: &TimelineData) -> Vec<TimelinePoint> {
        let buckets = self.buckets(data);
        let mut ended_later = 0;
        let mut points: Vec<_> = buckets
            .iter()
            .rev()
            .map(|(timestamp, bucket)| {
                ended_later += bucket.stopped - bucket.started;
                let still_running: i64 =
                    data.running_since.iter().filter(|(since, _)| since < timestamp).map(|(_, count)| count).sum();
                TimelinePoint {
                    timestamp: *timestamp,
                    succeeded: bucket.succeeded,
                    failed: bucket.failed,
                    cancelled: bucket.cancelled,
                    // An attempt whose node's clock was wrong may have ended before it started.
                    running: ended_later.max(0) + still_running,
                    duration_ms: bucket.duration_ms,
                }
            })
            .collect();
        points.reverse();
        points
    }

    /// Every bucket of the range with what the stored ones within it add up to.
    fn buckets(&self, data: &TimelineData) -> Vec<(Timestamp, RollupBucket)> {
        let RollupWindow { from, to, .. } = self.window;
        let mut buckets: Vec<_> = std::iter::successors(Some(from), |start| Some(*start + self.bucket))
            .take_while(|start| *start < to)
            .map(|start| (start, RollupBucket::default()))
            .collect();
        for (start, stored) in data.buckets.iter().filter(|(start, _)| (from..to).contains(start)) {
            let index = start.since(from).as_secs() / self.bucket.as_secs();
            let Some((_, sum)) = usize::try_from(index).ok().and_then(|index| buckets.get_mut(index)) else { continue };
            sum.succeeded += stored.succeeded;
            sum.failed += stored.failed;
            sum.cancelled += stored.cancelled;
            sum.started += stored.started;
            sum.stopped += stored.stopped;
            sum.duration_ms += stored.duration_ms;
        }
        buckets
    }
}
