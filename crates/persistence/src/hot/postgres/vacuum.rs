//! Vacuums the queue soon after a burst, without waiting for the server's turn.
//!
//! Each execution that ends leaves dead rows in the queue, and dead entries in its indexes. A look at everything walks
//! those until a vacuum has come by, and an idle node looks at everything for each execution that it picks up. The
//! server's own vacuum comes once in `autovacuum_naptime`, which is a minute: until then every pickup after a burst of
//! 100,000 takes twice as long. So a task counts what has died, which the server knows anyway, and vacuums the queue when
//! there is enough of it and the burst is over.

use std::time::{Duration, Instant};

use deadpool_postgres::Pool;
use tokio::task::JoinHandle;

use super::session::{Session, fault};
use super::values::column;
use crate::error::Fault;

/// How often what has died is counted.
const LOOK: Duration = Duration::from_secs(1);

/// So many dead rows are worth a vacuum: to walk them takes about as long as the rest of a claim.
const WORTH: i64 = 20_000;

/// While more than this die from one look to the next, a backlog is worked off. Its claims go on from the last one, past
/// what is dead, and need the processor themselves.
const BACKLOG: i64 = 20_000;

/// But more than this is not left lying about.
const MOST: i64 = 2_000_000;

/// A vacuum is followed by so many times as much rest as it took.
const REST_FACTOR: u32 = 20;

const DEAD: &str = "select pg_stat_get_dead_tuples('execution_queue'::regclass)";

/// Never waits for another node that does the same, nor for a lock on the whole table to give its end back.
const VACUUM: &str = "vacuum (skip_locked, truncate false) execution_queue";

/// The task; it ends with this.
pub(super) struct Vacuum(JoinHandle<()>);

impl Vacuum {
    /// Vacuums on connections of the pool that nobody uses.
    pub(super) fn start(pool: Pool) -> Self {
        Self(tokio::spawn(async move {
            let mut pace = Pace::default();
            loop {
                tokio::time::sleep(LOOK).await;
                if let Err(problem) = look(&pool, &mut pace).await {
                    tracing::debug!(error = %problem.into_error(), "cannot vacuum the queue; the server will");
                }
            }
        }))
    }
}

impl Drop for Vacuum {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Vacuums the queue if it is time. No connection is opened for it.
async fn look(pool: &Pool, pace: &mut Pace) -> Result<(), Fault> {
    let Some(session) = Session::idle(pool).await? else { return Ok(()) };
    if pace.is_time(dead(&session).await?, Instant::now()) {
        let began = Instant::now();
        session.batch_execute(VACUUM).await.map_err(fault)?;
        pace.vacuumed(dead(&session).await?, began, Instant::now());
    }
    session.give_back();
    Ok(())
}

async fn dead(session: &Session) -> Result<i64, Fault> {
    let statement = session.statement(DEAD).await?;
    match session.rows(&statement, &[]).await?.first() {
        Some(row) => column(row, 0, "pg_stat"),
        None => Ok(0),
    }
}

/// When to vacuum.
#[derive(Debug, Default)]
struct Pace {
    /// How many were dead at the last look.
    seen: i64,
    /// How many of them a vacuum had to leave, because some transaction may still see them.
    left: i64,
    rest_until: Option<Instant>,
}

impl Pace {
    /// Whether it is time, with so many dead rows.
    fn is_time(&mut self, dead: i64, now: Instant) -> bool {
        let died = dead - self.seen;
        self.seen = dead;
        self.left = self.left.min(dead);
        let removable = dead - self.left;
        let rested = self.rest_until.is_none_or(|until| until <= now);
        rested && removable >= WORTH && (died <= BACKLOG || removable >= MOST)
    }

    /// Notes a vacuum that left so many.
    fn vacuumed(&mut self, left: i64, began: Instant, now: Instant) {
        self.seen = left;
        self.left = left;
        self.rest_until = Some(now + (now - began) * REST_FACTOR);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hot::postgres::plans::{administer, on_database, test_server};
    use crate::options::DatabaseOptions;
    use crate::postgres::PostgresDatabase;
    use crate::store::SqlStore;

    #[test]
    fn a_vacuum_waits_until_there_is_enough_and_the_burst_is_over() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        assert!(!pace.is_time(WORTH - 1, now), "not worth it");
        assert!(!pace.is_time(WORTH + 2 * BACKLOG, now), "a backlog is worked off");
        assert!(pace.is_time(WORTH + 2 * BACKLOG, now), "it is over");
        assert!(pace.is_time(WORTH + 3 * BACKLOG, now), "few die now");
    }

    #[test]
    fn a_backlog_without_an_end_is_interrupted() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        assert!(!pace.is_time(MOST - 1, now));
        assert!(pace.is_time(2 * MOST, now));
    }

    #[test]
    fn a_vacuum_is_followed_by_a_rest() {
        let (mut pace, began) = (Pace::default(), Instant::now());
        let ended = began + Duration::from_millis(100);
        pace.vacuumed(0, began, ended);
        pace.seen = WORTH;
        assert!(!pace.is_time(WORTH, ended + Duration::from_millis(1900)));
        assert!(pace.is_time(WORTH, ended + Duration::from_secs(2)));
    }

    #[test]
    fn what_a_transaction_still_sees_is_not_vacuumed_over_and_over() {
        let (mut pace, now) = (Pace::default(), Instant::now());
        pace.vacuumed(1_000_000, now, now);
        assert!(!pace.is_time(1_000_000 + WORTH - 1, now));
        assert!(pace.is_time(1_000_000 + WORTH, now), "so much is new");
        // Another node or the server vacuumed when that transaction was over.
        assert!(!pace.is_time(0, now));
        assert!(pace.is_time(WORTH, now));
    }

    #[tokio::test]
    async fn the_queue_is_rid_of_its_dead_rows() {
        let Some(server) = test_server() else { return };
        let name = format!("horarium_vacuum_{}", std::process::id());
        administer(&server, &format!("create database {name}")).await;
        let url = on_database(&server, &name);
        let options = DatabaseOptions { hot_connections: 1, ..DatabaseOptions::default() };
        SqlStore::connect(&url.parse().unwrap(), &options).await.unwrap().migrate().await.unwrap();
        let database = PostgresDatabase::connect(url.parse().unwrap(), &options).await.unwrap();
        let pool = database.hot();
        let mut pace = Pace::default();
        look(pool, &mut pace).await.unwrap();
        assert_eq!(pool.status().size, 0, "no connection is opened for it");

        // The server's own vacuum is not to be quicker.
        let burst = format!(
            "alter table execution_queue set (autovacuum_enabled = off);
             insert into execution_queue (id, tenant_id, job_id, queue, priority, state, run_at, attempt, lost, fence)
             select gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'default', 0, 0, now(), 0, 0, 0
             from generate_series(1, {WORTH});
             delete from execution_queue;
             select pg_stat_force_next_flush()"
        );
        pool.get().await.unwrap().batch_execute(&burst).await.unwrap();
        let session = Session::open(pool).await.unwrap();
        assert_eq!(dead(&session).await.unwrap(), WORTH);
        session.give_back();
        pace.seen = WORTH;
        look(pool, &mut pace).await.unwrap();
        let session = Session::open(pool).await.unwrap();
        assert_eq!(dead(&session).await.unwrap(), 0);
        session.give_back();

        drop(database);
        administer(&server, &format!("drop database {name} with (force)")).await;
    }
}
