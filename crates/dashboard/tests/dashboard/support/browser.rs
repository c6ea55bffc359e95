//! A browser: it keeps cookies, says where forms are sent from, and does not follow redirects by itself.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{HeaderMap, SET_COOKIE};
use reqwest::{Method, RequestBuilder};

/// How long to wait for something of a stream.
const PATIENCE: Duration = Duration::from_secs(10);

/// A browser.
#[derive(Clone)]
pub(crate) struct Browser {
    http: reqwest::Client,
    base: String,
    pub(crate) cookies: BTreeMap<String, String>,
    /// What every request carries besides.
    headers: Vec<(String, String)>,
    /// Where it says that forms are sent from.
    origin: Option<String>,
}

/// What it shows.
#[derive(Debug)]
pub(crate) struct Shown {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) html: String,
}

/// A stream, read block by block.
pub(crate) struct Followed {
    response: reqwest::Response,
    rest: String,
}

impl Followed {
    /// The next block that is no sign of life; `None` at the end.
    pub(crate) async fn block(&mut self) -> Option<String> {
        loop {
            while let Some((block, rest)) = self.rest.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.rest = rest;
                if !block.starts_with(':') {
                    return Some(block);
                }
            }
            let chunk = tokio::time::timeout(PATIENCE, self.response.chunk()).await.expect("something comes in time");
            self.rest.push_str(std::str::from_utf8(&chunk.unwrap()?).unwrap());
        }
    }
}

impl Browser {
    pub(super) fn new(base: &str) -> Self {
        let http = reqwest::Client::builder()
            // A proxy of the machine's has no business between a test and its own server.
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        let base = base.to_owned();
        Self { http, origin: Some(base.clone()), base, cookies: BTreeMap::new(), headers: Vec::new() }
    }

    /// The same browser, sending a header with every request.
    pub(crate) fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same browser, with its forms on a page of another site, or on one that it does not tell.
    pub(crate) fn sending_from(mut self, origin: Option<&str>) -> Self {
        self.origin = origin.map(str::to_owned);
        self
    }

    /// Goes to an address that somebody typed, unless the headers say otherwise; an empty one is not sent.
    pub(crate) async fn get(&mut self, path: &str) -> Shown {
        let request = self.http.get(format!("{}{path}", self.base));
        let is_told = self.headers.iter().any(|(name, _)| name == "sec-fetch-site");
        let request = if is_told { request } else { request.header("sec-fetch-site", "none") };
        self.send(request).await
    }

    /// Sends a form as it stands.
    pub(crate) async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = self.http.post(format!("{}{path}", self.base)).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let request = match &self.origin {
            Some(origin) => request.header("origin", origin),
            None => request,
        };
        self.send(request).await
    }

    /// Sends a form of one of the session's pages.
    pub(crate) async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Shown {
        let token = self.get("/overview").await.form_token();
        let fields: Vec<_> = fields.iter().copied().chain([("form_token", token.as_str())]).collect();
        self.post(path, &fields).await
    }

    pub(crate) async fn sign_in(&mut self, credential: &str) -> Shown {
        self.post("/sign-in", &[("credential", credential)]).await
    }

    /// Any other request.
    pub(crate) async fn send_as(&mut self, method: Method, path: &str) -> Shown {
        let request = self.http.request(method, format!("{}{path}", self.base));
        self.send(request).await
    }

    /// Begins to read what does not end.
    pub(crate) async fn follow(&self, path: &str) -> Followed {
        let request = self.http.get(format!("{}{path}", self.base));
        let response = self.equipped(request).header("accept", "text/event-stream").send().await.unwrap();
        assert_eq!(response.status(), 200);
        Followed { response, rest: String::new() }
    }

    /// A request with what the browser sends of itself.
    fn equipped(&self, mut request: RequestBuilder) -> RequestBuilder {
        for (name, value) in self.headers.iter().filter(|(_, value)| !value.is_empty()) {
            request = request.header(name, value);
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<_> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
            request = request.header("cookie", pairs.join("; "));
        }
        request
    }

    async fn send(&mut self, request: RequestBuilder) -> Shown {
        let response = self.equipped(request).header("accept", "text/html").send().await.unwrap();
        for line in response.headers().get_all(SET_COOKIE) {
            let line = line.to_str().unwrap();
            let (pair, attributes) = line.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            if attributes.contains("Max-Age=0") {
                self.cookies.remove(name);
            } else {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Shown {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            html: response.text().await.unwrap(),
        }
    }
}

impl Shown {
    /// The same, which must have this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.html);
        self
    }

    /// The same, which must lead there.
    #[track_caller]
    pub(crate) fn leads_to(self, path: &str) -> Self {
        assert_eq!((self.status, self.header("location")), (303, path), "{}", self.html);
        self
    }

    /// Whether the page says this; blanks and line breaks count as one blank.
    pub(crate) fn says(&self, text: &str) -> bool {
        self.html.split_whitespace().collect::<Vec<_>>().join(" ").contains(text)
    }

    /// A header, empty when there is none.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// What the fields of the page hold, as a browser would send them, the session's own left out.
    pub(crate) fn fields(&self) -> Vec<(String, String)> {
        let mut fields = Vec::new();
        let mut choosing: Option<(String, Option<String>)> = None;
        for part in self.html.split('<').skip(1) {
            let (tag, text) = part.split_once('>').unwrap_or((part, ""));
            let name = attribute(tag, "name").unwrap_or_default();
            let value = attribute(tag, "value").unwrap_or_default();
            match tag.split_whitespace().next().unwrap_or_default() {
                "input" => {
                    let is_tick = attribute(tag, "type").as_deref() == Some("checkbox");
                    if !is_tick || tag.contains(" checked") {
                        fields.push((name, value));
                    }
                }
                "textarea" => fields.push((name, unescaped(text.strip_prefix('\n').unwrap_or(text)))),
                "select" => choosing = Some((name, None)),
                "option" => {
                    if let Some((_, chosen)) = &mut choosing
                        && (chosen.is_none() || tag.contains(" selected"))
                    {
                        *chosen = Some(value);
                    }
                }
                "/select" => {
                    if let Some((name, chosen)) = choosing.take() {
                        fields.push((name, chosen.unwrap_or_default()));
                    }
                }
                _ => {}
            }
        }
        fields.retain(|(name, _)| !name.is_empty() && name != "form_token");
        fields
    }

    /// What the forms of the page carry.
    #[track_caller]
    pub(crate) fn form_token(&self) -> String {
        let marker = r#"name="form_token" value=""#;
        let (_, rest) = self.html.split_once(marker).unwrap_or_else(|| panic!("no form in {}", self.html));
        rest.split_once('"').unwrap().0.to_owned()
    }
}

/// An attribute of a tag.
fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    rest.split('"').next().map(unescaped)
}

fn unescaped(text: &str) -> String {
    let escapes = [("&#34;", "\""), ("&#39;", "'"), ("&#60;", "<"), ("&#62;", ">"), ("&#38;", "&")];
    escapes.into_iter().fold(text.to_owned(), |text, (escape, meant)| text.replace(escape, meant))
}
