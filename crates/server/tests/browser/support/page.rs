//! A page as somebody uses it: what is there by its name, what is shown, the keyboard.
//!
//! Everything waits for what it needs until a deadline, and what is missing then is told with what the page shows.

use std::fmt;
use std::time::{Duration, Instant};

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};

use super::browser::{Browser, View};
use super::webdriver::{ConsoleLine, Element, Refusal, Session, key};

/// The longest to wait for anything to show.
const PATIENCE: Duration = Duration::from_secs(20);
/// How often to look.
const PERIOD: Duration = Duration::from_millis(30);
/// No page needs more presses of a key to come to anything.
const MOST_PRESSES: usize = 200;

/// In CSS pixels.
const TALLEST_PICTURE: u64 = 2000;

/// Something on a page, by what it is and by its accessible name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    kind: &'static str,
    selector: &'static str,
    name: &'a str,
}

pub(crate) const fn link(name: &str) -> Target<'_> {
    Target { kind: "link", selector: "a[href]", name }
}

pub(crate) const fn button(name: &str) -> Target<'_> {
    Target { kind: "button", selector: "button, input[type=submit], summary", name }
}

pub(crate) const fn field(name: &str) -> Target<'_> {
    Target { kind: "field", selector: "input, select, textarea", name }
}

pub(crate) const fn heading(name: &str) -> Target<'_> {
    Target { kind: "heading", selector: "h1, h2, h3, h4", name }
}

impl fmt::Display for Target<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} '{}'", self.kind, self.name)
    }
}

/// A page of the server in a browser of its own.
pub(crate) struct Page {
    browser: Browser,
    server: String,
}

impl Page {
    /// Opens a page of a server.
    pub(crate) async fn open(server: &str, view: View, path: &str) -> Self {
        let page = Self { browser: Browser::start(view).await, server: server.to_owned() };
        page.go(path).await;
        page
    }

    pub(super) fn session(&self) -> &Session {
        &self.browser.session
    }

    /// Goes to a path of the server.
    pub(crate) async fn go(&self, path: &str) {
        self.go_away(&format!("{}{path}", self.server)).await;
    }

    /// Goes to any address.
    pub(crate) async fn go_away(&self, url: &str) {
        self.session().go(url).await.unwrap();
    }

    /// Loads it anew, as F5 does; what was posted is posted again.
    pub(crate) async fn reload(&self) {
        self.session().reload().await.unwrap();
    }

    /// Has every page from now on begin with this script.
    pub(crate) async fn begins_with(&self, script: &str) {
        let script = json!({"source": script});
        self.session().devtools("Page.addScriptToEvaluateOnNewDocument", script).await.unwrap();
    }

    /// The tab that is looked at.
    pub(crate) async fn tab(&self) -> String {
        self.session().tab().await.unwrap()
    }

    /// Opens a path in a tab of its own, and looks at that from now on; the others are hidden behind it.
    pub(crate) async fn open_tab(&self, path: &str) {
        self.browser.open_tab().await;
        self.go(path).await;
    }

    /// Looks at a tab.
    pub(crate) async fn show_tab(&self, tab: &str) {
        self.session().show_tab(tab).await.unwrap();
    }

    /// The statuses that somebody is answered with who asks for these paths without any page offering them: with a form
    /// of this session where the method is `POST`.
    pub(crate) async fn asks_for(&self, method: &str, paths: &[String]) -> Vec<u64> {
        let ask = format!(
            "const token = document.querySelector('[name=form_token]').value;
             const form = () => new URLSearchParams({{form_token: token, version: 1}});
             const ask = path => fetch(path, {{method: '{method}', body: '{method}' === 'POST' ? form() : undefined}});
             return Promise.all({paths}.map(path => ask(path).then(answer => answer.status)));",
            paths = json!(paths)
        );
        self.run(&ask).await.as_array().unwrap().iter().map(|status| status.as_u64().unwrap()).collect()
    }

    /// Where it is: path and query.
    pub(crate) async fn path(&self) -> String {
        let url = self.session().url().await.unwrap();
        url.strip_prefix(&self.server).unwrap_or(&url).to_owned()
    }

    pub(crate) async fn title(&self) -> String {
        self.session().title().await.unwrap()
    }

    /// What can be read on it.
    pub(crate) async fn text(&self) -> Result<String, Refusal> {
        self.text_of("body").await
    }

    /// What can be read in the first element of a selector. WebDriver's own text leaves out what is there for browsers
    /// without scripts.
    pub(crate) async fn text_of(&self, selector: &str) -> Result<String, Refusal> {
        let text = self.session().run(&format!("return document.querySelector({selector:?})?.innerText")).await?;
        text.as_str().map(ToOwned::to_owned).ok_or_else(|| format!("there is no {selector}"))
    }

