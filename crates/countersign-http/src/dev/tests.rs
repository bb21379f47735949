#![allow(clippy::unwrap_used, reason = "tests")]

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use axum::body::Body;
use axum::http::HeaderMap;
use countersign_core::code::Code;
use countersign_core::ids::{MessageId, VerificationId};
use countersign_core::names::{Channel, DialectName, Locale, ProviderName, Purpose, TenantId};
use countersign_core::provider::RenderedMessage;
use countersign_core::recipient::Recipient;
use countersign_core::time::{Clock, Timestamp};
use http_body_util::BodyExt;
use insta::assert_snapshot;
use serde_json::{Value, json};
use tokio::sync::broadcast;
use tower::ServiceExt;

use super::*;

/// 2026-11-20T08:00:00Z.
const START: Timestamp = Timestamp::from_millis(1_795_161_600_000);

// ---- doubles of what the program brings ----

struct FakeInbox {
    provider: ProviderName,
    messages: Mutex<Vec<Arc<RenderedMessage>>>,
    events: broadcast::Sender<InboxEvent>,
}

impl Inbox for FakeInbox {
    fn provider(&self) -> &ProviderName {
        &self.provider
    }

    fn list(&self) -> Vec<Arc<RenderedMessage>> {
        self.messages.lock().unwrap().clone()
    }

    fn clear(&self) {
        self.messages.lock().unwrap().clear();
        let _ = self.events.send(InboxEvent::Cleared);
    }

    fn watch(&self) -> Box<dyn InboxEvents> {
        Box::new(FakeEvents(self.events.subscribe()))
    }
}

struct FakeEvents(broadcast::Receiver<InboxEvent>);

#[async_trait]
impl InboxEvents for FakeEvents {
    async fn next(&mut self) -> Option<InboxEvent> {
        self.0.recv().await.ok()
    }
}

/// What is told of the codes, by the messages' numbers; of others, that they are good.
#[derive(Default)]
struct FakeCodes(Mutex<HashMap<MessageId, Option<SentCode>>>);

#[async_trait]
impl SentCodes for FakeCodes {
    async fn of(&self, message: &RenderedMessage) -> Option<SentCode> {
        let good = SentCode { state: CodeState::Sent, guesses_left: 5 };
        self.0.lock().unwrap().get(&message.id).copied().unwrap_or(Some(good))
    }
}

struct FakeClock(Mutex<Timestamp>);

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }
}

impl DevClock for FakeClock {
    fn advance(&self, by: Duration) -> Timestamp {
        let mut now = self.0.lock().unwrap();
        *now = *now + by;
        *now
    }

    fn is_running(&self) -> bool {
        false
    }
}

struct FakeSamples;

impl Samples for FakeSamples {
    fn draw(&self) -> Vec<Sample> {
        let sample = |name: &str, title: &str| Sample {
            name: name.to_owned(),
            about: format!("The <{name}> API."),
            title: title.to_owned(),
            curl: format!("curl 'http://127.0.0.1:8025/{name}?a&b'"),
        };
        vec![
            sample("native", "Start a verification"),
            sample("native", "Check it"),
            sample("zap", "Generate a code"),
        ]
    }
}

// ---- the harness ----

struct Page {
    router: Router,
    inbox: Arc<FakeInbox>,
    codes: Arc<FakeCodes>,
    clock: Arc<FakeClock>,
    closing: watch::Sender<bool>,
}

struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

impl Page {
    fn new() -> Self {
        let inbox = Arc::new(FakeInbox {
            provider: ProviderName::parse("inbox").unwrap(),
            messages: Mutex::default(),
            events: broadcast::Sender::new(16),
        });
        let (codes, clock) = (Arc::<FakeCodes>::default(), Arc::new(FakeClock(Mutex::new(START))));
        let (closing, closed) = watch::channel(false);
        let dev = Dev {
            inbox: Arc::clone(&inbox) as _,
            codes: Arc::clone(&codes) as _,
            clock: Arc::clone(&clock) as _,
            samples: Arc::new(FakeSamples),
            closing: closed,
        };
        Self { router: routes(dev), inbox, codes, clock, closing }
    }

