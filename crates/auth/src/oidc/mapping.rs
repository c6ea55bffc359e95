//! What the claims of an ID token mean here.

use horarium_domain::tenant::TenantRef;
use serde_json::{Map, Value};

use super::error::OidcError;
use crate::error::AuthError;
use crate::jwt::{TENANT_CLAIMS, printable, strings};
use crate::permission::PermissionSet;
use crate::principal::{CredentialKind, Principal};
use crate::role::Role;

/// The claims that name roles when none is configured.
const ROLE_CLAIMS: [&str; 2] = ["roles", "role"];

/// How many of the provider's roles are told to somebody who has none here, and how many characters of each.
const TOLD_ROLES: usize = 20;
const TOLD_CHARS: usize = 64;

/// What the claims of an ID token mean here. A claim is named by its key, or by a path through objects whose keys are
/// joined by dots (`realm_access.roles`).
#[derive(Debug, Clone, Default)]
pub struct ClaimMapping {
    /// The claim that names the tenant; those of tokens (`tenant_id`, `org_id`, …) when none is given.
    pub tenant_claim: Option<String>,
    /// The tenant of whoever has no such claim.
    pub tenant: Option<TenantRef>,
    /// The claim that names roles or groups; `roles` and `role` when none is given.
    pub roles_claim: Option<String>,
    /// Which values of it give which role. Without any, a role's own name gives it, but for `super_admin`: who may act in
    /// every tenant is to be said here.
    pub roles: Vec<(String, Role)>,
}

impl ClaimMapping {
    /// Whoever the claims speak of.
    pub(super) fn principal(&self, claims: &Map<String, Value>) -> Result<Principal, OidcError> {
        let subject = claims.get("sub").ok_or(AuthError::MissingClaim("sub"))?;
        let subject = printable(subject).ok_or(AuthError::InvalidClaim("sub"))?;
        let tenant = self.tenant_of(claims)?;
        let roles = self.roles_of(claims)?;
        Ok(Principal {
            subject,
            tenant,
            permissions: roles.iter().fold(PermissionSet::EMPTY, |set, role| set.union(role.permissions())),
            roles,
            email: claims.get("email").and_then(printable),
            name: claims.get("name").and_then(printable),
            realm: None,
            credential: CredentialKind::Jwt,
        })
    }

    fn tenant_of(&self, claims: &Map<String, Value>) -> Result<TenantRef, OidcError> {
        let named = match &self.tenant_claim {
            Some(path) => find(claims, path).map(|value| (path.as_str(), value)),
            None => TENANT_CLAIMS.into_iter().find_map(|name| claims.get(name).map(|value| (name, value))),
        };
        match (named, &self.tenant) {
            // One that cannot be read must not be taken for none.
            (Some((name, value)), _) => value
                .as_str()
                .and_then(|text| text.trim().parse().ok())
                .ok_or_else(|| OidcError::NoTenant(name.to_owned())),
            (None, Some(tenant)) => Ok(tenant.clone()),
            (None, None) => {
                Err(OidcError::NoTenant(self.tenant_claim.clone().unwrap_or_else(|| "tenant_id".to_owned())))
            }
        }
    }

    fn roles_of(&self, claims: &Map<String, Value>) -> Result<Vec<Role>, OidcError> {
        let values: Vec<&str> = match &self.roles_claim {
            Some(path) => find(claims, path).into_iter().flat_map(strings).collect(),
            None => ROLE_CLAIMS.into_iter().filter_map(|name| claims.get(name)).flat_map(strings).collect(),
        };
        let mut roles: Vec<Role> = values.iter().flat_map(|value| self.meant_by(value)).collect();
        roles.sort_unstable();
        roles.dedup();
        if roles.is_empty() {
            return Err(OidcError::NoRole(values.into_iter().take(TOLD_ROLES).map(told).collect()));
        }
        Ok(roles)
    }

    fn meant_by(&self, value: &str) -> Vec<Role> {
        if self.roles.is_empty() {
            return Role::from_name(value).filter(|role| *role != Role::SuperAdmin).into_iter().collect();
        }
        self.roles.iter().filter(|(listed, _)| listed == value).map(|(_, role)| *role).collect()
    }
}

