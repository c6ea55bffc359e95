//! The audit log is append-only by the database's own word, whoever connects to it.

#![allow(clippy::unwrap_used)] // a test that cannot go on panics

mod common;

use common::fixtures::{NOW, execution, job, tenant};
use common::{PostgresDatabase, SqliteFile, block_on, with_connection};
use diesel::{Connection, RunQueryDsl, SqliteConnection};
use horarium_domain::audit::{AuditActor, AuditActorKind, AuditEntry};
use horarium_domain::store::{AcceptanceNote, AuditStore, Enqueued, ExecutionQueue, ExecutionStore, TenantStore};
use horarium_domain::{IdGenerator, TenantId};
use horarium_persistence::SqlStore;
use uuid::Uuid;

const TAMPERING: [&str; 3] = [
    "update audit_log set actor_id = 'nobody'",
    "update audit_log set status = 200 where status = 403",
    "delete from audit_log",
];

async fn with_an_entry(store: &SqlStore) {
    store.migrate().await.unwrap();
    store.append_audit(vec![entry(TenantId::from_uuid(Uuid::from_u128(1)))]).await.unwrap();
}

fn entry(tenant_id: TenantId) -> AuditEntry {
    AuditEntry {
        id: IdGenerator::new().audit(NOW),
        tenant_id,
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
    }
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

/// Has two executions accepted by one call, once with an entry that cannot be written and once with one that can.
async fn an_execution_without_its_entry(store: &SqlStore) {
    let owner = tenant("owner");
    let job = job(&owner, "job");
    store.create_tenant(owner.clone(), vec![(job.clone(), None)]).await.unwrap();
    let batch = [execution(&job), execution(&job)];
    let note = |actor: &str| {
        let mut entry = entry(owner.id);
        actor.clone_into(&mut entry.actor.id);
        vec![AcceptanceNote { entry, asked: 0..2 }]
    };
    store.enqueue_noted(batch.to_vec(), note("nobody")).await.unwrap_err();
    for new in &batch {
        assert!(store.execution(owner.id, new.id).await.is_err(), "it was accepted without its entry");
    }
    let answers = store.enqueue_noted(batch.to_vec(), note("alice")).await.unwrap();
    assert_eq!(answers, [Enqueued::Accepted, Enqueued::Accepted]);
}

#[test]
fn on_sqlite_nothing_is_accepted_without_its_entry() {
    block_on(async {
        let file = SqliteFile::new();
        let store = file.store().await;
        store.migrate().await.unwrap();
        let mut connection = SqliteConnection::establish(file.path().to_str().unwrap()).unwrap();
        let refuse = "create trigger refuse before insert on audit_log when new.actor_id = 'nobody'
            begin select raise(abort, 'refused'); end";
        diesel::sql_query(refuse).execute(&mut connection).unwrap();
        an_execution_without_its_entry(&store).await;
    });
}

#[test]
fn on_postgres_nothing_is_accepted_without_its_entry() {
    block_on(async {
        let Some(database) = PostgresDatabase::migrated().await else { return };
        with_connection(&database.text(), async |client| {
            client.batch_execute("alter table audit_log add check (actor_id <> 'nobody')").await.unwrap();
        })
        .await;
        an_execution_without_its_entry(&database.store().await).await;
    });
}
