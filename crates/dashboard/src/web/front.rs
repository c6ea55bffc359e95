//! What lies around every page: who asks and whether the form is ours on the way in, headers and refusals on the way out.

use std::rc::Rc;

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{Payload, ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, REFERRER_POLICY,
    STRICT_TRANSPORT_SECURITY, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use actix_web::middleware::Next;
use actix_web::{Error, FromRequest, HttpMessage, HttpRequest, HttpResponse, web};

use super::form::{FormBody, TOKEN_FIELD};
use super::operation::operation;
use super::origin::SentFrom;
use super::{Cookie, Flash, PageError, Site};
use crate::pages;
use crate::session::{self, Admission};
use crate::state::Dashboard;

/// Sent by the module that keeps pages fresh: it is no use of the session, and wants no sign-in page.
pub(crate) const LIVE: HeaderName = HeaderName::from_static("x-horarium-live");

/// Where forms are posted that only ask for something: they are not on record.
const POSTED_READS: [&str; 1] = ["/jobs/preview"];

/// What pages follow; asked for by the same module, which can send no header with it.
pub(crate) const EVENTS: &str = "/events";

const PERMISSIONS_POLICY: HeaderName = HeaderName::from_static("permissions-policy");
const CROSS_ORIGIN_OPENER_POLICY: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What the pages take.
const METHODS: &str = "GET, HEAD, POST";

/// Pages take everything from this server, and send nothing elsewhere.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Where the configuration says that there is TLS, browsers come by nothing else for a year.
const TLS_ALONE: &str = "max-age=31536000";

/// Of a request whose session is over.
struct SessionOver;

/// The middleware. Whatever happens within, the answer is a page or sends the browser to one.
pub(crate) async fn front<B: MessageBody + 'static>(
    mut request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    let Some(dashboard) = request.app_data::<web::Data<Dashboard>>().map(|data| data.get_ref().clone()) else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let site = Site::of(&dashboard, request.request());
    let told = site.get(request.request(), Cookie::Flash).is_some();
    if let Some(flash) = site.get(request.request(), Cookie::Flash).and_then(Flash::from_cookie) {
        request.extensions_mut().insert(flash);
    }
    let refused = way_in(&dashboard, site, &mut request).await.err();
    let mut answer = if let Some(refusal) = refused {
        let request = request.into_parts().0;
        let page = refusal_page(&dashboard, &request, &refusal);
        ServiceResponse::new(request, page).map_into_right_body()
    } else {
        // A route that refuses answers all the same; what it answers with knows why.
        let answer = next.call(request).await?;
        match answer.response().error().map(|error| refusal_of(&dashboard, answer.request(), error)) {
            Some(page) => answer.into_response(page).map_into_right_body(),
            None => answer.map_into_left_body(),
        }
    };
    let is_page = !is_live(answer.request());
    let is_shown = !answer.status().is_redirection() && is_page;
    let is_over = answer.request().extensions().contains::<SessionOver>();
    let headers = answer.headers_mut();
    if told && is_shown {
        append(headers, site.clear(Cookie::Flash));
    }
    // It is told once; and whoever signs in has another one now.
    if is_over && is_page && !site.is_told(headers, Cookie::Session) {
        append(headers, site.clear(Cookie::Session));
    }
    harden(headers);
    if dashboard.config.public_url.as_ref().is_some_and(|url| url.scheme() == "https") {
        headers.insert(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(TLS_ALONE));
    }
    Ok(answer)
}

