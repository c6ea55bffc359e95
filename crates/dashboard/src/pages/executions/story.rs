//! What happened to an execution, in order; and its attempts.

use std::time::Duration;

use horarium_domain::Timestamp;
use horarium_domain::execution::{Attempt, AttemptOutcome, Execution, Moment, MomentKind};

use crate::view::{At, Badge, Tone, Took};

/// The most of an error that a line shows; all of the last one is shown above.
const ERROR_CHARS: usize = 300;

/// Something that happened.
pub(super) struct Happening {
    pub(super) tone: Tone,
    pub(super) what: String,
    pub(super) at: At,
    /// How long after the execution was accepted.
    pub(super) after: Option<Took>,
    pub(super) source: String,
    /// What there is to know besides; empty when that is all.
    pub(super) message: String,
    pub(super) error: Option<String>,
}

/// One try.
pub(super) struct Try {
    pub(super) number: u16,
    pub(super) badge: Badge,
    pub(super) worker: String,
    pub(super) started: At,
    pub(super) took: Took,
    pub(super) error: Option<String>,
}

/// What happened, oldest first.
pub(super) fn story(execution: &Execution) -> Vec<Happening> {
    let accepted = execution.summary.created_at;
    execution.history().into_iter().map(|moment| happening(moment, accepted)).collect()
}

/// The attempts, oldest first.
pub(super) fn attempts(execution: &Execution, now: Timestamp) -> Vec<Try> {
    execution.attempts().into_iter().map(|attempt| one_try(attempt, now)).collect()
}

fn happening(moment: Moment, accepted: Timestamp) -> Happening {
    let attempt = |what: &str| match moment.attempt {
        Some(number) => format!("Attempt {number} {what}"),
        None => format!("An attempt {what}"),
    };
    let (tone, what) = match moment.kind {
        MomentKind::Submitted => (Tone::Calm, "Accepted".to_owned()),
        MomentKind::Started => (Tone::Info, attempt("started")),
        MomentKind::AttemptFailed => (Tone::Bad, attempt("failed")),
        MomentKind::AttemptTimedOut => (Tone::Bad, attempt("ran for too long")),
        MomentKind::AttemptLost => (Tone::Bad, attempt("lost its worker")),
        MomentKind::Snoozed => (Tone::Warn, attempt("was taken back")),
        MomentKind::HandedOn => (Tone::Warn, "A host's part was taken back".to_owned()),
        MomentKind::Succeeded => (Tone::Good, "Succeeded".to_owned()),
        MomentKind::Failed => (Tone::Bad, "Failed for good".to_owned()),
        MomentKind::Cancelled => (Tone::Calm, "Cancelled".to_owned()),
        MomentKind::Retried => (Tone::Info, "Run again".to_owned()),
        MomentKind::CallbackDelivered => (Tone::Good, "The callback was told".to_owned()),
        MomentKind::CallbackFailed => (Tone::Warn, "The callback could not be told".to_owned()),
    };
    Happening {
        tone,
        what,
        at: At(Some(moment.at)),
        after: Some(moment.at.since(accepted)).filter(|after| *after > Duration::ZERO).map(|after| Took(Some(after))),
        message: besides(&moment).to_owned(),
        source: moment.source,
        error: moment.error.map(short),
    }
}

/// What a message tells beside what happened.
fn besides(moment: &Moment) -> &str {
    match moment.kind {
        MomentKind::AttemptFailed | MomentKind::AttemptTimedOut | MomentKind::AttemptLost | MomentKind::Snoozed => {
            moment.message.split_once("; ").map_or("", |(_, more)| more)
        }
        MomentKind::HandedOn | MomentKind::Retried | MomentKind::CallbackDelivered | MomentKind::CallbackFailed => {
            &moment.message
        }
        MomentKind::Submitted
        | MomentKind::Started
        | MomentKind::Succeeded
        | MomentKind::Failed
        | MomentKind::Cancelled => "",
    }
}

fn one_try(attempt: Attempt, now: Timestamp) -> Try {
    let badge = match attempt.outcome {
        AttemptOutcome::Running => Badge::new(Tone::Info, "running", "Running"),
        AttemptOutcome::Succeeded => Badge::new(Tone::Good, "check", "Succeeded"),
        AttemptOutcome::Failed => Badge::new(Tone::Bad, "cross", "Failed"),
        AttemptOutcome::TimedOut => Badge::new(Tone::Bad, "waiting", "Too long"),
        AttemptOutcome::Lost => Badge::new(Tone::Bad, "warn", "Lost"),
        AttemptOutcome::Snoozed => Badge::new(Tone::Warn, "pause", "Taken back"),
        AttemptOutcome::Cancelled => Badge::new(Tone::Calm, "stop", "Cancelled"),
    };
    let until = attempt.ended_at.or((attempt.outcome == AttemptOutcome::Running).then_some(now));
    Try {
        number: attempt.number,
        badge,
        worker: attempt.worker.unwrap_or_default(),
        started: At(attempt.started_at),
        took: Took(until.zip(attempt.started_at).map(|(until, started)| until.since(started))),
        error: attempt.error.map(short),
    }
}

/// The beginning of an error.
fn short(error: String) -> String {
    match error.char_indices().nth(ERROR_CHARS) {
        Some((end, _)) => format!("{}…", &error[..end]),
        None => error,
    }
}
