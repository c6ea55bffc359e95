//! Every role and every scope at every operation: the snapshot says who may do what, and whatever changes it has to be
//! meant.

use horarium_auth::{Permission, PermissionSet, Role, TokenClaims, scope};
use insta::assert_json_snapshot;
use serde_json::json;

use super::{Operation, assert_unchanged, everything, impatient, operations};
use crate::support::{Client, TestApp};

struct Caller {
    /// Of its role, or of its key's only scope.
    name: &'static str,
    client: Client,
    permissions: PermissionSet,
    has_key: bool,
}

impl Caller {
    /// How it is refused, if it is.
    fn refusal(&self, operation: &Operation, needs: Option<Permission>) -> Option<u16> {
        if operation.is_by_key && !self.has_key {
            return Some(401);
        }
        needs.filter(|permission| !self.permissions.contains(*permission)).map(|_| 403)
    }
}

/// One of each role and of each scope, in the tenant of the walk.
async fn callers(app: &TestApp) -> Vec<Caller> {
    let mut callers = Vec::new();
    for role in Role::ALL {
        let client = app.as_role(*role).with_header("x-tenantid", "org-1");
        callers.push(Caller { name: role.name(), client, permissions: role.permissions(), has_key: false });
    }
    let keeper = app.as_role(Role::SuperAdmin);
    for name in scope::names() {
        let made = keeper.post("/api/v1/keys", json!({"name": name, "scopes": [name]})).await.expect(201);
        let client = app.with_key(&made.member("key")).with_header("x-tenantid", "org-1");
        callers.push(Caller { name, client, permissions: scope::permissions(name).unwrap(), has_key: true });
    }
    callers
}

/// The permission that an operation asks of those who have none of use here; `None` where it lets even them in.
async fn needed(app: &TestApp, operations: &[Operation]) -> Vec<Option<Permission>> {
    let nobody = app.with_token(&TokenClaims::new("nobody", "org-1".parse().unwrap(), Vec::new()));
    let weak = app.machine(&["audit:read"]).await;
    let mut needed = Vec::new();
    for operation in operations {
        let answer = operation.open(if operation.is_by_key { &weak } else { &nobody }).await;
        let challenge = answer.headers().get("www-authenticate").map_or("", |value| value.to_str().unwrap());
        let name = challenge.split_once("scope=\"").and_then(|(_, rest)| rest.strip_suffix('"'));
        assert_eq!(answer.status() == 403, name.is_some(), "{}: {challenge}", operation.told());
        needed.push(name.map(|name| Permission::from_name(name).unwrap()));
    }
    needed
}

#[tokio::test]
async fn every_operation_lets_in_those_who_have_its_permission_and_nobody_else() {
    let app = TestApp::with(impatient()).await;
    let mut operations = operations(&app).await;
    operations.retain(|operation| !operation.is_open);
    let (callers, needed) = (callers(&app).await, needed(&app, &operations).await);
    let walk = || operations.iter().zip(&needed);

    let before = everything(&app, &operations).await;
    for (operation, needs) in walk() {
        for caller in &callers {
            if let Some(refusal) = caller.refusal(operation, *needs) {
                let status = operation.call(&caller.client).await;
                assert_eq!(status, refusal, "{} as {}", operation.told(), caller.name);
            }
        }
    }
    assert_unchanged(&app, &operations, &before).await;

    let mut told = Vec::new();
    for (operation, needs) in walk() {
        let (mut roles, mut keys) = (Vec::new(), Vec::new());
        for caller in callers.iter().filter(|caller| caller.refusal(operation, *needs).is_none()) {
            let status = operation.call(&caller.client).await;
            let is_refused = [401, 403, 405, 500, 501].contains(&status);
            assert!(!is_refused, "{} as {}: {status}", operation.told(), caller.name);
            if caller.has_key { &mut keys } else { &mut roles }.push(caller.name);
        }
        let roles = if roles.is_empty() { "none".to_owned() } else { roles.join(" ") };
        let keys = if needs.is_none() { "any".to_owned() } else { keys.join(" ") };
        told.push(format!("{} | roles: {roles} | keys: {keys}", operation.told()));
    }
    assert_json_snapshot!("who_may", told);
}
