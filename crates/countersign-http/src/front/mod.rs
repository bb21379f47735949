//! The way in: our own accept loop on hyper.
//!
//! `axum::serve` holds half-sent heads open for ever and reads bodies of any length in any time. Here
//! a connection has 10 seconds per head and per body, 16 KiB and 64 fields per head, 16 KiB per body,
//! and one reading of where a message ends ([`framing`]). How many connections and bodies may wait for their clients is
//! bounded, and who has kept us waiting longest makes room for who comes ([`seats`]); so is what answers over HTTP/2
//! may take until they are gone ([`answers`]). There is an end to all of it when the service leaves. The same holds for
//! HTTP/2 without TLS, which the same port speaks to who begins with its preface ([`preface`], [`http2`]).
//!
//! What is refused here still goes through the service, as a request that carries [`Refused`], so that
//! every answer has the same headers and its line in the access log.

mod answers;
mod body;
mod client;
mod framing;
mod guard;
mod http2;
mod preface;
mod seats;
mod socket;

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::header::{CONNECTION, HeaderValue, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::time::{Instant, timeout};
use tower::Service;

pub use body::MAX_BODY;
pub use client::{ClientAddr, InvalidNetwork, Network, Reach, TrustedProxies};

use crate::ops::Readiness;
use answers::Answers;
use guard::{Guard, Patience, Refusal};
use preface::Opening;
use seats::{Neighbour, Seat, Seats, Sitter};
use socket::Socket;

/// In a request's extensions: it was refused before it could be read. The answer is this status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Refused(pub(crate) StatusCode);

/// How patient and how roomy the front is.
#[derive(Clone, Debug)]
pub struct FrontOptions {
    /// Connections at a time; for one more, the one that is idle longest is closed. Also requests at a time over
    /// HTTP/2, where one connection carries many.
    pub max_connections: usize,
    /// For a head, from the connection's beginning or the head's first byte.
    pub head_timeout: Duration,
    /// For a body.
    pub body_timeout: Duration,
    /// For a piece of an answer over HTTP/2 to be taken by its client.
    pub answer_timeout: Duration,
    /// Bytes of all answers over HTTP/2 that are not gone, and what it costs to send them.
    pub answer_room: usize,
    /// Between two requests on one connection.
    pub idle_timeout: Duration,
    /// For requests under way when the service leaves.
    pub drain_timeout: Duration,
    /// Whose `X-Forwarded-For` is believed.
    pub trusted_proxies: TrustedProxies,
    /// While it says that the service is leaving, answers end their connection, so that clients have
    /// gone elsewhere when it is closed.
    pub readiness: Readiness,
}

impl Default for FrontOptions {
    fn default() -> Self {
        Self {
            // Above the 10,000 half-open connections that a slow-header attack is tested with.
            max_connections: 16_384,
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(10),
            answer_timeout: Duration::from_secs(30),
            answer_room: 48 * 1024 * 1024,
            idle_timeout: Duration::from_secs(75),
            drain_timeout: Duration::from_secs(30),
            trusted_proxies: TrustedProxies::default(),
            readiness: Readiness::default(),
        }
    }
}

/// Bodies at a time of which a part has come: they hold 64 MiB at most.
const WAITING_BODIES: usize = 64 * 1024 * 1024 / MAX_BODY;

/// Connections at a time that are told that there is no room; others are just closed.
const FAREWELLS: usize = 256;

/// The system or the process has no file descriptor left: `ENFILE` and `EMFILE`, alike on all Unix systems.
const OUT_OF_FILES: [i32; 2] = [23, 24];

/// Sent to a connection there is no room for.
const BUSY: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 1\r\nCache-Control: no-store\r\n\
    Content-Length: 0\r\nConnection: close\r\n\r\n";

/// Where the front is in its life.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Phase {
    Open,
    /// Nothing new; what is under way is finished.
    Draining,
    /// Time is up.
    Cut,
}

