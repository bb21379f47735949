//! The way in: our own accept loop on hyper.
//!
//! `axum::serve` holds half-sent heads open for ever and reads bodies of any length in any time. Here
//! a connection has 10 seconds per head and per body, 16 KiB and 64 fields per head, 16 KiB per body,
//! and one reading of where a message ends ([`framing`]); there is a most number of connections, and an
//! end to all of it when the service leaves. The same holds for HTTP/2 without TLS, which the same port
//! speaks to who begins with its preface ([`preface`], [`http2`]).
//!
//! What is refused here still goes through the service, as a request that carries [`Refused`], so that
//! every answer has the same headers and its line in the access log.

mod body;
mod client;
mod frames;
mod framing;
mod guard;
mod http2;
mod preface;
mod socket;

use std::convert::Infallible;
use std::future::Future;
use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONNECTION, HeaderValue};
use axum::http::{Request, Response, StatusCode};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;
use tower::Service;

pub use body::MAX_BODY;
pub use client::{ClientAddr, InvalidNetwork, Network, TrustedProxies};

use crate::ops::Readiness;
use guard::{Guard, Patience, Refusal};
use preface::Opening;
use socket::Socket;

/// In a request's extensions: it was refused before it could be read. The answer is this status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Refused(pub(crate) StatusCode);

/// How patient and how roomy the front is.
#[derive(Clone, Debug)]
pub struct FrontOptions {
    /// Connections at a time; one more is told to come back. Also requests at a time over HTTP/2, where one
    /// connection carries many.
    pub max_connections: usize,
    /// For a head, from the connection's beginning or the head's first byte.
    pub head_timeout: Duration,
    /// For a body.
    pub body_timeout: Duration,
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
            idle_timeout: Duration::from_secs(75),
            drain_timeout: Duration::from_secs(30),
            trusted_proxies: TrustedProxies::default(),
            readiness: Readiness::default(),
        }
    }
}

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
    let places = options.max_connections.clamp(1, Semaphore::MAX_PERMITS >> 1);
    let front = Arc::new(Front {
        service,
        options,
        places: Arc::new(Semaphore::new(places)),
        streams: Semaphore::new(places),
        phase: watch,
    });
    let accepting: Vec<_> =
        listeners.into_iter().map(|listener| tokio::spawn(accept(front.clone(), listener))).collect();

    shutdown.await;
    phase.send_replace(Phase::Draining);
    for task in accepting {
        task.await.ok(); // a panic there has been reported; its listener is closed either way
    }
    let everybody = u32::try_from(places).unwrap_or(u32::MAX);
    let drained = front.places.acquire_many(everybody);
    if tokio::time::timeout(front.options.drain_timeout, drained).await.is_ok() {
        return 0;
    }
    let cut = places - front.places.available_permits();
    phase.send_replace(Phase::Cut);
    cut
}

/// What all connections share.
struct Front {
    service: Router,
    options: FrontOptions,
    places: Arc<Semaphore>,
    /// Room for requests over HTTP/2. HTTP/1 needs none: there a connection has one request at a time.
    streams: Semaphore,
    phase: watch::Receiver<Phase>,
}

async fn accept(front: Arc<Front>, listener: TcpListener) {
    let mut phase = front.phase.clone();
    loop {
        let accepted = tokio::select! {
            biased;
            _ = phase.wait_for(|phase| *phase != Phase::Open) => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => match front.places.clone().try_acquire_owned() {
                Ok(place) => {
                    // Answers are small and complete: waiting for more to send would only delay them.
                    stream.set_nodelay(true).ok();
                    tokio::spawn(connection(front.clone(), stream, peer.ip(), place));
                }
                Err(_) => turn_away(stream),
            },
            // The connection broke before it was accepted, or the process is out of file descriptors,
            // which passes when connections close. Either way the next one may succeed; the pause
            // keeps a lasting error from turning in circles.
            Err(error) => {
                tracing::warn!(%error, "accepting a connection failed");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Tells a client that there is no room, as far as that can be told without waiting for it.
fn turn_away(stream: TcpStream) {
    metrics::counter!("countersign_http_connections_refused_total").increment(1);
    if let Ok(mut stream) = stream.into_std() {
        stream.write_all(BUSY).ok();
    }
}

async fn connection<IO>(front: Arc<Front>, io: IO, peer: IpAddr, place: OwnedSemaphorePermit)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let began = Instant::now();
    let mut socket = Socket::new(io);
    let mut phase = front.phase.clone();
    let opening = tokio::select! {
        opening = preface::read(&mut socket, began + front.options.head_timeout) => opening,
        // Nothing worth an answer has come yet.
        _ = phase.wait_for(|phase| *phase != Phase::Open) => return,
    };
    match opening {
        Ok(Opening::Http1(read)) => http1(&front, socket, began, &read, peer).await,
        Ok(Opening::Http2) => http2::serve(front, socket, began, peer).await,
        Err(_) => {}
    }
    drop(place);
}

/// Serves a connection of HTTP/1 of which these bytes were read already.
async fn http1<IO>(front: &Front, socket: Socket<IO>, began: Instant, read: &[u8], peer: IpAddr)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let options = &front.options;
    let refusal = Refusal::default();
    let patience = Patience { head: options.head_timeout, idle: options.idle_timeout };
    let guard = Guard::new(socket, began, read, patience, refusal.clone());
    let service = hyper::service::service_fn(async |request: Request<Incoming>| {
        let refused = refusal.get().filter(|_| request.method().as_str() == guard::REFUSED);
        let (mut response, refused) = exchange(front, peer, request, refused).await?;
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

/// One request and its answer, with the status if it was `refused` already or is because of its body.
async fn exchange(
    front: &Front,
    peer: IpAddr,
    request: Request<Incoming>,
    refused: Option<StatusCode>,
) -> Result<(Response<Body>, Option<StatusCode>), Infallible> {
    let (mut parts, body) = request.into_parts();
    let options = &front.options;
    parts.extensions.insert(options.trusted_proxies.client(peer, &parts.headers));
    let body = match refused {
        Some(status) => Err(status),
        None => body::read(&parts.headers, body, options.body_timeout).await,
    };
    let refused = body.as_ref().err().copied();
    if let Some(status) = refused {
        parts.extensions.insert(Refused(status));
    }
    let request = Request::from_parts(parts, Body::from(body.unwrap_or_default()));
    let response = front.service.clone().call(request).await?;
    Ok((response, refused))
}

#[cfg(test)]
mod tests;
