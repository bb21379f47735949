//! For tests of providers: a peer on loopback, messages to send, and the conformance suite.
//!
//! A provider that speaks HTTP is done when one line in its tests is green:
//! `countersign_providers::provider_conformance!(MyFixture);`

use std::fmt::Debug;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use countersign_core::code::Code;
use countersign_core::ids::{MessageId, VerificationId};
use countersign_core::names::{Channel, DialectName, Locale, Purpose, TenantId};
use countersign_core::provider::{DeliveryError, DeliveryErrorKind, Provider, RenderedMessage, Retry};
use countersign_core::recipient::Recipient;
use countersign_core::time::Timestamp;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use zeroize::Zeroizing;

/// The recipient of [`message`], from a range kept for fiction.
pub const PHONE: &str = "+12125550123";

/// The code of [`message`].
pub const CODE: &str = "483920";

/// A text message as a provider gets it.
pub fn message() -> RenderedMessage {
    let now = Timestamp::from_millis(1_795_161_600_000); // 2026-11-20T08:00:00Z
    RenderedMessage {
        id: MessageId::from_bytes([1; 16]),
        verification: VerificationId::from_bytes([2; 16]),
        tenant: TenantId::parse("demo").expect("a valid name"),
        dialect: DialectName::parse("native").expect("a valid name"),
        purpose: Purpose::parse("login").expect("a valid name"),
        channel: Channel::Sms,
        recipient: Recipient::from_canonical(PHONE),
        code: Code::parse(CODE).expect("a valid code"),
        link: None,
        locale: Locale::parse("en").expect("a valid tag"),
        subject: None,
        text: Zeroizing::new(format!("{CODE} is your Demo code.")),
        expires_at: now + std::time::Duration::from_secs(600),
        now,
    }
}

/// A mail as a provider gets it.
pub fn mail() -> RenderedMessage {
    RenderedMessage {
        channel: Channel::Email,
        recipient: Recipient::from_canonical("ada@example.com"),
        subject: Some("Your Demo code".to_owned()),
        ..message()
    }
}

/// An HTTP answer with a body, and the connection closed after it.
pub fn answer(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}").into_bytes()
}

/// What a [`Peer`] does with each request.
#[derive(Clone, Debug)]
pub enum Reply {
    /// Writes these bytes and closes.
    Bytes(Vec<u8>),
    /// Reads the request and never answers.
    Silence,
    /// Reads the request and closes.
    HangUp,
}

/// One request as it came over the wire.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Request {
    /// Request line and headers, line ends included.
    pub head: String,
    /// The body's bytes.
    pub body: Vec<u8>,
}

impl Request {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .find_map(|(key, value)| key.eq_ignore_ascii_case(name).then_some(value))
    }
}

/// An HTTP server on loopback that notes every request byte for byte.
#[derive(Debug)]
pub struct Peer {
    /// Where it listens.
    pub address: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<Request>>>,
    task: JoinHandle<()>,
}

impl Peer {
    /// Listens on a free port of 127.0.0.1.
    pub async fn start(reply: Reply) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let (connections, requests) = (Arc::<AtomicUsize>::default(), Arc::<Mutex<Vec<_>>>::default());
        let (counted, noted) = (Arc::clone(&connections), Arc::clone(&requests));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream, reply.clone(), Arc::clone(&noted)));
            }
        });
        Self { address, connections, requests, task }
    }

    /// How many connections were opened.
    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }

    /// The requests so far.
    pub fn requests(&self) -> Vec<Request> {
        self.requests.lock().expect("no holder panics").clone()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(mut stream: TcpStream, reply: Reply, noted: Arc<Mutex<Vec<Request>>>) {
    let mut bytes = Vec::new();
    let request = loop {
        if let Some(request) = whole_request(&bytes) {
            break request;
        }
        if !matches!(stream.read_buf(&mut bytes).await, Ok(1..)) {
            return;
        }
    };
    noted.lock().expect("no holder panics").push(request);
    match reply {
        Reply::Bytes(bytes) => {
            // The caller may leave before it has read everything: that is its right.
            let _ = stream.write_all(&bytes).await;
        }
        Reply::Silence => std::future::pending().await,
        Reply::HangUp => {}
    }
}

fn whole_request(bytes: &[u8]) -> Option<Request> {
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let request = Request { head, body: bytes[end..].to_vec() };
    let length: usize = request.header("content-length").unwrap_or("0").parse().ok()?;
    (request.body.len() >= length).then_some(request)
}

/// A loopback address at which nobody listens.
pub async fn nobody() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
    listener.local_addr().expect("it is bound")
}

