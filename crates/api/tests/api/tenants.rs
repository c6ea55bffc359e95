//! Tenants.

use horarium_auth::Role;
use insta::assert_json_snapshot;
use serde_json::json;
use uuid::Uuid;

use crate::support::{TestApp, http_job};

const TENANTS: &str = "/api/v1/tenants";

#[tokio::test]
async fn a_tenant_is_made_changed_and_deleted() {
    let app = TestApp::start().await;
    let keeper = app.as_role_in(Role::SuperAdmin, "default");
    let made = keeper.post(TENANTS, json!({"slug": "Org-7", "name": "Seven"})).await.expect(201);
    assert_json_snapshot!(made.snapshot());
    let path = made.header("location").to_owned();
    assert_eq!(keeper.get(&path).await.expect(200).json(), made.json());

    let changed = keeper.patch(&path, json!({"name": "Seven Inc."})).await.expect(200).json();
    assert_eq!((changed["name"].as_str(), changed["isActive"].as_bool()), (Some("Seven Inc."), Some(true)));
    assert_eq!(keeper.get(TENANTS).await.expect(200).json()["totalCount"], 2);

    keeper.delete(&path).await.expect(204);
    keeper.get(&path).await.problem(404);
    keeper.delete(&format!("{TENANTS}/{}", Uuid::nil())).await.problem(404);
}

#[tokio::test]
async fn a_slug_is_taken_once_and_must_be_sound() {
    let app = TestApp::start().await;
    let keeper = app.as_role_in(Role::SuperAdmin, "default");
    keeper.post(TENANTS, json!({"slug": "org-7"})).await.expect(201);
    keeper.post(TENANTS, json!({"slug": "org-7"})).await.problem(409);
    for body in [json!({}), json!({"slug": "a b"}), json!({"slug": Uuid::nil()})] {
        assert!(keeper.post(TENANTS, body).await.problem(400)["errors"]["slug"].is_array());
    }
}

#[tokio::test]
async fn the_default_tenant_and_one_at_work_are_not_deleted() {
    let app = TestApp::start().await;
    let keeper = app.as_role_in(Role::SuperAdmin, "default");
    keeper.get(TENANTS).await.expect(200);
    let id = async |slug: &str| app.core.store.tenant(&slug.parse().unwrap()).await.unwrap().id;
    keeper.delete(&format!("{TENANTS}/{}", id("default").await)).await.problem(409);

    app.owner().trigger_new_job("running").await;
    app.claim().await;
    keeper.delete(&format!("{TENANTS}/{}", id("org-1").await)).await.problem(409);
}

#[tokio::test]
async fn a_tenants_own_administrators_do_not_look_after_tenants() {
    let app = TestApp::start().await;
    for role in [Role::SystemAdmin, Role::Owner, Role::Admin] {
        app.as_role(role).get(TENANTS).await.problem(403);
    }
    app.owner().create_job(http_job("still works")).await;
}

#[tokio::test]
async fn a_tenants_limits_are_set_as_a_whole_by_the_keeper_of_all() {
    let app = TestApp::start().await;
    let keeper = app.as_role_in(Role::SuperAdmin, "default");
    let tenant = keeper.post(TENANTS, json!({"slug": "org-7"})).await.expect(201);
    let path = format!("{}/limits", tenant.header("location"));
    let unlimited = json!({"weight": 100, "maxConcurrency": null, "rateLimitPerSecond": null});
    assert_eq!(keeper.get(&path).await.expect(200).json(), unlimited);

    let limits = json!({"weight": 300, "maxConcurrency": 50, "rateLimitPerSecond": 10});
    assert_eq!(keeper.put(&path, limits.clone()).await.expect(200).json(), limits);
    assert_eq!(keeper.get(&path).await.expect(200).json(), limits);
    let weighted = json!({"weight": 20, "maxConcurrency": null, "rateLimitPerSecond": null});
    assert_eq!(keeper.put(&path, json!({"weight": 20})).await.expect(200).json(), weighted);
    assert_eq!(keeper.put(&path, json!({})).await.expect(200).json(), unlimited);

    let refused = keeper.put(&path, json!({"weight": 0, "maxConcurrency": 0, "rateLimitPerSecond": -1})).await;
    let fields: Vec<_> = refused.problem(400)["errors"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(fields, ["maxConcurrency", "rateLimitPerSecond", "weight"]);
    let nowhere = format!("{TENANTS}/{}/limits", Uuid::nil());
    keeper.get(&nowhere).await.problem(404);
    keeper.put(&nowhere, json!({})).await.problem(404);
    app.as_role_in(Role::Owner, "org-7").put(&path, json!({})).await.problem(403);
}
