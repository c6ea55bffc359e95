//! `/events`: tells pages that are open what has changed, so that they need not wait for their next look. Nothing of a
//! change is told but its topics: a page looks for itself, as its reader may.

use std::convert::Infallible;
use std::time::Duration;

use actix_web::http::header::{CONTENT_ENCODING, HeaderName};
use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream::{self, LocalBoxStream};
use futures_util::{Stream, StreamExt, future};
use horarium_auth::Permission;
use horarium_domain::TenantId;
use horarium_scheduler_engine::bus::{self, Followed, LiveEvent};
use tokio::time::{Instant, sleep_until};

use crate::session::{self, Admission};
use crate::state::Dashboard;
use crate::web::{Cookie, EVENTS, Site, Visit, perm};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What each stream begins with: it holds, and whoever loses it comes back after so many milliseconds.
const BEGINNING: &[u8] = b"retry: 5000\n\n";

/// For how long what changed is gathered: pages look again every two seconds at most.
const GATHERING: Duration = Duration::from_secs(1);

/// How many topics are told at a time. Where there are more, all is to be read afresh.
const MAX_TOPICS: usize = 50;

pub(crate) fn configure(cfg: &mut ServiceConfig) {
    cfg.route(EVENTS, web::get().to(events));
}

async fn events(visit: Visit<perm::EventsRead>, request: HttpRequest) -> HttpResponse {
    let dashboard = visit.dashboard();
    let last_seen = request.headers().get(LAST_EVENT_ID).and_then(|value| value.to_str().ok());
    let (beat, lifetime) = (dashboard.config.event_beat, dashboard.config.event_stream_lifetime);
    let shutdown = dashboard.shutdown.clone();
    let followed = bus::follow(&dashboard.core, visit.tenant.id, last_seen, beat, lifetime, shutdown);
    let open = Follower {
        followed: followed.boxed_local(),
        dashboard: dashboard.clone(),
        shown: Site::of(dashboard, &request).get(&request, Cookie::Session).unwrap_or_default().to_owned(),
        tenant: visit.tenant.id,
        changes: Changes::default(),
        gathers_until: Instant::now(),
    };
    let beginning = stream::once(future::ready(Bytes::from_static(BEGINNING)));
    HttpResponse::Ok()
        .content_type("text/event-stream")
        // A compressor would hold events back until it has enough of them; so would a buffering proxy.
        .insert_header((CONTENT_ENCODING, "identity"))
        .insert_header(("x-accel-buffering", "no"))
        .streaming(beginning.chain(open.into_stream()).map(Ok::<_, Infallible>))
}

/// An open stream.
struct Follower {
    followed: LocalBoxStream<'static, Followed>,
    dashboard: Dashboard,
    /// What the browser holds of the session.
    shown: String,
    tenant: TenantId,
    /// What is to be told, and not before when.
    changes: Changes,
    gathers_until: Instant,
}

/// What changed and is not told yet.
#[derive(Default)]
struct Changes {
    /// Without repetitions; one more than can be told where there are too many.
    topics: Vec<String>,
    /// The last event's id.
    last: String,
}

impl Follower {
    fn into_stream(self) -> impl Stream<Item = Bytes> {
        stream::unfold(self, |mut follower| async move {
            let block = follower.next().await?;
            Some((block, follower))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            let followed = tokio::select! {
                biased;
                () = sleep_until(self.gathers_until), if !self.changes.is_empty() => {
                    self.gathers_until = Instant::now() + GATHERING;
                    return Some(std::mem::take(&mut self.changes).block());
                }
                followed = self.followed.next() => followed?,
            };
            match followed {
                Followed::Event(event) => self.changes.add(&event),
                Followed::Reset => {
                    self.changes = Changes::default();
                    return Some(Bytes::from_static(b"event: reset\ndata: all\n\n"));
                }
                Followed::Beat => return self.may_go_on().await.then(|| Bytes::from_static(b": alive\n\n")),
            }
        }
    }

    /// Whether the session is still there, and acts where it did.
    async fn may_go_on(&self) -> bool {
        match session::admit(&self.dashboard, &self.shown, false).await {
            Ok(Admission::Visitor(visitor)) => {
                visitor.tenant.id == self.tenant && visitor.principal.can(Permission::EventsRead)
            }
            Ok(Admission::Ended(_) | Admission::Nobody) | Err(_) => false,
        }
    }
}

impl Changes {
    fn is_empty(&self) -> bool {
        self.topics.is_empty()
    }

    fn add(&mut self, event: &LiveEvent) {
        self.last = event.id.to_string();
        let list = if event.execution_id.is_some() { "executions" } else { "jobs" };
        let execution = event.execution_id.map(|id| format!("execution:{id}"));
        let topics = [Some(list.to_owned()), execution, Some(format!("job:{}", event.job_id))];
        for topic in topics.into_iter().flatten() {
            if self.topics.len() <= MAX_TOPICS && !self.topics.contains(&topic) {
                self.topics.push(topic);
            }
        }
    }

    fn block(self) -> Bytes {
        let Self { topics, last } = self;
        let (event, data) =
            if topics.len() > MAX_TOPICS { ("reset", "all".to_owned()) } else { ("changed", topics.join(" ")) };
        format!("id: {last}\nevent: {event}\ndata: {data}\n\n").into()
    }
}
