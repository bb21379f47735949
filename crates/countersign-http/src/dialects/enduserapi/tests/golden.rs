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

use countersign_core::names::Channel;

use super::app::{App, Setup};
use crate::hooks::{HookError, HookReply};
use crate::testing::{Recorded, make, parse_request, run_all, written};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/dialects/enduserapi/golden");

/// Shows: W1.
#[tokio::test]
async fn every_recorded_exchange_is_answered_byte_for_byte() {
    run_all(FOLDER, 90, run).await;
}

/// Answers what came instead, or was sent or forwarded besides.
async fn run(recorded: &Recorded) -> Result<(), String> {
    let mut app = prepare(recorded).await;
    let request = fill(&mut app, &recorded.request).await;
    let request = sign(&app, &request);
    let reply = app.call(parse_request(&request)).await;
    let answer = written(reply.status, &reply.headers, &reply.body);
    let mut expected = recorded.expected(&reply.headers);
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
    if sent == recorded.sends() && forwarded == recorded.all("forwards") {
        Ok(())
    } else {
        Err(format!("sent: {sent:?}, forwarded: {forwarded:?}"))
    }
}

/// Builds the service and takes the steps that lead to the exchange.
async fn prepare(recorded: &Recorded) -> App {
    let mut setup = Setup {
        domain: recorded.settings("domain"),
        section: recorded.settings("section"),
        ..Setup::default()
    };
    for what in recorded.all("tenant") {
        match what {
            "has no provider for SMS" => setup.channels = vec![Channel::Email],
            _ => make(&mut setup.acme, what),
        }
    }
    let mut app = App::build(setup);
    for step in recorded.all("given") {
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
