//! Chromium, driven over `WebDriver`.

use std::path::PathBuf;
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::wd::{Capabilities, WebDriverCompatibleCommand};
use fantoccini::{Client, ClientBuilder, Locator};
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};
use url::{ParseError, Url};

use crate::{PATIENCE, start};

/// What the browser looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Screen {
    /// 1280 by 960, light.
    Desktop,
    /// 1280 by 960, dark.
    DesktopDark,
    /// 390 by 844 at double density, dark.
    Phone,
}

/// A browser with one page open.
#[derive(Debug)]
pub struct Browser {
    /// For what is not below.
    pub client: Client,
    driver: Child,
    _profile: TempDir,
}

impl Browser {
    /// Starts a browser of its own and opens a page in it.
    pub async fn open(screen: Screen, url: &str) -> Self {
        let profile = TempDir::new().unwrap();
        let mut command = Command::new("chromedriver");
        command.arg("--port=0");
        let (driver, port) = start(command, "started successfully on port").await;
        let port = port.trim_end_matches('.');
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities(screen, &profile))
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .expect("chromium starts");
        client.goto(url).await.unwrap();
        Self { client, driver, _profile: profile }
    }

    /// Ends it; fails if a page threw something that nobody caught or wrote an error to the console. (When a test fails,
    /// dropping the driver ends both.)
    pub async fn close(self) {
        self.close_after(&[]).await;
    }

    /// The same where something had to go wrong: errors that hold one of these words are none.
    pub async fn close_after(mut self, expected: &[&str]) {
        let errors = self.errors().await;
        let unexpected: Vec<_> =
            errors.iter().filter(|error| expected.iter().all(|word| !error.contains(word))).collect();
        assert!(unexpected.is_empty(), "{unexpected:#?}");
        self.client.close().await.unwrap();
        self.driver.kill().await.unwrap();
    }

    /// What the browser's console tells of errors since it was asked last: uncaught ones, those that scripts write there,
    /// and what could not be loaded or was refused.
    pub async fn errors(&self) -> Vec<String> {
        let lines = self.client.issue_cmd(ConsoleLog).await.unwrap();
        let errors = lines.as_array().unwrap().iter().filter(|line| line["level"] == "SEVERE");
        errors.map(|line| format!("{}: {}", line["source"], line["message"])).collect()
    }

    /// Waits for an element.
    pub async fn find(&self, selector: &str) -> Element {
        let found = self.client.wait().at_most(PATIENCE).for_element(Locator::Css(selector)).await;
        found.unwrap_or_else(|error| panic!("{selector}: {error}"))
    }

    /// Clicks an element, as a person would: it has to be visible.
    pub async fn click(&self, selector: &str) {
        self.find(selector).await.click().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Types into an element.
    pub async fn fill(&self, selector: &str, text: &str) {
        self.find(selector).await.send_keys(text).await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Waits until an element's visible text is `expected`.
    pub async fn reads(&self, selector: &str, expected: &str) {
        let script = "return document.querySelector(arguments[0])?.innerText.trim()";
        self.becomes(script, json!(selector), json!(expected)).await;
    }

    /// Waits until an element's visible text holds `expected`.
    pub async fn says(&self, selector: &str, expected: &str) {
        let script =
            "return document.querySelector(arguments[0][0])?.innerText.includes(arguments[0][1]) ?? false";
        self.becomes(script, json!([selector, expected]), json!(true)).await;
    }

    /// Waits until so many elements are visible.
    pub async fn counts(&self, selector: &str, expected: usize) {
        let script =
            "return [...document.querySelectorAll(arguments[0])].filter((e) => e.checkVisibility()).length";
        self.becomes(script, json!(selector), json!(expected)).await;
    }

    async fn becomes(&self, script: &str, argument: Value, expected: Value) {
        let mut last = Value::Null;
        let watching = async {
            while last != expected {
                tokio::time::sleep(Duration::from_millis(50)).await;
                last = self.client.execute(script, vec![argument.clone()]).await.unwrap();
            }
        };
        let seen = tokio::time::timeout(PATIENCE, watching).await.is_ok();
        assert!(seen, "{argument} is {last}, not {expected}");
    }

    /// Takes a picture into `target/screenshots`, and makes sure that there is something in it: a
    /// picture of an empty window compresses to a fraction.
    pub async fn picture(&self, name: &str) {
        let picture = self.client.screenshot().await.unwrap();
        let tab = self.client.window().await.unwrap();
        let blank = self.client.new_window(true).await.unwrap();
        self.client.switch_to_window(blank.handle).await.unwrap();
        let nothing = self.client.screenshot().await.unwrap();
        self.client.close_window().await.unwrap();
        self.client.switch_to_window(tab).await.unwrap();

        let folder = folder();
        tokio::fs::create_dir_all(&folder).await.unwrap();
        tokio::fs::write(folder.join(format!("{name}.png")), &picture).await.unwrap();
        assert!(picture.len() > 4 * nothing.len(), "{name} is as good as blank: {} bytes", picture.len());
    }
}

/// Chromium's own command for its console (`POST /session/{id}/se/log`).
#[derive(Debug)]
struct ConsoleLog;

impl WebDriverCompatibleCommand for ConsoleLog {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({"type": "browser"}).to_string()))
    }
}

fn capabilities(screen: Screen, profile: &TempDir) -> Capabilities {
    let mut arguments = vec![
        format!("--user-data-dir={}", profile.path().display()),
        "--headless".to_owned(),
        "--no-sandbox".to_owned(), // its sandbox refuses to run as root, which containers do
        "--disable-gpu".to_owned(),
        "--disable-dev-shm-usage".to_owned(), // containers have little shared memory
        "--hide-scrollbars".to_owned(),
    ];
    // Nothing of it may call home.
    arguments.extend(
        ["background-networking", "component-update", "default-apps", "quic", "sync"]
            .map(|feature| format!("--disable-{feature}")),
    );
    arguments.push("--no-first-run".to_owned());
    let mut options = match screen {
        Screen::Desktop => {
            arguments.push("--window-size=1280,960".to_owned());
            json!({})
        }
        Screen::DesktopDark => {
            arguments.extend(["--window-size=1280,960".to_owned(), "--force-dark-mode".to_owned()]);
            json!({})
        }
        Screen::Phone => {
            arguments.push("--force-dark-mode".to_owned());
            json!({"mobileEmulation": {"deviceMetrics": {"width": 390, "height": 844, "pixelRatio": 2}}})
        }
    };
    options["args"] = json!(arguments);
    Capabilities::from_iter([
        ("goog:chromeOptions".to_owned(), options),
        ("goog:loggingPrefs".to_owned(), json!({"browser": "ALL"})),
    ])
}

/// `target/screenshots`, wherever the target folder is.
fn folder() -> PathBuf {
    let test = std::env::current_exe().unwrap(); // …/debug/deps/inbox-0123
    test.ancestors().nth(3).unwrap().join("screenshots")
}