/// A claim by its key, or by its path.
fn find<'a>(claims: &'a Map<String, Value>, path: &str) -> Option<&'a Value> {
    claims.get(path).or_else(|| {
        let (first, rest) = path.split_once('.')?;
        find(claims.get(first)?.as_object()?, rest)
    })
}

fn told(role: &str) -> String {
    role.chars().filter(|c| !c.is_control()).take(TOLD_CHARS).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn principal(mapping: &ClaimMapping, claims: &Value) -> Result<Principal, OidcError> {
        mapping.principal(claims.as_object().unwrap())
    }

    #[test]
    fn without_a_mapping_claims_mean_what_they_mean_in_tokens() {
        let claims = json!({"sub": "u", "org_id": "org-1", "role": "Manager", "name": "Ada", "email": "a@example.org"});
        let who = principal(&ClaimMapping::default(), &claims).unwrap();
        assert_eq!((who.tenant.to_string().as_str(), who.roles.as_slice()), ("org-1", &[Role::Manager][..]));
        assert_eq!((who.display_name(), who.subject.as_str()), ("Ada", "u"));
    }

    #[test]
    fn claims_are_found_by_path_and_only_listed_values_count() {
        let mapping = ClaimMapping {
            tenant_claim: Some("org.slug".to_owned()),
            roles_claim: Some("realm_access.roles".to_owned()),
            roles: vec![("ops".to_owned(), Role::Admin), ("root".to_owned(), Role::SuperAdmin)],
            ..ClaimMapping::default()
        };
        let claims = |roles: Value| json!({"sub": "u", "org": {"slug": "org-1"}, "realm_access": {"roles": roles}});
        assert_eq!(principal(&mapping, &claims(json!(["ops", "read"]))).unwrap().roles, [Role::Admin]);
        assert_eq!(principal(&mapping, &claims(json!("root"))).unwrap().roles, [Role::SuperAdmin]);
        let refused = principal(&mapping, &claims(json!(["read"]))).unwrap_err();
        assert_eq!(refused, OidcError::NoRole(vec!["read".to_owned()]));
    }

    #[test]
    fn a_key_with_a_dot_goes_before_a_path() {
        let mapping = ClaimMapping { tenant_claim: Some("https://x/tenant.id".to_owned()), ..ClaimMapping::default() };
        let claims = json!({"sub": "u", "https://x/tenant.id": "org-1", "roles": ["read"]});
        assert_eq!(principal(&mapping, &claims).unwrap().tenant.to_string(), "org-1");
    }

    #[test]
    fn nobody_acts_in_every_tenant_by_accident() {
        let claims = json!({"sub": "u", "tenant_id": "org-1", "roles": ["super_admin"]});
        assert!(matches!(principal(&ClaimMapping::default(), &claims), Err(OidcError::NoRole(_))));
    }

    #[test]
    fn a_fixed_tenant_is_for_whoever_names_none() {
        let mapping = ClaimMapping { tenant: Some("acme".parse().unwrap()), ..ClaimMapping::default() };
        let who = |claims: Value| principal(&mapping, &claims).map(|who| who.tenant.to_string());
        assert_eq!(who(json!({"sub": "u", "roles": "read"})).unwrap(), "acme");
        assert_eq!(who(json!({"sub": "u", "roles": "read", "tenant_id": "org-1"})).unwrap(), "org-1");
        assert_eq!(
            who(json!({"sub": "u", "roles": "read", "tenant_id": 7})),
            Err(OidcError::NoTenant("tenant_id".into()))
        );
        let none = principal(&ClaimMapping::default(), &json!({"sub": "u", "roles": "read"}));
        assert_eq!(none.unwrap_err(), OidcError::NoTenant("tenant_id".to_owned()));
    }

    #[test]
    fn whoever_has_no_subject_is_nobody() {
        for (claims, error) in [
            (json!({"tenant_id": "org-1", "roles": "read"}), AuthError::MissingClaim("sub")),
            (json!({"sub": " ", "tenant_id": "org-1", "roles": "read"}), AuthError::InvalidClaim("sub")),
        ] {
            assert_eq!(principal(&ClaimMapping::default(), &claims).unwrap_err(), OidcError::Token(error));
        }
    }
}