    /// Waits until something can be read.
    pub(crate) async fn sees(&self, text: &str) {
        self.until(&format!("'{text}' is shown"), async |page| Ok(page.text().await?.contains(text))).await;
    }

    /// Waits until something cannot be read any more.
    pub(crate) async fn sees_no(&self, text: &str) {
        self.until(&format!("'{text}' is not shown"), async |page| Ok(!page.text().await?.contains(text))).await;
    }

    /// Waits until something is said to those who listen to the page too.
    pub(crate) async fn announces(&self, text: &str) {
        let said = "return [...document.querySelectorAll('[role=alert], [role=status], [aria-live]')]
            .map(region => region.innerText).join('\\n')";
        let announced =
            async |page: &Self| Ok(page.session().run(said).await?.as_str().is_some_and(|said| said.contains(text)));
        self.until(&format!("'{text}' is announced"), announced).await;
    }

    /// Waits until a condition holds. A refusal counts as not yet: while a page changes, its elements come and go.
    pub(crate) async fn until(&self, what: &str, mut condition: impl AsyncFnMut(&Self) -> Result<bool, Refusal>) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let last = condition(self).await;
            if last == Ok(true) {
                return;
            }
            assert!(Instant::now() < deadline, "not in time: {what} ({last:?})\n{}", self.seen().await);
            tokio::time::sleep(PERIOD).await;
        }
    }

    /// Waits for something, and gives it.
    pub(crate) async fn find(&self, target: Target<'_>) -> Element {
        let mut found = None;
        self.until(&format!("there is a {target}"), async |page| {
            found = page.look_for(target).await?;
            Ok(found.is_some())
        })
        .await;
        found.unwrap()
    }

    /// Something, if it is shown now.
    pub(crate) async fn look_for(&self, target: Target<'_>) -> Result<Option<Element>, Refusal> {
        for element in self.session().find_all(target.selector).await? {
            if self.session().name(&element).await? == target.name && self.session().is_displayed(&element).await? {
                return Ok(Some(element));
            }
        }
        Ok(None)
    }

    pub(crate) async fn click(&self, target: Target<'_>) {
        self.until(&format!("{target} is clicked"), async |page| {
            let Some(element) = page.look_for(target).await? else { return Ok(false) };
            page.session().click(&element).await.map(|()| true)
        })
        .await;
    }

    /// Types into a field in place of what it holds.
    pub(crate) async fn fill(&self, target: Target<'_>, text: &str) {
        let element = self.find(target).await;
        self.session().clear(&element).await.unwrap();
        self.session().type_into(&element, text).await.unwrap();
    }

    /// Chooses one of what a field offers, by what it is called there.
    pub(crate) async fn choose(&self, target: Target<'_>, option: &str) {
        let element = self.find(target).await;
        self.session().type_into(&element, option).await.unwrap();
    }

    /// Signs in where that is asked for.
    pub(crate) async fn sign_in(&self, credential: &str) {
        self.fill(field("API key or token"), credential).await;
        self.click(button("Sign in")).await;
        self.find(button("Sign out")).await;
    }

    /// Presses keys, wherever the focus is: text, or what [`key`] names.
    pub(crate) async fn press(&self, keys: impl Into<String>) {
        self.session().press(&[], &keys.into()).await.unwrap();
    }

    /// Goes to something by the keyboard alone, forwards; fails when the focus cannot be seen on the way there.
    pub(crate) async fn tab_to(&self, target: Target<'_>) {
        self.walk(&[], target).await;
    }

    /// The same, backwards.
    pub(crate) async fn tab_back_to(&self, target: Target<'_>) {
        self.walk(&[key::SHIFT], target).await;
    }

    async fn walk(&self, held: &[char], target: Target<'_>) {
        self.find(target).await;
        for _ in 0..MOST_PRESSES {
            if self.focus_is_on(target).await {
                return;
            }
            self.session().press(held, &key::TAB.to_string()).await.unwrap();
            let visible = self.run(FOCUS_IS_VISIBLE).await;
            assert!(visible == true, "the focus cannot be seen on {visible}\n{}", self.seen().await);
        }
        panic!("the keyboard does not reach {target}\n{}", self.seen().await);
    }

    /// Whether something has the keyboard. It may be another element than a moment ago, in a part that was shown anew.
    pub(crate) async fn focus_is_on(&self, target: Target<'_>) -> bool {
        let mut is_there = false;
        self.until("what has the focus holds still", async |page| {
            let focused = page.session().focused().await?;
            let of_its_kind = format!("return document.activeElement.matches({:?})", target.selector);
            is_there =
                page.session().name(&focused).await? == target.name && page.session().run(&of_its_kind).await? == true;
            Ok(true)
        })
        .await;
        is_there
    }

    /// What the body of a function gives in the page, beside its scripts and its policy.
    pub(crate) async fn run(&self, function: &str) -> Value {
        self.session().run(function).await.unwrap()
    }

    /// Whether it is wider than its window.
    pub(crate) async fn scrolls_sideways(&self) -> bool {
        let wider = "return document.documentElement.scrollWidth > document.documentElement.clientWidth";
        self.run(wider).await == true
    }

    /// Fails if it is wider than its window, and tells what of it is.
    pub(crate) async fn fits(&self) {
        if self.scrolls_sideways().await {
            let wide = self.run(WIDE).await;
            panic!("too wide is {wide:#}\n{}", self.seen().await);
        }
    }

    /// The top of it as it looks, in WebP.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        let layout = self.session().devtools("Page.getLayoutMetrics", json!({})).await.unwrap();
        let (width, height) =
            (&layout["cssContentSize"]["width"], layout["cssContentSize"]["height"].as_u64().unwrap());
        let height = height.min(TALLEST_PICTURE);
        let clip = json!({"x": 0, "y": 0, "width": width, "height": height, "scale": 1});
        let wanted = json!({"format": "webp", "quality": 80, "clip": clip});
        // What keeps to the window's edge is to keep to the picture's.
        self.browser.stretch(Some(height)).await;
        let taken = self.session().devtools("Page.captureScreenshot", wanted).await.unwrap();
        self.browser.stretch(None).await;
        BASE64_STANDARD.decode(taken["data"].as_str().unwrap()).unwrap()
    }

    /// Where it is and what it shows, for a failure; with a picture, since a text does not tell what lies over what.
    pub(super) async fn seen(&self) -> String {
        let shown = self.text().await.unwrap_or_else(|refusal| refusal);
        let test = std::thread::current().name().unwrap_or("test").replace("::", "-");
        let picture = format!("{}/{test}.webp", env!("CARGO_TARGET_TMPDIR"));
        std::fs::write(&picture, self.picture().await).unwrap();
        format!("{} (see {picture}) shows:\n{shown}", self.path().await)
    }

    /// Closes it, having made sure that the console holds neither errors nor warnings, which breaches of the content
    /// security policy are too.
    pub(crate) async fn close(self) {
        self.close_having_met(&[]).await;
    }

    /// The same, where pages had these statuses on purpose: the browser calls a refusal an error.
    pub(crate) async fn close_having_met(self, statuses: &[u16]) {
        let met = |line: &str| statuses.iter().any(|status| line.contains(&format!("a status of {status} ")));
        self.close_but_for(met).await;
    }

    /// The same, where the server was gone for a while.
    pub(crate) async fn close_having_lost_the_server(self) {
        self.close_but_for(|line| line.contains("net::ERR_")).await;
    }

    async fn close_but_for(self, is_expected: impl Fn(&str) -> bool) {
        let said = self.session().console().await.unwrap();
        let is_bad =
            |line: &&ConsoleLine| ["SEVERE", "WARNING"].contains(&line.level.as_str()) && !is_expected(&line.message);
        let bad: Vec<_> = said.iter().filter(is_bad).map(ToString::to_string).collect();
        assert!(bad.is_empty(), "the console says:\n{}", bad.join("\n"));
        self.session().end().await.unwrap();
    }
}

