//! `/sign-in`, `/sign-out`.

use std::rc::Rc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER};
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use askama::Template;
use horarium_auth::SessionToken;
use horarium_domain::session::SessionHolder;
use serde::Deserialize;
use url::{Url, form_urlencoded};

use super::credential::{self, Shown};
use super::{enter, oidc};
use crate::state::Dashboard;
use crate::view::Layout;
use crate::web::{
    Cookie, Flash, Form, LocalPath, PageError, Site, Visit, Visitor, may_be_from_elsewhere, page, perm, redirect,
};

#[derive(Template)]
#[template(path = "session/sign_in.html")]
struct SignInPage {
    layout: Layout,
    to: String,
    problem: Option<String>,
    provider: Option<ProviderLink>,
    /// For somebody who has just signed out here, and may not have there.
    way_out: Option<ProviderLink>,
}

/// The way to the OpenID provider, in or out. It is a link: browsers keep a form from leading to another site.
struct ProviderLink {
    name: String,
    href: String,
}

/// A page that goes to an address by itself.
#[derive(Template)]
#[template(path = "session/onward.html")]
struct OnwardPage {
    layout: Layout,
    to: String,
}

/// Where somebody wants to go once he is signed in.
#[derive(Debug, Deserialize)]
pub(super) struct Onward {
    to: Option<String>,
    /// Given when he has just signed out, and may have come by the OpenID provider.
    left: Option<String>,
}

impl Onward {
    pub(super) fn path(&self) -> LocalPath {
        self.to.as_deref().and_then(LocalPath::given).unwrap_or_else(LocalPath::home)
    }
}

#[derive(Debug, Deserialize)]
struct SignInForm {
    #[serde(default)]
    credential: String,
    to: Option<String>,
}

/// Where people sign in.
const SIGN_IN: &str = "/sign-in";

/// Whether a form posted to this path needs no session, so that one that was made before there was one is taken.
pub(crate) fn is_sign_in(path: &str) -> bool {
    path == SIGN_IN
}

pub(crate) fn configure(cfg: &mut ServiceConfig) {
    cfg.route(SIGN_IN, web::get().to(show)).route(SIGN_IN, web::post().to(sign_in));
    cfg.route("/sign-in/oidc", web::get().to(oidc::begin));
    cfg.route("/sign-in/oidc/callback", web::get().to(oidc::complete));
    cfg.route("/sign-out", web::post().to(sign_out));
}

async fn show(
    dashboard: web::Data<Dashboard>,
    request: HttpRequest,
    onward: web::Query<Onward>,
) -> Result<HttpResponse, PageError> {
    if request.extensions().contains::<Rc<Visitor>>() {
        return Ok(redirect(&onward.path(), None, Site::of(&dashboard, &request)));
    }
    let mut model = SignInPage::of(&dashboard, &request, &onward.path(), None);
    if onward.left.is_some() {
        model.way_out = way_out(&dashboard).await;
    }
    page(StatusCode::OK, &model)
}

async fn sign_in(
    dashboard: web::Data<Dashboard>,
    request: HttpRequest,
    form: Form<SignInForm>,
) -> Result<HttpResponse, PageError> {
    let Form(SignInForm { credential, to }) = form;
    let to = Onward { to, left: None }.path();
    if let Err(wait) = dashboard.host.may_try(&request) {
        return too_many(&dashboard, &request, &to, wait);
    }
    let opened = match credential::check(&dashboard, &credential).await {
        Ok(shown) => open(&dashboard, &request, shown).await,
        Err(refusal) => Err(refusal),
    };
    match opened {
        Ok(cookie) => {
            close_former(&dashboard, &request).await?;
            let site = Site::of(&dashboard, &request);
            let mut answer = redirect(&to, None, site);
            let (name, value) = site.set((Cookie::Session, cookie));
            answer.headers_mut().append(name, HeaderValue::try_from(value).map_err(PageError::internal)?);
            Ok(answer)
        }
        Err(PageError::Auth(refusal)) => {
            let status = PageError::Auth(refusal.clone()).status();
            if status == StatusCode::UNAUTHORIZED {
                dashboard.host.refused(&request);
                tracing::info!(target: "horarium::access", "let nobody sign in: {refusal}");
            }
            sign_in_page(&dashboard, &request, status, &to, Some(told(&refusal)))
        }
        Err(other) => Err(other),
    }
}

/// Whoever signs in again is somebody else: the session that the browser had until now is over.
pub(super) async fn close_former(dashboard: &Dashboard, request: &HttpRequest) -> Result<(), PageError> {
    let former = request.extensions().get::<Rc<Visitor>>().cloned();
    if let Some(former) = former {
        dashboard.services.sessions.close(former.session.hash).await?;
    }
    Ok(())
}

/// Opens a session for somebody whose credential is good; answers what the browser is to keep of it.
pub(super) async fn open(dashboard: &Dashboard, request: &HttpRequest, shown: Shown) -> Result<String, PageError> {
    let tenant = enter(dashboard, &shown.principal, None).await?;
    dashboard.host.is_of(request, tenant.id, &shown.principal);
    dashboard.host.asks_for(request, "sign_in", None);
    // A session costs a row, so as many are opened as calls may be made.
    dashboard.host.admit(tenant.id, &shown.principal).map_err(|(wait, why)| PageError::TooMany(wait, why))?;
    let token = SessionToken::generate(dashboard.core.entropy.secret());
    let Shown { holder, good_until, .. } = shown;
    let limits = dashboard.config.sessions;
    dashboard.services.sessions.open(token.hash(), tenant.id, holder, good_until, limits).await?;
    Ok(token.reveal())
}

