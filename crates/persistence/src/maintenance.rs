//! Housekeeping. What rewrites the queue, the history or its counters is the hot path's business.

use std::time::Duration;

use diesel::prelude::*;
use diesel::sql_query;
use diesel_async::RunQueryDsl;
use horarium_domain::Timestamp;
use horarium_domain::stats::ROLLUP_WIDTHS;
use horarium_domain::store::StoreError;

use crate::conn::{Conn, on};
use crate::error::About;
use crate::schema::{Ts, at, rollups, skipped_slots};
use crate::store::SqlStore;

const DAY: Duration = Duration::from_hours(24);
/// Views of at most six hours are drawn from the narrow buckets, and the dashboard's last day is summed from them.
const NARROW_KEPT: Duration = DAY.saturating_mul(3);
/// The longest view is 2160 hours; the slack is for reports that compare with the quarter before.
const WIDE_KEPT: Duration = DAY.saturating_mul(200);
/// How long it is told which slots fired nothing.
const SKIPPED_KEPT: Duration = DAY.saturating_mul(90);

#[derive(QueryableByName)]
struct ClockRow {
    #[diesel(sql_type = Ts)]
    now: Timestamp,
}

impl SqlStore {
    /// See [`MaintenanceStore::prune_rollups`](horarium_domain::store::MaintenanceStore::prune_rollups).
    pub(crate) async fn delete_old_figures(&self, now: Timestamp) -> Result<u64, StoreError> {
        let deleted = self
            .write(async |conn| {
                let mut deleted = 0;
                for (width, kept) in ROLLUP_WIDTHS.into_iter().zip([NARROW_KEPT, WIDE_KEPT]) {
                    let seconds = i32::try_from(width.as_secs()).unwrap_or(i32::MAX);
                    let old = rollups::table
                        .filter(rollups::width.eq(seconds))
                        .filter(rollups::bucket_start.lt(at(now - kept)));
                    deleted += on!(conn, c => diesel::delete(old).execute(c).await).about("rollups")?;
                }
                let old = skipped_slots::table.filter(skipped_slots::recorded_at.lt(at(now - SKIPPED_KEPT)));
                deleted += on!(conn, c => diesel::delete(old).execute(c).await).about("skipped_slots")?;
                Ok(deleted)
            })
            .await?;
        Ok(deleted as u64)
    }

    /// See [`MaintenanceStore::check`](horarium_domain::store::MaintenanceStore::check).
    pub(crate) async fn check_schema(&self) -> Result<(), StoreError> {
        let pending = self.pending_migrations().await?;
        if pending.is_empty() {
            return Ok(());
        }
        Err(StoreError::Unavailable(format!(
            "its schema lacks the migrations {}; run `horarium migrate`",
            pending.join(", ")
        )))
    }

    /// See [`MaintenanceStore::database_time`](horarium_domain::store::MaintenanceStore::database_time).
    pub(crate) async fn clock(&self) -> Result<Option<Timestamp>, StoreError> {
        self.read(async |conn| match conn {
            Conn::Pg(c) => {
                let row: ClockRow =
                    sql_query("select clock_timestamp() as now").get_result(c).await.about("clock_timestamp")?;
                Ok(Some(row.now))
            }
            // A library in this process: its clock is this machine's.
            Conn::Lite(_) => Ok(None),
        })
        .await
    }
}
