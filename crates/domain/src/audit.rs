//! The audit log: who changed what, from where, and how it ended.

use crate::{AuditId, TenantId, Timestamp};

/// What a caller showed to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuditActorKind {
    /// A signed token: a person, or a program on behalf of one.
    Token,
    /// An API key: a machine.
    ApiKey,
}

impl AuditActorKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Token, Self::ApiKey];

    /// Its name in answers and databases.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Token => "token",
            Self::ApiKey => "apiKey",
        }
    }
}

/// Who called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditActor {
    /// What it showed.
    pub kind: AuditActorKind,
    /// The token's subject, or `api-key:<id>`.
    pub id: String,
    /// Its name, if its credential tells one.
    pub name: Option<String>,
    /// Its e-mail address, if its credential tells one.
    pub email: Option<String>,
}

/// What a call was about.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditTarget {
    /// What kind of thing, such as `job`.
    pub kind: String,
    /// Its id or name as the call named it; `None` when it is being made.
    pub before: Option<String>,
    /// Its id or name after the call: that of the new execution after a retry; `None` when there is none any more.
    pub after: Option<String>,
    /// The version that the caller expected, if it named one.
    pub version_before: Option<i64>,
    /// Its version after the call, if it has versions.
    pub version_after: Option<i64>,
}

/// One call that changed something, or was refused to. It holds no secret: neither the call's body nor its query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditEntry {
    /// Its id.
    pub id: AuditId,
    /// The tenant that the call acted in; it may be gone by now.
    pub tenant_id: TenantId,
    /// When the call was made.
    pub at: Timestamp,
    /// Who called.
    pub actor: AuditActor,
    /// What was asked for: the operation's id in the API's description, such as `trigger_job`.
    pub action: String,
    /// The HTTP method.
    pub method: String,
    /// The route, with `{…}` in the place of its parameters.
    pub route: String,
    /// What it was about.
    pub target: Option<AuditTarget>,
    /// The HTTP status of the answer; where executions were accepted, the one that says so, also when the answer came to
    /// tell of their end, or never arrived. `None` where the caller went away, or its time was up, before there was one:
    /// what was asked for may or may not have been done.
    pub status: Option<u16>,
    /// The address of the client.
    pub address: Option<String>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
    /// The request's id, as the answer and the log tell it.
    pub request_id: String,
}