/// Serves until `shutdown`, then stops accepting, finishes what is under way and closes the rest.
///
/// Answers how many connections had to be cut because their requests took longer than
/// [`FrontOptions::drain_timeout`].
pub async fn serve(
    listeners: Vec<TcpListener>,
    service: Router,
    options: FrontOptions,
    shutdown: impl Future<Output = ()>,
) -> usize {
    let (phase, watch) = watch::channel(Phase::Open);
    let front = Arc::new(Front {
        service,
        connections: Seats::new("connection", options.max_connections),
        bodies: Seats::new("body", WAITING_BODIES),
        answers: Answers::new(options.answer_room),
        requests: Semaphore::new(options.max_connections.clamp(1, Semaphore::MAX_PERMITS)),
        farewells: Arc::new(Semaphore::new(FAREWELLS)),
        options,
        phase: watch,
    });
    // Nothing is ever sent: it tells how many connections there are, and when there are none.
    let (open, mut all_closed) = mpsc::channel(1);
    let count = open.downgrade();
    let accepting: Vec<_> = listeners
        .into_iter()
        .map(|listener| tokio::spawn(accept(front.clone(), listener, open.clone())))
        .collect();
    drop(open);

    shutdown.await;
    phase.send_replace(Phase::Draining);
    for task in accepting {
        task.await.ok(); // a panic there has been reported; its listener is closed either way
    }
    if timeout(front.options.drain_timeout, all_closed.recv()).await.is_ok() {
        return 0;
    }
    let cut = count.strong_count();
    phase.send_replace(Phase::Cut);
    cut
}

/// Held by each connection.
type Open = mpsc::Sender<Infallible>;

/// What all connections share.
struct Front {
    service: Router,
    options: FrontOptions,
    connections: Arc<Seats>,
    /// Bodies of which a part has come.
    bodies: Arc<Seats>,
    answers: Arc<Answers>,
    /// Requests over HTTP/2 that came whole and are not answered.
    requests: Semaphore,
    farewells: Arc<Semaphore>,
    phase: watch::Receiver<Phase>,
}

impl Front {
    /// Whose share of connections a peer's are.
    fn neighbour(&self, peer: IpAddr) -> Option<Neighbour> {
        (!self.options.trusted_proxies.trusts(peer)).then(|| Neighbour::of(peer))
    }

    /// Reads a body to its end, while there is room for those that do not come to theirs.
    async fn body(
        &self,
        client: ClientAddr,
        headers: &HeaderMap,
        body: impl hyper::body::Body<Data = Bytes> + Unpin,
    ) -> Result<Bytes, StatusCode> {
        if body.is_end_stream() {
            return body::read(headers, body, self.options.body_timeout).await;
        }
        let seat = self.bodies.take(Some(Neighbour::of(client.ip)), 1);
        let seat = seat.ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
        tokio::select! {
            biased;
            () = seat.given_up() => Err(StatusCode::SERVICE_UNAVAILABLE),
            body = body::read(headers, body, self.options.body_timeout) => body,
        }
    }
}

async fn accept(front: Arc<Front>, listener: TcpListener, open: Open) {
    let mut phase = front.phase.clone();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase != Phase::Open) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => match front.connections.take(front.neighbour(peer.ip()), 1) {
                Some(seat) => {
                    // Answers are small and complete: waiting for more to send would only delay them.
                    stream.set_nodelay(true).ok();
                    tokio::spawn(connection(front.clone(), stream, peer.ip(), seat, open.clone()));
                }
                None => turn_away(&front, stream),
            },
            // The connection broke before it was accepted, or the process is out of file descriptors,
            // which passes when connections close: we close some that are idle. Either way the next one
            // may succeed; the pause keeps a lasting error from turning in circles.
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                if error.raw_os_error().is_some_and(|error| OUT_OF_FILES.contains(&error)) {
                    front.connections.shrink();
                }
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Tells a client that there is no room, and reads what it has sent: a connection that is closed with unread bytes
/// is reset, and then the client may never see what it was told.
fn turn_away(front: &Front, stream: TcpStream) {
    metrics::counter!("countersign_http_connections_refused_total").increment(1);
    let Ok(place) = front.farewells.clone().try_acquire_owned() else { return };
    tokio::spawn(async move {
        let told = async {
            stream.writable().await?;
            stream.try_write(BUSY)?;
            let mut socket = Socket::new(stream);
            poll_fn(|cx| socket.poll_close(cx, false)).await
        };
        let _told_or_not: Result<std::io::Result<()>, _> = timeout(2 * socket::LINGER, told).await;
        drop(place);
    });
}