    /// With one message each to these, the last one newest.
    fn with_messages_to(recipients: &[&str]) -> Self {
        let page = Self::new();
        for (n, to) in recipients.iter().enumerate() {
            page.arrive(u8::try_from(n).unwrap(), to);
        }
        page
    }

    fn arrive(&self, n: u8, to: &str) {
        let message = Arc::new(message(n, to));
        self.inbox.messages.lock().unwrap().insert(0, Arc::clone(&message));
        let _ = self.inbox.events.send(InboxEvent::Arrived(message));
    }

    /// Has something become of a message's code; `None`: its verification is gone.
    fn becomes(&self, n: u8, state: Option<CodeState>, guesses_left: u8) {
        let now = state.map(|state| SentCode { state, guesses_left });
        self.codes.0.lock().unwrap().insert(MessageId::from_bytes([n; 16]), now);
    }

    async fn call(&self, method: &str, path: &str, body: &str, headers: &[(&str, &str)]) -> Answer {
        let mut request = axum::http::Request::builder().method(method).uri(path);
        let default = [("host", "127.0.0.1:8025"), ("content-type", "application/json")];
        let default = default.iter().filter(|(name, _)| headers.iter().all(|(other, _)| other != name));
        for (name, value) in default.chain(headers) {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body.to_owned())).unwrap();
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status.as_u16(),
            headers: parts.headers,
            body: String::from_utf8(body.to_vec()).unwrap(),
        }
    }

    async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, "", &[]).await
    }

    async fn push(&self, body: &str) -> Answer {
        self.call("POST", "/dev/clock", body, &[]).await
    }

    async fn recipients(&self, query: &str) -> Vec<String> {
        let answer = self.get(&format!("/dev/inbox{query}")).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        let messages = answer.json()["messages"].as_array().unwrap().clone();
        messages.iter().map(|message| message["to"].as_str().unwrap().to_owned()).collect()
    }

    async fn stream(&self) -> EventStream {
        let request = axum::http::Request::get("/dev/inbox/events")
            .header("host", "localhost")
            .body(Body::empty())
            .unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        EventStream(response.into_body())
    }
}

struct EventStream(Body);

impl EventStream {
    /// The next event: its name and data.
    async fn next(&mut self) -> Option<(String, Value)> {
        let frame = self.0.frame().await?.unwrap().into_data().unwrap();
        let text = String::from_utf8(frame.to_vec()).unwrap();
        let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();
        Some((field("event: "), serde_json::from_str(&field("data: ")).unwrap()))
    }
}

fn message(n: u8, to: &str) -> RenderedMessage {
    let recipient = Recipient::from_canonical(to);
    let mail = matches!(recipient, Recipient::Email(_));
    let now = START + Duration::from_secs(u64::from(n));
    RenderedMessage {
        id: MessageId::from_bytes([n; 16]),
        verification: VerificationId::from_bytes([n; 16]),
        tenant: TenantId::parse("demo").unwrap(),
        dialect: DialectName::parse("native").unwrap(),
        purpose: Purpose::parse("login").unwrap(),
        channel: if mail { Channel::Email } else { Channel::Sms },
        recipient,
        code: Code::parse("483920").unwrap(),
        link: None,
        locale: Locale::parse("en").unwrap(),
        subject: mail.then(|| "Your Demo code".to_owned()),
        text: "483920 is your <b>Demo</b> code.".to_owned().into(),
        expires_at: now + Duration::from_secs(600),
        now,
    }
}

// ---- the inbox ----

