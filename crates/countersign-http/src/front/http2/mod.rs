//! HTTP/2 without TLS, as gRPC clients and proxies speak it: many requests at a time on one connection,
//! within the bounds that HTTP/1 has here.

mod frame_guard;
mod frames;
mod head;
mod incoming;
mod sending;
mod streams;

use std::future::poll_fn;
use std::net::IpAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode};
use h2::server::{Builder, Connection, SendResponse};
use h2::{Ping, PingPong, RecvStream};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::yield_now;
use tokio::time::{Instant, sleep, sleep_until, timeout, timeout_at};

use super::answers::Peer;
use super::framing::MAX_HEAD;
use super::seats::Sitter;
use super::socket::Socket;
use super::{ClientAddr, Front, MAX_BODY, Phase, exchange, guard};
use frame_guard::FrameGuard;
use incoming::Incoming;
use sending::Piece;
use streams::{Quiet, Stream, Streams};

/// Requests at a time on one connection. One more is refused so that the client may try again (h2
/// answers `REFUSED_STREAM`).
const MAX_STREAMS: u32 = 32;

/// Requests that a client may take back before they were looked at, until the connection is closed
/// with `ENHANCE_YOUR_CALM`: the rapid reset attack (CVE-2023-44487).
const MAX_PENDING_RESETS: usize = 20;

/// Streams that may break the protocol until the connection is closed likewise.
const MAX_BROKEN_STREAMS: usize = 64;

/// Streams that ended before their time and are remembered for a moment, because more may come for them. h2 forgets
/// them only when it hears from the client again.
const MAX_ENDED_STREAMS: usize = 16;

/// Bytes that may arrive unread on a connection: several bodies.
const CONNECTION_WINDOW: u32 = 128 * 1024;

/// How much of an answer is in h2's hands for a client that is slow to read.
const SEND_BUFFER: usize = 64 * 1024;

/// How often it is asked whether the client is still there, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_PATIENCE: Duration = Duration::from_secs(10);

/// How long a connection stays that was told to end, has nothing under way, and is not ended by its
/// client.
const GOODBYE: Duration = Duration::from_secs(5);

/// Serves a connection whose preface was read.
pub(super) async fn serve<IO>(
    front: Arc<Front>,
    socket: Socket<IO>,
    began: Instant,
    address: IpAddr,
    sitter: Arc<Sitter>,
) where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let (head, idle) = (front.options.head_timeout, front.options.idle_timeout);
    let mut phase = front.phase.clone();
    let handshake = Builder::new()
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_concurrent_reset_streams(MAX_ENDED_STREAMS)
        .max_local_error_reset_streams(Some(MAX_BROKEN_STREAMS))
        // Beyond it h2 answers 431 by itself and decodes no further; up to it the head is read, judged
        // as HTTP/1's (which has no 32 bytes of overhead per field) and refused by the service. It also
        // bounds the number of CONTINUATION frames.
        .max_header_list_size(u32::try_from(2 * MAX_HEAD).expect("small"))
        .max_frame_size(16 * 1024)
        // A body that is not too large fits; of one that is, no more than it takes to see that.
        .initial_window_size(u32::try_from(MAX_BODY + 1).expect("small"))
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buffer_size(SEND_BUFFER)
        .handshake(FrameGuard::new(socket, began, head));
    let Ok(Ok(mut connection)) = timeout_at(began + head, handshake).await else { return };
    let mut alive = pin!(alive(connection.ping_pong().expect("asked for once")));
    let streams = Arc::new(Streams::default());
    let connection_number = front.answers.connection();
    let caller = Caller { front, streams: streams.clone(), connection: connection_number, address, sitter };
    let mut quiet = pin!(sleep_until(began + head));
    loop {
        tokio::select! {
            // Whatever ends a connection early is the client's doing, and was answered if it could be.
            () = accept(&mut connection, &caller) => return,
            () = alive.as_mut() => return,
            () = streams.stuck.notified() => return,
            _ = phase.wait_for(|phase| *phase != Phase::Open) => break,
            () = streams.leaving.notified() => break,
            () = quiet.as_mut() => match streams.quiet_since() {
                Quiet::Always => return, // it never began a request: nothing is owed
                Quiet::Not => quiet.as_mut().reset(Instant::now() + idle),
                Quiet::Since(then) if then.elapsed() < idle => quiet.as_mut().reset(then + idle),
                Quiet::Since(_) => break,
            },
        }
    }
    connection.graceful_shutdown();
    quiet.as_mut().reset(Instant::now() + GOODBYE);
    loop {
        tokio::select! {
            () = accept(&mut connection, &caller) => return,
            () = alive.as_mut() => return,
            () = streams.stuck.notified() => return,
            _ = phase.wait_for(|phase| *phase == Phase::Cut) => return,
            () = quiet.as_mut() => match streams.quiet_since() {
                Quiet::Not => quiet.as_mut().reset(Instant::now() + GOODBYE),
                Quiet::Since(then) if then.elapsed() < GOODBYE => quiet.as_mut().reset(then + GOODBYE),
                Quiet::Since(_) | Quiet::Always => return,
            },
        }
    }
}

