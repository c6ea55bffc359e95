//! Sessions of the dashboard.

use horarium_domain::TenantId;
use horarium_domain::api_key::SecretHash;
use horarium_domain::session::{Session, SessionClaims, SessionHash, SessionHolder};

use crate::World;
use crate::world::{START, assert_not_found, at};

/// A session of a key that idles out after a minute; `number` tells it from others.
pub(crate) fn new_session(world: &World, tenant: TenantId, number: u8) -> Session {
    Session {
        hash: SessionHash::from_bytes([number; 32]),
        tenant_id: tenant,
        acting_in: None,
        holder: SessionHolder::ApiKey { id: world.ids.api_key(START), secret_hash: SecretHash::from_bytes([7; 32]) },
        opened_at: START,
        idle_at: at(60),
        expires_at: at(600),
    }
}

/// All of a session that can be compared.
fn told(session: &Session) -> impl PartialEq + std::fmt::Debug + use<> {
    let holder = match &session.holder {
        SessionHolder::ApiKey { id, secret_hash } => (Some((*id, *secret_hash.as_bytes())), None),
        SessionHolder::Claims(claims) => (None, Some(claims.clone())),
    };
    let times = [session.opened_at, session.idle_at, session.expires_at];
    (*session.hash.as_bytes(), session.tenant_id, session.acting_in, holder, times)
}

pub async fn a_session_is_read_back_as_it_was_opened(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let full = SessionClaims {
        subject: "auth0|17".to_owned(),
        roles: vec!["super_admin".to_owned(), "read".to_owned()],
        name: Some("Zoë \"the\" Ωmega".to_owned()),
        email: Some("zoe@example.org".to_owned()),
        realm: Some("east".to_owned()),
    };
    let bare = SessionClaims { roles: Vec::new(), name: None, email: None, realm: None, ..full.clone() };
    let of_token =
        |number, claims| Session { holder: SessionHolder::Claims(claims), ..new_session(&world, tenant, number) };
    let elsewhere = Session { acting_in: Some(other), ..of_token(1, full) };
    for session in [elsewhere, of_token(2, bare), new_session(&world, tenant, 3)] {
        world.a.open_session(session.clone()).await.unwrap();
        assert_eq!(told(&world.b.session(session.hash).await.unwrap()), told(&session));
    }
    assert_not_found(world.a.session(SessionHash::from_bytes([4; 32])).await);
}

pub async fn a_session_lasts_longer_when_it_is_used(world: World) {
    let session = new_session(&world, world.tenant().await, 1);
    world.a.open_session(session.clone()).await.unwrap();
    world.a.prolong_session(session.hash, at(120)).await.unwrap();
    world.b.prolong_session(session.hash, at(90)).await.unwrap();
    assert_eq!(world.a.session(session.hash).await.unwrap().idle_at, at(120), "it never goes back");
    world.a.prolong_session(SessionHash::from_bytes([2; 32]), at(120)).await.unwrap();
}

pub async fn a_session_is_sent_to_another_tenant_and_home_again(world: World) {
    let (home, other) = (world.tenant().await, world.tenant().await);
    let session = new_session(&world, home, 1);
    world.a.open_session(session.clone()).await.unwrap();
    for acting_in in [Some(other), None] {
        world.a.send_session(session.hash, acting_in).await.unwrap();
        let sent = world.b.session(session.hash).await.unwrap();
        assert_eq!((sent.tenant_id, sent.acting_in), (home, acting_in));
    }
    assert_not_found(world.a.send_session(SessionHash::from_bytes([2; 32]), None).await);
}

pub async fn a_closed_session_is_closed_on_every_node(world: World) {
    let tenant = world.tenant().await;
    let (closed, other) = (new_session(&world, tenant, 1), new_session(&world, tenant, 2));
    world.a.open_session(closed.clone()).await.unwrap();
    world.a.open_session(other.clone()).await.unwrap();
    world.b.close_session(closed.hash).await.unwrap();
    assert_not_found(world.a.session(closed.hash).await);
    world.a.prolong_session(closed.hash, at(120)).await.unwrap();
    assert_not_found(world.b.session(closed.hash).await);
    world.a.session(other.hash).await.unwrap();
    world.a.close_session(closed.hash).await.unwrap();
}

pub async fn sessions_that_are_over_are_deleted_a_batch_at_a_time(world: World) {
    let tenant = world.tenant().await;
    for number in 1..=5 {
        let session = Session { idle_at: at(i64::from(number)), ..new_session(&world, tenant, number) };
        world.a.open_session(session).await.unwrap();
    }
    assert_eq!(world.a.prune_sessions(at(4), 2).await.unwrap(), 2);
    assert_eq!(world.b.prune_sessions(at(4), 2).await.unwrap(), 1);
    assert_eq!(world.a.prune_sessions(at(4), 2).await.unwrap(), 0);
    for number in [4, 5] {
        world.a.session(SessionHash::from_bytes([number; 32])).await.unwrap();
    }
}

pub async fn sessions_go_with_their_tenant(world: World) {
    let (tenant, other) = (world.tenant().await, world.tenant().await);
    let (gone, kept) = (new_session(&world, tenant, 1), new_session(&world, other, 2));
    world.a.open_session(gone.clone()).await.unwrap();
    world.a.open_session(kept.clone()).await.unwrap();
    world.a.delete_tenant(tenant).await.unwrap();
    assert_not_found(world.b.session(gone.hash).await);
    world.b.session(kept.hash).await.unwrap();
}
