//! `/sign-in/oidc`: signing in with an OpenID provider. The browser is sent there, and comes back to `…/callback`.

use std::rc::Rc;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue, LOCATION};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use horarium_auth::oidc::{OidcAnswer, OidcClient, OidcError, SignInAttempt};
use horarium_auth::{Principal, SessionToken};
use horarium_domain::session::SessionHolder;
use url::form_urlencoded;

use super::credential::Shown;
use super::routes::{Onward, close_former, onward_page, open, sign_in_page, told, too_many};
use crate::state::Dashboard;
use crate::web::{Cookie, LocalPath, PageError, Site, Visitor};

/// The longest path that somebody is brought back to: it travels in a cookie.
const MAX_PATH: usize = 1500;

/// What the browser keeps while it is at the provider.
struct Kept {
    attempt: SignInAttempt,
    /// The session that it has until then. The way back comes from another site, and does not bring its cookie.
    former: Option<SessionToken>,
    /// Where to go afterwards.
    to: LocalPath,
}

/// Sends the browser to the provider.
pub(super) async fn begin(
    dashboard: web::Data<Dashboard>,
    request: HttpRequest,
    onward: web::Query<Onward>,
) -> Result<HttpResponse, PageError> {
    let provider = provider(&dashboard)?;
    let attempt = SignInAttempt::generate(dashboard.core.entropy.secret());
    let former = request.extensions().get::<Rc<Visitor>>().map(|visitor| visitor.token.clone());
    let kept = Kept { attempt, former, to: onward.path() };
    match provider.begin(&kept.attempt, dashboard.core.now()).await {
        Ok(address) => {
            let kept = Site::of(&dashboard, &request).set((Cookie::SignIn, kept.to_cookie()));
            Ok(HttpResponse::SeeOther().insert_header((LOCATION, address)).append_header(kept).finish())
        }
        Err(refusal) => refuse(&dashboard, &request, &kept.to, &refusal),
    }
}

/// Lets in whoever the provider vouches for.
///
/// The answer is a page that goes on by itself: a browser that was sent here from another site would not show the cookie
/// of the new session (SameSite=Strict) to where it was sent on.
pub(super) async fn complete(
    dashboard: web::Data<Dashboard>,
    request: HttpRequest,
    answer: web::Query<OidcAnswer>,
) -> Result<HttpResponse, PageError> {
    let provider = provider(&dashboard)?;
    let site = Site::of(&dashboard, &request);
    let kept = site.get(&request, Cookie::SignIn).and_then(Kept::from_cookie);
    let to = kept.as_ref().map_or_else(LocalPath::home, |kept| kept.to.clone());
    if let Err(wait) = dashboard.host.may_try(&request) {
        return too_many(&dashboard, &request, &to, wait);
    }
    let vouched_for = match &kept {
        Some(kept) => provider.complete(&kept.attempt, &answer, dashboard.core.now()).await,
        None => Err(OidcError::NotBegunHere),
    };
    let mut page = match vouched_for {
        Ok(principal) => let_in(&dashboard, &request, principal, kept.and_then(|kept| kept.former), &to).await?,
        Err(refusal) => refuse(&dashboard, &request, &to, &refusal)?,
    };
    // An attempt is good for one answer.
    append(&mut page, site.clear(Cookie::SignIn))?;
    Ok(page)
}

async fn let_in(
    dashboard: &Dashboard,
    request: &HttpRequest,
    principal: Principal,
    former: Option<SessionToken>,
    to: &LocalPath,
) -> Result<HttpResponse, PageError> {
    // Not until the ID token expires: that is for us to believe it once, and says nothing of how long somebody may stay.
    let holder = SessionHolder::Claims(principal.to_claims());
    match open(dashboard, request, Shown { principal, holder, good_until: None }).await {
        Ok(cookie) => {
            close_former(dashboard, request).await?;
            if let Some(former) = former {
                dashboard.services.sessions.close(former.hash()).await?;
            }
            let mut page = onward_page(dashboard, request, to)?;
            append(&mut page, Site::of(dashboard, request).set((Cookie::Session, cookie)))?;
            Ok(page)
        }
        Err(PageError::Auth(refusal)) => {
            let status = PageError::Auth(refusal.clone()).status();
            sign_in_page(dashboard, request, status, to, Some(told(&refusal)))
        }
        Err(other) => Err(other),
    }
}

/// The sign-in page, which says why the provider's way did not work.
fn refuse(
    dashboard: &Dashboard,
    request: &HttpRequest,
    to: &LocalPath,
    refusal: &OidcError,
) -> Result<HttpResponse, PageError> {
    let (status, is_no_good) = match refusal {
        OidcError::Provider(_) => (StatusCode::SERVICE_UNAVAILABLE, false),
        OidcError::NotRedeemed(_) | OidcError::Token(_) => (StatusCode::UNAUTHORIZED, true),
        // Any site can send a browser here: nothing was shown that could be a guess.
        OidcError::NotBegunHere => (StatusCode::UNAUTHORIZED, false),
        OidcError::Declined | OidcError::Refused(_) | OidcError::NoTenant(_) | OidcError::NoRole(_) => {
            (StatusCode::FORBIDDEN, false)
        }
    };
    if is_no_good {
        dashboard.host.refused(request);
    }
    tracing::info!(target: "horarium::access", reason = refusal.reason(), "let nobody sign in: {refusal}");
    sign_in_page(dashboard, request, status, to, Some(refusal.to_string()))
}

fn provider(dashboard: &Dashboard) -> Result<&OidcClient, PageError> {
    dashboard.provider.as_deref().ok_or(PageError::Nowhere)
}

impl Kept {
    fn to_cookie(&self) -> String {
        let to: String = form_urlencoded::byte_serialize(self.to.as_str().as_bytes()).collect();
        let to = if to.len() > MAX_PATH { "" } else { to.as_str() };
        let former = self.former.as_ref().map(SessionToken::reveal).unwrap_or_default();
        format!("{}.{former}.{to}", self.attempt.reveal())
    }

    fn from_cookie(value: &str) -> Option<Self> {
        let (attempt, rest) = value.split_once('.')?;
        let (former, to) = rest.split_once('.')?;
        let to = form_urlencoded::parse(to.as_bytes()).next().and_then(|(to, _)| LocalPath::given(&to));
        let to = to.unwrap_or_else(LocalPath::home);
        Some(Self { attempt: attempt.parse().ok()?, former: former.parse().ok(), to })
    }
}

fn append(answer: &mut HttpResponse, (name, value): (HeaderName, String)) -> Result<(), PageError> {
    answer.headers_mut().append(name, HeaderValue::try_from(value).map_err(PageError::internal)?);
    Ok(())
}
