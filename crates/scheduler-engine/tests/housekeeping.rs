//! What a node forgets while it runs, in virtual time.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

mod support;

use std::collections::BTreeMap;
use std::time::Duration;

use horarium_domain::audit::{AuditActor, AuditActorKind, AuditEntry};
use horarium_domain::id::first_uuid_at;
use horarium_domain::session::{Session, SessionClaims, SessionHash, SessionHolder};
use horarium_domain::store::{AuditFilter, Registration};
use horarium_domain::{AgentId, AuditId, Timestamp};
use horarium_scheduler_engine::{EngineConfig, Outcome};
use support::{BEGINNING, World, config, pass};

/// In minutes.
const DAY: u64 = 24 * 60;

async fn call_was_made(world: &World, at: Timestamp) {
    let actor = AuditActor { kind: AuditActorKind::Token, id: "ada".to_owned(), name: None, email: None };
    let entry = AuditEntry {
        id: AuditId::from_uuid(first_uuid_at(at)),
        tenant_id: world.tenant,
        at,
        actor,
        action: "trigger_job".to_owned(),
        method: "POST".to_owned(),
        route: "/".to_owned(),
        target: None,
        status: Some(202),
        address: None,
        user_agent: None,
        request_id: "r".to_owned(),
    };
    world.store.append_audit(vec![entry]).await.unwrap();
}

async fn agent_was_heard_of(world: &World, hostname: &str, at: Timestamp) {
    let registration = Registration {
        id: AgentId::from_uuid(first_uuid_at(at)),
        tenant_id: world.tenant,
        hostname: hostname.to_owned(),
        labels: BTreeMap::new(),
        operations: Vec::new(),
        facts: serde_json::Map::new(),
        version: "test".to_owned(),
        now: at,
    };
    world.store.register_agent(registration).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_node_forgets_what_is_too_old_soon_after_its_start_and_hourly_from_then_on() {
    let world = World::new().await;
    for age in [2 * DAY, DAY - 30, 5] {
        call_was_made(&world, BEGINNING - Duration::from_mins(age)).await;
    }
    for (hostname, age) in [("old", 31 * DAY), ("aging", 30 * DAY - 30), ("fresh", DAY)] {
        agent_was_heard_of(&world, hostname, BEGINNING - Duration::from_mins(age)).await;
    }
    let left = async || {
        let entries = world.store.audit(world.tenant, &AuditFilter::default(), None, 10).await.unwrap();
        let agents = world.store.agents(world.tenant, None, None, 10).await.unwrap();
        (entries.len(), agents.into_iter().map(|agent| agent.hostname).collect::<Vec<_>>())
    };
    let config = EngineConfig { audit_retention: Duration::from_mins(DAY), ..config("a") };
    let (_core, engine) = world.node_with(config, |_| async { Outcome::succeeded() });
    pass(Duration::from_secs(1)).await;
    assert_eq!(left().await, (2, vec!["aging".to_owned(), "fresh".to_owned()]));
    pass(Duration::from_mins(61)).await;
    assert_eq!(left().await, (1, vec!["fresh".to_owned()]));
    engine.shutdown().await;
}

/// A session that idles out at an instant; `number` tells it from others.
async fn somebody_is_signed_in(world: &World, number: u8, until: Timestamp) -> SessionHash {
    let claims = SessionClaims { subject: "ada".to_owned(), roles: Vec::new(), name: None, email: None, realm: None };
    let session = Session {
        hash: SessionHash::from_bytes([number; 32]),
        tenant_id: world.tenant,
        acting_in: None,
        holder: SessionHolder::Claims(claims),
        opened_at: BEGINNING - Duration::from_hours(2),
        idle_at: until,
        expires_at: until,
    };
    world.store.open_session(session.clone()).await.unwrap();
    session.hash
}

#[tokio::test(start_paused = true)]
async fn a_node_forgets_sessions_that_are_over() {
    let world = World::new().await;
    let over = somebody_is_signed_in(&world, 1, BEGINNING - Duration::from_mins(1)).await;
    let open = somebody_is_signed_in(&world, 2, BEGINNING + Duration::from_hours(10)).await;
    let (_core, engine) = world.node_with(config("a"), |_| async { Outcome::succeeded() });
    pass(Duration::from_secs(1)).await;
    assert!(world.store.session(over).await.is_err());
    world.store.session(open).await.unwrap();
    engine.shutdown().await;
}
