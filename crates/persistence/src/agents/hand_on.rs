//! Taking tasks from the agents that have them.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use horarium_domain::Timestamp;
use horarium_domain::agent::HandOn;

use super::row::{TaskRow, code};
use crate::conn::{Conn, on};
use crate::error::{About, Fault};
use crate::executions::event;
use crate::schema::{At, agent_tasks, key};

/// Takes tasks from their agents and notes it in the histories of their executions. The caller holds their rows' locks,
/// so that it is noted once.
pub(super) async fn hand_on(conn: &mut Conn, rows: Vec<TaskRow>, why: HandOn, now: Timestamp) -> Result<(), Fault> {
    for row in rows {
        let mut task = row.into_task()?;
        let noted = task.hand_on(why, now);
        event::record(conn, task.tenant_id, &noted).await?;
        let taken = agent_tasks::table.filter(agent_tasks::id.eq(key(task.id)));
        let change = (
            agent_tasks::state.eq(code(task.state)),
            agent_tasks::attempt.eq(i16::try_from(task.attempt).unwrap_or(i16::MAX)),
            agent_tasks::hostname.eq(task.hostname.as_deref()),
            agent_tasks::leased_at.eq(None::<At>),
            agent_tasks::lease_until.eq(None::<At>),
        );
        on!(conn, c => diesel::update(taken).set(change).execute(c).await).about("agent_tasks")?;
    }
    Ok(())
}
