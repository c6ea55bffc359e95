//! Tenant headers never widen access.

#![allow(clippy::unwrap_used, reason = "the helpers below only run in tests")]

use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;
use horarium_auth::{
    AuthError, CredentialKind, EnterTenantError, Principal, Role, TenantDirectory, TenantHeaders, enter_tenant,
};
use horarium_domain::tenant::{Tenant, TenantRef};
use horarium_domain::{TenantId, Timestamp};
use uuid::Uuid;

const ONE: &str = "01900000-0000-7000-8000-000000000001";
const TWO: &str = "01900000-0000-7000-8000-000000000002";

fn tenant(id: TenantId, slug: &str) -> Tenant {
    Tenant { id, slug: slug.parse().unwrap(), name: slug.into(), is_active: true, created_at: Timestamp::UNIX_EPOCH }
}

/// Knows `org-1`, `org-2` and `closed`, which is not active; makes what valid credentials name; writes down what it was asked for.
#[derive(Default)]
struct Directory {
    asked: Mutex<Vec<String>>,
    makes_tenants: bool,
}

impl Directory {
    fn making_tenants() -> Self {
        Self { makes_tenants: true, ..Self::default() }
    }

    fn note(&self, what: &str, named: &TenantRef) {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).push(format!("{what} {named}"));
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn known(named: &TenantRef) -> Option<Tenant> {
    let closed = Tenant { is_active: false, ..tenant(TenantId::from_uuid(Uuid::from_u128(3)), "closed") };
    [tenant(ONE.parse().unwrap(), "org-1"), tenant(TWO.parse().unwrap(), "org-2"), closed]
        .into_iter()
        .find(|tenant| tenant.is_named_by(named))
}

#[async_trait]
impl TenantDirectory for Directory {
    type Error = &'static str;

    async fn find_or_create(&self, named: &TenantRef) -> Result<Option<Tenant>, Self::Error> {
        self.note("home", named);
        if named.to_string() == "broken" {
            return Err("the store is down");
        }
        let made = self.makes_tenants.then(|| tenant(TenantId::from_uuid(Uuid::from_u128(99)), &named.to_string()));
        Ok(known(named).or(made))
    }

