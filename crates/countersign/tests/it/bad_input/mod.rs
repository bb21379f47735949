//! Bodies, heads and spellings that must not be understood, against every endpoint of the real
//! program: each is answered in its own API's form, none is charged, and the node goes on.

mod corpus;
mod dialects;

use serde_json::{Value, json};

use crate::support::{Answer, DEMO, Server, request};
use corpus::{ODD_DIGITS, ODD_MARKS, broken, misspelt_mailboxes, misspelt_numbers, odd, percent, too_much};

const MAILBOX: &str = "victim@example.com";
const NUMBER: &str = "+12125550123";
/// The code of the verifications that must come through untouched.
const RIGHT: &str = "135790";
const JSON: &str = "Content-Type: application/json";

/// Which form errors have.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Api {
    Native,
    Zap,
}

/// What an endpoint makes of a body.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Body {
    Needed,
    MayBeLeftOut,
    NotTaken,
    /// Read off the wire and left alone.
    Ignored,
}

struct Endpoint {
    api: Api,
    method: &'static str,
    path: String,
    body: Body,
    /// A body with every member there is.
    good: Value,
}

/// A node with two running verifications: one for the mailbox, opened by zap, one for the number.
struct Node {
    _folder: tempfile::TempDir,
    server: Server,
    by_number: String,
    by_mailbox: String,
    /// The ids of all the tenant's verifications before anything was tried.
    pending: Vec<String>,
}

/// The ids of the demo tenant's verifications.
fn verifications(server: &Server) -> Vec<String> {
    let list = server.get("/v1/verifications").json();
    let id = |verification: &Value| verification["id"].as_str().unwrap().to_owned();
    list["data"].as_array().unwrap().iter().map(id).collect()
}

impl Node {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        // A clock that stands: a slow machine must not end cool-downs and windows.
        let server = Server::dev(folder.path(), &["--fixed-clock", "2030-01-01T00:00:00Z"]);
        let body = json!({"to": NUMBER, "purpose": "login", "code": RIGHT});
        let by_number = server.post("/v1/verifications", &body).text("id");
        assert_eq!(
            server.post("/v1/otp/resend", &json!({"email": MAILBOX})).status,
            401,
            "another API's key"
        );
        let zap = server.send("POST", "/v1/otp/resend", &[JSON], &json!({ "email": MAILBOX }).to_string());
        assert_eq!(zap.status, 200, "{zap:?}");
        let list = server.get(&format!("/v1/verifications?to={MAILBOX}")).json();
        let by_mailbox = list["data"][0]["id"].as_str().unwrap().to_owned();
        let pending = verifications(&server);
        Self { _folder: folder, server, by_number, by_mailbox, pending }
    }

    fn endpoints(&self) -> Vec<Endpoint> {
        let Self { by_number: id, .. } = self;
        let native =
            |method, path: String, body, good| Endpoint { api: Api::Native, method, path, body, good };
        let zap = |path: &str, good| Endpoint {
            api: Api::Zap,
            method: "POST",
            path: path.to_owned(),
            body: Body::Needed,
            good,
        };
        let context = json!({"amount": "12"});
        let start = json!({"to": NUMBER, "channel": "sms", "purpose": "login", "locale": "en",
            "delivery": "send", "code": RIGHT, "context": context, "metadata": {"a": "b"},
            "client": {"ip": "192.0.2.1", "device_id": "d", "user_agent": "u", "returning": true}});
        let check = json!({"to": NUMBER, "purpose": "login", "code": RIGHT, "context": context,
            "client": {"ip": "192.0.2.1"}});
        let one = format!("/v1/verifications/{id}");
        let recipient = format!("/v1/recipients/{}", percent(NUMBER));
        vec![
            native("POST", "/v1/verifications".into(), Body::Needed, start),
            native("POST", "/v1/verifications/check".into(), Body::Needed, check),
            native("POST", format!("{one}/check"), Body::Needed, json!({"code": RIGHT, "context": context})),
            native("POST", format!("{one}/resend"), Body::MayBeLeftOut, json!({"channel": "voice"})),
            native("POST", format!("{one}/cancel"), Body::NotTaken, json!({"reason": "x"})),
            native("GET", "/v1/verifications".into(), Body::Ignored, json!({"to": NUMBER})),
            native("GET", one, Body::NotTaken, json!({"id": id})),
            native("GET", "/v1/recipients/held".into(), Body::Ignored, json!({"to": NUMBER})),
            native("GET", recipient.clone(), Body::NotTaken, json!({"to": NUMBER})),
            native("DELETE", recipient.clone(), Body::NotTaken, json!({"to": NUMBER})),
            native("POST", format!("{recipient}/release"), Body::NotTaken, json!({"to": NUMBER})),
            zap(
                "/v1/otp/",
                json!({"userId": "u", "email": MAILBOX, "phoneNumber": NUMBER, "username": "nn"}),
            ),
            zap("/api/v1/otp/resend/", json!({"email": MAILBOX, "phoneNumber": NUMBER, "username": "nn"})),
            zap("/v1/otp/verify", json!({"identity": MAILBOX, "otp": RIGHT})),
            zap("/api/v1/otp/forgotPassword", json!({"identity": MAILBOX})),
        ]
    }

    fn send(&self, endpoint: &Endpoint, headers: &[&str], body: &[u8]) -> Answer {
        let key = format!("Authorization: Bearer {DEMO}");
        let own = if endpoint.api == Api::Native { &*key } else { "Authorization: Bearer dev-zap-token" };
        self.server.exchange(&request(endpoint.method, &endpoint.path, &[&[own], headers].concat(), body))
    }

    /// Nothing was charged, sent or opened, and everything still works.
    fn came_through(self) {
        let server = &self.server;
        for (id, to) in [(&self.by_number, NUMBER), (&self.by_mailbox, MAILBOX)] {
            let verification = server.get(&format!("/v1/verifications/{id}")).json();
            assert_eq!(
                (&verification["status"], &verification["checks"]["used"]),
                (&json!("pending"), &json!(0))
            );
            assert_eq!(server.messages_to(to), 1);
            let recipient = server.get(&format!("/v1/recipients/{}", percent(to))).json();
            assert_eq!(recipient["starts"]["last_24h"], 1, "{recipient}");
            assert_eq!(recipient["failed_checks"]["last_24h"], 0, "{recipient}");
        }
        assert_eq!(server.get("/readyz").status, 200);
        assert_eq!(verifications(server), self.pending);
        let right =
            server.post(&format!("/v1/verifications/{}/check", self.by_number), &json!({"code": RIGHT}));
        assert_eq!(right.json()["valid"], true);
        let code = server.code_for(MAILBOX);
        let body = json!({"identity": MAILBOX, "otp": code}).to_string();
        assert_eq!(server.send("POST", "/v1/otp/verify", &[JSON], &body).status, 200);
    }
}

