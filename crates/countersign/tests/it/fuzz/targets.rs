//! Everything that reads bytes from outside, as functions of bytes that panic when something is wrong.

use std::cell::RefCell;
use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Request};
use countersign::config::Config;
use countersign::dev;
use countersign::service::{Parts, Service};
use countersign_core::code::Code;
use countersign_core::codec::{from_row, to_row};
use countersign_core::names::{Channel, Locale};
use countersign_core::outbox::Message;
use countersign_core::policy::Policy;
use countersign_core::provider::Routes;
use countersign_core::recipient::Recipient;
use countersign_core::template::{TemplateOverride, TemplateText, Templates};
use countersign_core::testkit::{ManualClock, MemoryEngine, RecordingProvider, SeededEntropy, keys};
use countersign_core::verification::{ClientLedger, RecipientLedger, TenantLedger, Verification};
use countersign_http::front::ClientAddr;
use countersign_http::ops::Readiness;
use data_encoding::HEXLOWER;
use http_body_util::BodyExt;
use sha2::{Digest, Sha256};
use tower::ServiceExt;

/// A parser under test, by name.
type Target = (&'static str, fn(&[u8]));

/// All of them.
pub(super) const TARGETS: [Target; 13] = [
    ("phone", phone),
    ("email", email),
    ("code", code),
    ("template", template),
    ("config", config),
    ("row", row),
    ("native", native),
    ("zap", zap),
    ("crypterium", crypterium),
    ("enduserapi", enduserapi),
    ("zitadel", zitadel),
    ("grpc", grpc),
    ("http1", http1),
];

/// A number that is understood is one number, however it is read again.
fn phone(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let policy = Policy::default();
    for region in ["GB", "US", "IT", "AR", "MX", "CN"] {
        if let Ok(number) = countersign_core::recipient::PhoneNumber::parse_in_region(&text, region, &policy)
        {
            is_canonical(number.expose());
        }
    }
    if let Ok(recipient) = Recipient::parse(&text, &policy) {
        is_canonical(recipient.expose());
    }
}

fn is_canonical(text: &str) {
    let again = Recipient::parse(text, &Policy::default()).expect("what was understood is understood again");
    assert_eq!(again.expose(), text, "and is the same");
    assert!(!text.chars().any(char::is_control), "no control characters in {text:?}");
    assert!(!again.masked().contains(text), "masked");
}

/// The same for a mailbox.
fn email(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    if let Ok(mailbox) = countersign_core::recipient::EmailAddress::parse(&text) {
        is_canonical(mailbox.expose());
    }
}

/// A guess has ASCII letters and digits only, and a bounded number of them.
fn code(input: &[u8]) {
    if let Ok(code) = Code::parse(&String::from_utf8_lossy(input)) {
        let shown = code.expose();
        assert!(
            (1..=Code::MAX_LEN).contains(&shown.len()) && shown.bytes().all(|b| b.is_ascii_alphanumeric())
        );
        assert_eq!(Code::parse(shown).expect("a code").expose(), shown);
    }
}

/// An operator's text is refused with a reason, or taken; the first line is the subject.
fn template(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (subject, text) = text.split_once('\n').unwrap_or(("", &text));
    for channel in [Channel::Sms, Channel::Email] {
        let template = TemplateOverride {
            tenant: None,
            purpose: None,
            channel,
            locale: Locale::parse("pl").expect("a language"),
            subject: (channel == Channel::Email && !subject.is_empty()).then(|| subject.to_owned()),
            text: TemplateText::One(text.to_owned()),
        };
        if let Err(error) = Templates::with_overrides([template]) {
            assert!(!error.to_string().is_empty());
        }
    }
}

/// A configuration is read, or refused with a reason for each mistake.
fn config(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let env = |name: &str| (name == "SECRET").then(|| "a secret of the environment 0123456789".to_owned());
    if let Err(error) = Config::parse("c.toml", &text, Path::new("/nowhere"), &env) {
        let error = error.to_string();
        assert!(!error.is_empty() && !error.contains("a secret of the environment"), "{error}");
    }
}

/// What a store hands back is refused, or survives being written again.
fn row(input: &[u8]) {
    macro_rules! survives {
        ($($row:ty)*) => {
            $(if let Ok(value) = from_row::<$row>(input) {
                assert_eq!(from_row::<$row>(&to_row(&value)).expect("written just now"), value);
            })*
        };
    }
    survives!(Verification RecipientLedger ClientLedger TenantLedger Message);
}

fn native(input: &[u8]) {
    request(input, &["/v1/"]);
}

fn zap(input: &[u8]) {
    request(input, &["/v1/", "/api/"]);
}

fn crypterium(input: &[u8]) {
    request(input, &["/v2/mobile/"]);
}

/// Wherever the input has `<signed>`, it is signed as its caller would: what comes after the signature is read too.
fn enduserapi(input: &[u8]) {
    let text = String::from_utf8_lossy(input).replace("<now>", &ManualClock::START.as_millis().to_string());
    let value = |name: &str| {
        let found =
            text.split(['?', '&', '\n', ' ']).find_map(|pair| pair.strip_prefix(name)?.strip_prefix('='));
        found.unwrap_or_default().to_owned()
    };
    let either = |one: &str, other: &str| if value(one).is_empty() { value(other) } else { value(one) };
    let country = if text.contains("Login?") { value("internationalCode") } else { String::new() };
    let who = country + &either("phone", "email");
    let what = [either("codeType", "emailType"), either("smsCode", "code")].concat();
    let secret = "57Fk69oYgbs2aWWN362NtZwYB2RqKNqQ7yZESnF5VM33";
    let input = format!("{who}{what}{}{}{secret}", value("random"), value("ts"));
    let signature = HEXLOWER.encode(&Sha256::digest(input));
    request(text.replace("<signed>", &signature).as_bytes(), &["/v2/sms/", "/v2/mail/", "/v2/enduser/"]);
}

fn zitadel(input: &[u8]) {
    let text = String::from_utf8_lossy(input).replace("PAT123", "dev-zitadel-service-token");
    request(text.as_bytes(), &["/v2/", "/v2beta/", "/auth/", "/management/", "/zitadel."]);
}

/// The first byte says which call; the rest is the body as it is.
fn grpc(input: &[u8]) {
    const CALLS: [&str; 6] = [
        "/zitadel.user.v2.UserService/SetPhone",
        "/zitadel.user.v2.UserService/VerifyPhone",
        "/zitadel.user.v2.UserService/AddHumanUser",
        "/zitadel.user.v2beta.UserService/ResendPhoneCode",
        "/zitadel.auth.v1.AuthService/SetMyPhone",
        "/zitadel.management.v1.ManagementService/UpdateHumanPhone",
    ];
    const TYPES: [&str; 4] =
        ["application/grpc", "application/grpc+proto", "application/grpc-web+proto", "application/proto"];
    let Some((which, body)) = input.split_first() else { return };
    let (call, kind) = (usize::from(*which) % CALLS.len(), usize::from(*which) / CALLS.len() % TYPES.len());
    let request = Request::post(CALLS[call])
        .header("content-type", TYPES[kind])
        .header("te", "trailers")
        .header("authorization", "Bearer dev-zitadel-service-token")
        .body(Body::from(body.to_vec()));
    answered(request.expect("a request"));
}

/// A request as it is recorded: a line, headers, an empty line, a body. What no front would let through, and what
/// leads elsewhere, is left out.
fn request(input: &[u8], paths: &[&str]) {
    let cut = input.windows(2).position(|two| two == b"\n\n").unwrap_or(input.len());
    let (head, body) = (String::from_utf8_lossy(&input[..cut]), input.get(cut + 2..).unwrap_or_default());
    let mut lines = head.lines();
    let mut start = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(path)) = (start.next(), start.next()) else { return };
    if !paths.iter().any(|own| path.starts_with(own)) {
        return;
    }
    let Ok(mut request) = Request::builder().method(method).uri(path).body(Body::from(body.to_vec())) else {
        return;
    };
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), value.parse::<HeaderValue>()) {
            request.headers_mut().append(name, value);
        }
    }
    answered(request);
}

