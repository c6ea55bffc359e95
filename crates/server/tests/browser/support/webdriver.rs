//! WebDriver (W3C), as far as these tests speak it: JSON over HTTP, to ChromeDriver.
//!
//! Written here because the ready-made clients cost more than these lines. `thirtyfour` turns on `preserve_order` of
//! `serde_json` for every crate that is compiled with it, so that everything would be tested as it is not shipped;
//! `webdriver`, which `fantoccini` builds on, has a licence that deny.toml does not allow.

use std::fmt;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Map, Value, json};

/// The longest that one command may take; loading a page is one.
const PATIENCE: Duration = Duration::from_secs(30);

/// The member that holds an element's id, a constant of the protocol.
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// Keys that are no characters, by their code points in the protocol.
pub(crate) mod key {
    pub(crate) const TAB: char = '\u{E004}';
    pub(crate) const ENTER: char = '\u{E007}';
    pub(crate) const SHIFT: char = '\u{E008}';
    pub(crate) const ESCAPE: char = '\u{E00C}';
}

/// Why the browser did not do as it was told, such as `stale element reference: …`.
pub(crate) type Refusal = String;

/// An element of the page that is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element(String);

/// One line of the browser's console.
pub(crate) struct ConsoleLine {
    /// `SEVERE` of errors, `WARNING`, `INFO`, `DEBUG`.
    pub(crate) level: String,
    pub(crate) message: String,
}

impl fmt::Display for ConsoleLine {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}: {}", self.level, self.message)
    }
}

/// A browser that is driven.
pub(crate) struct Session {
    client: reqwest::Client,
    url: String,
}

impl Session {
    /// Starts a browser that has all these capabilities.
    pub(crate) async fn begin(driver: &str, capabilities: Value) -> Result<Self, Refusal> {
        let client = reqwest::Client::builder().no_proxy().timeout(PATIENCE).build().unwrap();
        let mut session = Self { client, url: format!("{driver}/session") };
        let begun = session.post("", json!({"capabilities": {"alwaysMatch": capabilities}})).await?;
        session.url = format!("{}/{}", session.url, text(&begun["sessionId"]));
        Ok(session)
    }

    /// Closes the browser.
    pub(crate) async fn end(&self) -> Result<(), Refusal> {
        self.send(Method::DELETE, "", None).await.map(drop)
    }

    pub(crate) async fn go(&self, url: &str) -> Result<(), Refusal> {
        self.post("/url", json!({"url": url})).await.map(drop)
    }

    /// Loads the page anew, as F5 does.
    pub(crate) async fn reload(&self) -> Result<(), Refusal> {
        self.post("/refresh", json!({})).await.map(drop)
    }

    /// The tab that is driven, by its name.
    pub(crate) async fn tab(&self) -> Result<String, Refusal> {
        self.get("/window").await.map(|tab| text(&tab))
    }

    /// Opens a tab, and drives that from now on.
    pub(crate) async fn open_tab(&self) -> Result<(), Refusal> {
        let opened = self.post("/window/new", json!({"type": "tab"})).await?;
        self.show_tab(&text(&opened["handle"])).await
    }

    /// Drives a tab from now on, which lies above the others then.
    pub(crate) async fn show_tab(&self, tab: &str) -> Result<(), Refusal> {
        self.post("/window", json!({"handle": tab})).await?;
        self.devtools("Page.bringToFront", json!({})).await.map(drop)
    }

    pub(crate) async fn url(&self) -> Result<String, Refusal> {
        self.get("/url").await.map(|url| text(&url))
    }

    pub(crate) async fn title(&self) -> Result<String, Refusal> {
        self.get("/title").await.map(|title| text(&title))
    }

    /// The elements that a CSS selector selects, in the order of the page.
    pub(crate) async fn find_all(&self, selector: &str) -> Result<Vec<Element>, Refusal> {
        let found = self.post("/elements", json!({"using": "css selector", "value": selector})).await?;
        Ok(found.as_array().unwrap().iter().map(element).collect())
    }

