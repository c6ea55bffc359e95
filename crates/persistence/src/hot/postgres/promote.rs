//! Making executions claimable whose time has come.

use horarium_domain::Timestamp;
use horarium_domain::store::{Promoted, StoreError};

use super::PostgresHot;
use super::session::{self, Session};
use super::values::{Ts, column, rows};
use crate::error::Fault;

pub(super) const PROMOTE: &str = "
    update execution_queue q set state = case when q.gated then 3 else 0 end
    where q.id = any(array(
        select w.id from execution_queue w where w.state = 2 and w.run_at <= $1
        order by w.run_at limit $2 for update skip locked
    ))";

pub(super) const NEXT: &str = "select run_at from execution_queue where state = 2 order by run_at limit 1";

impl PostgresHot {
    pub(super) async fn promote_due(&self, now: Timestamp, limit: usize) -> Result<Promoted, StoreError> {
        session::run(&self.pool, async |session: &Session| {
            let promote = session.statement(PROMOTE).await?;
            let next = session.statement(NEXT).await?;
            let (now, limit) = (Ts(now), rows(limit));
            let due: session::Parameters<'_> = &[&now, &limit];
            let (count, next) = tokio::try_join!(biased; session.run(&promote, due), session.rows(&next, &[]))?;
            let next_at = next.first().map(|row| column::<Ts>(row, 0, "execution_queue")).transpose()?;
            Ok::<_, Fault>(Promoted {
                count: usize::try_from(count).unwrap_or(usize::MAX),
                next_at: next_at.map(|at| at.0),
            })
        })
        .await
    }
}