#[tokio::test]
async fn a_message_is_listed_with_everything_a_test_needs() {
    let answer = Page::with_messages_to(&["+12125550123"]).get("/dev/inbox").await;
    assert_eq!((answer.status, answer.header("content-type")), (200, "application/json"));
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_snapshot!(answer.body, @r#"{"messages":[{"id":"msg_00000000000000000000000000","verification_id":"ver_00000000000000000000000000","tenant":"demo","dialect":"native","to":"+12125550123","channel":"sms","code":"483920","text":"483920 is your <b>Demo</b> code.","locale":"en","provider":"inbox","at":"2026-11-20T08:00:00Z","purpose":"login","subject":null,"url":null,"expires_at":"2026-11-20T08:10:00Z","state":"sent","guesses_left":5}]}"#);
}

#[tokio::test]
async fn an_empty_inbox_is_an_empty_list() {
    assert_snapshot!(Page::new().get("/dev/inbox").await.body, @r#"{"messages":[]}"#);
}

#[tokio::test]
async fn messages_are_listed_newest_first_and_found_by_recipient() {
    let page = Page::with_messages_to(&["+12125550123", "Ada@example.com", "+12125550124", "+12125550123"]);
    let all = ["+12125550123", "+12125550124", "Ada@example.com", "+12125550123"];
    assert_eq!(page.recipients("").await, all);
    assert_eq!(page.recipients("?limit=2").await, all[..2]);
    assert_eq!(page.recipients("?to=%2B12125550123").await, ["+12125550123"; 2]);
    assert_eq!(page.recipients("?to=+12125550123&limit=1").await, ["+12125550123"]);
    assert_eq!(page.recipients("?to=ada@EXAMPLE.com").await, ["Ada@example.com"]);
    assert_eq!(page.recipients("?to=12125550123").await, [""; 0]);
}

#[tokio::test]
async fn a_question_that_is_not_understood_is_refused_and_not_half_answered() {
    let page = Page::with_messages_to(&["+12125550123"]);
    for query in ["limit=0", "limit=1001", "limit=-1", "limit=ten", "phone=1", "to=a&to=b", "limit"] {
        let answer = page.get(&format!("/dev/inbox?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        assert_eq!(answer.header("content-type"), "application/problem+json");
    }
    assert_snapshot!(page.get("/dev/inbox?limit=0").await.body, @r#"{"type":"/problems/malformed-request","title":"The request is malformed","status":400,"detail":"must be 1 to 1000","field":"limit"}"#);
}

#[tokio::test]
async fn an_inbox_can_be_emptied() {
    let page = Page::with_messages_to(&["+12125550123"]);
    let answer = page.call("DELETE", "/dev/inbox", "", &[]).await;
    assert_eq!((answer.status, &*answer.body), (204, ""));
    assert_eq!(page.recipients("").await, [""; 0]);
}

// ---- the clock ----

#[tokio::test]
async fn the_clock_is_pushed_and_says_what_it_shows() {
    let page = Page::new();
    assert_eq!(page.push(r#"{"advance_seconds": 61}"#).await.body, r#"{"now":"2026-11-20T08:01:01Z"}"#);
    assert_eq!(page.clock.now(), START + Duration::from_secs(61));
}

#[tokio::test]
async fn a_push_that_is_not_a_positive_whole_number_is_refused_and_moves_nothing() {
    let page = Page::new();
    for body in [
        "",
        "61",
        "null",
        "[61]",
        "{}",
        r#"{"advance_seconds": 0}"#,
        r#"{"advance_seconds": -61}"#,
        r#"{"advance_seconds": 1.5}"#,
        r#"{"advance_seconds": 61.0}"#,
        r#"{"advance_seconds": "61"}"#,
        r#"{"advance_seconds": null}"#,
        r#"{"advance_seconds": true}"#,
        r#"{"advance_seconds": 31622401}"#,
        r#"{"advance_seconds": 99999999999999999999999}"#,
        r#"{"advance_seconds": 61, "back": 1}"#,
        r#"{"advance_seconds": 61, "advance_seconds": 62}"#,
        r#"{"advance_seconds": 61, "advance_s\u0065conds": 62}"#,
        r#"{"Advance_Seconds": 61}"#,
        r#"{"advance_seconds": 61} {}"#,
        r#"{"advance_seconds": 61"#,
        "\u{feff}{\"advance_seconds\": 61}",
    ] {
        let answer = page.push(body).await;
        assert_eq!(answer.status, 400, "{body}");
        assert_eq!(answer.json()["type"], "/problems/malformed-request", "{body}");
    }
    assert_eq!(page.clock.now(), START);
    assert_snapshot!(page.push(r#"{"advance_seconds": "61"}"#).await.body, @r#"{"type":"/problems/malformed-request","title":"The request is malformed","status":400,"detail":"must be a whole number from 1 to 31622400","field":"advance_seconds"}"#);
}

#[tokio::test]
async fn the_clock_never_leaves_the_years_that_can_be_written() {
    let page = Page::new();
    *page.clock.0.lock().unwrap() = Timestamp::parse_rfc3339("9999-12-30T00:00:00Z").unwrap();
    assert_eq!(page.push(r#"{"advance_seconds": 86401}"#).await.status, 400);
    assert_eq!(page.push(r#"{"advance_seconds": 86400}"#).await.status, 200);
}

// ---- the page ----

#[tokio::test]
async fn the_page_and_its_parts_come_from_here_under_a_policy_without_inline() {
    let page = Page::new();
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/dev/assets/inbox.css", "text/css; charset=utf-8"),
        ("/docs", "text/html; charset=utf-8"),
        ("/dev/assets/common.js", "text/javascript; charset=utf-8"),
        ("/dev/assets/docs.js", "text/javascript; charset=utf-8"),
        ("/dev/assets/inbox.js", "text/javascript; charset=utf-8"),
        ("/dev/assets/icon.svg", "image/svg+xml"),
    ] {
        let answer = page.get(path).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, kind), "{path}");
        let policy = answer.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self'"), "{policy}");
        assert!(!policy.contains("unsafe"), "{policy}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("cache-control"), "no-store");
    }
}

/// What the policy would block, and what would reach outside or make markup of a message.
/// Shows: A24.
#[test]
fn the_page_holds_nothing_inline_foreign_or_unsafe() {
    let html = [include_str!("assets/index.html"), include_str!("assets/docs.html")].concat();
    let scripts =
        [include_str!("assets/inbox.js"), include_str!("assets/docs.js"), include_str!("assets/common.js")];
    let script = scripts.concat();
    let style = include_str!("assets/inbox.css");
    for word in [" style=", " onclick", " onload", "<style", "javascript:", "http:", "https:", "src=\"//"] {
        assert!(!html.contains(word), "{word}");
    }
    for word in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "http:", "https:"]
    {
        assert!(!script.contains(word), "{word}");
    }
    for word in ["@import", "url(", "http:", "https:"] {
        assert!(!style.contains(word), "{word}");
    }
}

#[tokio::test]
async fn the_commands_to_try_are_listed() {
    let page = Page::new();
    assert_snapshot!(page.get("/dev/samples").await.body, @r#"[{"name":"native","about":"The <native> API.","title":"Start a verification","curl":"curl 'http://127.0.0.1:8025/native?a&b'"},{"name":"native","about":"The <native> API.","title":"Check it","curl":"curl 'http://127.0.0.1:8025/native?a&b'"},{"name":"zap","about":"The <zap> API.","title":"Generate a code","curl":"curl 'http://127.0.0.1:8025/zap?a&b'"}]"#);
}

#[tokio::test]
async fn the_page_of_commands_has_a_section_per_api_and_shows_commands_as_text() {
    let docs = Page::new().get("/docs").await.body;
    for (part, times) in [
        ("<section class=\"api\" id=\"native\"", 1),
        ("<section class=\"api\" id=\"zap\"", 1),
        ("<a href=\"#native\">native</a>", 1),
        ("<code>curl &#39;http://127.0.0.1:8025/native?a&amp;b&#39;</code>", 2),
        ("The &lt;zap&gt; API.", 1),
        ("<span class=\"title\">Generate a code</span>", 1),
        ("<a href=\"/\">Inbox</a>", 1),
        ("<!--", 0),
    ] {
        assert_eq!(docs.matches(part).count(), times, "{part}: {docs}");
    }
}

// ---- the event stream ----

#[tokio::test]
async fn a_stream_begins_with_everything_and_goes_on_with_what_happens() {
    let page = Page::with_messages_to(&["ada@example.com"]);
    let mut stream = page.stream().await;
    let (name, snapshot) = stream.next().await.unwrap();
    assert_eq!(name, "snapshot");
    assert_snapshot!(snapshot, @r#"{"messages":[{"at":"2026-11-20T08:00:00Z","channel":"email","code":"483920","dialect":"native","expires_at":"2026-11-20T08:10:00Z","guesses_left":5,"id":"msg_00000000000000000000000000","locale":"en","provider":"inbox","purpose":"login","state":"sent","subject":"Your Demo code","tenant":"demo","text":"483920 is your <b>Demo</b> code.","to":"ada@example.com","url":null,"verification_id":"ver_00000000000000000000000000"}],"now":"2026-11-20T08:00:00Z","running":false}"#);

    page.arrive(1, "+12125550123");
    let (name, message) = stream.next().await.unwrap();
    assert_eq!((&*name, &message["to"]), ("message", &json!("+12125550123")));

    page.push(r#"{"advance_seconds": 61}"#).await;
    let clock = ("clock".to_owned(), json!({"now": "2026-11-20T08:01:01Z", "running": false}));
    assert_eq!(stream.next().await, Some(clock));

    page.call("DELETE", "/dev/inbox", "", &[]).await;
    assert_eq!(stream.next().await, Some(("cleared".to_owned(), Value::Null)));
}

#[tokio::test]
async fn a_stream_that_missed_something_starts_over() {
    let page = Page::with_messages_to(&["+12125550123"]);
    let mut stream = page.stream().await;
    stream.next().await.unwrap();
    page.inbox.events.send(InboxEvent::Missed).unwrap();
    let (name, snapshot) = stream.next().await.unwrap();
    assert_eq!((&*name, snapshot["messages"].as_array().unwrap().len()), ("snapshot", 1));
}

#[tokio::test]
async fn a_stream_ends_when_the_program_does() {
    let page = Page::new();
    let mut stream = page.stream().await;
    stream.next().await.unwrap();
    page.closing.send_replace(true);
    assert_eq!(stream.next().await, None);
    // A page that comes back in the middle of closing does not hold it up either.
    let mut late = page.stream().await;
    late.next().await.unwrap();
    assert_eq!(late.next().await, None);
}

// ---- the codes ----

impl Page {
    async fn states(&self) -> Vec<String> {
        let messages = self.get("/dev/inbox").await.json()["messages"].as_array().unwrap().clone();
        let state =
            |message: &Value| format!("{} {}", message["state"].as_str().unwrap(), message["guesses_left"]);
        messages.iter().map(state).collect()
    }

    /// Another message of the verification of message `n`, with this code.
    fn arrive_again(&self, n: u8, of: u8, to: &str, code: &str) {
        let verification = VerificationId::from_bytes([of; 16]);
        let message =
            Arc::new(RenderedMessage { verification, code: Code::parse(code).unwrap(), ..message(n, to) });
        self.inbox.messages.lock().unwrap().insert(0, Arc::clone(&message));
        let _ = self.inbox.events.send(InboxEvent::Arrived(message));
    }
}

#[tokio::test]
async fn a_code_that_is_good_for_nothing_says_so() {
    use CodeState::{Canceled, Exhausted, Expired, Sent, Used};
    let page = Page::with_messages_to(&["+12125550123"; 6]);
    for (n, (state, left)) in
        [(Sent, 3), (Used, 4), (Canceled, 5), (Exhausted, 0), (Expired, 5)].into_iter().enumerate()
    {
        page.becomes(u8::try_from(n).unwrap(), Some(state), left);
    }
    page.becomes(5, None, 0);
    assert_eq!(
        page.states().await,
        ["expired 0", "expired 5", "exhausted 0", "canceled 5", "used 4", "sent 3"]
    );
}

#[tokio::test]
async fn a_code_is_replaced_by_another_one_to_the_same_address_only() {
    let page = Page::with_messages_to(&["+12125550123"]);
    page.arrive_again(1, 0, "+12125550123", "483920");
    assert_eq!(page.states().await, ["sent 5", "sent 5"], "the same code again");
    page.arrive_again(2, 0, "ada@example.com", "111111");
    assert_eq!(page.states().await, ["sent 5", "sent 5", "sent 5"], "another address has its own");
    page.arrive_again(3, 0, "+12125550123", "222222");
    assert_eq!(page.states().await, ["sent 5", "sent 5", "replaced 5", "replaced 5"]);
    page.becomes(3, Some(CodeState::Used), 5);
    page.becomes(0, Some(CodeState::Used), 5);
    assert_eq!(page.states().await, ["used 5", "sent 5", "replaced 5", "used 5"]);
}

#[tokio::test]
async fn an_open_page_learns_what_becomes_of_its_codes() {
    let page = Page::with_messages_to(&["+12125550123", "+12125550124"]);
    let mut stream = page.stream().await;
    stream.next().await.unwrap();
    page.becomes(0, Some(CodeState::Sent), 4);
    let (name, codes) = stream.next().await.unwrap();
    let id = MessageId::from_bytes([0; 16]).to_string();
    assert_eq!((&*name, codes), ("codes", json!([{"id": id, "state": "sent", "guesses_left": 4}])));
    page.becomes(0, Some(CodeState::Used), 4);
    assert_eq!(stream.next().await.unwrap().1[0]["state"], "used");
    page.arrive_again(2, 1, "+12125550124", "111111");
    assert_eq!(stream.next().await.unwrap().1["state"], "sent");
    let (_, codes) = stream.next().await.unwrap();
    assert_eq!(codes.as_array().unwrap().len(), 1, "{codes}");
    assert_eq!(codes[0]["state"], "replaced");
}

// ---- other sites ----

/// Shows: A24.
#[tokio::test]
async fn a_page_of_another_site_can_change_nothing_and_read_nothing() {
    let page = Page::with_messages_to(&["+12125550123"]);
    for headers in [
        [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example")],
        [("sec-fetch-site", "same-site"), ("origin", "http://127.0.0.1:8025")],
        [("sec-fetch-site", "none"), ("origin", "http://evil.example")],
        [("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:9000")],
        [("sec-fetch-site", "same-origin"), ("origin", "null")],
    ] {
        let push = page.call("POST", "/dev/clock", r#"{"advance_seconds": 61}"#, &headers).await;
        assert_eq!(push.status, 403);
        assert_eq!(page.call("DELETE", "/dev/inbox", "", &headers).await.status, 403);
        let read = page.call("GET", "/dev/inbox", "", &headers).await;
        assert_eq!(read.header("access-control-allow-origin"), "");
    }
    assert_eq!(page.clock.now(), START);
    assert_eq!(page.recipients("").await.len(), 1);
    for headers in [
        &[("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:8025")][..],
        &[("sec-fetch-site", "none")],
        &[],
    ] {
        assert_eq!(page.call("DELETE", "/dev/inbox", "", headers).await.status, 204);
    }
}

/// Any page can submit a form here, and an old browser tells nobody that it did.
///
/// Shows: F16.
#[tokio::test]
async fn f16_what_a_form_can_send_moves_nothing() {
    let page = Page::new();
    for kind in ["application/x-www-form-urlencoded", "text/plain", "multipart/form-data; boundary=a", ""] {
        let form = [("content-type", kind)];
        let answer = page.call("POST", "/dev/clock", r#"{"advance_seconds": 61}"#, &form).await;
        assert_eq!(answer.status, 415, "{kind}");
    }
    assert_eq!(page.clock.now(), START);
}

const PATHS: [&str; 9] = [
    "/",
    "/docs",
    "/dev/inbox",
    "/dev/inbox/events",
    "/dev/samples",
    "/dev/assets/inbox.js",
    "/dev/assets/inbox.css",
    "/dev/assets/common.js",
    "/dev/assets/icon.svg",
];

/// A page whose name was made to point to this machine is of one origin with us, as far as its browser knows.
///
/// Shows: F16.
#[tokio::test]
async fn f16_dev_mode_answers_to_the_names_of_this_machine_only() {
    let page = Page::with_messages_to(&["+12125550123"]);
    for host in [
        "evil.example",
        "evil.example:8025",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "192.0.2.1",
        "[2001:db8::1]:8025",
        "localhost@evil.example",
        "evil.example@localhost",
        "",
        "localhost,evil.example",
    ] {
        let headers = [("host", host)];
        for path in PATHS {
            assert_eq!(page.call("GET", path, "", &headers).await.status, 421, "{host} {path}");
        }
        assert_eq!(page.call("DELETE", "/dev/inbox", "", &headers).await.status, 421, "{host}");
        let push = page.call("POST", "/dev/clock", r#"{"advance_seconds": 61}"#, &headers).await;
        assert_eq!(push.status, 421, "{host}");
    }
    assert_eq!((page.clock.now(), page.recipients("").await.len()), (START, 1));
    for host in ["localhost", "LOCALHOST:8025", "127.0.0.1:8025", "127.1.2.3", "[::1]:8025", "[::1]"] {
        for path in PATHS {
            assert_eq!(page.call("HEAD", path, "", &[("host", host)]).await.status, 200, "{host} {path}");
        }
    }
}
