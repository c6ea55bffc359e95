//! Accepting executions: one statement for the whole batch, one round trip when nothing stands in the way, and a second
//! one when the audit log is to tell of it. What is left out by [`insert`](super::insert) is told apart afterwards.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering};

use horarium_domain::execution::NewExecution;
use horarium_domain::store::{AcceptanceNote, Enqueued, StoreError};
use horarium_domain::{ExecutionId, JobId};
use uuid::Uuid;

use super::PostgresHot;
use super::audit;
use super::insert::{Form, insert};
use super::session::{self, Session};
use super::signals::Tell;
use super::values::column;
use crate::error::Fault;
use crate::text::storable;

/// Why executions were left out.
pub(super) const EXPLAIN: &str = "
    select b.id, e.id is not null, j.id is not null, q.max_length, d.id
    from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::text[], $5::text[])
        as b (id, tenant_id, job_id, queue, unique_key)
    left join executions e on e.id = b.id and e.tenant_id = b.tenant_id
    left join jobs j on j.id = b.job_id and j.tenant_id = b.tenant_id and (not j.is_deleted) is true
    left join queues q on q.tenant_id = b.tenant_id and q.name = b.queue
    left join execution_queue d
        on d.job_id = b.job_id and d.unique_key = b.unique_key and (d.tenant_id = b.tenant_id) is true";

/// Holds the queues whose length is limited, so that no other node fills them meanwhile.
pub(super) const LOCK_LENGTHS: &str = "
    select q.tenant_id, q.name, q.max_length
    from (select * from unnest($1::uuid[], $2::text[]) as d (tenant_id, name) order by 1, 2) d
    cross join lateral (
        select q.tenant_id, q.name, q.max_length from queues q
        where q.tenant_id = d.tenant_id and q.name = d.name and q.max_length is not null
        for update
    ) q";

/// How many wait in each; counting stops where the answer no longer matters.
pub(super) const LENGTHS: &str = "
    select d.tenant_id, d.name, (
        select count(*) from (
            select from execution_queue x
            where x.tenant_id = d.tenant_id and x.queue = d.name and x.state <> 1 limit d.enough
        ) waiting
    )
    from unnest($1::uuid[], $2::text[], $3::int8[]) as d (tenant_id, name, enough)";

impl PostgresHot {
    pub(super) async fn enqueue_batch(
        &self,
        batch: &[NewExecution],
        notes: &[AcceptanceNote],
        tell: Tell,
    ) -> Result<Vec<Enqueued>, StoreError> {
        if batch.is_empty() {
            return Ok(Vec::new());
        }
        let (all, batch) = (batch, Batch::new(batch));
        let has_key = |new: &&NewExecution| new.unique_key.is_some() || new.concurrency_key.is_some();
        let may_collide = AtomicBool::new(batch.firsts.iter().any(has_key));
        // Keys are for the form that looks. One that was accepted before makes the first try of the other fail; the next
        // one expects that.
        let form = || if may_collide.swap(true, Ordering::Relaxed) { Form::Any } else { Form::New };
        if !notes.is_empty() {
            let written = session::run(&self.pool, async |session: &Session| {
                let append = session.statement(audit::APPEND).await?;
                let telling = tell.prepare(session).await?;
                let ((), answers) = tokio::try_join!(biased; session.begin(), accept(session, &batch.firsts, form()))?;
                let answers = batch.answers(&answers)?;
                let entries: Vec<_> = notes.iter().filter_map(|note| note.entry(all, &answers)).collect();
                let finish =
                    async { tokio::try_join!(biased; audit::append(session, &append, &entries), session.commit()) };
                telling.after(finish).await?;
                Ok(answers)
            });
            let answers = written.await?;
            self.go_on_with(&batch);
            return Ok(answers);
        }
        let left_out = session::run(&self.pool, async |session: &Session| {
            let (form, telling) = (form(), tell.prepare(session).await?);
            form.prepare(session).await?;
            telling.after(insert(session, &batch.firsts, form, false)).await
        });
        let left_out = left_out.await?;
        let (rest, mut answers) = sorted_out(&batch.firsts, &left_out);
        if !rest.is_empty() {
            let explained = session::run(&self.pool, async |session: &Session| {
                session.begin().await?;
                let answers = accept(session, &rest, Form::Any).await?;
                session.commit().await?;
                Ok(answers)
            });
            answers.extend(explained.await?);
        }
        self.go_on_with(&batch);
        batch.answers(&answers)
    }

