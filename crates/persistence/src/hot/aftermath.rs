//! What few ends leave behind beside counters and rollups: a callback that becomes due, or a note that an execution
//! ended long after it was accepted. A batch in which no end does either pays nothing for it.

use std::time::Duration;

use horarium_domain::id::first_uuid_at;
use horarium_domain::{ExecutionId, TenantId, Timestamp};
use uuid::Uuid;

/// An execution that ends later than this after it was accepted is noted in `late_ends`. What changed since some
/// instant is then found without an index on the history's end times: among the executions accepted this much earlier
/// or later, and in that table.
pub(crate) const LATE_AFTER: Duration = Duration::from_mins(1);

/// An id is made when its execution is accepted, so before anything else happens to it; clocks of different nodes may
/// differ by this much.
pub(crate) const SKEW: Duration = Duration::from_secs(1);

/// The oldest id that an execution which ended at `at` has without being late.
pub(crate) fn first_in_time(at: Timestamp) -> Uuid {
    first_uuid_at(at - LATE_AFTER)
}

/// An execution that is over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Over {
    pub(crate) id: ExecutionId,
    pub(crate) tenant_id: TenantId,
    pub(crate) at: Timestamp,
    /// Whether a callback waits for its end.
    pub(crate) callback: bool,
}

/// What a batch of ends leaves behind, sorted by key.
#[derive(Debug, Default)]
pub(crate) struct Aftermath {
    /// Ended late.
    pub(crate) late: Vec<Over>,
    /// Their callbacks are due.
    pub(crate) due: Vec<Over>,
}

impl Aftermath {
    /// Of these ends.
    pub(crate) fn of(ends: impl Iterator<Item = Over>) -> Self {
        let mut aftermath = Self::default();
        for over in ends {
            if over.id.as_uuid() < first_in_time(over.at) {
                aftermath.late.push(over);
            }
            if over.callback {
                aftermath.due.push(over);
            }
        }
        aftermath.late.sort_unstable_by_key(|over| (over.tenant_id, over.at, over.id));
        aftermath.due.sort_unstable_by_key(|over| over.id);
        aftermath
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_ended_long_after_its_acceptance_is_late() {
        let accepted = Timestamp::from_seconds(1_752_159_000);
        let over = |after: Duration| Over {
            id: ExecutionId::from_uuid(first_uuid_at(accepted)),
            tenant_id: TenantId::from_uuid(Uuid::nil()),
            at: accepted + after,
            callback: false,
        };
        let late = |after| Aftermath::of(std::iter::once(over(after))).late.len();
        assert_eq!(late(Duration::ZERO), 0);
        assert_eq!(late(LATE_AFTER), 0);
        assert_eq!(late(LATE_AFTER + Duration::from_millis(1)), 1);
    }
}
