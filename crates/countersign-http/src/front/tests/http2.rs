//! HTTP/2 on the port of HTTP/1: with a client that follows the rules, and frame by frame with one that
//! does not.

use axum::http::request::Builder;
use axum::http::{HeaderMap, Method};
use h2::client::SendRequest;
use h2::{Reason, RecvStream};

use super::*;
use crate::front::preface::PREFACE;

mod answers;

/// A client that follows the rules.
struct Client {
    requests: SendRequest<Bytes>,
    ended: JoinHandle<Result<(), h2::Error>>,
}

#[derive(Debug)]
struct Answer {
    status: u16,
    headers: HeaderMap,
    body: String,
    trailers: Option<HeaderMap>,
}

impl Client {
    async fn connect(server: &Server) -> Self {
        let (requests, connection) = h2::client::handshake(server.connect().await).await.unwrap();
        Self { requests, ended: tokio::spawn(connection) }
    }

    async fn send(&self, request: Builder, body: &str) -> Result<Answer, h2::Error> {
        let mut requests = self.requests.clone().ready().await?;
        let request = request.body(()).unwrap();
        let (response, mut sending) = requests.send_request(request, body.is_empty())?;
        if !body.is_empty() {
            sending.send_data(Bytes::copy_from_slice(body.as_bytes()), true)?;
        }
        let (head, body) = response.await?.into_parts();
        let (body, trailers) = collect(body).await?;
        Ok(Answer { status: head.status.as_u16(), headers: head.headers, body, trailers })
    }

    async fn get(&self, path: &str) -> Result<Answer, h2::Error> {
        self.send(get(path), "").await
    }
}

async fn collect(mut body: RecvStream) -> Result<(String, Option<HeaderMap>), h2::Error> {
    let mut whole = Vec::new();
    while let Some(piece) = body.data().await {
        let piece = piece?;
        body.flow_control().release_capacity(piece.len())?;
        whole.extend_from_slice(&piece);
    }
    Ok((String::from_utf8(whole).unwrap(), body.trailers().await?))
}

fn get(path: &str) -> Builder {
    Request::get(format!("http://a{path}"))
}

fn echo() -> Builder {
    Request::post("http://a/echo")
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const GOAWAY: u8 = 7;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// A frame as it goes over the wire.
fn frame(kind: u8, flags: u8, stream: u32, content: &[u8]) -> Vec<u8> {
    let length = u32::try_from(content.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), content].concat()
}

/// The preface and empty settings.
fn hello() -> Vec<u8> {
    [&PREFACE[..], &frame(SETTINGS, 0, 0, b"")].concat()
}

/// A head in HPACK without compression: GET, http, the path, the authority `a`.
fn head(path: &str) -> Vec<u8> {
    let length = u8::try_from(path.len()).unwrap();
    [&[0x82, 0x86, 0x04, length], path.as_bytes(), &[0x01, 1, b'a']].concat()
}

fn request(stream: u32, path: &str) -> Vec<u8> {
    frame(HEADERS, END_STREAM | END_HEADERS, stream, &head(path))
}

/// A frame that was received.
#[derive(Debug)]
struct Frame {
    kind: u8,
    stream: u32,
    content: Vec<u8>,
}

impl Frame {
    async fn read(stream: &mut TcpStream) -> Option<Self> {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await.ok()?;
        let length = usize::from(head[1]) << 8 | usize::from(head[2]);
        let mut content = vec![0; length];
        stream.read_exact(&mut content).await.ok()?;
        let number = u32::from_be_bytes(head[5..].try_into().unwrap());
        Some(Self { kind: head[3], stream: number, content })
    }

    /// All until the server closes.
    async fn rest(stream: &mut TcpStream) -> Vec<Self> {
        let all = async {
            let mut frames = Vec::new();
            while let Some(frame) = Self::read(stream).await {
                frames.push(frame);
            }
            frames
        };
        tokio::time::timeout(Duration::from_secs(5), all).await.expect("the server closes")
    }

    /// The reason of a `RST_STREAM` or of a `GOAWAY`.
    fn reason(&self) -> Reason {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.content[at..at + 4].try_into().unwrap()).into()
    }
}

/// The reason of the last `GOAWAY`.
fn farewell(frames: &[Frame]) -> Option<Reason> {
    frames.iter().rfind(|frame| frame.kind == GOAWAY).map(Frame::reason)
}

/// Sends bytes and reads frames until the server closes.
async fn exchange_frames(server: &Server, bytes: &[u8]) -> Vec<Frame> {
    let mut stream = server.connect().await;
    // The server may be done with us before it has read all of it.
    stream.write_all(bytes).await.ok();
    Frame::rest(&mut stream).await
}

