//! The outermost layer: whatever happens within, the answer has a request id, a shape and safe headers, and is counted.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::time::{Duration, Instant};

use actix_web::body::{BodySize, BoxBody, EitherBody, MessageBody, None as NoBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::error::InternalError;
use actix_web::http::header::{CONTENT_ENCODING, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse, web};
use futures_util::FutureExt;
use tracing::Instrument;

use super::error_shape::{ErrorShapes, Refused};
use super::patience::{Patience, TimeIsUp};
use super::refusal_page::{RefusalPage, reads_pages};
use super::request_id::RequestId;
use super::{ApiError, Caller, request_id, security_headers, slow_body};
use crate::state::ApiState;

/// For what is put together without a state, and so without limits.
const NO_LIMIT: Duration = Duration::from_hours(24);

/// The route label of requests that no route matches.
const UNMATCHED: &str = "unmatched";

/// Counts a request while it is being answered, also when its caller goes away meanwhile.
struct InFlight;

impl InFlight {
    fn new() -> Self {
        metrics::gauge!("horarium_http_requests_in_flight").increment(1.0);
        Self
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        metrics::gauge!("horarium_http_requests_in_flight").decrement(1.0);
    }
}

/// What must be known of a request once it is gone.
struct Seen {
    method: Method,
    path: String,
    id: HeaderValue,
    started: Instant,
    state: Option<web::Data<ApiState>>,
    shapes: ErrorShapes,
    /// Shows refusals, where a browser asks for a page.
    page: Option<RefusalPage>,
}

/// The middleware. A route has `request_timeout` to begin its answer, or more if it asks its [`Patience`] for it; what it
/// streams after that may take its time.
pub(crate) async fn shell<B: MessageBody + 'static>(
    mut req: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let state = req.app_data::<web::Data<ApiState>>().cloned();
    let id = state.as_ref().map_or(HeaderValue::from_static("unknown"), |state| {
        request_id::choose(req.headers(), || state.core.ids.uuid(state.core.now()))
    });
    let config = state.as_ref().map(|state| &state.config);
    let patience = Patience::of(config.map_or(NO_LIMIT, |config| config.request_timeout));
    let body = req.take_payload();
    req.set_payload(slow_body::guarded(body, config.map_or(NO_LIMIT, |config| config.body_grace)));
    req.extensions_mut().insert(patience.clone());
    req.extensions_mut().insert(RequestId(id.clone()));
    let shapes = req.app_data::<ErrorShapes>().copied().unwrap_or(ErrorShapes(&[]));
    let wants_page = !shapes.is_of_api(req.path()) && reads_pages(req.headers());
    let seen = Seen {
        method: req.method().clone(),
        path: req.path().to_owned(),
        id,
        started: Instant::now(),
        state,
        shapes,
        page: req.app_data::<RefusalPage>().filter(|_| wants_page).cloned(),
    };
    let _in_flight = InFlight::new();
    // HEAD is GET without the body, which the server leaves out by itself; so no route needs to know of it.
    let is_head = seen.method == Method::HEAD;
    if is_head {
        req.head_mut().method = Method::GET;
    }

    // Whatever is logged on the way names the request.
    let span = tracing::info_span!(target: "horarium::access", "request", id = %text(&seen.id));
    // What a route holds on to is let go as it unwinds, and locks are taken also where their holder panicked.
    let answer = AssertUnwindSafe(next.call(req).instrument(span)).catch_unwind();
    let answer = answer.map(|answer| answer.unwrap_or_else(|panic| Err(panicked(&*panic).into())));
    match patience.wait_for(answer).await {
        Ok(Ok(answer)) => {
            let (req, response) = answer.into_parts();
            let refusal = match response.error() {
                Some(error) => Some(refusal_response(error, &seen)),
                // Compression refuses what it cannot encode for in words of its own.
                None if response.status() == StatusCode::NOT_ACCEPTABLE => {
                    Some(written(Err(StatusCode::NOT_ACCEPTABLE), &seen))
                }
                None => None,
            };
            let route = req.match_pattern();
            let who = req.extensions().get::<Rc<Caller>>().cloned();
            let who = who.as_deref();
            let response = match refusal {
                Some(refusal) => finish(refusal, route, who, &seen).map_into_right_body(),
                None if is_head && response.body().size() == BodySize::Stream => {
                    let empty = response.map_body(|_, _endless| BoxBody::new(NoBody::new()));
                    finish(empty, route, who, &seen).map_into_right_body()
                }
                None => finish(response, route, who, &seen).map_into_left_body(),
            };
            Ok(ServiceResponse::new(req, response))
        }
        // The request itself is gone with the future that failed, so the answer travels inside the error.
        Ok(Err(error)) => Err(finished(refusal_response(&error, &seen), &seen)),
        Err(TimeIsUp) => {
            let refusal = ApiError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The request took too long and was given up. Read what became of it before you send it again.",
            );
            Err(finished(refusal_response(&refusal.retry_after(1).into(), &seen), &seen))
        }
    }
}

