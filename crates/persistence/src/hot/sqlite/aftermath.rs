//! Noting late ends, and making callbacks due.

use horarium_domain::store::StoreError;
use rusqlite::{Connection, params};

use super::values::{Checked, Key, Ts};
use crate::hot::aftermath::Aftermath;

const LATE: &str = "
    insert into late_ends (tenant_id, completed_at, execution_id) values (?1, ?2, ?3) on conflict do nothing";

const DUE: &str = "update callbacks set due_at = ?2 where execution_id = ?1 and url is not null";

/// Writes what a batch of ends leaves behind, mostly nothing.
pub(super) fn write(connection: &Connection, aftermath: &Aftermath) -> Result<(), StoreError> {
    for over in &aftermath.late {
        let row = params![Key::from(over.tenant_id), Ts(over.at), Key::from(over.id)];
        connection.prepare_cached(LATE).checked()?.execute(row).checked()?;
    }
    for over in &aftermath.due {
        connection.prepare_cached(DUE).checked()?.execute(params![Key::from(over.id), Ts(over.at)]).checked()?;
    }
    Ok(())
}