/// How many calls a service answers before it is replaced: what is stored would grow.
const TURNS: u32 = 2_000;

struct Served {
    router: Router,
    turns: u32,
}

impl Served {
    fn new() -> Self {
        let _already_there = rustls::crypto::ring::default_provider().install_default();
        let provider = RecordingProvider::new("recorder");
        let mut routes = Routes::shared(vec![provider.route(0)]);
        routes.set_test(provider.route(0));
        let service = Service::assemble(Parts {
            engine: Arc::new(MemoryEngine::new(keys())),
            keys: Arc::new(keys()),
            clock: Arc::new(ManualClock::default()),
            entropy: Arc::new(SeededEntropy::default()),
            routes,
            config: dev::config(),
        });
        let api = service.router(Readiness::default(), None, None).expect("the demo's configuration");
        Self { router: api, turns: TURNS }
    }
}

thread_local! {
    static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    static SERVED: RefCell<Served> = RefCell::new(Served::new());
}

/// Every answer is one that the API has: never its own fault.
fn answered(mut request: Request<Body>) {
    request.extensions_mut().insert(ClientAddr { ip: [127, 0, 0, 1].into(), through_proxy: false });
    let router = SERVED.with_borrow_mut(|served| {
        served.turns -= 1;
        if served.turns == 0 {
            *served = Served::new();
        }
        served.router.clone()
    });
    RUNTIME.with(|runtime| {
        runtime.block_on(async {
            let response = router.oneshot(request).await.expect("an answer");
            let status = response.status().as_u16();
            assert!(status < 500 || status == 501, "{status}");
            response.into_body().collect().await.expect("a whole answer");
        });
    });
}

/// A connection that begins with these bytes ends or is answered, and the next one is served.
fn http1(input: &[u8]) {
    use std::io::{Read, Write};
    use std::net::{Shutdown, SocketAddr, TcpStream};
    thread_local! {
        static ADDRESS: SocketAddr = listen();
    }
    let talk = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(ADDRESS.with(|address| *address)).expect("it listens");
        // What is refused early may close before all of it was sent.
        let _closed_early = stream.write_all(bytes).and_then(|()| stream.shutdown(Shutdown::Write));
        let mut answer = Vec::new();
        let _reset = stream.read_to_end(&mut answer);
        answer
    };
    let said = talk(input);
    assert!(!said.starts_with(b"HTTP/1.1 500"), "{}", said.escape_ascii());
    let good = talk(b"GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert!(good.starts_with(b"HTTP/1.1 200"), "{}", good.escape_ascii());
}

/// A front with everything behind it, on a thread of its own.
fn listen() -> std::net::SocketAddr {
    let (send, receive) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
            send.send(listener.local_addr().expect("bound")).expect("somebody waits");
            let options = countersign_http::front::FrontOptions::default();
            let router = Served::new().router;
            countersign_http::front::serve(vec![listener], router, options, std::future::pending()).await
        })
    });
    receive.recv().expect("it listens")
}
