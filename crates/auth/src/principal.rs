//! The caller, once a credential has been checked.

use horarium_domain::ApiKeyId;
use horarium_domain::tenant::TenantRef;

use crate::error::AuthError;
use crate::permission::{Permission, PermissionSet};
use crate::role::Role;

/// What the caller showed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CredentialKind {
    /// A signed token.
    Jwt,
    /// An API key, by its public id.
    ApiKey(ApiKeyId),
}

/// A caller whose credential is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Who it is: a token's `sub`, or `api-key:<id>`.
    pub subject: String,
    /// The tenant as the credential names it; [`crate::enter_tenant`] turns it into the one the request acts in.
    pub tenant: TenantRef,
    /// The roles of a token, without repetition and without those that Horarium does not know. A key has none.
    pub roles: Vec<Role>,
    /// What the caller may do.
    pub permissions: PermissionSet,
    /// The token's `email`, if it has one.
    pub email: Option<String>,
    /// The token's or the key's name, if it has one.
    pub name: Option<String>,
    /// The token's `realm`, if it has one.
    pub realm: Option<String>,
    /// What the caller showed.
    pub credential: CredentialKind,
}

impl Principal {
    /// Whether the caller may do this.
    pub const fn can(&self, permission: Permission) -> bool {
        self.permissions.contains(permission)
    }

    /// Refuses with [`AuthError::PermissionDenied`] unless the caller may do this.
    pub const fn require(&self, permission: Permission) -> Result<(), AuthError> {
        if self.can(permission) { Ok(()) } else { Err(AuthError::PermissionDenied(permission)) }
    }

    /// Whether the caller's token carries the role.
    pub fn has_role(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// What to show as "triggered by" or "created by": the name, else the e-mail address, else the subject.
    pub fn display_name(&self) -> &str {
        self.name.as_deref().or(self.email.as_deref()).unwrap_or(&self.subject)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_display_name_is_the_most_human_one_there_is() {
        let mut caller = Principal {
            subject: "auth0|17".into(),
            tenant: "org-1".parse().unwrap(),
            roles: vec![Role::Read],
            permissions: Role::Read.permissions(),
            email: Some("ada@example.org".into()),
            name: Some("Ada".into()),
            realm: None,
            credential: CredentialKind::Jwt,
        };
        assert_eq!(caller.display_name(), "Ada");
        caller.name = None;
        assert_eq!(caller.display_name(), "ada@example.org");
        caller.email = None;
        assert_eq!(caller.display_name(), "auth0|17");
        assert_eq!(caller.require(Permission::JobsRead), Ok(()));
        assert_eq!(caller.require(Permission::JobsWrite), Err(AuthError::PermissionDenied(Permission::JobsWrite)));
    }
}
