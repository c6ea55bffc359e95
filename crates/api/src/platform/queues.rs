//! Queues: what waits in them, and their limits.

use actix_web::{HttpResponse, get, put, web};
use horarium_domain::Timestamp;
use horarium_domain::queue::QueueSummary;
use horarium_scheduler_engine::service::QueueInput;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::http::{ApiError, Authorized, ByName, Name, OptionalBody, Query, perm};
use crate::state::ApiState;

/// All limits of a queue: what is left out (or null) is lifted, and `{}` lifts them all.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[schema(example = json!({"maxConcurrency": 4, "rateLimitPerSecond": 10, "paused": false}))]
struct QueueRequest {
    /// How many of its executions may run at once, over all nodes.
    #[schema(minimum = 1, maximum = 100_000)]
    max_concurrency: Option<i64>,
    /// How many executions may wait in it; one more is refused with 429.
    #[schema(minimum = 0, maximum = 100_000_000)]
    max_length: Option<i64>,
    /// How many of its executions may start per second, over all nodes.
    #[schema(minimum = 1, maximum = 100_000)]
    rate_limit_per_second: Option<i64>,
    /// Whether nothing of it starts.
    paused: Option<bool>,
    /// Its part of the tenant's starts while more waits than can start, beside the tenant's other queues; 100 when none is
    /// given.
    #[schema(minimum = 1, maximum = 10_000)]
    weight: Option<i64>,
}

/// A queue.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct QueueDto {
    /// Its name.
    name: String,
    /// How many of its executions may run at once.
    max_concurrency: Option<u32>,
    /// How many executions may wait in it.
    max_length: Option<u32>,
    /// How many of its executions may start per second.
    rate_limit_per_second: Option<u32>,
    /// Whether nothing of it starts.
    paused: bool,
    /// Its part of the tenant's starts while more waits than can start. All queues of weight 100 are one beside those that
    /// have another.
    weight: u32,
    /// How many executions wait in it, those of a later time included.
    pending: u64,
    /// How many of its executions run.
    running: u64,
    /// When the oldest one that waits became due; null when none is due.
    #[schema(value_type = Option<String>, format = DateTime)]
    oldest_due_at: Option<Timestamp>,
}

/// One page of the queues of a tenant.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct QueueList {
    /// Those that have limits or hold something, by name.
    items: Vec<QueueDto>,
    /// What to send as `cursor` for the next page; null at the end.
    next_cursor: Option<String>,
}

impl From<QueueSummary> for QueueDto {
    fn from(queue: QueueSummary) -> Self {
        let limits = queue.limits;
        Self {
            name: limits.name.into(),
            max_concurrency: limits.max_concurrency,
            max_length: limits.max_length,
            rate_limit_per_second: limits.rate_limit_per_second,
            paused: limits.paused,
            weight: limits.weight,
            pending: queue.pending,
            running: queue.running,
            oldest_due_at: queue.oldest_due_at,
        }
    }
}

/// List queues
#[utoipa::path(
    tag = "Queues",
    params(ByName),
    responses((
        status = 200,
        description = "One page of the queues that have limits or hold something.",
        body = QueueList,
    )),
)]
#[get("/queues")]
pub(super) async fn list_queues(
    caller: Authorized<perm::QueuesRead>,
    state: web::Data<ApiState>,
    query: Query<ByName>,
) -> Result<HttpResponse, ApiError> {
    let ByName { cursor, limit } = query.0;
    let page = state.services.queues.list(caller.tenant.id, cursor.as_deref(), limit).await?;
    let items = page.items.into_iter().map(QueueDto::from).collect();
    Ok(HttpResponse::Ok().json(QueueList { items, next_cursor: page.next }))
}

/// Read a queue
///
/// Every sound name is a queue; one that nobody configured has no limits.
#[utoipa::path(
    tag = "Queues",
    params(("name" = String, Path, description = "The queue.", max_length = 100, pattern = "^[A-Za-z0-9_.:-]+$")),
    responses((status = 200, description = "The queue.", body = QueueDto)),
)]
#[get("/queues/{name}")]
pub(super) async fn get_queue(
    caller: Authorized<perm::QueuesRead>,
    state: web::Data<ApiState>,
    name: Name,
) -> Result<HttpResponse, ApiError> {
    let queue = state.services.queues.get(caller.tenant.id, &name.0).await?;
    Ok(HttpResponse::Ok().json(QueueDto::from(queue)))
}

/// Set a queue's limits
///
/// All of them: what is left out is lifted, and `{}` lifts them all. Executions that wait follow the new limits from then
/// on.
#[utoipa::path(
    tag = "Queues",
    params(("name" = String, Path, description = "The queue.", max_length = 100, pattern = "^[A-Za-z0-9_.:-]+$")),
    request_body = QueueRequest,
    responses((status = 200, description = "The queue as it is now.", body = QueueDto)),
)]
#[put("/queues/{name}")]
pub(super) async fn set_queue(
    caller: Authorized<perm::QueuesWrite>,
    state: web::Data<ApiState>,
    name: Name,
    body: OptionalBody<QueueRequest>,
) -> Result<HttpResponse, ApiError> {
    // Unlike elsewhere nothing does not stand for `{}`: that would undo what somebody set.
    let limits = body.0.ok_or_else(|| {
        ApiError::bad_request("The body holds no limits: send those that the queue is to have, or {} to lift them all.")
    })?;
    let QueueRequest { max_concurrency, max_length, rate_limit_per_second, paused, weight } = limits;
    let input = QueueInput { max_concurrency, max_length, rate_limit_per_second, paused, weight };
    let queue = state.services.queues.set(&caller.actor, &name.0, input).await?;
    Ok(HttpResponse::Ok().json(QueueDto::from(queue)))
}
