//! Roles: the names that tokens use for a set of permissions.

use std::fmt;

use crate::permission::{Permission, PermissionSet};

/// A role that a token may carry. The table of what each may do is `roles → permissions` in the API guide.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Everything, in every tenant.
    SuperAdmin,
    /// Everything in its tenant, the admin dialect and the process's metrics.
    SystemAdmin,
    /// Everything in its tenant but the admin dialect.
    Owner,
    /// The same as [`Role::Owner`].
    Admin,
    /// Reads everything in its tenant; submits, triggers, cancels and retries.
    Manager,
    /// Reads and writes jobs and executions, and uses agents.
    Write,
    /// Reads jobs, executions, queues, agents and events.
    Read,
    /// Leases and reports executions, nothing else.
    Agent,
}

const READ: PermissionSet = PermissionSet::of(&[
    Permission::JobsRead,
    Permission::ExecutionsRead,
    Permission::QueuesRead,
    Permission::AgentsRead,
    Permission::EventsRead,
]);

const RUN: PermissionSet = PermissionSet::of(&[
    Permission::ExecutionsTrigger,
    Permission::ExecutionsCancel,
    Permission::ExecutionsRetry,
    Permission::AgentsUse,
]);

const WRITE: PermissionSet = READ.union(RUN).union(PermissionSet::of(&[Permission::JobsWrite]));

const MANAGER: PermissionSet = READ.union(RUN).union(PermissionSet::of(&[
    Permission::KeysRead,
    Permission::IntegrationsRead,
    Permission::IntegrationsWrite,
]));

/// What reaches beyond one tenant, or shows what it hides.
const BEYOND_TENANT: PermissionSet = PermissionSet::of(&[
    Permission::AdminDialect,
    Permission::MetricsRead,
    Permission::TenantsManage,
    Permission::AnyTenant,
    Permission::SecretsReveal,
]);

const OWNER: PermissionSet = PermissionSet::ALL.difference(BEYOND_TENANT);

const SYSTEM_ADMIN: PermissionSet =
    OWNER.union(PermissionSet::of(&[Permission::AdminDialect, Permission::MetricsRead]));

impl Role {
    /// Every role, the mightiest first.
    pub const ALL: &'static [Self] = &[
        Self::SuperAdmin,
        Self::SystemAdmin,
        Self::Owner,
        Self::Admin,
        Self::Manager,
        Self::Write,
        Self::Read,
        Self::Agent,
    ];

    /// The role of this name, whatever its case. `None` for a name that means nothing here: an issuer's tokens carry
    /// roles of other systems too, and those are no error.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|role| role.name().eq_ignore_ascii_case(name.trim()))
    }

    /// Its name in tokens, in lower case.
    pub const fn name(self) -> &'static str {
        match self {
            Self::SuperAdmin => "super_admin",
            Self::SystemAdmin => "system_admin",
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Manager => "manager",
            Self::Write => "write",
            Self::Read => "read",
            Self::Agent => "agent",
        }
    }

    /// What the role may do.
    pub const fn permissions(self) -> PermissionSet {
        match self {
            Self::SuperAdmin => PermissionSet::ALL,
            Self::SystemAdmin => SYSTEM_ADMIN,
            Self::Owner | Self::Admin => OWNER,
            Self::Manager => MANAGER,
            Self::Write => WRITE,
            Self::Read => READ,
            Self::Agent => PermissionSet::of(&[Permission::AgentsLease]),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn who_may(permission: Permission) -> Vec<&'static str> {
        Role::ALL.iter().filter(|role| role.permissions().contains(permission)).map(|role| role.name()).collect()
    }

    #[test]
    fn roles_are_read_without_regard_to_case_and_unknown_ones_are_passed_over() {
        assert_eq!(Role::from_name("ADMIN"), Some(Role::Admin));
        assert_eq!(Role::from_name(" System_Admin "), Some(Role::SystemAdmin));
        assert_eq!(Role::from_name("offline_access"), None);
        assert_eq!(Role::from_name(""), None);
    }

    #[test]
    fn every_permission_belongs_to_the_roles_of_the_published_table() {
        use Permission as P;
        let readers = ["super_admin", "system_admin", "owner", "admin", "manager", "write", "read"];
        let runners = &readers[..6];
        let managers = &readers[..5];
        let owners = &readers[..4];
        for permission in Permission::ALL {
            let expected: &[&str] = match permission {
                P::JobsRead | P::ExecutionsRead | P::QueuesRead | P::AgentsRead | P::EventsRead => &readers,
                P::ExecutionsTrigger | P::ExecutionsCancel | P::ExecutionsRetry | P::AgentsUse => runners,
                P::JobsWrite => &["super_admin", "system_admin", "owner", "admin", "write"],
                P::IntegrationsRead | P::IntegrationsWrite | P::KeysRead => managers,
                P::SchedulerAdmin | P::AgentsManage | P::QueuesWrite | P::KeysManage | P::AuditRead => owners,
                P::AgentsLease => &["super_admin", "system_admin", "owner", "admin", "agent"],
                P::AdminDialect | P::MetricsRead => &readers[..2],
                P::TenantsManage | P::AnyTenant | P::SecretsReveal => &readers[..1],
            };
            assert_eq!(who_may(*permission), expected, "{permission}");
        }
    }

    #[test]
    fn an_agent_may_lease_and_nothing_else() {
        assert_eq!(Role::Agent.permissions().iter().collect::<Vec<_>>(), [Permission::AgentsLease]);
    }
}
