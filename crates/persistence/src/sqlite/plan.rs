//! How SQLite goes about a query: for the tests of those that must not walk through a history.

use diesel::query_builder::QueryFragment;
use diesel::sqlite::Sqlite;
use rusqlite::Connection;

/// The steps of a query's plan, on a database with the present schema and no statistics.
pub(crate) fn plan_of(query: &impl QueryFragment<Sqlite>) -> String {
    let text = diesel::debug_query::<Sqlite, _>(query).to_string();
    let (sql, _values) = text.rsplit_once(" -- binds:").unwrap();
    plan_of_statement(sql)
}

/// The same of a statement.
pub(crate) fn plan_of_statement(sql: &str) -> String {
    let database = migrated();
    let mut statement = database.prepare(&format!("explain query plan {sql}")).unwrap();
    let mut rows = statement.raw_query();
    let mut steps = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        steps.push(row.get::<_, String>("detail").unwrap());
    }
    steps.join("\n")
}

fn migrated() -> Connection {
    let database = Connection::open_in_memory().unwrap();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/sqlite");
    let mut migrations: Vec<_> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path().join("up.sql")).collect();
    migrations.sort();
    for migration in migrations {
        database.execute_batch(&std::fs::read_to_string(migration).unwrap()).unwrap();
    }
    database
}
