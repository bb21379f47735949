//! The front over real connections, byte by byte.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::net::SocketAddr;

use axum::Extension;
use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, Uri};
use axum::routing::{get, post};
use http_body_util::StreamBody;
use hyper::body::Frame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::*;
use crate::observe::Observe;

mod http2;

/// The length of an answer that is longer than what systems buffer for who does not read.
const LONG: usize = 16 * 1024 * 1024;

/// A front with a small service behind it.
struct Server {
    addr: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    served: JoinHandle<usize>,
}

impl Server {
    async fn start(options: FrontOptions) -> Self {
        let service = Router::new()
            .route("/", get(async || "hello"))
            .route("/long", get(async || vec![b'a'; LONG]))
            .route("/half", get(async || vec![b'a'; LONG / 2]))
            .route("/echo", post(async |body: Bytes| body))
            .route("/client", get(async |Extension(client): Extension<ClientAddr>| client.ip.to_string()))
            .route("/panic", get(async || -> &'static str { panic!("on purpose") }))
            .route("/slow", get(async || tokio::time::sleep(Duration::from_millis(300)).await))
            .route("/stuck", get(std::future::pending::<()>))
            .route(
                "/seen",
                get(async |uri: Uri, headers: HeaderMap| {
                    format!("{uri} {}", headers["host"].to_str().unwrap())
                }),
            )
            .route(
                "/trailers",
                get(async || {
                    let trailers = HeaderMap::from_iter([(
                        HeaderName::from_static("grpc-status"),
                        HeaderValue::from_static("0"),
                    )]);
                    let frames = [Frame::data(Bytes::from_static(b"body")), Frame::trailers(trailers)];
                    Body::new(StreamBody::new(futures_util::stream::iter(frames.map(Ok::<_, Infallible>))))
                }),
            )
            .layer(Observe::plain("test"));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel();
        let shutdown = async { drop(stopped.await) };
        let served = tokio::spawn(serve(vec![listener], service, options, shutdown));
        Self { addr, stop: Some(stop), served }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.unwrap()
    }

    /// Sends bytes and reads until the server closes.
    async fn exchange(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        rest(&mut stream).await
    }

    async fn stop(mut self) -> usize {
        self.stop.take().unwrap().send(()).unwrap();
        self.served.await.unwrap()
    }
}

fn quick() -> FrontOptions {
    let short = Duration::from_millis(200);
    FrontOptions {
        head_timeout: short,
        body_timeout: short,
        idle_timeout: Duration::from_millis(400),
        drain_timeout: Duration::from_secs(1),
        ..FrontOptions::default()
    }
}

async fn rest(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read_to_end(&mut text));
    read.await.expect("the server closes").ok();
    String::from_utf8(text).unwrap()
}

/// One answer of a connection that stays open.
async fn answer(stream: &mut TcpStream) -> String {
    let mut text = String::new();
    loop {
        let mut piece = [0; 4096];
        let n = stream.read(&mut piece).await.unwrap();
        text.push_str(std::str::from_utf8(&piece[..n]).unwrap());
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        if body.len() >= header(head, "content-length").unwrap().parse().unwrap() {
            return text;
        }
    }
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    answer.lines().find_map(|line| {
        let (n, value) = line.split_once(": ")?;
        n.eq_ignore_ascii_case(name).then_some(value)
    })
}

fn statuses(answers: &str) -> Vec<&str> {
    answers.split("HTTP/1.").skip(1).map(|answer| &answer[2..5]).collect()
}

const GET: &str = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

fn post_of(fields: &str, body: &str) -> String {
    format!("POST /echo HTTP/1.1\r\nHost: a\r\n{fields}\r\n{body}")
}

/// Shows: O12.
#[tokio::test]
async fn an_answer_has_a_length_an_id_and_stays_out_of_caches() {
    let server = Server::start(quick()).await;
    let answer = server.exchange("GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.ends_with("\r\n\r\nhello"), "{answer}");
    assert_eq!(header(&answer, "content-length"), Some("5"));
    assert_eq!(header(&answer, "cache-control"), Some("no-store"));
    assert_eq!(header(&answer, "x-request-id").unwrap().len(), 16);
    assert!(!answer.contains("evil"));
}

/// Shows: A14.
#[tokio::test]
async fn what_can_be_read_in_two_ways_is_answered_400_and_closed() {
    let server = Server::start(quick()).await;
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
    for bad in [
        post_of("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
        post_of("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "0\r\n\r\n"),
        post_of("Content-Length: 1\r\nContent-Length: 1\r\n", "a"),
        post_of("Content-Length: 1\r\nContent-Length: 2\r\n", "ab"),
        post_of("Content-Length: 1, 1\r\n", "a"),
        post_of("Content-Length: -1\r\n", ""),
        post_of("X: a\r\n b\r\n", ""),
        post_of("X: a\rb\r\n", ""),
        post_of("Transfer-Encoding: xchunked\r\n", "0\r\n\r\n"),
        post_of("Transfer-Encoding: chunked\r\n", "1;a=b\r\nx\r\n0\r\n\r\n"),
        post_of("Transfer-Encoding: chunked\r\n", "1\nx\r\n0\r\n\r\n"),
        post_of("Transfer-Encoding: chunked\r\n", "1\r\nxy\r\n0\r\n\r\n"),
        post_of("Transfer-Encoding: chunked\r\n", "1\r\nx\r\n0\r\nX: y\r\n\r\n"),
        "GET / HTTP/1.1\nHost: a\n\n".into(),
        "GET / HTTP/1.1\r\n\r\n".into(),
        "GET / HTTP/2.0\r\nHost: a\r\n\r\n".into(),
        "\x16\x03\x01\x02\x00\x01\x00\x01\r\n".into(),
    ] {
        let answer = server.exchange(format!("{bad}{smuggled}")).await;
        assert_eq!(statuses(&answer), ["400"], "{bad:?}: {answer}");
        assert_eq!(header(&answer, "content-length"), Some("0"), "{bad:?}");
        assert_eq!(header(&answer, "connection"), Some("close"), "{bad:?}");
        assert_eq!(header(&answer, "cache-control"), Some("no-store"), "{bad:?}");
        assert!(header(&answer, "x-request-id").is_some(), "{bad:?}");
    }
}

#[tokio::test]
async fn a_refusal_waits_for_the_answers_before_it() {
    let server = Server::start(quick()).await;
    let answers = server.exchange(format!("{GET}{GET}GET / HTTP/1.1\n")).await;
    assert_eq!(statuses(&answers), ["200", "200", "400"]);
}

/// Shows: A22.
#[tokio::test]
async fn too_much_is_refused_by_kind() {
    let server = Server::start(quick()).await;
    let long = "a".repeat(MAX_BODY + 1);
    let chunk = format!("{:x}\r\n{}\r\n", 1000, "a".repeat(1000));
    for (status, request) in [
        ("431", format!("GET / HTTP/1.1\r\nHost: a\r\nX: {long}\r\n\r\n")),
        ("431", format!("GET /{long} HTTP/1.1\r\nHost: a\r\n\r\n")),
        ("431", format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: y\r\n".repeat(64))),
        ("413", post_of(&format!("Content-Length: {}\r\n", long.len()), &long)),
        ("413", post_of("Content-Length: 9999999999\r\n", "")),
        ("413", post_of("Transfer-Encoding: chunked\r\n", &chunk.repeat(17))),
    ] {
        let answer = server.exchange(&request).await;
        assert_eq!(statuses(&answer), [status], "{}", &request[..60]);
        assert_eq!(header(&answer, "content-length"), Some("0"));
    }
}

#[tokio::test]
async fn the_largest_body_is_echoed_in_one_piece_and_in_chunks() {
    let server = Server::start(quick()).await;
    let full = "a".repeat(MAX_BODY);
    let chunks = format!("{:X}\r\n{full}\r\n0\r\n\r\n", full.len());
    for request in [
        post_of(&format!("Connection: close\r\nContent-Length: {}\r\n", full.len()), &full),
        post_of("Connection: close\r\nTransfer-Encoding: chunked\r\n", &chunks),
    ] {
        let answer = server.exchange(&request).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with(&full), "{}", &answer[..100]);
    }
}

/// Shows: A22.
#[tokio::test]
async fn an_encoded_body_is_refused_and_the_connection_goes_on() {
    let server = Server::start(quick()).await;
    let encoded = post_of("Content-Encoding: gzip\r\nContent-Length: 2\r\n", "ab");
    let answers = server.exchange(format!("{encoded}{GET}")).await;
    assert_eq!(statuses(&answers), ["415", "200"]);
}

/// Shows: A21.
#[tokio::test]
async fn a_half_sent_head_is_answered_408_and_a_silent_connection_just_closed() {
    let server = Server::start(quick()).await;
    assert_eq!(statuses(&server.exchange("GET / HTTP/1.1\r\nHos").await), ["408"]);
    assert_eq!(server.exchange("").await, "");
    // The same for a later head on a connection that was good so far.
    assert_eq!(statuses(&server.exchange(format!("{GET}G")).await), ["200", "408"]);
}

/// Shows: A21.
#[tokio::test]
async fn a_head_that_trickles_in_does_not_buy_time() {
    let server = Server::start(quick()).await;
    let mut stream = server.connect().await;
    let begun = std::time::Instant::now();
    for byte in "GET / HTTP/1.1\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy".bytes() {
        if stream.write_all(&[byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(statuses(&rest(&mut stream).await), ["408"]);
    assert!(begun.elapsed() < Duration::from_secs(3));
}

/// Shows: A21.
#[tokio::test]
async fn a_slow_body_is_answered_408_and_closed() {
    let server = Server::start(quick()).await;
    let answer = server.exchange(post_of("Content-Length: 10\r\n", "a")).await;
    assert_eq!(statuses(&answer), ["408"]);
    assert_eq!(header(&answer, "connection"), Some("close"));
}

#[tokio::test]
async fn a_connection_serves_many_requests_and_is_closed_when_idle() {
    let server = Server::start(quick()).await;
    let mut stream = server.connect().await;
    for _ in 0..3 {
        stream.write_all(GET.as_bytes()).await.unwrap();
        assert!(answer(&mut stream).await.ends_with("hello"));
        // Longer than a head may take: between requests there is more time.
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert_eq!(rest(&mut stream).await, "");
}

#[tokio::test]
async fn a_client_that_stops_sending_still_gets_its_answer() {
    let server = Server::start(quick()).await;
    let mut stream = server.connect().await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(statuses(&rest(&mut stream).await), ["200"]);
}

#[tokio::test]
async fn a_client_that_asks_first_is_told_to_continue() {
    let server = Server::start(quick()).await;
    let mut stream = server.connect().await;
    let head = post_of("Expect: 100-continue\r\nConnection: close\r\nContent-Length: 2\r\n", "");
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut interim = [0; 25];
    stream.read_exact(&mut interim).await.unwrap();
    assert_eq!(&interim, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"ab").await.unwrap();
    assert!(rest(&mut stream).await.ends_with("\r\n\r\nab"));
}

#[tokio::test]
async fn a_panic_costs_one_request() {
    let server = Server::start(quick()).await;
    let answers = server.exchange(format!("GET /panic HTTP/1.1\r\nHost: a\r\n\r\n{GET}")).await;
    assert_eq!(statuses(&answers), ["500", "200"]);
}

/// Shows: O12.
#[tokio::test]
async fn trace_and_other_methods_are_off() {
    let server = Server::start(quick()).await;
    for method in ["TRACE", "PUT", guard::REFUSED] {
        let request = format!("{method} / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nCookie: c\r\n\r\n");
        let answer = server.exchange(request).await;
        assert_eq!(statuses(&answer), ["405"]);
        assert_eq!(header(&answer, "allow"), Some("GET,HEAD"));
        assert!(!answer.contains("Cookie"));
    }
}

/// Shows: N9.
#[tokio::test]
async fn only_a_trusted_proxy_says_who_the_client_is_and_which_request_it_is() {
    let request = "GET /client HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.7\r\n\
        X-Request-Id: abcd-1234\r\nConnection: close\r\n\r\n";
    let server = Server::start(quick()).await;
    let answer = server.exchange(request).await;
    assert!(answer.ends_with("\r\n127.0.0.1"), "{answer}");
    assert_ne!(header(&answer, "x-request-id"), Some("abcd-1234"));

    let trusted_proxies = TrustedProxies::new(["127.0.0.0/8".parse().unwrap()]);
    let server = Server::start(FrontOptions { trusted_proxies, ..quick() }).await;
    let answer = server.exchange(request).await;
    assert!(answer.ends_with("\r\n203.0.113.7"), "{answer}");
    assert_eq!(header(&answer, "x-request-id"), Some("abcd-1234"));
}

/// What the shipped program waits for, and for how long.
///
/// Shows: A21.
#[test]
fn nobody_is_waited_for_beyond_the_shipped_times() {
    let shipped = FrontOptions::default();
    let seconds = [shipped.head_timeout, shipped.body_timeout, shipped.answer_timeout, shipped.idle_timeout];
    assert_eq!(seconds.map(|time| time.as_secs()), [10, 10, 30, 75]);
    assert_eq!((shipped.drain_timeout.as_secs(), shipped.max_connections), (30, 16_384));
}

/// Shows: F11.
#[tokio::test]
async fn f11_when_there_is_no_room_the_connection_idle_longest_goes() {
    let server = Server::start(FrontOptions { max_connections: 2, ..quick() }).await;
    let mut idle = server.connect().await;
    idle.write_all(GET.as_bytes()).await.unwrap();
    answer(&mut idle).await;
    let mut busy = server.connect().await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    let answers = server.exchange(GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")).await;
    assert_eq!(statuses(&answers), ["200"]);
    assert_eq!(rest(&mut idle).await, "", "it was closed");
    assert_eq!(statuses(&answer(&mut busy).await), ["200"]);
}

/// A connection that is closed with unread bytes is reset, and what was sent on it may be lost.
///
/// Shows: F11.
#[tokio::test]
async fn f11_a_refused_client_sees_its_503_though_it_sent_much() {
    let server = Server::start(FrontOptions { max_connections: 1, ..quick() }).await;
    // Until it is at work the connection counts as idle, and makes room.
    let mut stuck = None;
    while server.exchange("").await.is_empty() {
        let mut stream = server.connect().await;
        stream.write_all(b"GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        stuck = Some(stream);
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(stuck.is_some());
    for _ in 0..3 {
        let mut stream = server.connect().await;
        let body = "a".repeat(300_000);
        stream.write_all(post_of("Content-Length: 300000\r\n", &body).as_bytes()).await.unwrap();
        let answer = rest(&mut stream).await;
        assert_eq!(statuses(&answer), ["503"]);
        assert_eq!(header(&answer, "retry-after"), Some("1"));
    }
}

/// Shows: F11.
#[tokio::test]
async fn f11_half_a_request_keeps_no_place_from_whole_ones() {
    let server = Server::start(FrontOptions { max_connections: 2, ..FrontOptions::default() }).await;
    let mut halves = Vec::new();
    for half in ["", "GET / HT", "POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf"] {
        let mut stream = server.connect().await;
        stream.write_all(half.as_bytes()).await.unwrap();
        halves.push(stream);
    }
    let answers = server.exchange(GET.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")).await;
    assert_eq!(statuses(&answers), ["200"]);
}

#[tokio::test]
async fn a_leaving_service_answers_and_ends_each_connection() {
    let options = quick();
    let readiness = options.readiness.clone();
    let server = Server::start(options).await;
    readiness.leave();
    let answer = server.exchange(GET).await;
    assert_eq!(statuses(&answer), ["200"]);
    assert_eq!(header(&answer, "connection"), Some("close"));
}

/// Shows: O2.
#[tokio::test]
async fn stopping_finishes_what_is_under_way_and_closes_the_rest() {
    let server = Server::start(FrontOptions { idle_timeout: Duration::from_secs(60), ..quick() }).await;
    let (mut idle, mut busy) = (server.connect().await, server.connect().await);
    idle.write_all(GET.as_bytes()).await.unwrap();
    answer(&mut idle).await;
    busy.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let addr = server.addr;
    assert_eq!(server.stop().await, 0);
    assert_eq!(rest(&mut idle).await, "");
    assert_eq!(statuses(&rest(&mut busy).await), ["200"]);
    assert!(TcpStream::connect(addr).await.is_err());
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let server = Server::start(FrontOptions { drain_timeout: Duration::from_millis(100), ..quick() }).await;
    let mut stuck = server.connect().await;
    stuck.write_all(b"GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.stop().await, 1);
    assert_eq!(rest(&mut stuck).await, "");
}

/// Good streams, damaged at random: whatever is let through, hyper reads as the same messages, and never
/// has a reason to refuse one by itself.
#[tokio::test]
async fn hyper_reads_what_was_let_through_in_the_same_way() {
    let good = [
        format!("{GET}{GET}"),
        format!("{}{GET}", post_of("Content-Length: 12\r\n", "12\r\n34\r\n0\r\n\r\n")),
        format!(
            "{}{GET}",
            post_of("Transfer-Encoding: chunked\r\n", "3\r\nabc\r\na\r\n0123456789\r\n0\r\n\r\n")
        ),
        format!("{}{GET}", post_of("X: y\r\nContent-Length: 5\r\nY: z\r\n", "GET /")),
    ];
    let pieces: [&[u8]; 16] = [
        b"\r",
        b"\n",
        b"\r\n",
        b" ",
        b"\t",
        b"0",
        b"1",
        b"a",
        b":",
        b";x",
        b",",
        b"\0",
        b"\xff",
        b"?",
        b"%",
        b"Content-Length: 3\r\n",
    ];
    let mut state = 7u64;
    let mut draw = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap() % below
    };
    let mut read = 0;
    for _ in 0..6000 {
        let mut stream = good[draw(good.len())].clone().into_bytes();
        for _ in 0..=draw(3) {
            let at = draw(stream.len());
            let end = at + draw(2).min(stream.len() - at);
            stream.splice(at..end, pieces[draw(pieces.len())].iter().copied());
        }
        let (passed, messages) = let_through(&stream);
        let (answers, whole) = read_by_hyper(&stream[..passed]).await;
        let shown = String::from_utf8_lossy(&stream);
        assert_eq!(statuses(&answers).len(), answers.matches("ours: yes").count(), "{shown:?}");
        // After HTTP/1.0 hyper closes, so that it reads less than it may.
        assert!(
            whole == messages || (whole < messages && shown.contains("HTTP/1.0")),
            "{whole} of {messages}: {shown:?}"
        );
        read += whole;
    }
    assert!(read > 1000, "too little came through to tell: {read}");
}

/// How many bytes pass, and how many whole messages they are.
fn let_through(stream: &[u8]) -> (usize, usize) {
    let (mut framing, mut passed, mut messages) = (framing::Framing::new(), 0, 0);
    while let framing::Verdict::Pass(n) = framing.judge(&stream[passed..]) {
        passed += n;
        messages += usize::from(framing.in_head());
    }
    (passed, messages)
}

/// What hyper answers, and how many requests it read to their end.
async fn read_by_hyper(stream: &[u8]) -> (String, usize) {
    let (mut client, server) = tokio::io::duplex(64 * 1024);
    client.write_all(stream).await.unwrap();
    client.shutdown().await.unwrap();
    let whole = std::cell::Cell::new(0);
    let service = hyper::service::service_fn(async |request: Request<Incoming>| {
        let body = http_body_util::BodyExt::collect(request.into_body()).await;
        whole.set(whole.get() + usize::from(body.is_ok()));
        Ok::<_, Infallible>(Response::builder().header("ours", "yes").body(Body::empty()).unwrap())
    });
    http1::Builder::new().half_close(true).serve_connection(TokioIo::new(server), service).await.ok();
    (rest_of(client).await, whole.get())
}

async fn rest_of(mut stream: tokio::io::DuplexStream) -> String {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).await.unwrap();
    String::from_utf8(text).unwrap()
}