async fn connection<IO>(front: Arc<Front>, io: IO, peer: IpAddr, seat: Seat, open: Open)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let began = Instant::now();
    let mut socket = Socket::new(io);
    let mut phase = front.phase.clone();
    let serving = async {
        let opening = tokio::select! {
            opening = preface::read(&mut socket, began + front.options.head_timeout) => opening,
            // Nothing worth an answer has come yet.
            _ = phase.wait_for(|phase| *phase != Phase::Open) => return,
        };
        match opening {
            Ok(Opening::Http1(read)) => http1(&front, socket, began, &read, peer, &seat.sitter()).await,
            Ok(Opening::Http2) => http2::serve(front.clone(), socket, began, peer, seat.sitter()).await,
            Err(_) => {}
        }
    };
    tokio::select! {
        () = serving => {}
        // Nothing is under way: the client has let us wait longest.
        () = seat.given_up() => {}
    }
    drop(open);
}

/// Serves a connection of HTTP/1 of which these bytes were read already.
async fn http1<IO>(
    front: &Front,
    socket: Socket<IO>,
    began: Instant,
    read: &[u8],
    peer: IpAddr,
    sitter: &Sitter,
) where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let options = &front.options;
    let refusal = Refusal::default();
    let patience = Patience { head: options.head_timeout, idle: options.idle_timeout };
    let guard = Guard::new(socket, began, read, patience, refusal.clone());
    let service = hyper::service::service_fn(async |request: Request<Incoming>| {
        sitter.touch();
        let refused = refusal.get().filter(|_| request.method().as_str() == guard::REFUSED);
        let (parts, body) = request.into_parts();
        let client = options.trusted_proxies.client(peer, &parts.headers);
        let body = match refused {
            Some(status) => Err(status),
            None => front.body(client, &parts.headers, body).await,
        };
        let refused = body.as_ref().err().copied();
        let work = sitter.work();
        let mut response = exchange(front, client, parts, body).await;
        drop(work);
        // After a refusal the rest of the stream is not to be trusted, or not worth reading.
        let stream_lost = refused.is_some_and(|status| status != StatusCode::UNSUPPORTED_MEDIA_TYPE);
        if stream_lost || options.readiness.is_leaving() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
        Ok::<_, Infallible>(response)
    });
    let connection = http1::Builder::new()
        // The guard keeps the time for heads: it knows an idle connection from a slow one, which hyper
        // does not, and sets its timer once per connection and not once per request.
        .header_read_timeout(None)
        // A client may stop sending and still wait for its answer.
        .half_close(true)
        .max_buf_size(2 * framing::MAX_HEAD)
        .serve_connection(TokioIo::new(guard), service);
    let mut connection = std::pin::pin!(connection);
    let mut phase = front.phase.clone();
    tokio::select! {
        // Whatever ends a connection early is the client's doing, and was answered if it could be.
        _ = connection.as_mut() => return,
        _ = phase.wait_for(|phase| *phase != Phase::Open) => connection.as_mut().graceful_shutdown(),
    }
    tokio::select! {
        _ = connection.as_mut() => {}
        _ = phase.wait_for(|phase| *phase == Phase::Cut) => {}
    }
}

/// The answer to a request whose body was read, or that is refused with a status.
async fn exchange(
    front: &Front,
    client: ClientAddr,
    mut parts: Parts,
    body: Result<Bytes, StatusCode>,
) -> Response<Body> {
    parts.extensions.insert(client);
    if let Err(status) = body {
        parts.extensions.insert(Refused(status));
    }
    let busy = body == Err(StatusCode::SERVICE_UNAVAILABLE);
    let request = Request::from_parts(parts, Body::from(body.unwrap_or_default()));
    let Ok(mut response) = front.service.clone().call(request).await;
    if busy {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

#[cfg(test)]
mod tests;
