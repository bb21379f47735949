//! Runs the recorded exchanges in `golden/*.http`.
//!
//! A file is one exchange as it goes over the wire, below a head of `#` lines:
//!
//! ```text
//! # What it shows, in a sentence.
//! # section: {"auth":"none",…}               what the dialect's section has besides tokens
//! # options: {"strict":true}                 the tenant's options
//! # tenant: disabled                         what is special about the tenant
//! # given: POST /v1/otp/resend {"email":"…"} -> 200    a call before; the status may be left out
//! # given: wait 31                           seconds
//! # given: store down                        and: hook refuses, hook unavailable
//! # given: directory knows onlydev {"email":"…"}    what its hook answers; and: directory down
//! # sends: email to …, sms to …              what the exchange sends; without this line, nothing
//! ```
//!
//! `<code>` stands for the latest code sent, `<code of ADDRESS>` for the latest one sent there,
//! `<first code>` for the first one, `<wrong code>` for a code that was not sent last. `Content-Length` of a request with such a place holder is left out.

use countersign_core::testkit::tenant;
use serde_json::json;

use super::app::App;
use crate::hooks::HookError;
use crate::testing::{Recorded, make, parse_request, run_all, written};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dialects/zap/golden");

/// Shows: W1.
#[tokio::test]
async fn every_recorded_exchange_is_answered_byte_for_byte() {
    run_all(FOLDER, 100, run).await;
}

/// Answers what came instead, or was sent besides.
async fn run(recorded: &Recorded) -> Result<(), String> {
    let mut app = prepare(recorded).await;
    let request = fill(&mut app, &recorded.request).await;
    let reply = app.call(parse_request(&request)).await;
    let answer = written(reply.status, &reply.headers, &reply.body);
    if answer != recorded.expected(&reply.headers) {
        return Err(answer);
    }
    app.engine.set_down(false);
    let sent = app.sent().await;
    if sent == recorded.sends() { Ok(()) } else { Err(format!("sent: {sent:?}")) }
}

/// Builds the service and takes the steps that lead to the exchange.
async fn prepare(recorded: &Recorded) -> App {
    let mut acme = tenant("acme");
    for what in recorded.all("tenant") {
        make(&mut acme, what);
    }
    let mut section = recorded.settings("section");
    section["tenants"] = json!({ "acme": recorded.settings("options") });
    let mut app = App::build(section, acme);
    for step in recorded.all("given") {
        let step = fill(&mut app, step).await;
        match step.split_once(' ').unwrap() {
            ("POST", call) => {
                let (path, body) = call.split_once(' ').unwrap();
                let (body, status) = body.split_once(" -> ").unwrap_or((body, "200"));
                let reply = app.post_text(path, body).await;
                assert_eq!(reply.status.as_str(), status, "{step}: {}", reply.body);
            }
            ("wait", seconds) => app.wait(seconds.parse().unwrap()),
            ("store", "down") => app.engine.set_down(true),
            ("directory", "down") => app.hook.set_directory_down(true),
            ("directory", what) => {
                let (name, answer) = what.strip_prefix("knows ").unwrap().split_once(' ').unwrap();
                app.hook.knows(name, answer);
            }
            ("hook", "refuses") => app.hook.fail_next(HookError::Refused),
            ("hook", "unavailable") => app.hook.fail_next(HookError::Unavailable),
            _ => panic!("no such step: {step}"),
        }
        app.sent().await;
    }
    app
}

async fn fill(app: &mut App, text: &str) -> String {
    let mut text = text.to_owned();
    while let Some((start, end)) = text.find("<code of ").and_then(|s| Some((s, s + text[s..].find('>')?))) {
        let code = app.code(&text[start + "<code of ".len()..end]).await;
        text.replace_range(start..=end, &code);
    }
    if text.contains("<first code>") {
        text = text.replace("<first code>", &app.first_code().await);
    }
    if text.contains("<code>") {
        text = text.replace("<code>", &app.last_code().await);
    }
    if text.contains("<wrong code>") {
        text = text.replace("<wrong code>", &app.wrong_code().await);
    }
    text
}