    /// Lets claims that go on from where others ended find what was accepted.
    fn go_on_with(&self, batch: &Batch<'_>) {
        let ready = batch.firsts.iter().filter(|new| new.run_at <= new.created_at);
        self.lanes.accepted(ready.map(|new| (new.tenant_id, new.priority, new.id.as_uuid())));
    }
}

/// Accepts executions within the caller's transaction; the answers are in the order of the batch. With [`Form::New`],
/// which is for ids and keys that nothing collides with, a collision fails the transaction.
pub(super) async fn enqueue_within(
    session: &Session,
    batch: &[NewExecution],
    form: Form,
) -> Result<Vec<Enqueued>, Fault> {
    if batch.is_empty() {
        return Ok(Vec::new());
    }
    let batch = Batch::new(batch);
    let answers = accept(session, &batch.firsts, form).await?;
    Ok(batch.answers(&answers)?)
}

/// A batch, with the duplicates within it set aside.
struct Batch<'a> {
    /// Each position's first execution with the same id or the same unique key: itself, mostly.
    first_of: Vec<&'a NewExecution>,
    all: &'a [NewExecution],
    /// Those that are their own first, in the order of the batch.
    firsts: Vec<&'a NewExecution>,
}

impl<'a> Batch<'a> {
    fn new(all: &'a [NewExecution]) -> Self {
        let mut ids: HashMap<Uuid, &NewExecution> = HashMap::with_capacity(all.len());
        let mut keys: HashMap<(JobId, &str), &NewExecution> = HashMap::new();
        let mut firsts = Vec::with_capacity(all.len());
        let mut first_of = Vec::with_capacity(all.len());
        for new in all {
            let same_key = new.unique_key.as_deref().and_then(|key| keys.get(&(new.job_id, key)).copied());
            let first = ids.get(&new.id.as_uuid()).copied().or(same_key).unwrap_or_else(|| {
                if let Some(key) = new.unique_key.as_deref() {
                    keys.insert((new.job_id, key), new);
                }
                firsts.push(new);
                new
            });
            ids.insert(new.id.as_uuid(), first);
            first_of.push(first);
        }
        Self { first_of, all, firsts }
    }

    fn answers(&self, of_firsts: &HashMap<Uuid, Enqueued>) -> Result<Vec<Enqueued>, StoreError> {
        let answer = |(new, first): (&NewExecution, &&NewExecution)| {
            let answer = of_firsts.get(&first.id.as_uuid()).copied().ok_or_else(|| {
                StoreError::Internal(format!("execution {} was neither accepted nor refused", first.id))
            })?;
            Ok(match answer {
                Enqueued::Accepted if new.id != first.id => Enqueued::Duplicate(first.id),
                answer => answer,
            })
        };
        self.all.iter().zip(&self.first_of).map(answer).collect()
    }
}

/// Accepts or refuses each, within a transaction.
async fn accept(session: &Session, rows: &[&NewExecution], form: Form) -> Result<HashMap<Uuid, Enqueued>, Fault> {
    let left_out = insert(session, rows, form, false).await?;
    let (rest, mut answers) = sorted_out(rows, &left_out);
    if rest.is_empty() {
        return Ok(answers);
    }
    let limited = explain(session, &rest, &mut answers).await?;
    if limited.is_empty() {
        return Ok(answers);
    }
    let admitted = admit(session, &limited, &mut answers).await?;
    let left_out = insert(session, &admitted, Form::Any, true).await?;
    let (rest, accepted) = sorted_out(&admitted, &left_out);
    answers.extend(accepted);
    if !rest.is_empty() && !explain(session, &rest, &mut answers).await?.is_empty() {
        return Err(Fault::Again("a queue changed while executions were being accepted".to_owned()));
    }
    Ok(answers)
}

/// Those that were left out, and the answers for the others.
fn sorted_out<'a>(
    rows: &[&'a NewExecution],
    left_out: &HashSet<Uuid>,
) -> (Vec<&'a NewExecution>, HashMap<Uuid, Enqueued>) {
    let (rest, accepted): (Vec<_>, Vec<_>) = rows.iter().copied().partition(|new| left_out.contains(&new.id.as_uuid()));
    (rest, accepted.into_iter().map(|new| (new.id.as_uuid(), Enqueued::Accepted)).collect())
}

