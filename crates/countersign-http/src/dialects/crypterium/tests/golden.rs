//! Runs the recorded exchanges in `golden/*.http`.
//!
//! A file is one exchange as it goes over the wire, below a head of `#` lines:
//!
//! ```text
//! # What it shows, in a sentence.
//! # options: {"anti_enumeration":false}      the merchant's options; unsigned without any
//! # tenant: disabled                         what is special about the tenant
//! # given: POST /v2/mobile/signup {"phone":"…"} -> 200    a call before; the status may be left out
//! # given: wait 61                           seconds
//! # given: client 203.0.113.9                where requests come from, through a trusted proxy
//! # given: store down                        and: hook refuses, hook unavailable
//! # sends: email to …, sms to …              what the exchange sends; without this line, nothing
//! ```
//!
//! `<length>` stands for the length of an answer with tokens in it.
//! `<token>` stands for the latest access token, `<link>` for the token of the latest link, `<wrong link>` for the same with a code that was not sent last. In answers,
//! `<access token>` and `<refresh token>` stand for tokens. `<code>` stands for the latest code sent, `<code of ADDRESS>` for the latest one sent there,
//! `<first code>` for the first one, `<wrong code>` for a code that was not sent last. `Content-Length` of a request with such a place holder is left out.

use countersign_core::testkit::tenant;

use super::app::App;
use crate::hooks::HookError;
use crate::testing::{Recorded, make, parse_request, run_all, written};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dialects/crypterium/golden");

/// Shows: W1.
#[tokio::test]
async fn every_recorded_exchange_is_answered_byte_for_byte() {
    run_all(FOLDER, 100, run).await;
}

/// Answers what came instead, or was sent besides.
async fn run(recorded: &Recorded) -> Result<(), String> {
    let (mut app, token) = prepare(recorded).await;
    let request = fill(&mut app, &recorded.request, &token).await;
    let reply = app.call(parse_request(&request)).await;
    let body = mask(&mask(&reply.body, "access_token", "<access token>"), "refresh_token", "<refresh token>");
    let answer = written(reply.status, &reply.headers, &body);
    let expected = recorded.expected(&reply.headers);
    if answer != expected.replace("<length>", &reply.body.len().to_string()) {
        return Err(answer);
    }
    app.engine.set_down(false);
    let sent = app.sent().await;
    if sent == recorded.sends() { Ok(()) } else { Err(format!("sent: {sent:?}")) }
}

/// Builds the service and takes the steps that lead to the exchange; with the latest token.
async fn prepare(recorded: &Recorded) -> (App, String) {
    let mut acme = tenant("acme");
    for what in recorded.all("tenant") {
        make(&mut acme, what);
    }
    let mut app = App::build(&recorded.settings("options"), acme);
    let mut token = String::new();
    for step in recorded.all("given") {
        let step = fill(&mut app, step, &token).await;
        let (step, status) = step.split_once(" -> ").unwrap_or((&step, "200"));
        match step.split_once(' ').unwrap() {
            (method @ ("GET" | "POST" | "PUT"), call) => {
                let (path, body) = call.split_once(' ').unwrap_or((call, ""));
                let reply = if path.starts_with("/v2/mobile/email/") {
                    app.call_as(&token, method, path, body).await
                } else {
                    app.post_with(path, body, &[]).await
                };
                assert_eq!(reply.status.as_str(), status, "{step}: {}", reply.body);
                if reply.body.contains("access_token") {
                    token = reply.text("access_token");
                }
            }
            ("client", ip) => app.comes_from(ip),
            ("wait", seconds) => app.wait(seconds.parse().unwrap()),
            ("store", "down") => app.engine.set_down(true),
            ("hook", "refuses") => app.hook.fail_next(HookError::Refused),
            ("hook", "unavailable") => app.hook.fail_next(HookError::Unavailable),
            _ => panic!("no such step: {step}"),
        }
        app.sent().await;
    }
    (app, token)
}

/// The body with a token's value replaced.
fn mask(body: &str, name: &str, by: &str) -> String {
    let before = format!(r#""{name}":""#);
    let Some((head, rest)) = body.split_once(&before) else { return body.to_owned() };
    let (_, tail) = rest.split_once('"').unwrap();
    format!("{head}{before}{by}\"{tail}")
}

async fn fill(app: &mut App, text: &str, token: &str) -> String {
    let mut text = text.replace("<token>", token);
    if text.contains("<link>") {
        let code = app.last_code().await;
        text = text.replace("<link>", &app.link_token(token, &code));
    }
    if text.contains("<wrong link>") {
        let code = app.wrong_code().await;
        text = text.replace("<wrong link>", &app.link_token(token, &code));
    }
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
