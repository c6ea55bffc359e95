//! Adding to an execution's history.

use diesel::prelude::*;
use diesel_async::RunQueryDsl;
use horarium_domain::execution::Event;
use horarium_domain::store::StoreError;
use horarium_domain::{JobId, TenantId};

use crate::conn::{Conn, on};
use crate::error::{About, Fault};
use crate::schema::{At, at, execution_events, executions, key};
use crate::text::storable;

/// Adds an event to the history of a tenant's execution.
pub(crate) async fn record(conn: &mut Conn, tenant: TenantId, event: &Event) -> Result<(), Fault> {
    let attempt = i16::try_from(event.attempt).unwrap_or(i16::MAX);
    let of = executions::table
        .filter(executions::tenant_id.eq(key(tenant)))
        .filter(executions::id.eq(key(event.execution_id)))
        .select(executions::job_id);
    let job: Option<JobId> = on!(conn, c => of.first(c).await.optional()).about("executions")?;
    let job = job.ok_or(StoreError::NotFound("execution"))?;
    let row = (
        execution_events::execution_id.eq(key(event.execution_id)),
        execution_events::tenant_id.eq(key(tenant)),
        execution_events::job_id.eq(key(job)),
        execution_events::at.eq(at(event.at)),
        execution_events::kind.eq(event.kind.as_str()),
        execution_events::attempt.eq(attempt),
        execution_events::attempt_started_at.eq(event.attempt_started_at.map(At::from)),
        execution_events::source.eq(storable(&event.source).into_owned()),
        execution_events::message.eq(storable(&event.message).into_owned()),
        execution_events::error.eq(event.error.as_deref().map(|text| storable(text).into_owned())),
    );
    on!(conn, c => diesel::insert_into(execution_events::table).values(row).execute(c).await)
        .about("execution_events")?;
    Ok(())
}
