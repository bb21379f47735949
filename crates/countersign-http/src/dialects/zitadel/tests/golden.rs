//! Runs the recorded exchanges in `golden/*.http`.
//!
//! A file is one exchange as it goes over the wire, below a head of `#` lines:
//!
//! ```text
//! # What it shows, in a sentence.
//! # options: {"default_region":"DE"}         the tenant's options
//! # tenant: disabled                         what is special about the tenant
//! # given: POST /v2/users/…/phone/resend {} -> 200    a call before, by PAT123; the status may be left out
//! # given: wait 31                           seconds
//! # given: store down
//! # given: clock breaks                     a panic, as far as the caller goes
//! # sends: sms to …, email to …              what the exchange sends; without this line, nothing
//! ```
//!
//! `<code>` stands for the latest code, sent or handed back, in requests and in answers; `<wrong code>` for
//! another one; `<id>` for an id that was drawn. `Content-Length` of a request with such a place holder is left out.

use std::sync::atomic::Ordering;

use countersign_core::names::Channel;
use countersign_core::tenant::Tenant;

use super::app::App;
use crate::testing::{Recorded, make, parse_request, run_all, written};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dialects/zitadel/golden");

/// Shows: W1.
#[tokio::test]
async fn every_recorded_exchange_is_answered_byte_for_byte() {
    run_all(FOLDER, 230, run).await;
}

/// Answers what came instead, or was sent besides.
async fn run(recorded: &Recorded) -> Result<(), String> {
    let app = prepare(recorded).await;
    let request = fill(&app, &recorded.request).await;
    let reply = app.send(parse_request(&request)).await;
    let answer = written(reply.status, &reply.headers, &blank(reply.text()));
    if answer.trim() != recorded.expected(&reply.headers) {
        return Err(answer);
    }
    app.engine.set_down(false);
    app.clock.broken.store(false, Ordering::Relaxed);
    let sent = app.sent().await;
    if sent == recorded.sends() { Ok(()) } else { Err(format!("sent: {sent:?}")) }
}

/// Builds the service and takes the steps that lead to the exchange.
async fn prepare(recorded: &Recorded) -> App {
    let change = |acme: &mut Tenant| recorded.all("tenant").into_iter().for_each(|what| make(acme, what));
    let app = App::build(&recorded.settings("options"), change, &Channel::ALL).await;
    for step in recorded.all("given") {
        let step = fill(&app, step).await;
        match step.split_once(' ').unwrap() {
            ("wait", seconds) => app.wait(seconds.parse().unwrap()),
            ("store", "down") => app.engine.set_down(true),
            // The last step: nothing works without a clock.
            ("clock", "breaks") => {
                app.clock.broken.store(true, Ordering::Relaxed);
                return app;
            }
            (method, call) => {
                let (path, body) = call.split_once(' ').unwrap_or((call, ""));
                let (body, status) = body.split_once(" -> ").unwrap_or((body, "200"));
                let reply = app.call("PAT123", method, path, body).await;
                assert_eq!(reply.status.as_str(), status, "{step}: {}", reply.text());
            }
        }
        app.sent().await;
    }
    app
}

async fn fill(app: &App, text: &str) -> String {
    let mut text = text.to_owned();
    if text.contains("code>") {
        let code = app.code().await;
        let wrong = if code.starts_with('A') { "BBBBBB" } else { "AAAAAA" };
        text = text.replace("<code>", &code).replace("<wrong code>", wrong);
    }
    text
}

/// Puts place holders where chance decided: six characters of a code, nineteen of an id.
fn blank(body: &str) -> String {
    let mut body = body.to_owned();
    for (name, length, holder) in [
        ("\"verificationCode\":\"", 6, "<code>"),
        ("\"emailCode\":\"", 6, "<code>"),
        ("\"phoneCode\":\"", 6, "<code>"),
        ("{\"userId\":\"75", 17, "<id>"),
    ] {
        if let Some(found) = body.find(name) {
            let (start, end) = (found + name.len(), found + name.len() + length);
            let drawn = &body[start..end];
            assert!(drawn.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit()), "{drawn}");
            assert_eq!(&body[end..=end], "\"");
            body.replace_range(start..end, holder);
        }
    }
    body
}
