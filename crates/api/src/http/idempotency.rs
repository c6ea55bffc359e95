//! `Idempotency-Key`: a change that was made is not made again; its first answer is given again.
//!
//! Only answers to what was accepted are kept. A request that was refused changed nothing, so sending it again is safe,
//! and the caller is better served by what is true then. One that failed, or whose node died, may have been carried out:
//! who repeats it asks for the same executions by the same ids, which are accepted once. A key counts for one caller: the
//! subject is part of the fingerprint, so that nobody is handed an answer that was meant for someone with other
//! permissions.

use std::rc::Rc;
use std::time::Duration;

use actix_web::body::{BoxBody, EitherBody, MessageBody, to_bytes};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, ETAG, HeaderMap, HeaderName, HeaderValue, LOCATION};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, web};
use horarium_domain::TenantId;
use horarium_domain::store::{Reservation, Reserved, StoredAnswer};
use sha2::{Digest, Sha256};
use tokio::time::Instant;
use tracing::Instrument;

use super::changes::changes;
use super::route::route;
use super::{ApiError, Caller, read_limited};
use crate::state::ApiState;

const HEADER: HeaderName = HeaderName::from_static("idempotency-key");
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// How long a repetition waits for the first answer, and how often it looks.
const PATIENCE: Duration = Duration::from_secs(5);
const POLL: Duration = Duration::from_millis(50);

/// Marks an answer that shows a secret for the only time: it is not kept, and a repetition is told so.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OneTimeSecret;

/// Marks an answer that tells how accepted work ended: it is kept whatever its status, for the work was done.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OfAcceptedWork;

/// The middleware, inside of [`authenticate`](super::authenticate()).
pub(crate) async fn idempotent<B: MessageBody + 'static>(
    mut req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<BoxBody, B>>, Error> {
    let Some(request) = Request::of(&req) else { return Ok(next.call(req).await?.map_into_right_body()) };
    match request.begin(&mut req).await {
        Ok(Reservation::Fresh(reserved)) => {
            // It goes on when the caller hangs up: half an answer could neither be kept nor safely forgotten.
            let work = actix_web::rt::spawn(request.carry_out(reserved, req, next).in_current_span());
            work.await.map_err(|panic| Error::from(ApiError::internal(panic)))?.map(ServiceResponse::map_into_left_body)
        }
        Ok(Reservation::Answered(answer)) => Ok(match replay(answer) {
            Ok(answer) => req.into_response(answer).map_into_left_body(),
            Err(refusal) => req.error_response(refusal).map_into_left_body(),
        }),
        Ok(Reservation::InProgress) => {
            let detail = "A request with this Idempotency-Key is being answered right now; ask again in a moment.";
            let refusal = ApiError::new(StatusCode::CONFLICT, detail).retry_after(1);
            Ok(req.error_response(refusal).map_into_left_body())
        }
        Ok(Reservation::Mismatch) => {
            let detail = "This Idempotency-Key was used for another request; choose a new key for this one.";
            let refusal = ApiError::new(StatusCode::UNPROCESSABLE_ENTITY, detail);
            Ok(req.error_response(refusal).map_into_left_body())
        }
        Err(refusal) => Ok(req.error_response(refusal).map_into_left_body()),
    }
}

/// A request with a key.
struct Request {
    state: web::Data<ApiState>,
    caller: Rc<Caller>,
    key: HeaderValue,
}

impl Request {
    /// `None` for one without a key, or that changes nothing, or whose caller is not known (and which is refused).
    fn of(req: &ServiceRequest) -> Option<Self> {
        let key = req.headers().get(&HEADER)?.clone();
        route(req).filter(|route| changes(req.method(), route))?;
        let state = req.app_data::<web::Data<ApiState>>()?.clone();
        let caller = req.extensions().get::<Rc<Caller>>()?.clone();
        Some(Self { state, caller, key })
    }

    fn tenant(&self) -> TenantId {
        self.caller.tenant.id
    }

    /// The key's text; one that is no text is refused by the service like any other that is malformed.
    fn key(&self) -> &str {
        self.key.to_str().unwrap_or_default()
    }

