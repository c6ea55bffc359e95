//! Cookies: three of them, all out of reach of scripts, and but for the one that an OpenID provider's answer needs, of
//! other sites.

use actix_web::HttpRequest;
use actix_web::http::header::{COOKIE, HeaderMap, HeaderName, SET_COOKIE};

use crate::state::Dashboard;

/// Which cookie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// The session.
    Session,
    /// What the next page is to tell.
    Flash,
    /// What signing in with an OpenID provider goes on with. Its answer comes from another site.
    SignIn,
}

impl Cookie {
    const fn name(self) -> &'static str {
        match self {
            Self::Session => "horarium",
            Self::Flash => "horarium-flash",
            Self::SignIn => "horarium-sign-in",
        }
    }

    const fn same_site(self) -> &'static str {
        match self {
            Self::Session | Self::Flash => "Strict",
            Self::SignIn => "Lax",
        }
    }

    /// How long browsers keep it: as long as they are open, or as long as somebody may take to sign in.
    const fn age(self) -> &'static str {
        match self {
            Self::Session | Self::Flash => "",
            Self::SignIn => "; Max-Age=600",
        }
    }
}

/// How browsers reach the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Site {
    is_https: bool,
}

impl Site {
    /// What the configuration says, or else the request (or the proxy before us) of itself. A client that lies gets
    /// cookies that its browser does not send back.
    pub(crate) fn of(dashboard: &Dashboard, request: &HttpRequest) -> Self {
        let is_https = match &dashboard.config.public_url {
            Some(url) => url.scheme() == "https",
            None => request.connection_info().scheme() == "https",
        };
        Self { is_https }
    }

    /// With `__Host-`, a browser takes a cookie only from this very host, over TLS.
    fn name(self, cookie: Cookie) -> String {
        format!("{}{}", if self.is_https { "__Host-" } else { "" }, cookie.name())
    }

    /// What a request's cookie says.
    pub(crate) fn get(self, request: &HttpRequest, cookie: Cookie) -> Option<&str> {
        let name = self.name(cookie);
        let lines = request.headers().get_all(COOKIE).filter_map(|line| line.to_str().ok());
        let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(given, _)| *given == name).map(|(_, value)| value)
    }

    /// Has the browser keep a value.
    pub(crate) fn set(self, (cookie, value): (Cookie, String)) -> (HeaderName, String) {
        (SET_COOKIE, self.line(cookie, &value, cookie.age()))
    }

    /// Has the browser forget a cookie.
    pub(crate) fn clear(self, cookie: Cookie) -> (HeaderName, String) {
        (SET_COOKIE, self.line(cookie, "", "; Max-Age=0"))
    }

    /// Whether an answer has the browser keep or forget a cookie.
    pub(crate) fn is_told(self, headers: &HeaderMap, cookie: Cookie) -> bool {
        let begin = format!("{}=", self.name(cookie));
        headers.get_all(SET_COOKIE).any(|line| line.as_bytes().starts_with(begin.as_bytes()))
    }

    fn line(self, cookie: Cookie, value: &str, age: &str) -> String {
        let secure = if self.is_https { "; Secure" } else { "" };
        let (name, same_site) = (self.name(cookie), cookie.same_site());
        format!("{name}={value}; Path=/; HttpOnly; SameSite={same_site}{secure}{age}")
    }
}