/// Begins the requests of a connection until it ends. May be dropped at any time and called again.
async fn accept<IO>(connection: &mut Connection<FrameGuard<IO>, Piece>, caller: &Caller)
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    while let Some(Ok((request, respond))) = connection.accept().await {
        tokio::spawn(answer(caller.clone(), caller.streams.begin(), request, respond));
        // Requests of many connections take turns: who sends 32 at once lets others go between them.
        yield_now().await;
    }
}

/// Asks from time to time whether the client is still there; completes when it does not say so.
async fn alive(mut pings: PingPong) {
    loop {
        sleep(PING_EVERY).await;
        let Ok(Ok(_pong)) = timeout(PING_PATIENCE, pings.ping(Ping::opaque())).await else { return };
    }
}

/// Who sits at the other end of a connection.
#[derive(Clone)]
struct Caller {
    front: Arc<Front>,
    streams: Arc<Streams>,
    /// The connection's number.
    connection: u64,
    address: IpAddr,
    sitter: Arc<Sitter>,
}

async fn answer(
    caller: Caller,
    stream: Stream,
    request: Request<RecvStream>,
    mut respond: SendResponse<Piece>,
) {
    let (parts, body) = request.into_parts();
    let client = caller.front.options.trusted_proxies.client(caller.address, &parts.headers);
    // Boxed, so that an answer that waits for its client does not keep the room that it took to make it.
    let mut response = Box::pin(serve_one(&caller, client, parts, body));
    let response = tokio::select! {
        biased;
        // The client took it back, or is gone.
        _ = poll_fn(|cx| respond.poll_reset(cx)) => return,
        response = response.as_mut() => response,
    };
    sending::send(&caller, Peer::new(client.ip, caller.connection), respond, response).await;
    if caller.front.options.readiness.is_leaving() {
        caller.streams.leaving.notify_one();
    }
    drop(stream);
}

/// The answer to a request. It counts as one of those at a time from when it is there whole: until then it
/// costs a part of the room for bodies, which nobody else waits for.
async fn serve_one(
    caller: &Caller,
    client: ClientAddr,
    mut parts: Parts,
    body: RecvStream,
) -> Response<Body> {
    let Caller { front, sitter, .. } = caller;
    sitter.touch();
    let body = match head::judge(&mut parts) {
        Ok(()) => front.body(client, &parts.headers, Incoming::new(&parts.headers, body)).await,
        Err(fault) => Err(guard::status(fault)),
    };
    let _work = sitter.work();
    let place = front.requests.try_acquire();
    let body = if place.is_ok() { body } else { Err(StatusCode::SERVICE_UNAVAILABLE) };
    exchange(front, client, parts, body).await
}