    async fn begin(&self, req: &mut ServiceRequest) -> Result<Reservation, ApiError> {
        let config = &self.state.config;
        let limit = config.max_body_bytes.max(config.max_bulk_body_bytes);
        let mut payload = req.take_payload();
        let body = read_limited(req.headers(), &mut payload, limit).await?;
        let fingerprint = self.fingerprint(req, &body);
        req.set_payload(Payload::from(body));
        let time = config.request_timeout.max(config.submit_wait);
        // The first answer is worth a moment's wait: a client that repeats itself wants that one and no refusal.
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.state.services.idempotency.begin(self.tenant(), self.key(), fingerprint, time).await? {
                Reservation::InProgress if Instant::now() < deadline => tokio::time::sleep(POLL).await,
                reservation => return Ok(reservation),
            }
        }
    }

    fn fingerprint(&self, req: &ServiceRequest, body: &[u8]) -> [u8; 32] {
        let mut hash = Sha256::new();
        let target = req.uri().path_and_query().map_or("", |target| target.as_str());
        for part in [self.caller.principal.subject.as_bytes(), req.method().as_str().as_bytes(), target.as_bytes()] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        hash.update(body);
        hash.finalize().into()
    }

    async fn carry_out<B: MessageBody + 'static>(
        self,
        reserved: Reserved,
        req: ServiceRequest,
        next: Next<B>,
    ) -> Result<ServiceResponse<BoxBody>, Error> {
        let caller = Caller::clone(&self.caller);
        let actor = caller.actor.clone().in_request(reserved.seed);
        req.extensions_mut().insert(Rc::new(Caller { actor, ..caller }));
        let result = next.call(req).await;
        let is_kept = |answer: &&ServiceResponse<B>| {
            answer.status().is_success() || answer.response().extensions().get::<OfAcceptedWork>().is_some()
        };
        let Some(answer) = result.as_ref().ok().filter(is_kept) else {
            let status = match &result {
                Ok(answer) => answer.status(),
                Err(error) => error.as_response_error().status_code(),
            };
            self.give_back(reserved, status).await;
            return result.map(ServiceResponse::map_into_boxed_body);
        };
        let shows_secret = answer.response().extensions().get::<OneTimeSecret>().is_some();
        let (req, response) = result?.into_parts();
        let (response, body) = response.into_parts();
        let body = to_bytes(body)
            .await
            .map_err(|error| ApiError::internal(Into::<Box<dyn std::error::Error>>::into(error)))?;
        let headers = response.headers();
        let stored = if shows_secret {
            secret_was_shown(headers)
        } else {
            StoredAnswer {
                status: response.status().as_u16(),
                location: text(headers, &LOCATION),
                etag: text(headers, &ETAG),
                content_type: text(headers, &CONTENT_TYPE).unwrap_or_default(),
                body: body.to_vec(),
            }
        };
        if let Err(error) = self.state.services.idempotency.complete(self.tenant(), self.key(), reserved, stored).await
        {
            // The work is done and must be told as done; only a repetition would not know of it.
            tracing::warn!(
                cause = error.internal().unwrap_or_default(),
                "the answer to an idempotent request could not be kept"
            );
        }
        Ok(ServiceResponse::new(req, response.set_body(BoxBody::new(body))))
    }

    /// Lets the request be sent again after it was answered with a status that is not kept.
    async fn give_back(&self, reserved: Reserved, status: StatusCode) {
        let service = &self.state.services.idempotency;
        let given_back = if status.is_server_error() {
            service.abandon(self.tenant(), self.key(), reserved).await
        } else {
            service.release(self.tenant(), self.key(), reserved).await
        };
        if let Err(error) = given_back {
            tracing::warn!(cause = error.internal().unwrap_or_default(), "an Idempotency-Key could not be released");
        }
    }
}

/// What a repetition is told where the first answer showed a secret.
fn secret_was_shown(headers: &HeaderMap) -> StoredAnswer {
    StoredAnswer {
        status: StatusCode::CONFLICT.as_u16(),
        location: text(headers, &LOCATION),
        etag: None,
        content_type: String::new(),
        body: Vec::new(),
    }
}

fn replay(answer: StoredAnswer) -> Result<HttpResponse, ApiError> {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    if status == StatusCode::CONFLICT {
        let detail = "This was done before, and its answer held a secret that is shown only once. \
                      If you lost it, rotate the key.";
        return Err(ApiError::new(status, detail));
    }
    let mut response = HttpResponse::with_body(status, BoxBody::new(answer.body));
    let headers = response.headers_mut();
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    let content_type = Some(answer.content_type).filter(|text| !text.is_empty());
    for (name, value) in [(LOCATION, answer.location), (ETAG, answer.etag), (CONTENT_TYPE, content_type)] {
        if let Some(value) = value.and_then(|text| HeaderValue::try_from(text).ok()) {
            headers.insert(name, value);
        }
    }
    Ok(response)
}

fn text(headers: &HeaderMap, name: &HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}