/// The answer is an error of this API's form, with this status; its name or text.
fn refused(api: Api, answer: &Answer, status: u16, why: &str) -> String {
    assert_eq!(answer.status, status, "{why}: {answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"), "{why}");
    assert!(answer.header("x-request-id").is_some(), "{why}");
    assert_eq!(answer.header("content-length"), Some(&*answer.body.len().to_string()), "{why}");
    let body = answer.json();
    match api {
        Api::Native => {
            assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{why}");
            assert_eq!(body["status"], status, "{why}: {body}");
            assert!(
                !body["title"].as_str().unwrap().is_empty() && !body["detail"].as_str().unwrap().is_empty()
            );
            body["type"].as_str().unwrap().strip_prefix("/problems/").unwrap().to_owned()
        }
        Api::Zap => {
            assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"), "{why}");
            let text = body["data"].as_str().unwrap().to_owned();
            assert_eq!(body, json!({"success": false, "data": text}), "{why}");
            text
        }
    }
}

#[test]
fn what_is_not_the_json_of_a_call_is_malformed_and_costs_nothing() {
    let node = Node::start();
    let mut sent = 0;
    for endpoint in node.endpoints() {
        let Endpoint { api, body, path, .. } = &endpoint;
        for (why, text) in broken(&endpoint.good) {
            let blank = text.trim_ascii().is_empty();
            if blank && *body != Body::Needed || *body == Body::NotTaken && text.trim_ascii() == b"{}" {
                continue; // as good as no body at all
            }
            let why = format!("{path}: {why}: {}", text.escape_ascii());
            if *body == Body::Ignored {
                assert_eq!(node.send(&endpoint, &[JSON], &text).status, 200, "{why}");
                continue;
            }
            let said = refused(*api, &node.send(&endpoint, &[JSON], &text), 400, &why);
            assert!(*api == Api::Zap || said == "malformed-request", "{why}: {said}");
            sent += 1;
        }
    }
    println!("{sent} bodies");
    node.came_through();
}

#[test]
fn what_is_not_called_json_is_not_read() {
    let node = Node::start();
    let reads = |endpoint: &&Endpoint| [Body::Needed, Body::MayBeLeftOut].contains(&endpoint.body);
    for endpoint in node.endpoints().iter().filter(reads) {
        let good = endpoint.good.to_string();
        for headers in [
            &[][..],
            &["Content-Type: text/plain"],
            &["Content-Type: application/x-www-form-urlencoded"],
            &["Content-Type: application/jsonx"],
            &["Content-Type: application/problem+json"],
            &["Content-Type: multipart/form-data; boundary=application/json"],
            &["Content-Type: application/json, text/plain"],
            &["Content-Type:"],
            &[JSON, JSON],
        ] {
            let why = format!("{}: {headers:?}", endpoint.path);
            let answer = node.send(endpoint, headers, good.as_bytes());
            let said = match endpoint.api {
                Api::Native => refused(Api::Native, &answer, 415, &why),
                Api::Zap => refused(Api::Zap, &answer, 400, &why),
            };
            assert!(["unsupported-media-type", "Bad request"].contains(&&*said), "{why}: {said}");
        }
    }
    node.came_through();
}

