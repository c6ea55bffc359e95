//! Comparing a job's counters with the history that they count.

use std::collections::BTreeMap;

use horarium_domain::JobId;
use horarium_domain::stats::DurationBucket;
use horarium_domain::store::Drift;

use super::rollup::{Deltas, JobDelta};

/// A job's counters: as stored, or as the history gives them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) succeeded: i64,
    pub(crate) failed: i64,
    pub(crate) partial: i64,
    pub(crate) cancelled: i64,
    pub(crate) duration_ms: i64,
    pub(crate) durations: BTreeMap<DurationBucket, i64>,
}

/// The counters of several jobs.
pub(crate) type Tallies = BTreeMap<JobId, Tally>;

/// What differs, and what must be added to the stored counters for them to say what the history says. Added, not set:
/// what other transactions count meanwhile is kept.
pub(crate) fn compare(stored: &Tallies, counted: &Tallies) -> (Vec<Drift>, Deltas) {
    let mut drifts = Vec::new();
    let mut deltas = Deltas::default();
    let nothing = Tally::default();
    let jobs: std::collections::BTreeSet<JobId> = stored.keys().chain(counted.keys()).copied().collect();
    for id in jobs {
        let (stored, counted) = (stored.get(&id).unwrap_or(&nothing), counted.get(&id).unwrap_or(&nothing));
        let mut difference = |counter: &str, stored: i64, counted: i64| {
            if stored != counted {
                drifts.push(Drift { counter: format!("{counter} of job {id}"), stored, counted });
            }
            counted - stored
        };
        let job = JobDelta {
            succeeded: difference("succeeded", stored.succeeded, counted.succeeded),
            failed: difference("failed", stored.failed, counted.failed),
            partial: difference("partial", stored.partial, counted.partial),
            cancelled: difference("cancelled", stored.cancelled, counted.cancelled),
            duration_ms: difference("durationMs", stored.duration_ms, counted.duration_ms),
            ..JobDelta::default()
        };
        if job != JobDelta::default() {
            deltas.jobs.insert(id, job);
        }
        let buckets: std::collections::BTreeSet<DurationBucket> =
            stored.durations.keys().chain(counted.durations.keys()).copied().collect();
        for bucket in buckets {
            let of = |tally: &Tally| tally.durations.get(&bucket).copied().unwrap_or(0);
            let name = format!("duration bucket {}", bucket.number());
            let missing = difference(&name, of(stored), of(counted));
            if missing != 0 {
                deltas.durations.insert((id, bucket), missing);
            }
        }
    }
    (drifts, deltas)
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn what_agrees_is_left_alone_and_what_differs_is_named() {
        let job = JobId::from_uuid(Uuid::from_u128(1));
        let other = JobId::from_uuid(Uuid::from_u128(2));
        let right = Tally { succeeded: 3, duration_ms: 30, ..Tally::default() };
        let wrong = Tally { succeeded: 5, ..right.clone() };
        let stored = Tallies::from([(job, wrong), (other, right.clone())]);
        let counted = Tallies::from([(job, right.clone()), (other, right)]);
        let (drifts, deltas) = compare(&stored, &counted);
        assert_eq!(drifts, [Drift { counter: format!("succeeded of job {job}"), stored: 5, counted: 3 }]);
        assert_eq!(deltas.jobs.len(), 1);
        assert_eq!(deltas.jobs[&job].succeeded, -2);
        assert!(deltas.durations.is_empty());
    }

    #[test]
    fn a_job_without_counters_gets_what_its_history_says() {
        let job = JobId::from_uuid(Uuid::from_u128(1));
        let bucket = DurationBucket::of_ms(12);
        let counted = Tally { failed: 1, durations: BTreeMap::from([(bucket, 1)]), ..Tally::default() };
        let (drifts, deltas) = compare(&Tallies::new(), &Tallies::from([(job, counted)]));
        assert_eq!(drifts.len(), 2);
        assert_eq!((deltas.jobs[&job].failed, deltas.durations[&(job, bucket)]), (1, 1));
    }
}