/// A provider under test.
pub trait Fixture {
    /// Its type.
    type Provider: Provider + Debug;

    /// What must never be printed: its keys, passwords and tokens.
    const SECRETS: &'static [&'static str];

    /// The provider, configured to call a peer.
    fn provider(peer: SocketAddr) -> Self::Provider;

    /// The peer's answer for "accepted".
    fn accepted() -> Vec<u8>;

    /// The peer's answer for "this recipient cannot be reached".
    fn recipient_refused() -> Vec<u8>;
}

/// Runs every provider case against a [`Fixture`]: one line in the provider's tests.
#[macro_export]
macro_rules! provider_conformance {
    ($fixture:ty) => {
        $crate::provider_conformance!($fixture:
            an_accepted_message_is_one_request,
            a_refused_recipient_is_never_tried_again,
            silence_is_unknown_and_never_retried,
            a_lost_connection_is_unknown_and_never_retried,
            garbage_is_no_acceptance_and_never_retried,
            nobody_listening_may_take_another_route,
            nothing_printed_holds_a_secret_a_code_or_a_recipient,
        );
    };
    ($fixture:ty: $($case:ident,)*) => {
        mod conformance {
            use super::*;

            $(
                #[tokio::test]
                async fn $case() {
                    $crate::testkit::$case::<$fixture>().await;
                }
            )*
        }
    };
}

async fn failure<F: Fixture>(reply: Reply) -> DeliveryError {
    let peer = Peer::start(reply).await;
    let error = F::provider(peer.address).deliver(&message()).await.expect_err("not accepted");
    assert_eq!(peer.requests().len(), 1, "one delivery is one request");
    assert_silent::<F>(&format!("{error} {error:?}"));
    error
}

fn assert_unknown(error: &DeliveryError) {
    assert_eq!((error.kind, error.retry), (DeliveryErrorKind::Unknown, Retry::Never), "{error}");
}

fn assert_silent<F: Fixture>(text: &str) {
    for secret in F::SECRETS.iter().chain(&[PHONE, &PHONE[1..], CODE]) {
        assert!(!text.contains(secret), "{text}");
    }
}

/// One message, one request: whoever retries, it is not the provider.
pub async fn an_accepted_message_is_one_request<F: Fixture>() {
    let peer = Peer::start(Reply::Bytes(F::accepted())).await;
    let provider = F::provider(peer.address);
    assert!(provider.channels().contains(&Channel::Sms));
    provider.deliver(&message()).await.expect("accepted");
    assert_eq!(peer.requests().len(), 1);
}

/// "No such number" is about the number, not about the provider.
pub async fn a_refused_recipient_is_never_tried_again<F: Fixture>() {
    let error = failure::<F>(Reply::Bytes(F::recipient_refused())).await;
    assert_eq!((error.kind, error.retry), (DeliveryErrorKind::Recipient, Retry::Never), "{error}");
}

/// A time-out is not a failure: the message may be on its way.
pub async fn silence_is_unknown_and_never_retried<F: Fixture>() {
    assert_unknown(&failure::<F>(Reply::Silence).await);
}

/// Neither is a connection that ends after the request.
pub async fn a_lost_connection_is_unknown_and_never_retried<F: Fixture>() {
    assert_unknown(&failure::<F>(Reply::HangUp).await);
}

/// Neither is an answer that makes no sense.
pub async fn garbage_is_no_acceptance_and_never_retried<F: Fixture>() {
    let garbage = b"\x00\xffSMTP? 200 OK\r\n\r\n".to_vec();
    assert_unknown(&failure::<F>(Reply::Bytes(garbage)).await);
}

/// Without a connection nothing was sent, and the try does not count as a submission.
pub async fn nobody_listening_may_take_another_route<F: Fixture>() {
    let error = F::provider(nobody().await).deliver(&message()).await.expect_err("nobody is there");
    let expected = (DeliveryErrorKind::Unreachable, Retry::OtherRoute);
    assert_eq!((error.kind, error.retry), expected, "{error}");
    assert_silent::<F>(&format!("{error} {error:?}"));
}

/// `Debug` of a provider ends up in logs.
pub async fn nothing_printed_holds_a_secret_a_code_or_a_recipient<F: Fixture>() {
    let provider = F::provider(nobody().await);
    assert_silent::<F>(&format!("{provider:?} {provider:#?} {:?}", message()));
}