/// Tells why each was left out, and returns those that only their queue's length stands against.
async fn explain<'a>(
    session: &Session,
    rows: &[&'a NewExecution],
    answers: &mut HashMap<Uuid, Enqueued>,
) -> Result<Vec<&'a NewExecution>, Fault> {
    let ids: Vec<Uuid> = rows.iter().map(|new| new.id.as_uuid()).collect();
    let tenants: Vec<Uuid> = rows.iter().map(|new| new.tenant_id.as_uuid()).collect();
    let jobs: Vec<Uuid> = rows.iter().map(|new| new.job_id.as_uuid()).collect();
    let queues: Vec<&str> = rows.iter().map(|new| new.queue.as_str()).collect();
    let keys: Vec<_> = rows.iter().map(|new| new.unique_key.as_deref().map(storable)).collect();
    let statement = session.statement(EXPLAIN).await?;
    let mut limited = HashSet::new();
    for row in session.rows(&statement, &[&ids, &tenants, &jobs, &queues, &keys]).await? {
        let id: Uuid = column(&row, 0, "executions")?;
        let accepted: bool = column(&row, 1, "executions")?;
        let has_job: bool = column(&row, 2, "jobs")?;
        let max_length: Option<i32> = column(&row, 3, "queues")?;
        let holder: Option<Uuid> = column(&row, 4, "execution_queue")?;
        if accepted {
            answers.insert(id, Enqueued::Accepted);
        } else if !has_job {
            answers.insert(id, Enqueued::NoSuchJob);
        } else if let Some(holder) = holder {
            answers.insert(id, Enqueued::Duplicate(ExecutionId::from_uuid(holder)));
        } else if max_length.is_some() {
            limited.insert(id);
        } else {
            // Whatever stood in the way is gone: the holder of the key ended, or the queue's limit was lifted.
            return Err(Fault::Again(format!("what execution {id} collided with is gone")));
        }
    }
    Ok(rows.iter().copied().filter(|new| limited.contains(&new.id.as_uuid())).collect())
}

/// Those that their queues have room for, in the order of the batch; the others are refused. The queues stay locked.
async fn admit<'a>(
    session: &Session,
    rows: &[&'a NewExecution],
    answers: &mut HashMap<Uuid, Enqueued>,
) -> Result<Vec<&'a NewExecution>, Fault> {
    let mut asked: HashMap<(Uuid, &str), i64> = HashMap::new();
    for new in rows {
        *asked.entry((new.tenant_id.as_uuid(), new.queue.as_str())).or_default() += 1;
    }
    let (tenants, names): (Vec<Uuid>, Vec<&str>) = asked.keys().copied().unzip();
    let lock = session.statement(LOCK_LENGTHS).await?;
    let lengths = session.statement(LENGTHS).await?;
    let mut limits: HashMap<(Uuid, String), u32> = HashMap::new();
    for row in session.rows(&lock, &[&tenants, &names]).await? {
        let max_length: i32 = column(&row, 2, "queues")?;
        limits.insert((column(&row, 0, "queues")?, column(&row, 1, "queues")?), u32::try_from(max_length).unwrap_or(0));
    }
    let (tenants, names): (Vec<Uuid>, Vec<&str>) = limits.keys().map(|(tenant, name)| (*tenant, name.as_str())).unzip();
    let enough: Vec<i64> = limits.values().map(|max_length| i64::from(*max_length)).collect();
    // A statement of its own: it sees what was committed before the locks were had.
    let mut room: HashMap<(Uuid, String), i64> = HashMap::new();
    for row in session.rows(&lengths, &[&tenants, &names, &enough]).await? {
        let queue: (Uuid, String) = (column(&row, 0, "queues")?, column(&row, 1, "queues")?);
        let waiting: i64 = column(&row, 2, "execution_queue")?;
        let free = limits.get(&queue).map_or(0, |max_length| i64::from(*max_length) - waiting);
        room.insert(queue, free);
    }
    let mut admitted = Vec::new();
    for new in rows.iter().copied() {
        let queue = (new.tenant_id.as_uuid(), new.queue.clone());
        match (limits.get(&queue), room.get_mut(&queue)) {
            (Some(max_length), Some(free)) if *free <= 0 => {
                answers.insert(new.id.as_uuid(), Enqueued::QueueFull { max_length: *max_length });
            }
            (_, free) => {
                if let Some(free) = free {
                    *free -= 1;
                }
                admitted.push(new);
            }
        }
    }
    Ok(admitted)
}
