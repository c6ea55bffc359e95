//! The audit log is append-only by the database's own word, whoever connects to it.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

mod common;

use common::{PostgresDatabase, SqliteFile, block_on, with_connection};
use diesel::{Connection, RunQueryDsl, SqliteConnection};
use horarium_domain::audit::{AuditActor, AuditActorKind, AuditEntry};
use horarium_domain::store::AuditStore;
use horarium_domain::{IdGenerator, TenantId, Timestamp};
use horarium_persistence::SqlStore;
use uuid::Uuid;

const NOW: Timestamp = Timestamp::from_seconds(1_760_000_000);
const TAMPERING: [&str; 3] = [
    "update audit_log set actor_id = 'nobody'",
    "update audit_log set status = 200 where status = 403",
    "delete from audit_log",
];

async fn with_an_entry(store: &SqlStore) {
    store.migrate().await.unwrap();
    let entry = AuditEntry {
        id: IdGenerator::new().audit(NOW),
        tenant_id: TenantId::from_uuid(Uuid::from_u128(1)),
        at: NOW,
        actor: AuditActor { kind: AuditActorKind::Token, id: "alice".to_owned(), name: None, email: None },
        action: "delete_job".to_owned(),
        method: "DELETE".to_owned(),
        route: "/jobs/{jobId}".to_owned(),
        target: None,
        status: Some(403),
        address: None,
        user_agent: None,
        request_id: "r".to_owned(),
    };
    store.append_audit(vec![entry]).await.unwrap();
}

#[test]
fn on_sqlite_an_entry_can_neither_be_changed_nor_deleted() {
    block_on(async {
        let file = SqliteFile::new();
        with_an_entry(&file.store().await).await;
        let mut connection = SqliteConnection::establish(file.path().to_str().unwrap()).unwrap();
        diesel::sql_query("pragma busy_timeout = 10000").execute(&mut connection).unwrap();
        for statement in TAMPERING {
            let refusal = diesel::sql_query(statement).execute(&mut connection).unwrap_err().to_string();
            assert!(refusal.contains("append-only"), "{statement}: {refusal}");
        }
    });
}

#[test]
fn on_postgres_an_entry_can_neither_be_changed_nor_deleted() {
    block_on(async {
        let Some(database) = PostgresDatabase::migrated().await else { return };
        with_an_entry(&database.store().await).await;
        with_connection(&database.text(), async |client| {
            for statement in TAMPERING.into_iter().chain(["truncate audit_log"]) {
                let refusal = client.batch_execute(statement).await.unwrap_err();
                let said = refusal.as_db_error().unwrap().message();
                assert!(said.contains("append-only"), "{statement}: {said}");
            }
        })
        .await;
    });
}