/// True when the focus has left the page, or is drawn around what has it and nothing lies over that; else what has it.
const FOCUS_IS_VISIBLE: &str = "
    const element = document.activeElement;
    if (element === null || element === document.body || element === document.documentElement) return true;
    const style = getComputedStyle(element);
    const drawn = (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) > 0) || style.boxShadow !== 'none';
    // The parts of a field for a date or a time are stops of their own, within it.
    const hasParts = element.matches('input:is([type=date], [type=time], [type=datetime-local])');
    const isMarked = drawn && element.matches(hasParts ? ':focus-within' : ':focus-visible');
    const box = element.getClientRects()[0];
    const [left, right] = [Math.max(box.left, 0), Math.min(box.right, innerWidth)];
    const [top, bottom] = [Math.max(box.top, 0), Math.min(box.bottom, innerHeight)];
    const there = document.elementFromPoint((left + right) / 2, (top + bottom) / 2);
    const isOnTop = there !== null && (element.contains(there) || there.contains(element));
    return isMarked && isOnTop ? true : `${isMarked ? 'covered' : 'unmarked'}: ${element.outerHTML.slice(0, 200)}`;";

/// What reaches beyond the window's right edge, the innermost last.
const WIDE: &str = "
    const isWide = element => element.getBoundingClientRect().right > document.documentElement.clientWidth + 1;
    return [...document.querySelectorAll('body *')].filter(isWide).map(element => element.outerHTML.slice(0, 200)).slice(-6);";