    /// The element that has the keyboard; the page's body when none does.
    pub(crate) async fn focused(&self) -> Result<Element, Refusal> {
        self.get("/element/active").await.map(|found| element(&found))
    }

    /// An element's accessible name: what assistive technology calls it.
    pub(crate) async fn name(&self, element: &Element) -> Result<String, Refusal> {
        self.get(&format!("/element/{}/computedlabel", element.0)).await.map(|name| text(&name))
    }

    pub(crate) async fn is_displayed(&self, element: &Element) -> Result<bool, Refusal> {
        self.get(&format!("/element/{}/displayed", element.0)).await.map(|shown| shown == true)
    }

    /// Clicks an element, and waits for the page to which that leads, if any.
    pub(crate) async fn click(&self, element: &Element) -> Result<(), Refusal> {
        self.post(&format!("/element/{}/click", element.0), json!({})).await.map(drop)
    }

    /// Empties a field.
    pub(crate) async fn clear(&self, element: &Element) -> Result<(), Refusal> {
        self.post(&format!("/element/{}/clear", element.0), json!({})).await.map(drop)
    }

    /// Types into a field.
    pub(crate) async fn type_into(&self, element: &Element, text: &str) -> Result<(), Refusal> {
        self.post(&format!("/element/{}/value", element.0), json!({"text": text})).await.map(drop)
    }

    /// Presses keys one after the other, wherever the focus is, while `held` are held.
    pub(crate) async fn press(&self, held: &[char], keys: &str) -> Result<(), Refusal> {
        let down = |key: char| json!({"type": "keyDown", "value": key.to_string()});
        let up = |key: char| json!({"type": "keyUp", "value": key.to_string()});
        let mut actions: Vec<Value> = held.iter().copied().map(down).collect();
        actions.extend(keys.chars().flat_map(|key| [down(key), up(key)]));
        actions.extend(held.iter().rev().copied().map(up));
        let keyboard = json!({"actions": [{"type": "key", "id": "keyboard", "actions": actions}]});
        self.post("/actions", keyboard).await.map(drop)
    }

    /// What the body of a function gives in the page, which its own policy does not hinder; a promise is waited for.
    pub(crate) async fn run(&self, function: &str) -> Result<Value, Refusal> {
        self.post("/execute/sync", json!({"script": function, "args": []})).await
    }

    /// A command of the Chrome DevTools Protocol, for what WebDriver has no word for.
    pub(crate) async fn devtools(&self, command: &str, parameters: Value) -> Result<Value, Refusal> {
        self.post("/goog/cdp/execute", json!({"cmd": command, "params": parameters})).await
    }

    /// What the console said since the last call, of all pages.
    pub(crate) async fn console(&self) -> Result<Vec<ConsoleLine>, Refusal> {
        let lines = self.post("/se/log", json!({"type": "browser"})).await?;
        let line = |line: &Value| ConsoleLine { level: text(&line["level"]), message: text(&line["message"]) };
        Ok(lines.as_array().unwrap().iter().map(line).collect())
    }

    async fn get(&self, path: &str) -> Result<Value, Refusal> {
        self.send(Method::GET, path, None).await
    }

    async fn post(&self, path: &str, body: Value) -> Result<Value, Refusal> {
        self.send(Method::POST, path, Some(body)).await
    }

    async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Result<Value, Refusal> {
        let mut request = self.client.request(method, format!("{}{path}", self.url));
        if let Some(body) = &body {
            request = request.json(body);
        }
        let answer = request.send().await.map_err(|error| format!("ChromeDriver does not answer: {error}"))?;
        let done = answer.status().is_success();
        let mut answer: Map<String, Value> =
            answer.json().await.map_err(|error| format!("ChromeDriver answers something else than JSON: {error}"))?;
        let value = answer.remove("value").unwrap_or_default();
        if done { Ok(value) } else { Err(format!("{}: {}", text(&value["error"]), text(&value["message"]))) }
    }
}

fn element(value: &Value) -> Element {
    Element(text(&value[ELEMENT]))
}

/// A text; nothing for what is none.
fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
