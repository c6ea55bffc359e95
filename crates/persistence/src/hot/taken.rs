//! What is recorded of an execution that is taken off the queue because somebody cancelled it.

use horarium_domain::execution::{Event, EventKind};
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};

use super::aftermath::Over;
use super::rollup::{End, Outcome};

/// An execution that was taken off the queue.
#[derive(Debug)]
pub(crate) struct Taken {
    pub(crate) id: ExecutionId,
    pub(crate) tenant_id: TenantId,
    pub(crate) job_id: JobId,
    pub(crate) running: bool,
    pub(crate) attempt: u16,
    pub(crate) lost: u16,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) worker: Option<String>,
    /// Whether a callback waits for its end.
    pub(crate) callback: bool,
}

impl Taken {
    /// The event that tells who cancelled it.
    pub(crate) fn event(&self, by: &str, at: Timestamp) -> Event {
        let message = if self.running { "cancelled while it ran" } else { "cancelled while it waited" };
        Event {
            execution_id: self.id,
            at,
            kind: EventKind::Cancelled,
            attempt: if self.running { self.attempt } else { 0 },
            attempt_started_at: self.started_at,
            source: by.to_owned(),
            message: message.to_owned(),
            error: None,
        }
    }

    /// What it leaves behind.
    pub(crate) fn over(&self, at: Timestamp) -> Over {
        Over { id: self.id, tenant_id: self.tenant_id, at, callback: self.callback }
    }

    /// What it counts as.
    pub(crate) fn end(&self, at: Timestamp) -> End {
        End {
            tenant_id: self.tenant_id,
            job_id: self.job_id,
            outcome: Outcome::Cancelled,
            started_at: self.started_at,
            ended_at: at,
        }
    }
}
