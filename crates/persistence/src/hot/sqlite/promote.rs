//! Making executions claimable whose time has come.

use horarium_domain::Timestamp;
use horarium_domain::store::{Promoted, StoreError};
use rusqlite::{Connection, OptionalExtension, params};

use super::values::{Checked, Ts, rows};

const PROMOTE: &str = "
    update execution_queue set state = case when gated then 3 else 0 end
    where id in (select id from execution_queue where state = 2 and run_at <= ?1 order by run_at limit ?2)";

const NEXT: &str = "select run_at from execution_queue where state = 2 order by run_at limit 1";

pub(super) fn promote(connection: &Connection, now: Timestamp, limit: usize) -> Result<Promoted, StoreError> {
    let count = connection.prepare_cached(PROMOTE).checked()?.execute(params![Ts(now), rows(limit)]).checked()?;
    let next = connection.prepare_cached(NEXT).checked()?.query_row([], |row| row.get::<_, Ts>(0)).optional();
    Ok(Promoted { count, next_at: next.checked()?.map(|at| at.0) })
}
