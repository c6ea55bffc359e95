//! The story of an execution: what its columns tell (accepted, started, ended) and what its events tell besides.

use super::{Event, EventKind, Execution, ExecutionState};
use crate::Timestamp;

/// What can happen to an execution. The order is that of a life: of what happened to one attempt at one instant, the
/// lesser came first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MomentKind {
    /// It was accepted.
    Submitted,
    /// An attempt started.
    Started,
    /// An attempt failed.
    AttemptFailed,
    /// An attempt ran longer than the job allows.
    AttemptTimedOut,
    /// An attempt's worker was lost.
    AttemptLost,
    /// An attempt was taken back.
    Snoozed,
    /// A host's part was taken from its agent, which was lost or handed it back, and waits for the next.
    HandedOn,
    /// It ended well.
    Succeeded,
    /// It failed for good.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
    /// Somebody had it run again, as a new one.
    Retried,
    /// Its end was told to whoever asked for a callback.
    CallbackDelivered,
    /// An attempt to tell its end failed.
    CallbackFailed,
}

/// Something that happened to an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: MomentKind,
    /// To which attempt; `None` when it happened to the execution as a whole.
    pub attempt: Option<u16>,
    /// Who or what caused it.
    pub source: String,
    /// For people.
    pub message: String,
    /// The error, where it is about one.
    pub error: Option<String>,
}

impl Moment {
    /// Its place among what happened at the same instant: one attempt may end when the next one starts.
    fn place(&self) -> (Timestamp, u16, MomentKind) {
        let attempt = match (self.attempt, self.kind) {
            (Some(number), _) => number,
            (None, MomentKind::Submitted) => 0,
            (None, _) => u16::MAX,
        };
        (self.at, attempt, self.kind)
    }
}

impl Execution {
    /// The whole story, oldest first.
    pub fn history(&self) -> Vec<Moment> {
        let summary = &self.summary;
        let worker = |worker: &Option<String>| worker.clone().unwrap_or_else(|| "horarium".to_owned());
        let mut history = vec![Moment {
            at: summary.created_at,
            kind: MomentKind::Submitted,
            attempt: None,
            source: summary.triggered_by.clone(),
            message: format!("accepted for queue '{}', due {}", summary.queue, summary.scheduled_for),
            error: None,
        }];
        history.extend(self.attempts().iter().filter_map(|attempt| {
            Some(Moment {
                at: attempt.started_at?,
                kind: MomentKind::Started,
                attempt: Some(attempt.number),
                source: worker(&attempt.worker),
                message: format!("attempt {} started", attempt.number),
                error: None,
            })
        }));
        history.extend(self.events.iter().map(of_event));
        let end = match summary.lifecycle.state {
            ExecutionState::Succeeded => Some((MomentKind::Succeeded, "ended well")),
            ExecutionState::Failed => Some((MomentKind::Failed, "failed for good")),
            // An event tells of the cancellation, and by whom.
            ExecutionState::Pending | ExecutionState::Running | ExecutionState::Cancelled => None,
        };
        if let (Some((kind, message)), Some(at)) = (end, summary.completed_at) {
            let (source, error) = (worker(&summary.worker), self.error.clone());
            history.push(Moment { at, kind, attempt: None, source, message: message.to_owned(), error });
        }
        history.sort_by_key(Moment::place);
        history
    }
}

fn of_event(event: &Event) -> Moment {
    let (kind, is_of_attempt) = match event.kind {
        EventKind::AttemptFailed => (MomentKind::AttemptFailed, true),
        EventKind::AttemptTimedOut => (MomentKind::AttemptTimedOut, true),
        EventKind::AttemptLost => (MomentKind::AttemptLost, true),
        EventKind::Snoozed => (MomentKind::Snoozed, true),
        // The attempt that it names is the host's.
        EventKind::HandedOn => (MomentKind::HandedOn, false),
        EventKind::Cancelled => (MomentKind::Cancelled, false),
        EventKind::Retried => (MomentKind::Retried, false),
        EventKind::CallbackDelivered => (MomentKind::CallbackDelivered, false),
        EventKind::CallbackFailed => (MomentKind::CallbackFailed, false),
    };
    Moment {
        at: event.at,
        kind,
        attempt: is_of_attempt.then_some(event.attempt),
        source: event.source.clone(),
        message: event.message.clone(),
        error: event.error.clone(),
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::execution::{ExecutionSummary, Lifecycle, Trigger};
    use crate::{ExecutionId, JobId, TenantId};

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_seconds(seconds)
    }

    fn event(kind: EventKind, seconds: i64, attempt: u16, started: i64) -> Event {
        Event {
            execution_id: ExecutionId::from_uuid(Uuid::nil()),
            at: at(seconds),
            kind,
            attempt,
            attempt_started_at: Some(at(started)),
            source: format!("worker-{attempt}"),
            message: "told".to_owned(),
            error: Some("it broke".to_owned()),
        }
    }

    #[test]
    fn what_happened_at_one_instant_is_told_attempt_by_attempt_and_the_end_last() {
        let again = ExecutionId::from_uuid(Uuid::from_u128(9));
        let execution = Execution {
            summary: ExecutionSummary {
                id: ExecutionId::from_uuid(Uuid::nil()),
                tenant_id: TenantId::from_uuid(Uuid::nil()),
                job_id: JobId::from_uuid(Uuid::nil()),
                job_name: "nightly".to_owned(),
                lifecycle: Lifecycle { state: ExecutionState::Failed, attempt: 2, lost: 0 },
                trigger: Trigger::Manual,
                triggered_by: "Ada".to_owned(),
                queue: "mail".to_owned(),
                priority: 0,
                concurrency_key: None,
                scheduled_for: at(1),
                created_at: at(1),
                run_at: None,
                started_at: Some(at(3)),
                completed_at: Some(at(4)),
                worker: Some("worker-2".to_owned()),
                retry_parent_id: None,
                items_processed: None,
                progress: None,
                partial: false,
            },
            payload: None,
            max_attempts: None,
            output: None,
            error: Some("it broke".to_owned()),
            events: vec![
                event(EventKind::AttemptFailed, 3, 1, 1),
                event(EventKind::HandedOn, 4, 7, 3),
                Event::retried(ExecutionId::from_uuid(Uuid::nil()), again, "Ada", at(9)),
            ],
        };
        let told: Vec<_> = execution.history().into_iter().map(|moment| (moment.kind, moment.attempt)).collect();
        assert_eq!(
            told,
            [
                (MomentKind::Submitted, None),
                (MomentKind::Started, Some(1)),
                (MomentKind::AttemptFailed, Some(1)),
                (MomentKind::Started, Some(2)),
                (MomentKind::HandedOn, None),
                (MomentKind::Failed, None),
                (MomentKind::Retried, None),
            ]
        );
    }
}
