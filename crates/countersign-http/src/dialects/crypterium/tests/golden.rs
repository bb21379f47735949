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
//! `<token>` stands for the latest access token, `<link>` for the token of the latest link. In answers,
//! `<access token>` and `<refresh token>` stand for tokens. `<code>` stands for the latest code sent, `<code of ADDRESS>` for the latest one sent there,
//! `<first code>` for the first one, `<wrong code>` for a code that was not sent last. `Content-Length` of a request with such a place holder is left out.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request};
use countersign_core::testkit::tenant;
use serde_json::{Value, json};

use super::app::App;
use crate::hooks::HookError;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dialects/crypterium/golden");

#[tokio::test]
async fn every_recorded_exchange_is_answered_byte_for_byte() {
    let mut files: Vec<_> = std::fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 100, "only {} exchanges found", files.len());
    let mut wrong = Vec::new();
    for file in files {
        let exchange = Exchange::parse(&std::fs::read_to_string(&file).unwrap());
        if let Err(difference) = exchange.run().await {
            wrong.push(format!("{}\n# {}\n{difference}", file.display(), exchange.title));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[derive(Default)]
struct Exchange {
    title: String,
    options: Value,
    tenant: Vec<String>,
    given: Vec<String>,
    sends: Vec<String>,
    request: String,
    response: String,
}

impl Exchange {
    fn parse(text: &str) -> Self {
        let mut exchange = Self { options: json!({}), ..Self::default() };
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next_if(|line| line.starts_with('#')) {
            let line = line.trim_start_matches('#').trim();
            match line.split_once(": ") {
                Some(("options", json)) => exchange.options = serde_json::from_str(json).unwrap(),
                Some(("tenant", what)) => exchange.tenant.push(what.to_owned()),
                Some(("given", step)) => exchange.given.push(step.to_owned()),
                Some(("sends", what)) => exchange.sends = what.split(", ").map(str::to_owned).collect(),
                _ => exchange.title.push_str(line),
            }
        }
        let wire: Vec<&str> = lines.collect();
        let answer = wire.iter().position(|line| line.starts_with("HTTP/1.1 ")).expect("an answer");
        exchange.request = wire[..answer].join("\n").trim().to_owned();
        exchange.response = wire[answer..].join("\n").trim().to_owned();
        assert!(!exchange.title.is_empty());
        exchange
    }

    /// Answers what came instead, or was sent besides.
    async fn run(&self) -> Result<(), String> {
        let (mut app, token) = self.prepare().await;
        let request = fill(&mut app, &self.request, &token).await;
        let reply = app.call(parse_request(&request)).await;
        let header = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{}: {}", capitals(name.as_str()), value.to_str().unwrap())
        };
        let headers: Vec<String> = reply.headers.iter().map(header).collect();
        let body =
            mask(&mask(&reply.body, "access_token", "<access token>"), "refresh_token", "<refresh token>");
        let answer = format!("HTTP/1.1 {}\n{}\n\n{body}", reply.status, headers.join("\n"));
        let wait = reply.headers.get("retry-after").map_or("", |value| value.to_str().unwrap());
        let soon = if ["1", "2", "3"].contains(&wait) { wait } else { "none of 1, 2, 3" };
        let expected = self.response.replace("<1 to 3>", soon);
        if answer != expected.replace("<length>", &reply.body.len().to_string()) {
            return Err(answer);
        }
        app.engine.set_down(false);
        let sent = app.sent().await;
        if sent == self.sends { Ok(()) } else { Err(format!("sent: {sent:?}")) }
    }

    /// Builds the service and takes the steps that lead to the exchange.
    async fn prepare(&self) -> (App, String) {
        let mut acme = tenant("acme");
        for what in &self.tenant {
            match what.as_str() {
                "disabled" => acme.disabled = true,
                "sends to Sweden only" => acme.policy.allowed_regions = vec!["SE".into()],
                "may fail one check a day" => acme.policy.caps.tenant_failed_checks_per_day = 1,
                other => panic!("no such tenant: {other}"),
            }
        }
        let mut app = App::build(&self.options, acme);
        let mut token = String::new();
        for step in &self.given {
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
        let link = App::link_token(&app.last_code().await);
        text = text.replace("<link>", &link);
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

fn parse_request(text: &str) -> Request<Body> {
    let (head, body) = text.split_once("\n\n").unwrap_or((text, ""));
    let mut lines = head.lines();
    let mut start = lines.next().unwrap().split(' ');
    let mut request = Request::builder().method(start.next().unwrap()).uri(start.next().unwrap());
    for line in lines {
        let (name, value) = line.split_once(": ").unwrap();
        if name == "Content-Length" {
            assert_eq!(value, body.len().to_string(), "{text}");
        }
        request = request.header(name, value);
    }
    request.body(Body::from(body.to_owned())).unwrap()
}

/// `content-type` as people write it.
fn capitals(name: &str) -> String {
    let part = |part: &str| part[..1].to_ascii_uppercase() + &part[1..];
    name.split('-').map(part).collect::<Vec<_>>().join("-")
}