async fn sign_out(visit: Visit<perm::SignedIn>, request: HttpRequest) -> Result<HttpResponse, PageError> {
    visit.does("sign_out", None);
    visit.services().sessions.close(visit.session.hash).await?;
    let site = Site::of(visit.dashboard(), &request);
    let may_be_of_provider =
        visit.dashboard().provider.is_some() && matches!(visit.session.holder, SessionHolder::Claims(_));
    let to = if may_be_of_provider { "/sign-in?left=provider" } else { SIGN_IN };
    let mut answer = visit.go(to, &Flash::done("You are signed out."));
    let (name, value) = site.clear(Cookie::Session);
    answer.headers_mut().append(name, HeaderValue::try_from(value).map_err(PageError::internal)?);
    Ok(answer)
}

/// Sends somebody who is not signed in to the sign-in page, and from there back to what was asked for.
///
/// A link on another site brings no cookie along (SameSite=Strict). Whoever follows one may well be signed in, so the
/// browser is made to ask again, this time from a page of ours; the sign-in page knows then.
pub(crate) fn send_to_sign_in(dashboard: &Dashboard, request: &HttpRequest) -> HttpResponse {
    let site = Site::of(dashboard, request);
    let is_read = request.method().is_safe();
    let asked_for = request.uri().path_and_query().map_or("/", |path| path.as_str());
    let to = LocalPath::given(asked_for).filter(|_| is_read).unwrap_or_else(LocalPath::home);
    let to: String = form_urlencoded::byte_serialize(to.as_str().as_bytes()).collect();
    let sign_in = LocalPath::own(format!("{SIGN_IN}?to={to}"));
    let has_cookie = site.get(request, Cookie::Session).is_some();
    if is_read
        && !has_cookie
        && may_be_from_elsewhere(dashboard, request)
        && let Ok(answer) = onward_page(dashboard, request, &sign_in)
    {
        return answer;
    }
    let flash = request.extensions().get::<Flash>().cloned();
    redirect(&sign_in, flash.as_ref(), site)
}

/// A page that goes on to another one by itself.
pub(super) fn onward_page(
    dashboard: &Dashboard,
    request: &HttpRequest,
    to: &LocalPath,
) -> Result<HttpResponse, PageError> {
    let layout = Layout::of(dashboard, request, "One moment".to_owned(), None);
    page(StatusCode::OK, &OnwardPage { layout, to: to.as_str().to_owned() })
}

/// The sign-in page for whoever showed too many credentials that were refused.
pub(super) fn too_many(
    dashboard: &Dashboard,
    request: &HttpRequest,
    to: &LocalPath,
    wait: Duration,
) -> Result<HttpResponse, PageError> {
    let seconds = wait.as_secs().saturating_add(1);
    let problem =
        format!("Too many credentials from your address were refused. Wait {seconds} s before you try again.");
    let mut answer = sign_in_page(dashboard, request, StatusCode::TOO_MANY_REQUESTS, to, Some(problem))?;
    answer.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    Ok(answer)
}

pub(super) fn sign_in_page(
    dashboard: &Dashboard,
    request: &HttpRequest,
    status: StatusCode,
    to: &LocalPath,
    problem: Option<String>,
) -> Result<HttpResponse, PageError> {
    page(status, &SignInPage::of(dashboard, request, to, problem))
}

impl SignInPage {
    fn of(dashboard: &Dashboard, request: &HttpRequest, to: &LocalPath, problem: Option<String>) -> Self {
        let provider = dashboard.provider.as_ref().map(|_| {
            let to: String = form_urlencoded::byte_serialize(to.as_str().as_bytes()).collect();
            ProviderLink { name: dashboard.config.provider_name.clone(), href: format!("/sign-in/oidc?to={to}") }
        });
        let layout = Layout::of(dashboard, request, "Sign in".to_owned(), None);
        Self { layout, to: to.as_str().to_owned(), problem, provider, way_out: None }
    }
}

/// The provider's own sign-out, which leads back here.
async fn way_out(dashboard: &Dashboard) -> Option<ProviderLink> {
    let back = dashboard.config.public_url.as_ref().and_then(|url| url.join(SIGN_IN).ok());
    let provider = dashboard.provider.as_ref()?;
    let href = provider.way_out(back.as_ref().map(Url::as_str), dashboard.core.now()).await?;
    Some(ProviderLink { name: dashboard.config.provider_name.clone(), href })
}

/// A refusal in the words of somebody who signs in, not of somebody who writes a program.
pub(super) fn told(refusal: &horarium_auth::AuthError) -> String {
    match refusal {
        horarium_auth::AuthError::MissingCredential => "Enter an API key or a token.".to_owned(),
        horarium_auth::AuthError::MalformedToken => "This is neither an API key nor a token.".to_owned(),
        other => other.to_string(),
    }
}
