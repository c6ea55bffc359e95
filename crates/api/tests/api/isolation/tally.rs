//! What walks met, so that they do not become empty in silence.

use std::collections::BTreeMap;

use super::calls::Step;

/// What the walks of the fixed seed must meet, and how often at least.
const MUST_MEET: &[(&str, usize)] = &[
    // Things of the other's, by their ids: as if they were not there.
    ("ReadJob theirs: 404", 5),
    ("ChangeJob theirs: 404", 5),
    ("TriggerJob theirs: 404", 5),
    ("DeleteJob theirs: 404", 5),
    ("CancelExecution theirs: 404", 5),
    ("RetryExecution theirs: 400", 5),
    ("ReadExecution theirs: 404", 3),
    ("RetryOperation theirs: 404", 5),
    ("DeleteOperation theirs: 404", 2),
    ("SubmitAsToolkit theirs: 404", 5),
    ("SubmitBatch theirs: 202", 5),
    ("ReadKey theirs: 404", 3),
    ("RotateKey theirs: 404", 3),
    ("RevokeKey theirs: 404", 5),
    ("HeartbeatOfAgent theirs: 404", 5),
    ("LeaseTasks theirs: 404", 5),
    ("a task of the other's is reported", 10),
    ("NameTheOther: 403", 5),
    // The same on one's own, so that a refusal says something.
    ("ChangeJob: 200", 5),
    ("DeleteJob: 204", 5),
    ("CancelExecution: 200", 5),
    ("RetryExecution: 202", 1),
    ("RetryOperation: 201", 4),
    ("DeleteOperation: 204", 4),
    ("RevokeKey: 204", 2),
    ("a task is released", 3),
    ("a task is completed", 3),
    // Names that both have.
    ("CreateJob: 409", 5),
    ("DeleteAgent: 204", 5),
    ("DrainAgent: 200", 2),
    ("LimitQueue: 200", 5),
    ("LimitKey: 200", 2),
    // Full queues and live keys.
    ("TriggerAsAdmin: 429", 1),
    ("SubmitIntegration: 429", 2),
    ("SubmitOperation: 429", 3),
    ("a queue is full", 15),
    ("a queue runs while the other's of that name waits", 1),
    ("SubmitIntegration: 200", 3),
    ("a dedupe key that lives at the other's too", 3),
    ("a duplicate in a batch", 2),
    ("a first answer is given again", 20),
    ("a first answer is given again, and the other has its own", 15),
    ("an Idempotency-Key is refused for another request", 3),
    ("the other did the same under the same Idempotency-Key", 2),
    ("tasks are leased", 4),
    ("an operation is over when all hosts have answered", 2),
    // What must be told of one's own alone while time passes.
    ("a timeline is read while the other's work runs into it", 30),
    ("the other's that is Pending now was accepted long before", 2),
    ("the other's that is Running now was accepted long before", 20),
    ("the other's that is Succeeded now was accepted long before", 5),
];

/// How often each thing was met: a call and its answer, or what a call shows.
#[derive(Debug, Default)]
pub(super) struct Tally(BTreeMap<String, usize>);

impl Tally {
    pub(super) fn note(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    pub(super) fn answered(&mut self, step: Step, status: u16) {
        let whose = if step.theirs { " theirs" } else { "" };
        self.note(format!("{:?}{whose}: {status}", step.call));
        if status == 429 {
            self.note("a queue is full");
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        for (what, count) in other.0 {
            *self.0.entry(what).or_default() += count;
        }
    }

    #[track_caller]
    pub(super) fn assert_met_everything(&self) {
        let count = |what: &str| self.0.get(what).copied().unwrap_or_default();
        let missed: Vec<_> = MUST_MEET.iter().filter(|(what, least)| count(what) < *least).collect();
        assert!(missed.is_empty(), "met too seldom: {missed:#?}\nof {:#?}", self.0);
    }
}
