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

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request};
use countersign_core::names::Channel;
use countersign_core::tenant::Tenant;
use serde_json::{Value, json};

use super::app::App;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dialects/zitadel/golden");

#[tokio::test]
async fn every_recorded_exchange_is_answered_byte_for_byte() {
    let mut files: Vec<_> = std::fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 230, "only {} exchanges found", files.len());
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
        let app = self.prepare().await;
        let request = fill(&app, &self.request).await;
        let reply = app.send(parse_request(&request)).await;
        let header = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{}: {}", capitals(name.as_str()), value.to_str().unwrap())
        };
        let headers: Vec<String> = reply.headers.iter().map(header).collect();
        let body = blank(reply.text());
        let answer = format!("HTTP/1.1 {}\n{}\n\n{body}", reply.status, headers.join("\n"));
        let wait = reply.headers.get("retry-after").map_or("", |value| value.to_str().unwrap());
        let soon = if ["1", "2", "3"].contains(&wait) { wait } else { "none of 1, 2, 3" };
        if answer.trim() != self.response.replace("<1 to 3>", soon) {
            return Err(answer);
        }
        app.engine.set_down(false);
        app.clock.broken.store(false, Ordering::Relaxed);
        let sent = app.sent().await;
        if sent == self.sends { Ok(()) } else { Err(format!("sent: {sent:?}")) }
    }

    /// Builds the service and takes the steps that lead to the exchange.
    async fn prepare(&self) -> App {
        let change = |acme: &mut Tenant| {
            for what in &self.tenant {
                match what.as_str() {
                    "disabled" => acme.disabled = true,
                    "sends to Sweden only" => acme.policy.allowed_regions = vec!["SE".into()],
                    "may fail one check a day" => acme.policy.caps.tenant_failed_checks_per_day = 1,
                    other => panic!("no such tenant: {other}"),
                }
            }
        };
        let app = App::build(&self.options, change, &Channel::ALL).await;
        for step in &self.given {
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