#[tokio::test]
async fn one_port_speaks_both() {
    let server = Server::start(quick()).await;
    let client = Client::connect(&server).await;
    let answer = client.get("/").await.unwrap();
    assert_eq!((answer.status, answer.body.as_str()), (200, "hello"));
    assert_eq!(answer.headers["content-length"], "5");
    assert_eq!(answer.headers["cache-control"], "no-store");
    assert_eq!(answer.headers["x-request-id"].len(), 16);
    assert!(answer.headers["date"].to_str().unwrap().ends_with(" GMT"));
    let mut of_http_1 = server.connect().await;
    of_http_1.write_all(GET.as_bytes()).await.unwrap();
    assert!(super::answer(&mut of_http_1).await.ends_with("hello"));
    assert_eq!(client.get("/").await.unwrap().status, 200);
}

/// Shows: A22.
#[tokio::test]
async fn too_much_is_refused_by_kind_and_the_connection_goes_on() {
    let server = Server::start(quick()).await;
    let client = Client::connect(&server).await;
    let long = "a".repeat(MAX_BODY + 1);
    let fields = (0..65).fold(get("/"), |request, _| request.header("x", "y"));
    for (status, request, body) in [
        (431, get("/").header("x", &long[..]), ""),
        (431, get(&format!("/{long}")), ""),
        // Twice as much as we read: refused before it is read at all.
        (431, get("/").header("x", long.repeat(3)), ""),
        (431, fields, ""),
        (413, echo(), &long[..]),
        (413, echo().header("content-length", MAX_BODY + 1), &long[..]),
        (415, echo().header("content-encoding", "gzip"), "ab"),
    ] {
        let answer = client.send(request, body).await.unwrap();
        assert_eq!((answer.status, answer.body.as_str()), (status, ""));
        assert!(answer.headers.get("connection").is_none());
        assert_eq!(client.get("/").await.unwrap().body, "hello");
    }
}

/// Shows: A22.
#[tokio::test]
async fn the_largest_head_and_the_largest_body_are_read() {
    let server = Server::start(quick()).await;
    let client = Client::connect(&server).await;
    let full = "a".repeat(MAX_BODY);
    let fields = (0..64).fold(get("/"), |request, _| request.header("x", "y".repeat(200)));
    assert_eq!(client.send(fields, "").await.unwrap().status, 200);
    for _ in 0..30 {
        assert_eq!(client.send(echo(), &full).await.unwrap().body, full);
    }
}

/// Shows: A14.
#[tokio::test]
async fn what_http_1_would_not_take_as_a_head_is_answered_400() {
    let server = Server::start(quick()).await;
    let client = Client::connect(&server).await;
    for request in [
        Request::builder().method(Method::CONNECT).uri("a:80"),
        get("/{a}"),
        get("/").header("host", "b"),
        get("/").header("host", "a").header("host", "a"),
        Request::get("http://user@a/"),
    ] {
        assert_eq!(client.send(request, "").await.unwrap().status, 400);
    }
    assert_eq!(client.send(get("/").header("host", "A"), "").await.unwrap().status, 200);
}

