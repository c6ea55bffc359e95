//! Keeps the plans of the hot statements true to the tables, off the path of any caller.
//!
//! A generic plan is made once, from the tables' statistics and from their present sizes. When the statistics change, the
//! server throws the plan away by itself; when a table only grows, it does not: a plan that was made while the queue was
//! empty may read it as a whole, which costs nothing then and everything once it has filled, and the next analyze can be a
//! minute away. So a task looks at the sizes, and has each connection plan anew when they changed, which takes
//! milliseconds that no caller waits for.

use std::collections::HashMap;
use std::time::Duration;

use deadpool_postgres::Pool;
use tokio::task::JoinHandle;
use tokio_postgres::SimpleQueryMessage;

use super::session::{Session, fault};
use super::values::column;
use crate::error::Fault;

/// How often the sizes are looked at.
const LOOK: Duration = Duration::from_secs(1);

/// The sizes of all tables, each to a factor of two, as one number.
const SIZES: &str = "
    select coalesce(sum(hashtext(c.oid || ':' || floor(ln((1 + pg_relation_size(c.oid) / 8192)::float8) / ln(2)))), 0)::int8
    from pg_class c where c.relnamespace = current_schema()::regnamespace and c.relkind = 'r'";

/// The statements that the connection has planned.
const PLANNED: &str = "select name, cardinality(parameter_types) from pg_prepared_statements where generic_plans > 0";

/// The task; it ends with this.
pub(super) struct Replanner(JoinHandle<()>);

impl Replanner {
    /// Keeps the plans of the pool's connections.
    pub(super) fn start(pool: Pool) -> Self {
        Self(tokio::spawn(async move {
            let mut plans = Plans::default();
            loop {
                tokio::time::sleep(LOOK).await;
                if let Err(problem) = plans.look(&pool).await {
                    tracing::debug!(error = %problem.into_error(), "cannot look whether statements are to be planned anew");
                }
            }
        }))
    }
}

impl Drop for Replanner {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The sizes that each connection made its plans at.
#[derive(Default)]
struct Plans(HashMap<usize, i64>);

impl Plans {
    /// Has the idle connections plan anew whose plans were made for other sizes, one after the other. Those that are
    /// busy have their turn at a later look. No connection is opened for it.
    async fn look(&mut self, pool: &Pool) -> Result<(), Fault> {
        let Some(session) = Session::idle(pool).await? else { return Ok(()) };
        let sizes = session.statement(SIZES).await?;
        let sizes: i64 = match session.rows(&sizes, &[]).await?.first() {
            Some(row) => column(row, 0, "pg_class")?,
            None => return Ok(()),
        };
        session.give_back();
        // Connections come and go; what is forgotten is planned anew once more.
        if self.0.len() > 4 * pool.status().max_size {
            self.0.clear();
        }
        while let Some(session) = self.outdated(pool, sizes).await? {
            plan_anew(&session).await?;
            self.0.insert(session.id(), sizes);
            session.give_back();
        }
        Ok(())
    }

    /// An idle connection whose plans were made for other sizes. The others go back at once, in their order.
    async fn outdated(&self, pool: &Pool, sizes: i64) -> Result<Option<Session>, Fault> {
        let mut idle = Vec::new();
        while let Some(session) = Session::idle(pool).await? {
            idle.push(session);
        }
        let outdated = idle.iter().position(|session| self.0.get(&session.id()) != Some(&sizes));
        let outdated = outdated.map(|position| idle.remove(position));
        while let Some(session) = idle.pop() {
            session.give_back();
        }
        Ok(outdated)
    }
}

/// Throws the connection's plans away, and makes those again that it had.
async fn plan_anew(session: &Session) -> Result<(), Fault> {
    session.batch_execute("begin; discard plans").await.map_err(fault)?;
    let mut explain = Vec::new();
    for message in session.simple_query(PLANNED).await.map_err(fault)? {
        if let SimpleQueryMessage::Row(row) = message
            && let (Some(name), Some(parameters)) = (row.get(0), row.get(1).and_then(|count| count.parse().ok()))
        {
            let nulls = vec!["null"; parameters].join(", ");
            let arguments = if parameters == 0 { nulls } else { format!(" ({nulls})") };
            explain.push(format!("explain execute \"{name}\"{arguments};"));
        }
    }
    explain.push("commit".to_owned());
    session.batch_execute(&explain.concat()).await.map_err(fault)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hot::postgres::plans::{administer, on_database, test_server};
    use crate::hot::postgres::promote;
    use crate::options::DatabaseOptions;
    use crate::postgres::PostgresDatabase;
    use crate::store::SqlStore;

    /// How often the statement of this connection has got a plan, be it to run or to be shown.
    async fn planned(pool: &Pool) -> i64 {
        let session = Session::idle(pool).await.unwrap().unwrap();
        let count = "select generic_plans from pg_prepared_statements where statement = $1";
        let count = session.query_one(count, &[&promote::NEXT]).await.unwrap().get(0);
        session.give_back();
        count
    }

    #[tokio::test]
    async fn what_a_connection_has_planned_is_planned_anew_when_a_table_has_grown_and_only_then() {
        let Some(server) = test_server() else { return };
        let name = format!("horarium_replan_{}", std::process::id());
        administer(&server, &format!("create database {name}")).await;
        let url = on_database(&server, &name);
        let options = DatabaseOptions { hot_connections: 1, ..DatabaseOptions::default() };
        SqlStore::connect(&url.parse().unwrap(), &options).await.unwrap().migrate().await.unwrap();
        let database = PostgresDatabase::connect(url.parse().unwrap(), &options).await.unwrap();
        let pool = database.hot();
        let mut plans = Plans::default();
        plans.look(pool).await.unwrap();
        assert_eq!(pool.status().size, 0, "no connection is opened for it");

        let session = Session::open(pool).await.unwrap();
        let next = session.statement(promote::NEXT).await.unwrap();
        session.rows(&next, &[]).await.unwrap();
        session.give_back();
        let at_first = planned(pool).await;
        plans.look(pool).await.unwrap();
        assert_eq!(planned(pool).await, at_first + 1, "a connection that was not seen before");
        plans.look(pool).await.unwrap();
        assert_eq!(planned(pool).await, at_first + 1, "nothing has changed");

        let grow = "create table grown as select n from generate_series(1, 10000) n";
        pool.get().await.unwrap().batch_execute(grow).await.unwrap();
        plans.look(pool).await.unwrap();
        assert_eq!(planned(pool).await, at_first + 2);

        drop(database);
        administer(&server, &format!("drop database {name} with (force)")).await;
    }
}
