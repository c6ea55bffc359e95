//! What becomes of a slot's executions that are not accepted: each is recorded as skipped, with the reason.

use std::collections::BTreeMap;

use horarium_domain::Timestamp;
use horarium_domain::execution::NewExecution;
use horarium_domain::store::{Enqueued, Firing, SkippedSlots};

const FORBIDDEN: &str = "an earlier execution is still live (concurrency policy Forbid)";

/// Forbid, while an execution of the job is live: nothing is accepted.
pub(crate) fn forbidden(firing: &Firing) -> (&[NewExecution], Option<SkippedSlots>) {
    (&[], slots_of(firing.executions.iter(), FORBIDDEN, firing.now))
}

/// Forbid, while none is live: the first one is accepted, and lives when the next one comes.
pub(crate) fn limit_to_one(firing: &Firing) -> (&[NewExecution], Option<SkippedSlots>) {
    let (first, rest) = firing.executions.split_at(firing.executions.len().min(1));
    (first, slots_of(rest.iter(), FORBIDDEN, firing.now))
}

/// The executions of one firing that the queue refused, by reason.
#[derive(Debug, Default)]
pub(crate) struct Refused<'a>(BTreeMap<String, Vec<&'a NewExecution>>);

impl<'a> Refused<'a> {
    /// Notes an execution that was not accepted.
    pub(crate) fn add(&mut self, execution: &'a NewExecution, answer: Enqueued) {
        let reason = match answer {
            Enqueued::Accepted => return,
            Enqueued::Duplicate(holder) => format!("execution {holder} with the same unique key is still live"),
            Enqueued::QueueFull { max_length } => {
                format!("the queue '{}' is full ({max_length} executions)", execution.queue)
            }
            Enqueued::NoSuchJob => "the job is deleted".to_owned(),
        };
        self.0.entry(reason).or_default().push(execution);
    }

    /// The slots to record.
    pub(crate) fn into_slots(self, now: Timestamp) -> Vec<SkippedSlots> {
        self.0.into_iter().filter_map(|(reason, executions)| slots_of(executions.into_iter(), &reason, now)).collect()
    }
}

fn slots_of<'a>(
    executions: impl Iterator<Item = &'a NewExecution>,
    reason: &str,
    recorded_at: Timestamp,
) -> Option<SkippedSlots> {
    let slots: Vec<Timestamp> = executions.map(|execution| execution.scheduled_for).collect();
    Some(SkippedSlots {
        first: slots.iter().copied().min()?,
        last: slots.iter().copied().max()?,
        count: slots.len() as u64,
        reason: reason.to_owned(),
        recorded_at,
    })
}