#[tokio::test]
async fn a_service_sees_the_same_request_over_both() {
    let server = Server::start(quick()).await;
    let client = Client::connect(&server).await;
    let answer = client.get("/seen?a=b").await.unwrap();
    assert_eq!(answer.body, "/seen?a=b a");
    let of_http_1 = server.exchange("GET /seen?a=b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await;
    assert!(of_http_1.ends_with("\r\n\r\n/seen?a=b a"), "{of_http_1}");
}

#[tokio::test]
async fn only_a_trusted_proxy_says_who_the_client_is_over_http_2() {
    let trusted_proxies = TrustedProxies::new(["127.0.0.0/8".parse().unwrap()]);
    for (options, client_ip) in
        [(quick(), "127.0.0.1"), (FrontOptions { trusted_proxies, ..quick() }, "203.0.113.7")]
    {
        let server = Server::start(options).await;
        let client = Client::connect(&server).await;
        let request = get("/client").header("x-forwarded-for", "203.0.113.7");
        assert_eq!(client.send(request, "").await.unwrap().body, client_ip);
    }
}

#[tokio::test]
async fn trailers_reach_the_client() {
    let server = Server::start(quick()).await;
    let client = Client::connect(&server).await;
    let answer = client.send(get("/trailers").header("te", "trailers"), "").await.unwrap();
    assert_eq!(answer.body, "body");
    assert_eq!(answer.trailers.unwrap()["grpc-status"], "0");
}

/// Shows: A21.
#[tokio::test]
async fn a_slow_body_is_answered_408_while_others_are_served() {
    let server = Server::start(quick()).await;
    let client = Client::connect(&server).await;
    let mut requests = client.requests.clone().ready().await.unwrap();
    let (slow, mut sending) = requests.send_request(echo().body(()).unwrap(), false).unwrap();
    sending.send_data(Bytes::from_static(b"a"), false).unwrap();
    assert_eq!(client.get("/").await.unwrap().status, 200);
    assert_eq!(slow.await.unwrap().status(), 408);
    assert_eq!(client.get("/").await.unwrap().status, 200);
}

/// Shows: A21.
#[tokio::test]
async fn a_preface_that_trickles_in_does_not_buy_time() {
    let server = Server::start(quick()).await;
    let mut stream = server.connect().await;
    let begun = std::time::Instant::now();
    for byte in PREFACE {
        if stream.write_all(&[*byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(statuses(&rest(&mut stream).await), ["408"]);
    assert!(begun.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn a_preface_in_pieces_is_understood_if_it_is_in_time() {
    let server = Server::start(quick()).await;
    let mut stream = server.connect().await;
    for piece in [&hello()[..10], &hello()[10..], &request(1, "/")[..4], &request(1, "/")[4..]] {
        stream.write_all(piece).await.unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    loop {
        let frame = Frame::read(&mut stream).await.expect("an answer");
        if frame.kind == DATA {
            break assert_eq!(frame.content, b"hello");
        }
    }
}

/// Shows: A21.
#[tokio::test]
async fn a_client_that_never_asks_anything_is_closed_like_a_silent_one() {
    let server = Server::start(FrontOptions { idle_timeout: Duration::from_secs(60), ..quick() }).await;
    let begun = std::time::Instant::now();
    let frames = exchange_frames(&server, &hello()).await;
    assert!(!frames.iter().any(|frame| [HEADERS, GOAWAY].contains(&frame.kind)), "{frames:?}");
    assert!(begun.elapsed() < Duration::from_secs(2));
}

/// Shows: A21.
#[tokio::test]
async fn a_head_that_is_never_complete_ends_the_connection() {
    let server = Server::start(FrontOptions { idle_timeout: Duration::from_secs(60), ..quick() }).await;
    let mut stream = server.connect().await;
    stream.write_all(&[hello(), request(1, "/")].concat()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await; // not the time for the first head is to end it
    stream.write_all(&frame(HEADERS, END_STREAM, 3, &head("/"))).await.unwrap();
    let begun = std::time::Instant::now();
    for byte in frame(CONTINUATION, 0, 3, b"") {
        if stream.write_all(&[byte]).await.is_err() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert!(begun.elapsed() < Duration::from_millis(800));
}

/// Shows: A21.
#[tokio::test]
async fn a_head_of_countless_frames_ends_the_connection() {
    let server = Server::start(quick()).await;
    let flood = frame(CONTINUATION, 0, 1, b"").repeat(5000);
    let attack = [hello(), frame(HEADERS, END_STREAM, 1, &head("/")), flood].concat();
    let frames = exchange_frames(&server, &attack).await;
    assert_eq!(farewell(&frames), Some(Reason::ENHANCE_YOUR_CALM), "{frames:?}");
}

/// Shows: A21.
#[tokio::test]
async fn requests_taken_back_in_masses_end_the_connection() {
    let server = Server::start(quick()).await;
    let reset = |stream| [request(stream, "/stuck"), frame(RST_STREAM, 0, stream, &[0, 0, 0, 8])].concat();
    let attack: Vec<u8> = (0..1000).flat_map(|n| reset(2 * n + 1)).collect();
    let frames = exchange_frames(&server, &[hello(), attack].concat()).await;
    assert_eq!(farewell(&frames), Some(Reason::ENHANCE_YOUR_CALM), "{frames:?}");
    assert_eq!(statuses(&server.exchange(GET).await), ["200"]);
}

/// Shows: O3.
#[tokio::test]
async fn one_request_too_many_on_a_connection_is_refused() {
    let server = Server::start(quick()).await;
    let mut stream = server.connect().await;
    stream.write_all(&hello()).await.unwrap();
    // RFC 9113, section 6.5.2: as many as the service said it takes.
    for n in 0..33 {
        stream.write_all(&request(2 * n + 1, "/stuck")).await.unwrap();
    }
    loop {
        let frame = Frame::read(&mut stream).await.expect("the connection goes on");
        if frame.kind == RST_STREAM {
            assert_eq!((frame.stream, frame.reason()), (65, Reason::REFUSED_STREAM));
            break;
        }
        assert!(![HEADERS, GOAWAY].contains(&frame.kind), "{frame:?}");
    }
}

/// Shows: O3.
#[tokio::test]
async fn requests_at_a_time_are_limited_over_all_connections() {
    let server = Server::start(FrontOptions { max_connections: 2, ..quick() }).await;
    let client = Client::connect(&server).await;
    let stuck = [client.get("/stuck"), client.get("/stuck")].map(Box::pin);
    let [mut first, mut second] = stuck;
    for held in [&mut first, &mut second] {
        tokio::time::timeout(Duration::from_millis(50), held).await.unwrap_err();
    }
    let refused = client.get("/").await.unwrap();
    assert_eq!((refused.status, refused.headers["retry-after"].as_bytes()), (503, &b"1"[..]));
    drop(first);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(client.get("/").await.unwrap().status, 200);
}

/// Shows: F8.
#[tokio::test]
async fn f8_requests_whose_bodies_do_not_come_take_no_place_from_whole_ones() {
    let server = Server::start(FrontOptions { max_connections: 2, ..FrontOptions::default() }).await;
    let client = Client::connect(&server).await;
    let mut requests = client.requests.clone().ready().await.unwrap();
    let begun: Vec<_> =
        (0..8).map(|_| requests.send_request(echo().body(()).unwrap(), false).unwrap()).collect();
    assert_eq!(client.get("/").await.unwrap().status, 200);
    assert_eq!(client.send(echo(), "whole").await.unwrap().body, "whole");
    for (answer, mut sending) in begun {
        sending.send_data(Bytes::from_static(b"late"), true).unwrap();
        assert_eq!(answer.await.unwrap().status(), 200);
    }
}

#[tokio::test]
async fn a_panic_costs_one_request_of_many() {
    let server = Server::start(quick()).await;
    let client = Client::connect(&server).await;
    let (broken, good) = tokio::join!(client.get("/panic"), client.get("/"));
    assert_eq!((broken.unwrap().status, good.unwrap().status), (500, 200));
}

#[tokio::test]
async fn an_idle_connection_is_said_goodbye() {
    let server = Server::start(quick()).await;
    let client = Client::connect(&server).await;
    for _ in 0..3 {
        assert_eq!(client.get("/").await.unwrap().status, 200);
        // Longer than a head may take: between requests there is more time.
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    drop(client.requests);
    client.ended.await.unwrap().unwrap();

    let mut stream = server.connect().await;
    stream.write_all(&[hello(), request(1, "/")].concat()).await.unwrap();
    loop {
        let frame = Frame::read(&mut stream).await.expect("a goodbye");
        if frame.kind == GOAWAY {
            break assert_eq!(frame.reason(), Reason::NO_ERROR);
        }
    }
}

#[tokio::test]
async fn a_leaving_service_answers_and_ends_each_http_2_connection() {
    let options = FrontOptions { idle_timeout: Duration::from_secs(60), ..quick() };
    let readiness = options.readiness.clone();
    let server = Server::start(options).await;
    let client = Client::connect(&server).await;
    readiness.leave();
    assert_eq!(client.get("/").await.unwrap().status, 200);
    tokio::time::timeout(Duration::from_secs(2), client.ended).await.expect("it ends").unwrap().unwrap();
}

/// Shows: O2.
#[tokio::test]
async fn stopping_finishes_the_streams_under_way_and_closes_idle_connections() {
    let server = Server::start(FrontOptions { idle_timeout: Duration::from_secs(60), ..quick() }).await;
    let (idle, busy) = (Client::connect(&server).await, Client::connect(&server).await);
    idle.get("/").await.unwrap();
    let slow = tokio::spawn({
        let requests = Client { requests: busy.requests.clone(), ended: tokio::spawn(async { Ok(()) }) };
        async move { requests.get("/slow").await }
    });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.stop().await, 0);
    assert_eq!(slow.await.unwrap().unwrap().status, 200);
    idle.ended.await.unwrap().unwrap();
    busy.ended.await.unwrap().unwrap();
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever_for_a_stuck_stream() {
    let server = Server::start(quick()).await;
    let client = Client::connect(&server).await;
    let stuck = client.get("/stuck");
    tokio::time::timeout(Duration::from_millis(50), stuck).await.unwrap_err();
    let held = tokio::spawn(async move { client.get("/stuck").await.err() });
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(server.stop().await, 1);
    assert!(held.await.unwrap().is_some());
}

#[tokio::test]
async fn an_upgrade_from_http_1_is_ignored() {
    let server = Server::start(quick()).await;
    let upgrade = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
        HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n";
    let answers = server.exchange(format!("{upgrade}{GET}")).await;
    assert_eq!(statuses(&answers), ["200", "200"]);
}

#[tokio::test]
async fn the_preface_is_no_request_within_http_1() {
    let server = Server::start(quick()).await;
    let answers = server.exchange([GET.as_bytes(), &hello()].concat()).await;
    assert_eq!(statuses(&answers), ["200", "400"]);
}
