//! Credentials that are no good, or no good here, at every operation.

use std::time::Duration;

use horarium_auth::{Role, SharedSecret, TokenClaims, mint};
use serde_json::json;

use super::{Operation, assert_unchanged, everything, operations, tenant};
use crate::support::{Client, TestApp};

/// Everybody, who they are, and how they are refused everywhere.
async fn nobody_gets_in(operations: &[Operation], strangers: &[(&str, &Client, u16)]) {
    for operation in operations {
        for (who, client, refusal) in strangers {
            // Where only a key counts, a token is as good as nothing.
            let refusal = if operation.is_by_key && !who.contains("key") { 401 } else { *refusal };
            assert_eq!(operation.call(client).await, refusal, "{} with {who}", operation.told());
        }
    }
}

/// The whole text of a new key for everything.
async fn key(app: &TestApp, expires_at: Option<&str>) -> (String, Client) {
    let key = json!({"name": "machine", "scopes": ["*"], "expiresAt": expires_at});
    let made = app.owner().post("/api/v1/keys", key).await.expect(201);
    (made.member("id"), app.with_key(&made.member("key")))
}

#[tokio::test]
async fn no_operation_takes_a_credential_that_is_no_good_or_of_another_place() {
    let app = TestApp::start().await;
    let mut operations = operations(&app).await;
    operations.retain(|operation| !operation.is_open);

    let mut claims = TokenClaims::new("ada", "org-1".parse().unwrap(), vec![Role::SuperAdmin]);
    let other = SharedSecret::new("another secret that is also long enough").unwrap();
    let forged = app.with_bearer(&mint(&other, &claims, app.now(), Duration::from_hours(1)).unwrap());
    claims.realm = Some("north".to_owned());
    let of_a_realm = app.with_token(&claims).with_header("realmname", "south");
    let keeper = app.as_role(Role::SuperAdmin);
    let nowhere = keeper.clone().with_header("x-tenantid", "nowhere");
    let (owner, (_, machine)) = (app.owner(), key(&app, None).await);
    let astray = owner.clone().with_header("x-tenantid", "spare");
    let machine_astray = machine.clone().with_header("x-tenantid", "spare");
    let (_, short_lived) = key(&app, Some("2025-07-10T15:30:00Z")).await;
    let (id, revoked) = key(&app, None).await;
    owner.delete(&format!("/api/v1/keys/{id}")).await.expect(204);

    let before = everything(&app, &operations).await;
    let strangers = [
        ("a token of another issuer", &forged, 401),
        ("a revoked key", &revoked, 401),
        ("a token of another realm", &of_a_realm, 403),
        ("a token for a tenant that does not exist", &nowhere, 403),
        ("a token for another tenant", &astray, 403),
        ("a key for another tenant", &machine_astray, 403),
    ];
    nobody_gets_in(&operations, &strangers).await;
    assert_unchanged(&app, &operations, &before).await;

    let path = format!("/api/v1/tenants/{}", tenant(&app).await);
    keeper.patch(&path, json!({"isActive": false})).await.expect(200);
    let locked_out =
        [("a token of a tenant that is off", &owner, 403), ("a key of a tenant that is off", &machine, 403)];
    nobody_gets_in(&operations, &locked_out).await;
    keeper.patch(&path, json!({"isActive": true})).await.expect(200);

    app.advance(Duration::from_hours(1) + Duration::from_mins(1));
    nobody_gets_in(&operations, &[("an expired token", &owner, 401), ("an expired key", &short_lived, 401)]).await;
}
