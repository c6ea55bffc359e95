//! `/events`: tells pages that are open what has changed, so that they need not wait for their next look. Nothing of a
//! change is told but its topics: a page looks for itself, as its reader may.

use std::convert::Infallible;

use actix_web::http::header::{CONTENT_ENCODING, HeaderName};
use actix_web::web::{self, Bytes, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::stream::{self, LocalBoxStream};
use futures_util::{Stream, StreamExt, future};
use horarium_auth::Permission;
use horarium_domain::TenantId;
use horarium_scheduler_engine::bus::{self, Followed, LiveEvent};

use crate::session::{self, Admission};
use crate::state::Dashboard;
use crate::web::{Cookie, EVENTS, Site, Visit, perm};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// What each stream begins with: it holds, and whoever loses it comes back after so many milliseconds.
const BEGINNING: &[u8] = b"retry: 5000\n\n";

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
}

impl Follower {
    fn into_stream(self) -> impl Stream<Item = Bytes> {
        stream::unfold(self, |mut follower| async move {
            let block = follower.next().await?;
            Some((block, follower))
        })
    }

    async fn next(&mut self) -> Option<Bytes> {
        match self.followed.next().await? {
            Followed::Event(event) => Some(block(&event)),
            Followed::Reset => Some(Bytes::from_static(b"event: reset\ndata: all\n\n")),
            Followed::Beat => self.may_go_on().await.then(|| Bytes::from_static(b": alive\n\n")),
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

fn block(event: &LiveEvent) -> Bytes {
    let topics = match event.execution_id {
        Some(id) => format!("executions execution:{id} job:{}", event.job_id),
        None => format!("jobs job:{}", event.job_id),
    };
    format!("id: {}\nevent: changed\ndata: {topics}\n\n", event.id).into()
}
