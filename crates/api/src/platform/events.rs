//! Live events as a stream (Server-Sent Events): what happens to the tenant's jobs and executions, as it happens.
//!
//! A listener that reconnects says what it saw last, and is told what it missed. Where that is no longer remembered,
//! or a listener reads too slowly, it gets an event `reset`: read the lists afresh.

use std::convert::Infallible;

use actix_web::http::header::{CONTENT_ENCODING, HeaderName};
use actix_web::{HttpRequest, HttpResponse, get, web};
use bytes::Bytes;
use futures_util::{StreamExt, future, stream};
use horarium_domain::execution::ExecutionState;
use horarium_domain::{JobId, Timestamp};
use horarium_scheduler_engine::bus::{self, Followed, LiveEvent};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use crate::dialects::scheduler::STATUSES;
use crate::dialects::scheduler::dto::ExecutionStatusName;
use crate::http::{ApiError, Authorized, FromQuery, Query, QueryFields, perm};
use crate::state::ApiState;

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// The data of one event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct EventDto {
    /// When it happened.
    #[schema(value_type = String, format = DateTime)]
    timestamp: Timestamp,
    /// To which job.
    job_id: Uuid,
    /// To which of its executions.
    execution_id: Option<Uuid>,
    /// The execution's state afterwards.
    status: Option<ExecutionStatusName>,
}

/// One event as the stream has it.
#[derive(ToSchema)]
#[expect(dead_code, reason = "the document describes it; the stream is written as text")]
struct StreamedEvent {
    /// Names the event, for `Last-Event-ID`.
    id: Option<String>,
    /// Its kind, or `reset`.
    event: String,
    /// An `EventDto` as JSON text; an empty object for `reset`.
    data: String,
}

/// What `GET /events` reads from its query.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query, rename_all = "camelCase")]
struct FollowEvents {
    /// Only events of this job.
    job_id: Option<Uuid>,
    /// Only events that bring an execution to this state.
    #[param(value_type = Option<ExecutionStatusName>)]
    status: Option<ExecutionState>,
}

impl FromQuery for FollowEvents {
    fn from_query(fields: &mut QueryFields<'_>) -> Self {
        Self { job_id: fields.uuid("jobId"), status: fields.one_of("status", STATUSES) }
    }
}

impl FollowEvents {
    fn wants(&self, event: &LiveEvent) -> bool {
        self.job_id.is_none_or(|job| event.job_id == JobId::from_uuid(job))
            && self.status.is_none_or(|status| event.state == Some(status))
    }
}

/// Follow the tenant's events
///
/// A stream (Server-Sent Events). `event` is the kind (executionCreated, executionStarted, executionRequeued,
/// executionCompleted, executionCancelled, jobCreated, jobUpdated, jobDeleted), `id` names the event, `data` is an
/// `EventDto` as JSON. An event `reset` says that events were missed: read the lists afresh. Comments come every
/// 15 seconds, so that a dead connection shows. The stream ends after an hour, to be opened again.
#[utoipa::path(
    tag = "Events",
    params(
        FollowEvents,
        ("Last-Event-ID" = Option<String>, Header, description = "The id of the event that was seen last."),
    ),
    responses((status = 200, description = "The stream.", body = StreamedEvent, content_type = "text/event-stream")),
)]
#[get("/events")]
pub(super) async fn follow_events(
    caller: Authorized<perm::EventsRead>,
    state: web::Data<ApiState>,
    query: Query<FollowEvents>,
    req: HttpRequest,
) -> Result<HttpResponse, ApiError> {
    let last_seen = req.headers().get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
    let (tenant, config) = (caller.tenant.id, &state.config);
    let (beat, lifetime) = (config.event_heartbeat, config.event_stream_lifetime);
    let followed = bus::follow(&state.core, tenant, last_seen, beat, lifetime, state.shutdown.clone());
    let wanted = query.0;
    let blocks = followed.filter_map(move |followed| future::ready(block(&wanted, &followed)));
    let connected = stream::once(future::ready(Bytes::from_static(b": connected\n\n")));
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        // A compressor would hold events back until it has enough of them; so would a buffering proxy.
        .insert_header((CONTENT_ENCODING, "identity"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(connected.chain(blocks).map(Ok::<_, Infallible>)))
}

/// What a listener is sent, if it wants that.
fn block(wanted: &FollowEvents, followed: &Followed) -> Option<Bytes> {
    match followed {
        Followed::Event(event) => wanted.wants(event).then(|| frame(event)),
        Followed::Reset => Some(Bytes::from_static(b"event: reset\ndata: {}\n\n")),
        Followed::Beat => Some(Bytes::from_static(b": alive\n\n")),
    }
}

fn frame(event: &LiveEvent) -> Bytes {
    let data = EventDto {
        timestamp: event.at,
        job_id: event.job_id.as_uuid(),
        execution_id: event.execution_id.map(horarium_domain::ExecutionId::as_uuid),
        status: event.state.map(ExecutionStatusName::from),
    };
    // Ids, a time and a name always have a JSON form, on one line.
    let data = serde_json::to_string(&data).unwrap_or_default();
    format!("id: {}\nevent: {}\ndata: {data}\n\n", event.id, event.kind.as_str()).into()
}
