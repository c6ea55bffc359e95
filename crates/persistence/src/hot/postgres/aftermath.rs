//! Noting late ends, and making callbacks due.

use uuid::Uuid;

use super::session::Session;
use super::values::Ts;
use crate::error::Fault;
use crate::hot::aftermath::Aftermath;

pub(super) const LATE: &str = "
    insert into late_ends (tenant_id, completed_at, execution_id)
    select * from unnest($1::uuid[], $2::timestamptz[], $3::uuid[])
    on conflict do nothing";

/// `(…) is true` hides those columns from the planner: the row is found by its key.
pub(super) const DUE: &str = "
    update callbacks c set due_at = d.at
    from unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as d (tenant_id, id, at)
    where c.execution_id = d.id and (c.tenant_id = d.tenant_id and c.url is not null) is true";

/// Writes what a batch of ends leaves behind, mostly nothing. What it writes is locked after everything else of the
/// transaction.
pub(super) async fn write(session: &Session, aftermath: &Aftermath) -> Result<(), Fault> {
    if !aftermath.late.is_empty() {
        let late = session.statement(LATE).await?;
        let tenants: Vec<Uuid> = aftermath.late.iter().map(|over| over.tenant_id.as_uuid()).collect();
        let at: Vec<Ts> = aftermath.late.iter().map(|over| Ts(over.at)).collect();
        let ids: Vec<Uuid> = aftermath.late.iter().map(|over| over.id.as_uuid()).collect();
        session.run(&late, &[&tenants, &at, &ids]).await?;
    }
    if !aftermath.due.is_empty() {
        let due = session.statement(DUE).await?;
        let tenants: Vec<Uuid> = aftermath.due.iter().map(|over| over.tenant_id.as_uuid()).collect();
        let ids: Vec<Uuid> = aftermath.due.iter().map(|over| over.id.as_uuid()).collect();
        let at: Vec<Ts> = aftermath.due.iter().map(|over| Ts(over.at)).collect();
        session.run(&due, &[&tenants, &ids, &at]).await?;
    }
    Ok(())
}
