//! What is due, from its stored form.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use horarium_domain::job::{ConcurrencyPolicy, QueueName};
use horarium_domain::schedule::{MisfirePolicy, Schedule};
use horarium_domain::store::{DueSlot, StoreError};
use horarium_domain::{JobId, TenantId, Timestamp};

use crate::decode::Row;

/// How many schedules are remembered: about a kilobyte each.
const REMEMBERED: usize = 10_000;

/// Schedules by their stored form: however many jobs there are, most have one of a few, and to read a cron expression
/// costs more than the rest of a firing.
#[derive(Debug, Default)]
pub(super) struct Schedules(Mutex<HashMap<String, Arc<Schedule>>>);

impl Schedules {
    fn read(&self, row: &Row, stored: &str) -> Result<Arc<Schedule>, StoreError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(schedule) = known.get(stored) {
            return Ok(Arc::clone(schedule));
        }
        let schedule: Arc<Schedule> = Arc::new(row.value("schedule", serde_json::from_str(stored))?);
        if known.len() >= REMEMBERED {
            known.clear();
        }
        known.insert(stored.to_owned(), Arc::clone(&schedule));
        Ok(schedule)
    }
}

/// What of a job's row a decision about its slot takes, as it is stored.
pub(super) struct Definition<'a> {
    pub(super) schedule: &'a str,
    pub(super) misfire_policy: &'a str,
    pub(super) concurrency_policy: &'a str,
    pub(super) queue: &'a str,
    pub(super) priority: i16,
}

impl Definition<'_> {
    /// A slot of the job of this definition.
    pub(super) fn due(
        &self,
        tenant_id: TenantId,
        job_id: JobId,
        slot: Timestamp,
        schedules: &Schedules,
    ) -> Result<DueSlot, StoreError> {
        let row = Row::new("jobs", job_id);
        let policies = (&MisfirePolicy::ALL, &ConcurrencyPolicy::ALL);
        Ok(DueSlot {
            tenant_id,
            job_id,
            slot,
            schedule: schedules.read(&row, self.schedule)?,
            misfire_policy: row.named("misfire_policy", self.misfire_policy, policies.0, MisfirePolicy::as_str)?,
            concurrency: row.named(
                "concurrency_policy",
                self.concurrency_policy,
                policies.1,
                ConcurrencyPolicy::as_str,
            )?,
            queue: row.value("queue", QueueName::try_from(self.queue.to_owned()))?,
            priority: self.priority,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_of_the_same_schedule_share_it_and_no_more_are_remembered_than_said() {
        let (row, schedules) = (Row::new("jobs", 1), Schedules::default());
        let stored = |seconds: usize| {
            format!(r#"{{"type":"Interval","intervalSeconds":{seconds},"anchor":"2026-01-01T00:00:00Z"}}"#)
        };
        let first = schedules.read(&row, &stored(1)).unwrap();
        assert!(Arc::ptr_eq(&first, &schedules.read(&row, &stored(1)).unwrap()));
        for seconds in 2..2 * REMEMBERED {
            schedules.read(&row, &stored(seconds)).unwrap();
        }
        assert!(schedules.0.lock().unwrap().len() <= REMEMBERED);
        assert_eq!(*schedules.read(&row, &stored(1)).unwrap(), *first);
    }
}
