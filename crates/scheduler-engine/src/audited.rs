//! A call that the audit log tells of together with what it had accepted.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use horarium_domain::audit::AuditEntry;
use horarium_domain::store::{AcceptanceNote, Enqueued};

/// The entry of the audit log for a call that may have executions accepted. If any is, the entry is written in the same
/// transaction; else it is up to the caller, as it is for every other call.
#[derive(Debug)]
pub struct AuditedCall {
    entry: AuditEntry,
    is_on_record: AtomicBool,
}

impl AuditedCall {
    /// A call with this entry. What it is about after the call, and before it unless the entry says so, is what is
    /// accepted.
    pub const fn new(entry: AuditEntry) -> Self {
        Self { entry, is_on_record: AtomicBool::new(false) }
    }

    /// Whether the entry is known to be written. Where it is not, it may be written nevertheless (the answer of the
    /// database was lost, or not waited for); to record it under the same id again is then without effect.
    pub fn is_on_record(&self) -> bool {
        self.is_on_record.load(Ordering::Relaxed)
    }

    /// What a batch is to note, which the call asks for these executions of.
    pub(crate) fn note(&self, asked: Range<usize>) -> AcceptanceNote {
        AcceptanceNote { entry: self.entry.clone(), asked }
    }

    /// Learns what became of what the call asked for.
    pub(crate) fn answered(&self, answers: &[Enqueued]) {
        if answers.contains(&Enqueued::Accepted) {
            self.is_on_record.store(true, Ordering::Relaxed);
        }
    }
}