/// Writes a refusal down, and logs one that is our fault.
fn refusal_response(error: &Error, seen: &Seen) -> HttpResponse {
    let refusal = error.as_error::<ApiError>();
    let response = written(refusal.ok_or_else(|| error.as_response_error().status_code()), seen);
    // 501 says that there is no such thing here: nothing went wrong.
    if response.status().is_server_error() && response.status() != StatusCode::NOT_IMPLEMENTED {
        let cause = refusal.and_then(ApiError::cause).map_or_else(|| error.to_string(), str::to_owned);
        tracing::error!(
            target: "horarium::access",
            request_id = %text(&seen.id),
            method = %seen.method,
            path = %seen.path,
            status = response.status().as_u16(),
            cause,
            "a request could not be answered"
        );
    }
    response
}

/// A refusal in the shape that its path asks for, with the headers that belong to it.
fn written(error: Result<&ApiError, StatusCode>, seen: &Seen) -> HttpResponse {
    let state = seen.state.as_ref().map(|state| state.as_ref());
    let refused = Refused::new(error, &seen.path, seen.started.elapsed(), state);
    let mut response = match &seen.page {
        Some(page) => page.draw(refused.status, &refused.detail, text(&seen.id)),
        None => seen.shapes.at(&seen.path)(&refused),
    };
    for (name, value) in error.iter().flat_map(|error| error.headers()) {
        response.headers_mut().append(name.clone(), value.clone());
    }
    response
}

/// A defect of a route: that one request fails, and is answered like any other.
fn panicked(panic: &(dyn Any + Send)) -> ApiError {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    ApiError::internal(format!("a panic: {}", text.unwrap_or("it does not say why")))
}

fn finished(response: HttpResponse, seen: &Seen) -> Error {
    let response = finish(response, None, None, seen);
    InternalError::from_response("the answer is inside", response).into()
}

/// Adds the headers that every answer has, measures and logs.
fn finish<B>(
    mut response: HttpResponse<B>,
    route: Option<String>,
    who: Option<&Caller>,
    seen: &Seen,
) -> HttpResponse<B> {
    response.headers_mut().insert(request_id::HEADER, seen.id.clone());
    security_headers::add(response.headers_mut());
    // Told to the compressor within, so that it keeps off; to a caller it says nothing.
    if response.headers().get(CONTENT_ENCODING).is_some_and(|coding| coding == "identity") {
        response.headers_mut().remove(CONTENT_ENCODING);
    }
    let status = response.status();
    let elapsed = seen.started.elapsed();
    tracing::debug!(
        target: "horarium::access",
        request_id = %text(&seen.id),
        method = %seen.method,
        path = %seen.path,
        status = status.as_u16(),
        tenant = who.map(|caller| caller.tenant.slug.as_str()),
        subject = who.map(|caller| caller.principal.subject.as_str()),
        elapsed_ms = elapsed.as_secs_f64() * 1000.0,
        "answered"
    );
    metrics::histogram!(
        "horarium_http_request_duration_seconds",
        "method" => method_label(&seen.method),
        "route" => route.unwrap_or_else(|| UNMATCHED.to_owned()),
        "status" => status.as_str().to_owned(),
    )
    .record(elapsed.as_secs_f64());
    response
}

/// Callers can make up methods; a label per invention would be a leak.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}

fn text(id: &HeaderValue) -> &str {
    id.to_str().unwrap_or_default()
}
