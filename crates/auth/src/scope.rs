//! Scopes: what an API key may do, as its owner writes it.
//!
//! A scope is the name of a [`Permission`] (`jobs:read`, `executions:trigger`), or [`EVERYTHING`].
//! A key is bound to one tenant, so the permissions that only make sense for a person who watches over all tenants
//! (`tenants:any`, `secrets:reveal`) are no scopes.

use crate::permission::{Permission, PermissionSet};
use crate::role::Role;

/// The scope `*`: everything that the tenant's owner may do. The admin dialect, metrics and tenants are not part of
/// it; a key that needs them names them.
pub const EVERYTHING: &str = "*";

const NEVER_A_SCOPE: PermissionSet = PermissionSet::of(&[Permission::AnyTenant, Permission::SecretsReveal]);

/// A key cannot be given these scopes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScopeError {
    /// A key without a scope could do nothing.
    #[error("an API key needs at least one scope, such as 'jobs:read' or '*'")]
    Empty,
    /// No scope has this name.
    #[error("there is no scope '{0}'; the scopes are: {names}", names = names().collect::<Vec<_>>().join(", "))]
    Unknown(String),
    /// The one who makes the key may not do this, so the key may not either.
    #[error("you cannot give the scope '{0}', because it allows more than your own credential does")]
    ExceedsCreator(String),
}

/// The names of all scopes, `*` first.
pub fn names() -> impl Iterator<Item = &'static str> {
    std::iter::once(EVERYTHING).chain(PermissionSet::ALL.difference(NEVER_A_SCOPE).iter().map(Permission::name))
}

/// What one scope allows; `None` when there is no scope of that name.
pub fn permissions(scope: &str) -> Option<PermissionSet> {
    if scope == EVERYTHING {
        return Some(Role::Owner.permissions());
    }
    Permission::from_name(scope)
        .map(|permission| PermissionSet::of(&[permission]))
        .filter(|set| !NEVER_A_SCOPE.contains_all(*set))
}

/// What these scopes allow together. A stored name that no longer means anything allows nothing.
pub fn union_of<S: AsRef<str>>(scopes: impl IntoIterator<Item = S>) -> PermissionSet {
    scopes.into_iter().filter_map(|scope| permissions(scope.as_ref())).fold(PermissionSet::EMPTY, PermissionSet::union)
}

/// Checks the scopes that someone wants to give to a key, and returns them sorted and without repetition.
/// A key never allows more than the credential it is made with.
pub fn grant<S: AsRef<str>>(creator: PermissionSet, requested: &[S]) -> Result<Vec<String>, ScopeError> {
    let mut granted = Vec::with_capacity(requested.len());
    for scope in requested {
        let scope = scope.as_ref().trim();
        let allowed = permissions(scope).ok_or_else(|| ScopeError::Unknown(scope.chars().take(64).collect()))?;
        if !creator.contains_all(allowed) {
            return Err(ScopeError::ExceedsCreator(scope.to_owned()));
        }
        granted.push(scope.to_owned());
    }
    if granted.is_empty() {
        return Err(ScopeError::Empty);
    }
    granted.sort_unstable();
    granted.dedup();
    Ok(granted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_cannot_do_more_than_the_one_who_made_it() {
        let writer = Role::Write.permissions();
        assert_eq!(grant(writer, &["jobs:write", "jobs:read", "jobs:read"]).unwrap(), ["jobs:read", "jobs:write"]);
        assert_eq!(
            grant(writer, &["jobs:read", "queues:write"]).unwrap_err().to_string(),
            "you cannot give the scope 'queues:write', because it allows more than your own credential does"
        );
        assert_eq!(grant(writer, &["*"]), Err(ScopeError::ExceedsCreator("*".into())));
        assert!(grant(Role::Admin.permissions(), &["*"]).is_ok());
    }

    #[test]
    fn a_key_with_every_scope_cannot_hand_on_the_admin_dialect() {
        let key = union_of(["*"]);
        assert!(grant(key, &["*"]).is_ok());
        assert_eq!(grant(key, &["admin:jobs"]), Err(ScopeError::ExceedsCreator("admin:jobs".into())));
        assert!(grant(Role::SystemAdmin.permissions(), &["admin:jobs", "*"]).is_ok());
    }

    #[test]
    fn leaving_the_tenant_is_not_a_scope_even_for_a_super_admin() {
        let all = Role::SuperAdmin.permissions();
        for name in ["tenants:any", "secrets:reveal"] {
            assert_eq!(grant(all, &[name]), Err(ScopeError::Unknown(name.into())));
            assert!(union_of([name]).is_empty());
        }
    }

    #[test]
    fn unknown_scopes_are_refused_when_given_and_allow_nothing_when_stored() {
        let error = grant(PermissionSet::ALL, &["jobs:everything"]).unwrap_err();
        assert!(error.to_string().contains("the scopes are: *, jobs:read, jobs:write"), "{error}");
        assert_eq!(grant::<&str>(PermissionSet::ALL, &[]), Err(ScopeError::Empty));
        assert!(union_of(["jobs:everything"]).is_empty());
    }
}
