//! What a caller may do, one permission per kind of thing that a route does.

use std::fmt;

macro_rules! permissions {
    ($($(#[$doc:meta])* $variant:ident = $name:literal,)*) => {
        /// One thing that a caller may do. Every route needs exactly one, or one of a few.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[repr(u8)]
        pub enum Permission {
            $($(#[$doc])* $variant,)*
        }

        impl Permission {
            /// Every permission, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name in scopes, logs and answers, such as `jobs:read`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                }
            }
        }
    };
}

permissions! {
    /// Read jobs, workflows, the dashboard and previews.
    JobsRead = "jobs:read",
    /// Create, change, pause, reschedule and delete jobs and workflows.
    JobsWrite = "jobs:write",
    /// Read executions, their output and their timeline.
    ExecutionsRead = "executions:read",
    /// Trigger a job or submit executions, singly or in bulk.
    ExecutionsTrigger = "executions:trigger",
    /// Cancel an execution.
    ExecutionsCancel = "executions:cancel",
    /// Retry a failed execution.
    ExecutionsRetry = "executions:retry",
    /// `/api/v1/scheduler/admin`: pause and resume all, clear logs, export and import.
    SchedulerAdmin = "scheduler:admin",
    /// The admin dialect, `/api/v1/admin/jobs`.
    AdminDialect = "admin:jobs",
    /// Read the integrations dialect.
    IntegrationsRead = "integrations:read",
    /// Submit jobs in the integrations dialect.
    IntegrationsWrite = "integrations:write",
    /// See the agents and their state.
    AgentsRead = "agents:read",
    /// Send operations to agents.
    AgentsUse = "agents:use",
    /// Drain, undrain and remove agents.
    AgentsManage = "agents:manage",
    /// Be an agent: register, heartbeat, lease and report.
    AgentsLease = "agents:lease",
    /// Read queues, their limits and lengths.
    QueuesRead = "queues:read",
    /// Change and pause queues.
    QueuesWrite = "queues:write",
    /// Follow the tenant's events.
    EventsRead = "events:read",
    /// Read who changed what.
    AuditRead = "audit:read",
    /// List API keys; never their secrets.
    KeysRead = "keys:read",
    /// Make, rotate and revoke API keys.
    KeysManage = "keys:manage",
    /// Read the process's metrics, which cover all tenants.
    MetricsRead = "metrics:read",
    /// Make, change and delete tenants.
    TenantsManage = "tenants:manage",
    /// Act in a tenant other than that of the credential, named in a header.
    AnyTenant = "tenants:any",
    /// Export job definitions with their secrets unmasked.
    SecretsReveal = "secrets:reveal",
}

impl Permission {
    /// The permission of this name, if there is one.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|permission| permission.name() == name)
    }

    const fn bit(self) -> u32 {
        1 << self as u8
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A set of permissions; a copy is a word.
#[derive(Clone, Copy, PartialEq, Eq, Default, Hash)]
pub struct PermissionSet(u32);

impl PermissionSet {
    /// No permission.
    pub const EMPTY: Self = Self(0);
    /// Every permission there is.
    pub const ALL: Self = Self::of(Permission::ALL);

    /// The set of these.
    pub const fn of(permissions: &[Permission]) -> Self {
        let mut bits = 0;
        let mut index = 0;
        while index < permissions.len() {
            bits |= permissions[index].bit();
            index += 1;
        }
        Self(bits)
    }

    /// What is in either.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// What is in this one and not in `other`.
    #[must_use]
    pub const fn difference(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether `permission` is in it.
    pub const fn contains(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Whether everything in `other` is also in this one.
    pub const fn contains_all(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether nothing is in it.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// What is in it, in the order of declaration.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.contains(*permission))
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        permissions.into_iter().fold(Self::EMPTY, |set, permission| Self(set.0 | permission.bit()))
    }
}

impl fmt::Debug for PermissionSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.iter().map(Permission::name)).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_has_its_own_name_and_its_own_bit() {
        for permission in Permission::ALL {
            assert_eq!(Permission::from_name(permission.name()), Some(*permission));
        }
        assert_eq!(PermissionSet::ALL.iter().count(), Permission::ALL.len());
        assert!(Permission::ALL.len() <= 32, "PermissionSet has 32 bits");
    }

    #[test]
    fn sets_behave_as_sets() {
        let reads = PermissionSet::of(&[Permission::JobsRead, Permission::QueuesRead]);
        let jobs: PermissionSet = [Permission::JobsRead, Permission::JobsWrite].into_iter().collect();
        assert!(reads.union(jobs).contains_all(jobs) && !reads.contains_all(jobs));
        assert_eq!(reads.difference(jobs), PermissionSet::of(&[Permission::QueuesRead]));
        assert_eq!(format!("{jobs:?}"), r#"{"jobs:read", "jobs:write"}"#);
    }
}
