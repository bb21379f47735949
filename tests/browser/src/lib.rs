//! What the page tests stand on: the built program in dev mode, and a browser that looks at it.
//!
//! Nothing is skipped: without the program, `chromium` or `chromedriver` every test fails. To leave
//! them out is the runner's decision (`cargo xtask test --without-browser`).
#![allow(clippy::unwrap_used, reason = "a test harness: what cannot go on stops the test")]

mod browser;
mod service;

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::sync::{Mutex, MutexGuard};

pub use browser::{Browser, Screen};
pub use service::{Answer, Service};

/// How long anything on a page may take. Generous: it is only waited for when something is wrong.
pub const PATIENCE: Duration = Duration::from_secs(20);

static TURN: Mutex<()> = Mutex::const_new(());

/// One browser at a time: several fight for cores until the slowest one fails.
pub async fn turn() -> MutexGuard<'static, ()> {
    TURN.lock().await
}

/// Starts a program and reads its standard output up to the line that holds `sign`; returns what
/// follows there. The program is killed when its handle is dropped.
async fn start(mut command: Command, sign: &str) -> (Child, String) {
    let name = command.as_std().get_program().display().to_string();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{name} cannot be started: {error}"));
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some((_, rest)) = line.split_once(sign) {
                return Some(rest.trim().to_owned());
            }
        }
        None
    };
    let found = tokio::time::timeout(PATIENCE, ready).await;
    let found = found.unwrap_or_else(|_| panic!("{name} does not say {sign:?}"));
    let found = found.unwrap_or_else(|| panic!("{name} ended without saying {sign:?}"));
    // Whoever writes into a full pipe stands still.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, found)
}