    async fn find(&self, named: &TenantRef) -> Result<Option<Tenant>, Self::Error> {
        self.note("other", named);
        Ok(known(named))
    }
}

fn caller(role: Role, tenant: &str) -> Principal {
    Principal {
        subject: "user-1".into(),
        tenant: tenant.parse().unwrap(),
        roles: vec![role],
        permissions: role.permissions(),
        email: None,
        name: None,
        realm: None,
        credential: CredentialKind::Jwt,
    }
}

fn naming<'a>(tenant_id: impl Into<Option<&'a str>>, organization_id: impl Into<Option<&'a str>>) -> TenantHeaders<'a> {
    TenantHeaders { tenant_id: tenant_id.into(), organization_id: organization_id.into(), realm_name: None }
}

async fn entered(caller: &Principal, headers: TenantHeaders<'_>) -> Result<String, AuthError> {
    match enter_tenant(caller, &headers, &Directory::default()).await {
        Ok(tenant) => Ok(tenant.slug.to_string()),
        Err(EnterTenantError::Denied(error)) => Err(error),
        Err(EnterTenantError::Directory(error)) => panic!("{error}"),
    }
}

#[tokio::test]
async fn without_a_header_the_request_acts_in_the_tenant_of_its_credential() {
    for named in ["org-1", ONE] {
        assert_eq!(entered(&caller(Role::Read, named), naming(None, None)).await.unwrap(), "org-1");
    }
}

#[tokio::test]
async fn a_header_may_repeat_the_tenant_in_either_spelling() {
    let upper = ONE.to_uppercase();
    for credential in ["org-1", ONE] {
        for header in ["org-1", "ORG-1", ONE, &upper, " org-1 "] {
            let caller = caller(Role::Read, credential);
            assert_eq!(entered(&caller, naming(header, None)).await.unwrap(), "org-1", "{credential} {header}");
            assert_eq!(entered(&caller, naming(None, header)).await.unwrap(), "org-1", "{credential} {header}");
            assert_eq!(entered(&caller, naming("org-1", header)).await.unwrap(), "org-1", "{credential} {header}");
        }
    }
}

#[tokio::test]
async fn nobody_but_a_super_admin_may_name_another_tenant() {
    for role in Role::ALL.iter().filter(|role| **role != Role::SuperAdmin) {
        for header in ["org-2", TWO, "org-3", "org-11", "", "*", "org-1,org-2", "org-1/../org-2"] {
            let refused = entered(&caller(*role, "org-1"), naming(header, None)).await;
            assert_eq!(refused, Err(AuthError::TenantMismatch("x-tenantid")), "{role} {header}");
            let refused = entered(&caller(*role, "org-1"), naming("org-1", header)).await;
            assert_eq!(refused, Err(AuthError::TenantMismatch("X-Organization-Id")), "{role} {header}");
        }
    }
}

#[tokio::test]
async fn a_refused_header_is_never_looked_up() {
    let directory = Directory::default();
    for header in ["org-2", "org-3"] {
        enter_tenant(&caller(Role::Owner, "org-1"), &naming(header, None), &directory).await.unwrap_err();
    }
    assert_eq!(directory.asked(), ["home org-1", "home org-1"]);
}

#[tokio::test]
async fn a_super_admin_acts_in_the_tenant_that_a_header_names() {
    let root = caller(Role::SuperAdmin, "org-1");
    assert_eq!(entered(&root, naming("org-2", None)).await.unwrap(), "org-2");
    assert_eq!(entered(&root, naming(None, TWO)).await.unwrap(), "org-2");
    assert_eq!(entered(&root, naming("org-2", TWO)).await.unwrap(), "org-2");
    assert_eq!(entered(&root, naming("org-1", None)).await.unwrap(), "org-1");
}

#[tokio::test]
async fn a_super_admin_who_names_two_tenants_is_refused() {
    let root = caller(Role::SuperAdmin, "org-1");
    assert_eq!(entered(&root, naming("org-2", "org-1")).await, Err(AuthError::TenantMismatch("X-Organization-Id")));
    assert_eq!(entered(&root, naming("org-1", "org-2")).await, Err(AuthError::TenantMismatch("x-tenantid")));
}

#[tokio::test]
async fn a_header_makes_no_tenant_but_a_credential_may() {
    let directory = Directory::making_tenants();
    let newcomer = caller(Role::SuperAdmin, "org-9");
    assert_eq!(enter_tenant(&newcomer, &naming(None, None), &directory).await.unwrap().slug.as_str(), "org-9");
    let refused = enter_tenant(&newcomer, &naming("org-8", None), &directory).await.unwrap_err();
    assert_eq!(refused, EnterTenantError::Denied(AuthError::UnknownTenant));
}

#[tokio::test]
async fn where_tenants_are_not_made_on_sight_an_unknown_one_is_refused() {
    assert_eq!(entered(&caller(Role::Owner, "org-9"), naming(None, None)).await, Err(AuthError::UnknownTenant));
    let header = naming("org-9", None);
    assert_eq!(entered(&caller(Role::Owner, "org-9"), header).await, Err(AuthError::TenantMismatch("x-tenantid")));
    // A super_admin need not have a tenant of their own here.
    assert_eq!(entered(&caller(Role::SuperAdmin, "org-9"), naming("org-2", None)).await.unwrap(), "org-2");
}

#[tokio::test]
async fn the_realm_must_be_the_tokens_if_it_has_one() {
    let in_realm = Principal { realm: Some("main".into()), ..caller(Role::SuperAdmin, "org-1") };
    let realm = |name| TenantHeaders { realm_name: Some(name), ..TenantHeaders::default() };
    assert!(entered(&in_realm, realm("main")).await.is_ok());
    assert!(entered(&in_realm, TenantHeaders::default()).await.is_ok());
    for other in ["Main", "other", ""] {
        assert_eq!(entered(&in_realm, realm(other)).await, Err(AuthError::RealmMismatch), "{other}");
    }
    assert!(entered(&caller(Role::Read, "org-1"), realm("anything")).await.is_ok());
}

#[tokio::test]
async fn a_directory_that_fails_is_not_a_refusal() {
    let outcome = enter_tenant(&caller(Role::Read, "broken"), &naming(None, None), &Directory::default()).await;
    assert_eq!(outcome.unwrap_err(), EnterTenantError::Directory("the store is down"));
}

#[tokio::test]
async fn an_inactive_tenant_lets_only_a_super_admin_in() {
    for role in Role::ALL.iter().filter(|role| **role != Role::SuperAdmin) {
        assert_eq!(entered(&caller(*role, "closed"), naming(None, None)).await, Err(AuthError::InactiveTenant));
    }
    assert_eq!(entered(&caller(Role::SuperAdmin, "closed"), naming(None, None)).await.unwrap(), "closed");
    assert_eq!(entered(&caller(Role::SuperAdmin, "org-1"), naming("closed", None)).await.unwrap(), "closed");
}
