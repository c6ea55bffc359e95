//! Who is let in, and where.

use std::time::Duration;

use horarium_auth::Role;
use insta::assert_json_snapshot;
use serde_json::json;
use uuid::Uuid;

use crate::support::{TestApp, http_job};

const JOBS: &str = "/api/v1/scheduler/jobs";

#[tokio::test]
async fn nobody_is_let_in_without_a_credential_and_is_told_how_to_show_one() {
    let app = TestApp::start().await;
    let refused = app.anonymous().get(JOBS).await;
    assert_json_snapshot!(refused.problem(401));
    assert_eq!(refused.header("www-authenticate"), r#"Bearer realm="horarium""#);
}

#[tokio::test]
async fn a_credential_that_is_no_good_is_a_401() {
    let app = TestApp::start().await;
    let token = app.token(Role::Owner, "org-1");
    let bad = [
        ("authorization", "Basic YTpi".to_owned()),
        ("authorization", "Bearer abc".to_owned()),
        ("authorization", format!("Bearer {token}x")),
        ("x-api-key", "hrm_x_y".to_owned()),
        ("x-api-key", format!("hrm_{}_{}", Uuid::from_u128(5).simple(), "A".repeat(43))),
    ];
    for (name, value) in bad {
        let refused = app.anonymous().with_header(name, &value).get(JOBS).await;
        refused.problem(401);
        assert!(refused.header("www-authenticate").starts_with("Bearer realm="), "{value}");
    }
    let both =
        app.anonymous().with_header("authorization", &format!("Bearer {token}")).with_header("x-api-key", "hrm_x_y");
    both.get(JOBS).await.problem(401);
    let twice = app.owner().with_header("authorization", "Bearer abc");
    twice.get(JOBS).await.problem(401);

    app.advance(Duration::from_hours(2));
    let expired = app.owner().get(JOBS).await.problem(401);
    assert_eq!(expired["detail"], "The token has expired.");
}

#[tokio::test]
async fn a_good_credential_that_does_not_suffice_is_a_403_that_names_the_permission() {
    let app = TestApp::start().await;
    let refused = app.as_role(Role::Read).post(JOBS, http_job("x")).await;
    assert_json_snapshot!(refused.problem(403));
    assert!(refused.header("www-authenticate").contains(r#"scope="jobs:write""#));
}

#[tokio::test]
async fn permission_is_asked_before_the_body_is_looked_at() {
    let app = TestApp::start().await;
    let body = Some(("application/json", b"{broken".to_vec()));
    app.as_role(Role::Read).send(reqwest::Method::POST, JOBS, body.clone()).await.problem(403);
    app.anonymous().send(reqwest::Method::POST, JOBS, body).await.problem(401);
}

#[tokio::test]
async fn something_of_another_tenant_does_not_exist() {
    let app = TestApp::start().await;
    let id = app.owner().create_job(http_job("private")).await;
    let path = format!("{JOBS}/{id}");
    let theirs = app.as_role_in(Role::Owner, "org-2").get(&path).await;
    let unknown = app.owner().get(&format!("{JOBS}/{}", Uuid::from_u128(9))).await;
    assert_eq!(theirs.problem(404), unknown.problem(404));
    assert_eq!(app.as_role_in(Role::Owner, "org-2").get(JOBS).await.json()["totalCount"], 0);
}

#[tokio::test]
async fn tenant_headers_may_repeat_the_credentials_tenant_and_never_widen_access() {
    let app = TestApp::start().await;
    app.owner().create_job(http_job("mine")).await;
    app.as_role_in(Role::Owner, "org-2").get(JOBS).await.expect(200);
    let org_1 = app.core.store.tenant(&"org-1".parse().unwrap()).await.unwrap().id.to_string();

    for (name, value) in [("x-tenantid", "org-1"), ("X-Organization-Id", &org_1), ("x-tenantid", "ORG-1")] {
        app.owner().with_header(name, value).get(JOBS).await.expect(200);
    }
    for (name, value) in [("x-tenantid", "org-2"), ("X-Organization-Id", "nowhere"), ("x-tenantid", "no name")] {
        app.owner().with_header(name, value).get(JOBS).await.problem(403);
    }
    let watcher = app.as_role_in(Role::SuperAdmin, "org-2");
    assert_eq!(watcher.get(JOBS).await.json()["totalCount"], 0);
    assert_eq!(watcher.clone().with_header("x-tenantid", "org-1").get(JOBS).await.json()["totalCount"], 1);
    watcher.with_header("x-tenantid", "org-3").get(JOBS).await.problem(403);
}

#[tokio::test]
async fn a_tenant_that_is_switched_off_lets_nobody_in() {
    let app = TestApp::start().await;
    app.owner().get(JOBS).await.expect(200);
    let keeper = app.as_role_in(Role::SuperAdmin, "default");
    let id = app.core.store.tenant(&"org-1".parse().unwrap()).await.unwrap().id;
    keeper.patch(&format!("/api/v1/tenants/{id}"), json!({"isActive": false})).await.expect(200);
    app.owner().get(JOBS).await.problem(403);
    keeper.with_header("x-tenantid", "org-1").get(JOBS).await.expect(200);
}
