//! Runs the recorded exchanges in `golden/*.http`.
//!
//! A file is one exchange as it goes over the wire, below a head of `#` lines:
//!
//! ```text
//! # What it shows, in a sentence.
//! # domain: {"sign_email":false}             settings of the user domain
//! # section: {"sms_accounts":[…]}            what the dialect's section has besides
//! # tenant: disabled                         what is special about the tenant
//! # given: sendPhoneSmsCode codeType=3&… -> 200   a signed call before, and its `code`
//! # given: wait 31                           seconds
//! # given: store down                        and: hook refuses <body>, hook unavailable
//! # forwards: {…}                            what the hook gets; without this line, nothing
//! # sends: sms to …                          what the exchange sends; without this line, nothing
//! ```
//!
//! In a request `<signed>` stands for its signature, `<now>` for the service's time, `<code>` for the
//! latest code sent, `<first code>` for the first one, `<wrong code>` for a code that was not sent last.
//! In an answer `<access>` and `<refresh>` stand for the tokens that were handed out.

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request};
use countersign_core::names::Channel;
use countersign_core::testkit::tenant;
use serde_json::{Value, json};

use super::app::{App, Setup};
use crate::hooks::{HookError, HookReply};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dialects/enduserapi/golden");

#[tokio::test]
async fn every_recorded_exchange_is_answered_byte_for_byte() {
    let mut files: Vec<_> = std::fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(files.len() > 90, "only {} exchanges found", files.len());
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
    domain: Value,
    section: Value,
    tenant: Vec<String>,
    given: Vec<String>,
    forwards: Vec<String>,
    sends: Vec<String>,
    request: String,
    response: String,
}

impl Exchange {
    fn parse(text: &str) -> Self {
        let mut exchange = Self { domain: json!({}), section: json!({}), ..Self::default() };
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next_if(|line| line.starts_with('#')) {
            let line = line.trim_start_matches('#').trim();
            match line.split_once(": ") {
                Some(("domain", json)) => exchange.domain = serde_json::from_str(json).unwrap(),
                Some(("section", json)) => exchange.section = serde_json::from_str(json).unwrap(),
                Some(("tenant", what)) => exchange.tenant.push(what.to_owned()),
                Some(("given", step)) => exchange.given.push(step.to_owned()),
                Some(("forwards", body)) => exchange.forwards.push(body.to_owned()),
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

    /// Answers what came instead, or was sent or forwarded besides.
    async fn run(&self) -> Result<(), String> {
        let mut app = self.prepare().await;
        let request = fill(&mut app, &self.request).await;
        let request = sign(&app, &request);
        let reply = app.call(parse_request(&request)).await;
        let header = |(name, value): (&HeaderName, &HeaderValue)| {
            format!("{}: {}", capitals(name.as_str()), value.to_str().unwrap())
        };
        let headers: Vec<String> = reply.headers.iter().map(header).collect();
        let answer = format!("HTTP/1.1 {}\n{}\n\n{}", reply.status, headers.join("\n"), reply.body);
        let wait = reply.headers.get("retry-after").map_or("", |value| value.to_str().unwrap());
        let soon = if ["1", "2", "3"].contains(&wait) { wait } else { "none of 1, 2, 3" };
        let mut expected = self.response.replace("<1 to 3>", soon);
        if expected.contains("<access>") {
            let token = |which: &str| reply.json()["data"][which]["token"].as_str().unwrap().to_owned();
            expected = expected.replace("<access>", token("accessToken").strip_prefix("Bearer ").unwrap());
            expected = expected.replace("<refresh>", &token("refreshToken"));
        }
        if answer.trim() != expected {
            return Err(answer);
        }
        app.engine.set_down(false);
        let (sent, forwarded) = (app.sent().await, app.hook.bodies());
        if sent == self.sends && forwarded == self.forwards {
            Ok(())
        } else {
            Err(format!("sent: {sent:?}, forwarded: {forwarded:?}"))
        }
    }

    /// Builds the service and takes the steps that lead to the exchange.
    async fn prepare(&self) -> App {
        let mut setup = Setup { acme: tenant("acme"), ..Setup::default() };
        for what in &self.tenant {
            match what.as_str() {
                "disabled" => setup.acme.disabled = true,
                "sends to Sweden only" => setup.acme.policy.allowed_regions = vec!["SE".into()],
                "may fail one check a day" => setup.acme.policy.caps.tenant_failed_checks_per_day = 1,
                "has no provider for SMS" => setup.channels = vec![Channel::Email],
                other => panic!("no such tenant: {other}"),
            }
        }
        setup.domain = self.domain.clone();
        setup.section = self.section.clone();
        let mut app = App::build(setup);
        for step in &self.given {
            let step = fill(&mut app, step).await;
            match step.split_once(' ').unwrap() {
                ("wait", seconds) => app.wait(seconds.parse().unwrap()),
                ("store", "down") => app.engine.set_down(true),
                ("hook", "unavailable") => app.hook.answer_next(Err(HookError::Unavailable)),
                ("hook", what) => {
                    let (what, body) = what.split_once(' ').unwrap_or((what, ""));
                    let body = body.as_bytes().to_vec().into();
                    app.hook.answer_next(Ok(match what {
                        "refuses" => HookReply::Refused(body),
                        "takes" => HookReply::Taken(body),
                        other => panic!("a hook does not {other}"),
                    }));
                }
                (call, query) => {
                    let (query, code) = query.split_once(" -> ").unwrap_or((query, "200"));
                    let reply = app.make(call, query).await;
                    assert_eq!(reply.code().to_string(), code, "{step}: {}", reply.body);
                }
            }
            app.sent().await;
        }
        app
    }
}

async fn fill(app: &mut App, text: &str) -> String {
    let mut text = text.replace("<now>", &app.ts());
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

/// Puts the signature into a request whose parameters stand in its query.
fn sign(app: &App, request: &str) -> String {
    if !request.contains("<signed>") {
        return request.to_owned();
    }
    let uri = request.split(' ').nth(1).unwrap();
    let (path, query) = uri.split_once('?').unwrap();
    let call = path.rsplit('/').next().unwrap();
    request.replace("<signed>", &app.signature(call, query))
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
