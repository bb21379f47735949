//! Chromium, driven over `WebDriver`.

use std::path::PathBuf;
use std::time::Duration;

use fantoccini::elements::Element;
use fantoccini::wd::Capabilities;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::{PATIENCE, start};

/// What the browser looks like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Screen {
    /// 1280 by 960, light.
    Desktop,
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

    /// Ends it. (When a test fails, dropping the driver ends both.)
    pub async fn close(mut self) {
        self.client.close().await.unwrap();
        self.driver.kill().await.unwrap();
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
        Screen::Phone => {
            arguments.push("--force-dark-mode".to_owned());
            json!({"mobileEmulation": {"deviceMetrics": {"width": 390, "height": 844, "pixelRatio": 2}}})
        }
    };
    options["args"] = json!(arguments);
    Capabilities::from_iter([("goog:chromeOptions".to_owned(), options)])
}

/// `target/screenshots`, wherever the target folder is.
fn folder() -> PathBuf {
    let test = std::env::current_exe().unwrap(); // …/debug/deps/inbox-0123
    test.ancestors().nth(3).unwrap().join("screenshots")
}
