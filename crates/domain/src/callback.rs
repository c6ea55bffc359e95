//! Callbacks: what a submitter wants to be told once an execution is over, and where.
//!
//! A callback is recorded with its execution, becomes due with its execution's end, and is then handed over to a
//! *delivery*: an execution of a job of its own, which makes the call. So a delivery waits, is retried, is taken over
//! and is seen like any other work.

use serde_json::Value;

use crate::execution::NewExecution;
use crate::{ExecutionId, TenantId, Timestamp};

/// What a submitter asks for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NewCallback {
    /// Where the end is to be told, sealed by a [`SecretSealer`](crate::secret::SecretSealer) when it is stored: URLs of
    /// this kind often are credentials. Without it nothing is delivered.
    pub url: Option<String>,
    /// The submitter's own name for the execution, as it came; given back with every answer about it.
    pub reference: Option<Value>,
}

/// A callback as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// The end of which execution is to be told.
    pub execution_id: ExecutionId,
    /// What was asked for.
    pub asked: NewCallback,
    /// When it became due, which is when the execution ended; `None` before that, and always when there is no URL.
    pub due_at: Option<Timestamp>,
    /// The execution that delivers it, once there is one.
    pub delivery_id: Option<ExecutionId>,
}

/// A callback that is due and that nothing delivers yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DueCallback {
    /// The execution that ended.
    pub execution_id: ExecutionId,
    /// Whose.
    pub tenant_id: TenantId,
    /// When it became due.
    pub due_at: Timestamp,
}

/// A due callback together with the execution that is to deliver it.
#[derive(Debug, Clone, PartialEq)]
pub struct Handover {
    /// The execution that ended.
    pub execution_id: ExecutionId,
    /// What delivers it: an execution of the same tenant whose unique key is the id above.
    pub delivery: NewExecution,
}

/// What became of a [`Handover`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandedOver {
    /// The delivery is durable, and the callback is its own from now on.
    Accepted,
    /// The delivery's queue is full or its job is gone; the callback stays due, from a later time on.
    Postponed,
    /// Another node was faster, or the callback is gone: nothing was written.
    Superseded,
}

/// The secret that a tenant's callbacks are signed with, sealed as it is stored.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret {
    /// The secret, sealed by a [`SecretSealer`](crate::secret::SecretSealer).
    pub sealed: String,
    /// When it was made.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SigningSecret").field("created_at", &self.created_at).finish_non_exhaustive()
    }
}
