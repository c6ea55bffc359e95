//! Sealed secrets in executions, agents' tasks and callbacks, all of them one after the other.

use async_trait::async_trait;
use diesel::dsl::sql;
use diesel::prelude::*;
use diesel::sql_types::Bool;
use diesel_async::RunQueryDsl;
use horarium_domain::store::{SecretHolder, SecretStore, StoreError, StoredSecrets};
use horarium_domain::{AgentTaskId, ExecutionId, JobId, TenantId};
use serde_json::Value;
use uuid::Uuid;

use crate::conn::{Conn, on};
use crate::error::{About, Fault};
use crate::schema::{Id, Json, agent_tasks, callbacks, executions, key};
use crate::store::SqlStore;

#[async_trait]
impl SecretStore for SqlStore {
    async fn secrets_after(
        &self,
        holder: SecretHolder,
        after: Option<(TenantId, Uuid)>,
        limit: usize,
    ) -> Result<Vec<StoredSecrets>, StoreError> {
        let (tenant, after) = after.unwrap_or((TenantId::from_uuid(Uuid::nil()), Uuid::nil()));
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.read(async |conn| match holder {
            SecretHolder::Execution => in_executions(conn, tenant, after, limit).await,
            SecretHolder::AgentTask => in_tasks(conn, after, limit).await,
            SecretHolder::Callback => in_callbacks(conn, after, limit).await,
        })
        .await
    }

    async fn replace_secrets(
        &self,
        holder: SecretHolder,
        tenant: TenantId,
        id: Uuid,
        document: &Value,
    ) -> Result<(), StoreError> {
        self.write(async |conn| {
            let document = document.clone();
            match holder {
                SecretHolder::Execution => {
                    let place = executions::table
                        .filter(executions::tenant_id.eq(key(tenant)))
                        .filter(executions::id.eq(key(ExecutionId::from_uuid(id))));
                    let change = executions::payload.eq(Some(Json::from(document)));
                    on!(conn, c => diesel::update(place).set(change).execute(c).await).about("executions")
                }
                SecretHolder::AgentTask => {
                    let place = agent_tasks::table.filter(agent_tasks::id.eq(key(AgentTaskId::from_uuid(id))));
                    let change = agent_tasks::data.eq(Json::from(document));
                    on!(conn, c => diesel::update(place).set(change).execute(c).await).about("agent_tasks")
                }
                SecretHolder::Callback => {
                    let place = callbacks::table.filter(callbacks::execution_id.eq(key(ExecutionId::from_uuid(id))));
                    let change = callbacks::url.eq(document.as_str());
                    on!(conn, c => diesel::update(place).set(change).execute(c).await).about("callbacks")
                }
            }
            .map(drop)
        })
        .await
    }
}

/// That something is sealed in a JSON column; `horarium_domain::secret::SEALED_PREFIX` in SQL.
macro_rules! holds_sealed {
    ($conn:expr, $column:literal) => {
        match $conn {
            Conn::Pg(_) => concat!("strpos(", $column, "::text, 'sealed:v1:') > 0"),
            Conn::Lite(_) => concat!("instr(", $column, ", 'sealed:v1:') > 0"),
        }
    };
}

/// One tenant after the other: that is how they are indexed.
async fn in_executions(
    conn: &mut Conn,
    tenant: TenantId,
    after: Uuid,
    limit: i64,
) -> Result<Vec<StoredSecrets>, Fault> {
    let further = sql::<Bool>("(tenant_id, id) > (")
        .bind::<Id, _>(key(tenant))
        .sql(", ")
        .bind::<Id, _>(key(ExecutionId::from_uuid(after)))
        .sql(")");
    let query = executions::table
        .filter(further)
        .filter(sql::<Bool>(holds_sealed!(conn, "payload")))
        .order((executions::tenant_id.asc(), executions::id.asc()))
        .limit(limit)
        .select((executions::id, executions::tenant_id, executions::job_id, executions::payload));
    let rows: Vec<(ExecutionId, TenantId, JobId, Option<Value>)> =
        on!(conn, c => query.load(c).await).about("executions")?;
    let found = rows.into_iter().map(|(id, tenant_id, job, payload)| StoredSecrets {
        id: id.as_uuid(),
        tenant_id,
        owner: job.as_uuid(),
        document: payload.unwrap_or(Value::Null),
    });
    Ok(found.collect())
}

async fn in_tasks(conn: &mut Conn, after: Uuid, limit: i64) -> Result<Vec<StoredSecrets>, Fault> {
    let query = agent_tasks::table
        .filter(agent_tasks::id.gt(key(AgentTaskId::from_uuid(after))))
        .filter(sql::<Bool>(holds_sealed!(conn, "data")))
        .order(agent_tasks::id.asc())
        .limit(limit)
        .select((agent_tasks::id, agent_tasks::tenant_id, agent_tasks::execution_id, agent_tasks::data));
    let rows: Vec<(AgentTaskId, TenantId, ExecutionId, Value)> =
        on!(conn, c => query.load(c).await).about("agent_tasks")?;
    let found = rows.into_iter().map(|(id, tenant_id, execution, document)| StoredSecrets {
        id: id.as_uuid(),
        tenant_id,
        owner: execution.as_uuid(),
        document,
    });
    Ok(found.collect())
}

async fn in_callbacks(conn: &mut Conn, after: Uuid, limit: i64) -> Result<Vec<StoredSecrets>, Fault> {
    let query = callbacks::table
        .filter(callbacks::execution_id.gt(key(ExecutionId::from_uuid(after))))
        .filter(callbacks::url.is_not_null())
        .order(callbacks::execution_id.asc())
        .limit(limit)
        .select((callbacks::execution_id, callbacks::tenant_id, callbacks::url));
    let rows: Vec<(ExecutionId, TenantId, Option<String>)> = on!(conn, c => query.load(c).await).about("callbacks")?;
    let found = rows.into_iter().map(|(id, tenant_id, url)| StoredSecrets {
        id: id.as_uuid(),
        tenant_id,
        owner: id.as_uuid(),
        document: url.map_or(Value::Null, Value::from),
    });
    Ok(found.collect())
}
