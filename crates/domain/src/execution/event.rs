//! What happened to an execution that its own columns do not tell.

use serde::{Deserialize, Serialize};

use crate::{ExecutionId, Timestamp};

/// The kind of an [`Event`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum EventKind {
    /// An attempt failed.
    AttemptFailed,
    /// An attempt ran longer than the job allows.
    AttemptTimedOut,
    /// An attempt's worker stopped renewing its lease.
    AttemptLost,
    /// An attempt was taken back: its handler asked for a later time, or its worker shut down.
    Snoozed,
    /// A host's part of the execution was taken from its agent, which was lost or handed it back, and waits for the next.
    HandedOn,
    /// Somebody cancelled the execution.
    Cancelled,
    /// Somebody had the execution run again, as a new one.
    Retried,
    /// Its end was told to whoever asked for a callback.
    CallbackDelivered,
    /// An attempt to tell its end failed.
    CallbackFailed,
}

impl EventKind {
    /// Every kind.
    pub const ALL: [Self; 9] = [
        Self::AttemptFailed,
        Self::AttemptTimedOut,
        Self::AttemptLost,
        Self::Snoozed,
        Self::HandedOn,
        Self::Cancelled,
        Self::Retried,
        Self::CallbackDelivered,
        Self::CallbackFailed,
    ];

    /// The kind's name: what the databases store and the API shows.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AttemptFailed => "attemptFailed",
            Self::AttemptTimedOut => "attemptTimedOut",
            Self::AttemptLost => "attemptLost",
            Self::Snoozed => "snoozed",
            Self::HandedOn => "handedOn",
            Self::Cancelled => "cancelled",
            Self::Retried => "retried",
            Self::CallbackDelivered => "callbackDelivered",
            Self::CallbackFailed => "callbackFailed",
        }
    }
}

/// One row of an execution's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Whose.
    pub execution_id: ExecutionId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventKind,
    /// The attempt it happened to; 0 when it happened to none. Of [`HandedOn`](EventKind::HandedOn), the host's.
    pub attempt: u16,
    /// When that attempt started, if one had.
    pub attempt_started_at: Option<Timestamp>,
    /// Who or what caused it: a worker's name, or a person's.
    pub source: String,
    /// For people.
    pub message: String,
    /// The error, where the event is about one.
    pub error: Option<String>,
}

/// How the message of an event [`Retried`](EventKind::Retried) begins; the new execution's id follows.
const RETRIED_AS: &str = "retried as ";

impl Event {
    /// Somebody had an execution run again, as a new one.
    pub fn retried(id: ExecutionId, as_new: ExecutionId, by: impl Into<String>, at: Timestamp) -> Self {
        Self {
            execution_id: id,
            at,
            kind: EventKind::Retried,
            attempt: 0,
            attempt_started_at: None,
            source: by.into(),
            message: format!("{RETRIED_AS}{as_new}"),
            error: None,
        }
    }

    /// The new execution, where the event tells that this one was run again.
    pub fn retried_as(&self) -> Option<ExecutionId> {
        let id = self.message.strip_prefix(RETRIED_AS).filter(|_| self.kind == EventKind::Retried)?;
        id.parse().ok()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_retry_tells_what_it_is_retried_as() {
        let [id, again] = [1, 2].map(|id| ExecutionId::from_uuid(Uuid::from_u128(id)));
        let retried = Event::retried(id, again, "Ada", Timestamp::UNIX_EPOCH);
        assert_eq!(retried.retried_as(), Some(again));
        let other = Event { kind: EventKind::Cancelled, ..retried.clone() };
        assert_eq!(other.retried_as(), None);
        let strange = Event { message: "retried as usual".to_owned(), ..retried };
        assert_eq!(strange.retried_as(), None);
    }
}
