//! Recording callbacks with their executions, and handing due ones over to their deliveries.

use std::collections::HashSet;

use horarium_domain::Timestamp;
use horarium_domain::callback::{HandedOver, Handover, NewCallback};
use horarium_domain::execution::NewExecution;
use horarium_domain::store::{AcceptanceNote, Enqueued, StoreError};
use serde_json::Value;
use uuid::Uuid;

use super::PostgresHot;
use super::audit;
use super::enqueue::enqueue_within;
use super::insert::Form;
use super::session::{self, Session};
use super::values::{Ts, column};
use crate::error::Fault;
use crate::text::{storable, storable_json};

pub(super) const RECORD: &str = "
    insert into callbacks (execution_id, tenant_id, url, reference) values ($1, $2, $3, $4)
    on conflict (execution_id) do nothing";

pub(super) const FLAG: &str = "update execution_queue set callback = true where id = $1 and tenant_id = $2";

/// Whoever comes second waits for the first, and then finds nothing to take. Rows are locked in the order of the batch,
/// which is sorted. `(…) is true` hides those columns from the planner: the row is found by its key.
pub(super) const TAKE: &str = "
    update callbacks c set delivery_id = d.delivery
    from unnest($1::uuid[], $2::uuid[], $3::uuid[]) as d (id, tenant_id, delivery)
    where c.execution_id = d.id
      and (c.tenant_id = d.tenant_id and c.due_at is not null and c.delivery_id is null) is true
    returning c.execution_id";

pub(super) const CORRECT: &str = "
    update callbacks c set delivery_id = d.delivery, due_at = coalesce(d.due_at, c.due_at)
    from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[]) as d (id, tenant_id, delivery, due_at)
    where c.execution_id = d.id and (c.tenant_id = d.tenant_id) is true";

impl PostgresHot {
    pub(super) async fn enqueue_called_back(
        &self,
        execution: &NewExecution,
        callback: &NewCallback,
        note: Option<&AcceptanceNote>,
    ) -> Result<Enqueued, StoreError> {
        let reference = callback.reference.as_ref().map(storable_json);
        let reference: Option<&Value> = reference.as_deref();
        let url = callback.url.as_deref().map(storable);
        session::run(&self.pool, async |session: &Session| {
            let record = session.statement(RECORD).await?;
            let flag = session.statement(FLAG).await?;
            let append = session.statement(audit::APPEND).await?;
            session.begin().await?;
            let answers = enqueue_within(session, std::slice::from_ref(execution), Form::Any).await?;
            let missing = || StoreError::Internal("an execution was neither accepted nor refused".to_owned());
            let answer = answers.into_iter().next().ok_or_else(missing)?;
            if answer == Enqueued::Accepted {
                let (id, tenant) = (execution.id.as_uuid(), execution.tenant_id.as_uuid());
                session.run(&record, &[&id, &tenant, &url, &reference]).await?;
                if url.is_some() {
                    session.run(&flag, &[&id, &tenant]).await?;
                }
            }
            let batch = std::slice::from_ref(execution);
            let entries: Vec<_> = note.into_iter().filter_map(|note| note.entry(batch, &[answer])).collect();
            tokio::try_join!(biased; audit::append(session, &append, &entries), session.commit())?;
            Ok(answer)
        })
        .await
    }

    pub(super) async fn hand_over_batch(
        &self,
        batch: &[Handover],
        postponed_to: Timestamp,
    ) -> Result<Vec<HandedOver>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        session::run(&self.pool, async |session: &Session| hand_over(session, batch, postponed_to).await).await
    }
}

async fn hand_over(session: &Session, batch: &[Handover], postponed_to: Timestamp) -> Result<Vec<HandedOver>, Fault> {
    let take = session.statement(TAKE).await?;
    let correct = session.statement(CORRECT).await?;
    session.begin().await?;
    let mut sorted: Vec<&Handover> = batch.iter().collect();
    sorted.sort_by_key(|handover| handover.execution_id);
    let ids: Vec<Uuid> = sorted.iter().map(|handover| handover.execution_id.as_uuid()).collect();
    let tenants: Vec<Uuid> = sorted.iter().map(|handover| handover.delivery.tenant_id.as_uuid()).collect();
    let deliveries: Vec<Uuid> = sorted.iter().map(|handover| handover.delivery.id.as_uuid()).collect();
    let taken = session.rows(&take, &[&ids, &tenants, &deliveries]).await?;
    let taken: HashSet<Uuid> = taken.iter().map(|row| column(row, 0, "callbacks")).collect::<Result<_, Fault>>()?;

    let own: Vec<&Handover> =
        batch.iter().filter(|handover| taken.contains(&handover.execution_id.as_uuid())).collect();
    let executions: Vec<NewExecution> = own.iter().map(|handover| handover.delivery.clone()).collect();
    let answers = enqueue_within(session, &executions, Form::Any).await?;
    let mut postponed = HashSet::new();
    let (mut ids, mut tenants, mut deliveries, mut due) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (handover, answer) in own.iter().zip(answers) {
        let (delivery, due_at) = match answer {
            Enqueued::Accepted => continue,
            Enqueued::Duplicate(live) => (Some(live.as_uuid()), None),
            Enqueued::QueueFull { .. } | Enqueued::NoSuchJob => {
                postponed.insert(handover.execution_id);
                (None, Some(Ts(postponed_to)))
            }
        };
        ids.push(handover.execution_id.as_uuid());
        tenants.push(handover.delivery.tenant_id.as_uuid());
        deliveries.push(delivery);
        due.push(due_at);
    }
    if !ids.is_empty() {
        session.run(&correct, &[&ids, &tenants, &deliveries, &due]).await?;
    }
    session.commit().await?;
    let outcome = |handover: &Handover| {
        if postponed.contains(&handover.execution_id) {
            HandedOver::Postponed
        } else if taken.contains(&handover.execution_id.as_uuid()) {
            HandedOver::Accepted
        } else {
            HandedOver::Superseded
        }
    };
    Ok(batch.iter().map(outcome).collect())
}
