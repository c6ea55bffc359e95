//! Chromium, started for one test and gone with it.

use std::io::{BufRead, BufReader};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::webdriver::Session;

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    /// Of the window, in CSS pixels.
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) dark: bool,
    pub(crate) scripts: bool,
    /// Of whoever looks.
    pub(crate) zone: &'static str,
}

impl View {
    /// A window on a desk, in light.
    pub(crate) const DESKTOP: Self = Self { width: 1280, height: 800, dark: false, scripts: true, zone: ZONE };
    /// The phone of most people.
    pub(crate) const PHONE: Self = Self { width: 375, height: 812, ..Self::DESKTOP };
    /// The narrowest that WCAG 2.2 asks for (1.4.10, reflow).
    pub(crate) const NARROW: Self = Self { width: 320, height: 640, ..Self::DESKTOP };

    pub(crate) const fn dark(self) -> Self {
        Self { dark: true, ..self }
    }

    pub(crate) const fn in_zone(self, zone: &'static str) -> Self {
        Self { zone, ..self }
    }

    pub(crate) const fn without_scripts(self) -> Self {
        Self { scripts: false, ..self }
    }
}

/// The zone of whoever looks, unless said otherwise; half an hour off the hours of UTC.
pub(crate) const ZONE: &str = "Australia/Adelaide";

/// Console lines of breaches of the content security policy, from every page and frame, wherever they come from.
const TELL_OF_BREACHES: &str = "addEventListener('securitypolicyviolation', breach => console.error(
    `content security policy: ${breach.violatedDirective} stopped ${breach.blockedURI} ${breach.sample}`))";

/// A browser with its driver.
pub(crate) struct Browser {
    pub(crate) session: Session,
    view: View,
    driver: Child,
    /// Everything that the two write.
    _folder: tempfile::TempDir,
}

impl Browser {
    pub(crate) async fn start(view: View) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (driver, url) = start_driver(folder.path());
        let mut flags = vec![
            format!("--user-data-dir={}", folder.path().join("profile").display()),
            format!("--window-size={},{}", view.width, view.height),
        ];
        flags.extend(FLAGS.map(ToOwned::to_owned));
        let mut options = json!({"args": flags});
        if !view.scripts {
            options["prefs"] = json!({"profile.managed_default_content_settings.javascript": 2});
        }
        let capabilities = json!({"goog:loggingPrefs": {"browser": "ALL"}, "goog:chromeOptions": options});
        let session = Session::begin(&url, capabilities).await.unwrap();
        let browser = Self { session, view, driver, _folder: folder };
        browser.look().await;
        browser
    }

    /// Opens a tab that looks as the first one does.
    pub(crate) async fn open_tab(&self) {
        self.session.open_tab().await.unwrap();
        self.look().await;
    }

    /// Makes the window so high; as high as it was without a height.
    pub(super) async fn stretch(&self, height: Option<u64>) {
        let View { width, height: usual, .. } = self.view;
        let height = height.unwrap_or_else(|| usual.into());
        // The window itself does not get narrower than 500 pixels.
        let size = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.session.devtools("Emulation.setDeviceMetricsOverride", size).await.unwrap();
    }

    async fn look(&self) {
        let view = self.view;
        self.stretch(None).await;
        let scheme = if view.dark { "dark" } else { "light" };
        let features = json!([
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]);
        for (command, parameters) in [
            ("Emulation.setEmulatedMedia", json!({"features": features})),
            ("Emulation.setTimezoneOverride", json!({"timezoneId": view.zone})),
            ("Emulation.setLocaleOverride", json!({"locale": "en-GB"})),
            ("Page.addScriptToEvaluateOnNewDocument", json!({"source": TELL_OF_BREACHES})),
        ] {
            self.session.devtools(command, parameters).await.unwrap();
        }
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The browser is in its driver's process group, and would outlive it.
        let group = format!("-{}", self.driver.id());
        drop(Command::new("kill").args(["-s", "KILL", "--", &group]).status());
        drop(self.driver.wait());
    }
}

/// Headless, and alone with the server under test.
const FLAGS: [&str; 10] = [
    "--headless",
    // Its sandbox does not start as root, nor in most containers; the only pages it sees are this server's.
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // They would take room from what is measured and pictured, and on phones there are none.
    "--hide-scrollbars",
];

/// ChromeDriver on a port that the system chooses, and its address.
fn start_driver(folder: &Path) -> (Child, String) {
    let mut command = Command::new("chromedriver");
    command.arg("--port=0").stdout(Stdio::piped()).stderr(Stdio::null()).process_group(0).env("TMPDIR", folder);
    let mut driver =
        command.spawn().expect("chromedriver is on PATH: scripts/test installs it (package chromium-driver)");
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines().map_while(Result::ok);
    let port = lines
        .find_map(|line| Some(line.split_once("started successfully on port ")?.1.trim_end_matches('.').to_owned()))
        .expect("ChromeDriver says where it listens");
    // Read on, since a full pipe would stop it.
    std::thread::spawn(move || lines.for_each(drop));
    (driver, format!("http://127.0.0.1:{port}"))
}
