//! Executions as rows: the wide row of the history, and the narrow one of the queue while an execution lives.

use diesel::prelude::{Queryable, Selectable};
use horarium_domain::concurrency::ConcurrencyKey;
use horarium_domain::execution::{
    Event, EventKind, Execution, ExecutionState, ExecutionSummary, Lifecycle, Output, Trigger,
};
use horarium_domain::store::StoreError;
use horarium_domain::{ExecutionId, JobId, TenantId, Timestamp};
use serde_json::Value;

use crate::decode::Row;
use crate::schema::{execution_events, execution_queue, executions};

/// What the history tells of an execution in lists. Its state is 0 while the queue has the truth.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = executions)]
pub(crate) struct ExecutionRow {
    id: ExecutionId,
    tenant_id: TenantId,
    job_id: JobId,
    trigger: String,
    triggered_by: String,
    queue: String,
    priority: i16,
    concurrency_key: Option<String>,
    scheduled_for: Timestamp,
    created_at: Timestamp,
    retry_parent_id: Option<ExecutionId>,
    state: i16,
    attempt: i16,
    lost: i16,
    started_at: Option<Timestamp>,
    completed_at: Option<Timestamp>,
    worker: Option<String>,
    items_processed: Option<i64>,
    partial: bool,
}

impl ExecutionRow {
    pub(crate) const fn id(&self) -> ExecutionId {
        self.id
    }
}

/// What the queue tells of a live execution.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = execution_queue)]
pub(crate) struct LiveRow {
    state: i16,
    attempt: i16,
    lost: i16,
    run_at: Timestamp,
    worker: Option<String>,
    started_at: Option<Timestamp>,
    progress: Option<i16>,
}

/// What lists leave out.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = executions)]
pub(crate) struct DetailRow {
    payload: Option<Value>,
    max_attempts: Option<i16>,
    output: Option<String>,
    output_truncated: bool,
    error: Option<String>,
}

/// A row of `execution_events`.
#[derive(Debug, Clone, Queryable, Selectable)]
#[diesel(table_name = execution_events)]
pub(crate) struct EventRow {
    execution_id: ExecutionId,
    seq: i64,
    at: Timestamp,
    kind: String,
    attempt: i16,
    attempt_started_at: Option<Timestamp>,
    source: String,
    message: String,
    error: Option<String>,
}

impl EventRow {
    pub(crate) const fn execution_id(&self) -> ExecutionId {
        self.execution_id
    }
}

/// An execution's row, its job's name, and its row in the queue while it lives.
pub(crate) type SummaryRow = (ExecutionRow, String, Option<LiveRow>);

/// An execution as lists show it.
pub(crate) fn summary((row, job_name, live): SummaryRow) -> Result<ExecutionSummary, StoreError> {
    let place = Row::new("executions", row.id);
    let trigger = place.named("trigger", &row.trigger, &Trigger::ALL, Trigger::as_str)?;
    let standing = match (row.state, live) {
        (0, Some(live)) => Standing::of_live(&Row::new("execution_queue", row.id), live)?,
        (0, None) => return Err(place.inconsistent("it is not over, yet the queue does not hold it")),
        (state, None) => Standing {
            lifecycle: Lifecycle {
                state: place.terminal_state("state", state)?,
                attempt: place.value("attempt", u16::try_from(row.attempt))?,
                lost: place.value("lost", u16::try_from(row.lost))?,
            },
            run_at: None,
            worker: row.worker,
            started_at: row.started_at,
            progress: None,
        },
        (_, Some(_)) => return Err(place.inconsistent("it is over, yet the queue still holds it")),
    };
    Ok(ExecutionSummary {
        id: row.id,
        tenant_id: row.tenant_id,
        job_id: row.job_id,
        job_name,
        lifecycle: standing.lifecycle,
        trigger,
        triggered_by: row.triggered_by,
        queue: row.queue,
        priority: row.priority,
        concurrency_key: place
            .value("concurrency_key", row.concurrency_key.map(ConcurrencyKey::try_from).transpose())?,
        scheduled_for: row.scheduled_for,
        created_at: row.created_at,
        run_at: standing.run_at,
        started_at: standing.started_at,
        completed_at: row.completed_at,
        worker: standing.worker,
        retry_parent_id: row.retry_parent_id,
        items_processed: row.items_processed,
        progress: standing.progress,
        partial: row.partial,
    })
}

/// What the queue tells while an execution lives, and the history afterwards.
struct Standing {
    lifecycle: Lifecycle,
    run_at: Option<Timestamp>,
    worker: Option<String>,
    started_at: Option<Timestamp>,
    progress: Option<u8>,
}

impl Standing {
    fn of_live(place: &Row, live: LiveRow) -> Result<Self, StoreError> {
        let state = match live.state {
            1 => ExecutionState::Running,
            // Ready, waiting for its time, or under a limit: three ways to wait.
            0 | 2 | 3 => ExecutionState::Pending,
            code => return Err(place.inconsistent(format_args!("state: {code} is no state of the queue"))),
        };
        Ok(Self {
            lifecycle: Lifecycle {
                state,
                attempt: place.value("attempt", u16::try_from(live.attempt))?,
                lost: place.value("lost", u16::try_from(live.lost))?,
            },
            run_at: (state == ExecutionState::Pending).then_some(live.run_at),
            worker: live.worker,
            started_at: live.started_at,
            progress: place.value("progress", live.progress.map(u8::try_from).transpose())?,
        })
    }
}

/// An execution in full.
pub(crate) fn execution(
    summary_row: SummaryRow,
    detail: DetailRow,
    events: Vec<EventRow>,
) -> Result<Execution, StoreError> {
    let place = Row::new("executions", summary_row.0.id);
    Ok(Execution {
        summary: summary(summary_row)?,
        payload: detail.payload,
        max_attempts: place.value("max_attempts", detail.max_attempts.map(u16::try_from).transpose())?,
        output: detail.output.map(|text| Output { text, truncated: detail.output_truncated }),
        error: detail.error,
        events: events.into_iter().map(event).collect::<Result<_, _>>()?,
    })
}

fn event(row: EventRow) -> Result<Event, StoreError> {
    let place = Row::new("execution_events", format_args!("{}, {}", row.execution_id, row.seq));
    Ok(Event {
        execution_id: row.execution_id,
        at: row.at,
        kind: place.named("kind", &row.kind, &EventKind::ALL, EventKind::as_str)?,
        attempt: place.value("attempt", u16::try_from(row.attempt))?,
        attempt_started_at: row.attempt_started_at,
        source: row.source,
        message: row.message,
        error: row.error,
    })
}