/// Finds out who asks, and refuses what was not sent by a page of ours.
async fn way_in(dashboard: &Dashboard, site: Site, request: &mut ServiceRequest) -> Result<(), PageError> {
    let changes = match *request.method() {
        Method::GET | Method::HEAD => false,
        Method::POST => true,
        _ => return Err(PageError::WrongMethod(METHODS)),
    };
    let sent_from = SentFrom::of(dashboard, request.request());
    if changes && sent_from == SentFrom::Elsewhere {
        return Err(PageError::SentFromElsewhere);
    }
    let is_use = !is_live(request.request());
    let admission = match site.get(request.request(), Cookie::Session) {
        Some(shown) => session::admit(dashboard, shown, is_use).await?,
        None => Admission::Nobody,
    };
    let visitor = match admission {
        Admission::Visitor(visitor) => Some(Rc::new(*visitor)),
        Admission::Ended(why) => {
            request.extensions_mut().insert(SessionOver);
            // The page before may have told it already, and better.
            if !request.extensions().contains::<Flash>() {
                request.extensions_mut().insert(Flash::note(why));
            }
            None
        }
        Admission::Nobody => None,
    };
    if changes {
        let form = read_form(dashboard, request).await?;
        match &visitor {
            Some(visitor) if !session::is_sign_in(request.path()) => {
                if !visitor.token.made_form(visitor.tenant.id, &form.field(TOKEN_FIELD).unwrap_or_default()) {
                    return Err(PageError::StaleForm);
                }
                if !POSTED_READS.contains(&request.path()) {
                    dashboard.host.is_of(request.request(), visitor.tenant.id, &visitor.principal);
                    // Also for whoever is refused before the route can say it, and better.
                    if let Some(operation) = request.match_pattern().as_deref().and_then(operation) {
                        dashboard.host.asks_for(request.request(), operation, None);
                    }
                }
            }
            // The page was made while there was no session, so the browser must vouch for its form.
            _ if sent_from == SentFrom::Unsaid => return Err(PageError::SentFromElsewhere),
            _ => {}
        }
        request.extensions_mut().insert(form);
    }
    let admitted = visitor.as_ref().map_or(Ok(()), |it| dashboard.host.admit(it.tenant.id, &it.principal));
    if let Some(visitor) = visitor {
        request.extensions_mut().insert(visitor);
    }
    admitted.map_err(|(wait, why)| PageError::TooMany(wait, why))
}

async fn read_form(dashboard: &Dashboard, request: &mut ServiceRequest) -> Result<FormBody, PageError> {
    let media_type = request.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !media_type.starts_with("application/x-www-form-urlencoded") {
        return Err(PageError::BadRequest("Only forms are taken here.".to_owned()));
    }
    let mut payload = request.take_payload();
    let body = web::Payload::from_request(request.request(), &mut payload).await;
    let body = body.map_err(PageError::internal)?.to_bytes_limited(dashboard.config.max_form_bytes).await;
    request.set_payload(Payload::None);
    match body {
        Ok(Ok(bytes)) => match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(FormBody(text.into())),
            Err(_) => Err(PageError::BadRequest("The form is no text.".to_owned())),
        },
        Ok(Err(_)) => Err(PageError::BadRequest("The form did not arrive as a whole; send it again.".to_owned())),
        Err(_) => Err(PageError::TooLong(dashboard.config.max_form_bytes)),
    }
}

/// The page for a refusal of ours, or one of the framework's, whose own words are not for people.
fn refusal_of(dashboard: &Dashboard, request: &HttpRequest, error: &Error) -> HttpResponse {
    match error.as_error::<PageError>() {
        Some(refusal) => refusal_page(dashboard, request, refusal),
        None if error.as_response_error().status_code().is_server_error() => {
            refusal_page(dashboard, request, &PageError::internal(error))
        }
        None => refusal_page(
            dashboard,
            request,
            &PageError::BadRequest("The address or the form could not be read.".to_owned()),
        ),
    }
}

fn refusal_page(dashboard: &Dashboard, request: &HttpRequest, refusal: &PageError) -> HttpResponse {
    let request_id = dashboard.host.request_id(request);
    if refusal.status().is_server_error() {
        tracing::error!(
            target: "horarium::access",
            request_id,
            method = %request.method(),
            path = request.path(),
            status = refusal.status().as_u16(),
            cause = refusal.cause(),
            "a page could not be shown"
        );
    }
    match refusal {
        PageError::SignIn if !is_live(request) => session::send_to_sign_in(dashboard, request),
        _ => pages::refusal(dashboard, request, refusal, request_id),
    }
}

fn is_live(request: &HttpRequest) -> bool {
    request.headers().contains_key(LIVE) || request.path() == EVENTS
}

fn append(headers: &mut HeaderMap, (name, value): (HeaderName, String)) {
    if let Ok(value) = HeaderValue::try_from(value) {
        headers.append(name, value);
    }
}

/// The headers that keep a page to itself.
pub(crate) fn harden(headers: &mut HeaderMap) {
    let mut set = |name: HeaderName, value: &'static str| headers.insert(name, HeaderValue::from_static(value));
    set(CONTENT_SECURITY_POLICY, POLICY);
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(X_FRAME_OPTIONS, "DENY");
    // Not 'no-referrer': a browser would then not say where a form was sent from.
    set(REFERRER_POLICY, "same-origin");
    set(PERMISSIONS_POLICY, "camera=(), geolocation=(), microphone=(), payment=(), usb=()");
    set(CROSS_ORIGIN_OPENER_POLICY, "same-origin");
    set(CROSS_ORIGIN_RESOURCE_POLICY, "same-origin");
    set(CACHE_CONTROL, "no-store");
}