#[test]
fn too_much_is_refused_unread_everywhere() {
    let node = Node::start();
    for endpoint in node.endpoints() {
        for (status, headers, body) in too_much(endpoint.good.to_string().as_bytes()) {
            let headers: Vec<&str> = [JSON].into_iter().chain(headers.iter().map(String::as_str)).collect();
            let answer = node.send(&endpoint, &headers, &body);
            let why = format!("{}: {headers:.1?}", endpoint.path);
            // What the native API can still tell whose it is has its form; the rest has no body.
            if endpoint.api == Api::Native && [413, 415].contains(&status) {
                refused(Api::Native, &answer, status, &why);
            } else {
                assert_eq!((answer.status, &*answer.body), (status, ""), "{why}");
            }
        }
    }
    node.came_through();
}

/// Forwarding a proven password change is off until the tenant has configured where to.
#[test]
fn a_call_that_is_switched_off_is_not_read() {
    let node = Node::start();
    let good = json!({"identity": MAILBOX, "otp": RIGHT, "newPassword": "p"});
    for (why, text) in broken(&good) {
        let path = "/v1/forgotPassword".to_owned();
        let off = Endpoint { api: Api::Zap, method: "POST", path, body: Body::Needed, good: Value::Null };
        assert_eq!(refused(Api::Zap, &node.send(&off, &[JSON], &text), 403, why), "Forbidden");
    }
    node.came_through();
}

#[test]
fn odd_characters_in_a_code_are_no_guess() {
    let node = Node::start();
    let right = node.server.code_for(MAILBOX);
    let endpoints = node.endpoints();
    let checks: Vec<_> =
        endpoints.iter().filter(|e| e.path.ends_with("/check") || e.path.ends_with("verify")).collect();
    assert_eq!(checks.len(), 3);
    let mut sent = 0;
    for endpoint in checks {
        let (member, code) = if endpoint.api == Api::Zap { ("otp", &*right) } else { ("code", RIGHT) };
        let mut tried = odd(code, &ODD_DIGITS, &ODD_MARKS);
        tried.extend(
            ["", " ", "-", "--  ", &"1".repeat(33), &"1".repeat(4000), "12345\u{301}6"].map(str::to_owned),
        );
        for text in tried {
            let mut body = endpoint.good.clone();
            body[member] = text.clone().into();
            let why = format!("{} {}", endpoint.path, text.escape_unicode());
            let answer = node.send(endpoint, &[JSON], body.to_string().as_bytes());
            let said = refused(endpoint.api, &answer, 400, &why);
            assert!(
                ["malformed-request", "Invalid OTP", "otp is required"].contains(&&*said),
                "{why}: {said}"
            );
            assert!(endpoint.api == Api::Zap || answer.json()["field"] == "code", "{why}");
            sent += 1;
        }
    }
    println!("{sent} codes");
    node.came_through();
}

#[test]
fn another_spelling_is_the_same_recipient_or_none() {
    let mut node = Node::start();
    // A code belongs to the API it was asked for over: the native one needs a mailbox of its own.
    let own = "native@example.com";
    let opened = node.server.post("/v1/verifications", &json!({"to": own, "purpose": "login"})).text("id");
    node.pending = verifications(&node.server);
    let (server, mut same) = (&node.server, 0);
    let numbers =
        misspelt_numbers(NUMBER).into_iter().map(|text| (text.clone(), NUMBER, &node.by_number, text));
    let mailboxes = misspelt_mailboxes(own).into_iter().zip(misspelt_mailboxes(MAILBOX));
    let mailboxes = mailboxes.map(|(native, zap)| (native, own, &opened, zap));
    for (text, to, id, zap) in numbers.chain(mailboxes) {
        let why = text.escape_unicode().to_string();
        let started = server.post("/v1/verifications", &json!({"to": text, "purpose": "login"}));
        let looked = server.get(&format!("/v1/recipients/{}", percent(&text)));
        let name = if to == NUMBER { "phoneNumber" } else { "email" };
        let zap = server.send("POST", "/v1/otp/resend", &[JSON], &json!({ name: zap }).to_string());
        if started.status == 200 {
            assert_eq!(started.text("id"), *id, "{why}");
            // A mailbox is shown as it was asked for.
            assert!(looked.text("to").eq_ignore_ascii_case(to), "{why}: {looked:?}");
            same += 1;
        } else {
            assert_eq!(refused(Api::Native, &started, 422, &why), "invalid-recipient");
            assert!(looked.status == 422 || looked.status == 404, "{why}: {looked:?}");
        }
        assert_eq!(zap.status, 400, "{why}: neither sent nor opened: {zap:?}");
    }
    assert!(same > 0, "capital letters in a mailbox are the same mailbox");
    node.came_through();
}
