//! How soon another connection hears of a row: a bare insert that notifies, and a listener.

use std::future::poll_fn;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio_postgres::{AsyncMessage, NoTls};

use crate::Failure;
use crate::lab::Database;

/// Inserts one row now and then; milliseconds from the start of each call until the listener hears of it.
pub(crate) async fn hear(database: &Database, count: u64, interval: Duration) -> Result<Vec<f64>, Failure> {
    database.run("create table if not exists heard (n bigint primary key)").await?;
    let (listener, mut connection) = tokio_postgres::connect(&database.url, NoTls).await?;
    let (heard, mut hearing) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if matches!(message, AsyncMessage::Notification(_)) && heard.send(Instant::now()).is_err() {
                return;
            }
        }
    });
    listener.batch_execute("listen heard").await?;
    let client = database.connect().await?;
    let statement = "with row as (insert into heard values ($1) returning n) select pg_notify('heard', '') from row";
    let statement = client.prepare(statement).await?;
    let mut ticks = tokio::time::interval(interval);
    let mut took = Vec::new();
    for number in 0..i64::try_from(count)? {
        ticks.tick().await;
        let called = Instant::now();
        client.query_one(&statement, &[&number]).await?;
        let at = hearing.recv().await.ok_or("the listener's connection broke")?;
        took.push(at.duration_since(called).as_secs_f64() * 1000.0);
    }
    Ok(took)
}
