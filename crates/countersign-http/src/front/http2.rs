//! HTTP/2 without TLS, as gRPC clients and proxies speak it: many requests at a time on one connection,
//! within the bounds that HTTP/1 has here.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::http::header::{CONTENT_LENGTH, HOST, HeaderValue, RETRY_AFTER};
use axum::http::request::Parts;
use axum::http::{Request, Response, StatusCode, Uri};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep_until};

use super::frames::Frames;
use super::framing::{Fault, MAX_FIELDS, MAX_HEAD, is_target};
use super::preface::PREFACE;
use super::socket::Socket;
use super::{Front, MAX_BODY, Phase, exchange, guard};

/// Requests at a time on one connection. One more is refused so that the client may try again (h2
/// answers `REFUSED_STREAM`).
const MAX_STREAMS: u32 = 100;

/// Requests that a client may take back before they were looked at, until the connection is closed
/// with `ENHANCE_YOUR_CALM`: the rapid reset attack (CVE-2023-44487).
const MAX_PENDING_RESETS: usize = 20;

/// Streams that may break the protocol until the connection is closed likewise.
const MAX_BROKEN_STREAMS: usize = 64;

/// Bytes that may arrive unread on a connection: several bodies.
const CONNECTION_WINDOW: u32 = 128 * 1024;

/// How much of an answer is buffered for a client that is slow to read.
const SEND_BUFFER: usize = 64 * 1024;

/// How often it is asked whether the client is still there, and how long it may take to say so.
const PING_EVERY: Duration = Duration::from_secs(30);
const PING_PATIENCE: Duration = Duration::from_secs(10);

/// How long a connection stays that was told to end, has nothing under way, and is not ended by its
/// client.
const GOODBYE: Duration = Duration::from_secs(5);

/// Serves a connection whose preface was read.
pub(super) async fn serve<IO>(front: Arc<Front>, socket: Socket<IO>, began: Instant, peer: IpAddr)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (head, idle) = (front.options.head_timeout, front.options.idle_timeout);
    let mut phase = front.phase.clone();
    let streams = Arc::new(Streams::default());
    let service = hyper::service::service_fn({
        let streams = streams.clone();
        move |request| answer(front.clone(), streams.begin(), peer, request)
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
        .max_local_error_reset_streams(MAX_BROKEN_STREAMS)
        // Beyond it h2 answers 431 by itself and decodes no further; up to it the head is read, judged
        // as HTTP/1's (which has no 32 bytes of overhead per field) and refused by the service. It also
        // bounds the number of CONTINUATION frames.
        .max_header_list_size(u32::try_from(2 * MAX_HEAD).expect("small"))
        .max_frame_size(16 * 1024)
        // A body that is not too large fits; of one that is, no more than it takes to see that.
        .initial_stream_window_size(u32::try_from(MAX_BODY + 1).expect("small"))
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_send_buf_size(SEND_BUFFER)
        .keep_alive_interval(PING_EVERY)
        .keep_alive_timeout(PING_PATIENCE)
        .serve_connection(TokioIo::new(FrameGuard::new(socket, began, head)), service);
    let mut connection = pin!(connection);
    let mut quiet = pin!(sleep_until(began + head));
    loop {
        tokio::select! {
            // Whatever ends a connection early is the client's doing, and was answered if it could be.
            _ = connection.as_mut() => return,
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
    connection.as_mut().graceful_shutdown();
    quiet.as_mut().reset(Instant::now() + GOODBYE);
    loop {
        tokio::select! {
            _ = connection.as_mut() => return,
            _ = phase.wait_for(|phase| *phase == Phase::Cut) => return,
            () = quiet.as_mut() => match streams.quiet_since() {
                Quiet::Not => quiet.as_mut().reset(Instant::now() + GOODBYE),
                Quiet::Since(then) if then.elapsed() < GOODBYE => quiet.as_mut().reset(then + GOODBYE),
                Quiet::Since(_) | Quiet::Always => return,
            },
        }
    }
}

async fn answer(
    front: Arc<Front>,
    stream: Stream,
    peer: IpAddr,
    request: Request<Incoming>,
) -> Result<Response<Body>, Infallible> {
    let (mut parts, body) = request.into_parts();
    let place = front.streams.try_acquire();
    let refused = match (judge(&mut parts), &place) {
        (Err(fault), _) => Some(guard::status(fault)),
        (Ok(()), Err(_)) => Some(StatusCode::SERVICE_UNAVAILABLE),
        (Ok(()), Ok(_)) => None,
    };
    let request = Request::from_parts(parts, body);
    let (mut response, refused) = exchange(&front, peer, request, refused).await?;
    if refused == Some(StatusCode::SERVICE_UNAVAILABLE) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    if front.options.readiness.is_leaving() {
        stream.streams.leaving.notify_one();
    }
    Ok(response)
}

/// Judges a head by the rules of HTTP/1's, and gives it HTTP/1's form: a path as its target and a
/// `Host` field. A service so sees one form of request.
fn judge(parts: &mut Parts) -> Result<(), Fault> {
    // `CONNECT` has no path; nothing here is a tunnel.
    let Some(target) = parts.uri.path_and_query().cloned() else { return Err(Fault::Malformed) };
    let authority = parts.uri.authority().cloned();
    let length: usize = parts.headers.iter().map(|(name, value)| name.as_str().len() + value.len() + 4).sum();
    let addressed = target.as_str().len() + authority.as_ref().map_or(0, |a| a.as_str().len());
    if parts.headers.len() > MAX_FIELDS || length + addressed > MAX_HEAD {
        return Err(Fault::HeadTooLarge);
    }
    let lengths = parts.headers.get_all(CONTENT_LENGTH).iter().count();
    if parts.method == "CONNECT" || !is_target(target.as_str().as_bytes()) || lengths > 1 {
        return Err(Fault::Malformed);
    }
    // RFC 9113, section 8.3.1: who is asked is told once, or twice alike, and without a user's name.
    let hosts: Vec<_> = parts.headers.get_all(HOST).iter().collect();
    match (&authority, &hosts[..]) {
        (Some(authority), _) if authority.as_str().contains('@') => return Err(Fault::Malformed),
        (Some(authority), []) => {
            let host = HeaderValue::from_str(authority.as_str()).map_err(|_| Fault::Malformed)?;
            parts.headers.insert(HOST, host);
        }
        (None, [_]) => {}
        (Some(authority), [host]) if host.as_bytes().eq_ignore_ascii_case(authority.as_str().as_bytes()) => {}
        _ => return Err(Fault::Malformed),
    }
    parts.uri = Uri::from(target);
    Ok(())
}

/// The requests of one connection.
#[derive(Debug, Default)]
struct Streams {
    state: Mutex<StreamsState>,
    /// An answer went out while the service is leaving: the connection is to end.
    leaving: Notify,
}

#[derive(Debug, Default)]
struct StreamsState {
    under_way: usize,
    /// When the latest was over.
    ended: Option<Instant>,
}

/// Since when no request is under way.
enum Quiet {
    /// There was none yet.
    Always,
    Since(Instant),
    Not,
}

impl Streams {
    fn begin(self: &Arc<Self>) -> Stream {
        self.state().under_way += 1;
        Stream { streams: self.clone() }
    }

    fn quiet_since(&self) -> Quiet {
        match *self.state() {
            StreamsState { under_way: 0, ended: None } => Quiet::Always,
            StreamsState { under_way: 0, ended: Some(then) } => Quiet::Since(then),
            _ => Quiet::Not,
        }
    }

    fn state(&self) -> MutexGuard<'_, StreamsState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One request under way, until it is dropped: answered, or taken back.
struct Stream {
    streams: Arc<Streams>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut state = self.streams.state();
        state.under_way -= 1;
        state.ended = Some(Instant::now());
    }
}

/// A connection between the network and hyper that ends when a frame or a head takes too long.
struct FrameGuard<IO> {
    io: Socket<IO>,
    /// What is to be handed on of the preface, which was read before.
    preface: &'static [u8],
    frames: Frames,
    patience: Duration,
    /// Until when what the connection is within must be complete.
    deadline: Option<Instant>,
    /// Set to `deadline` or earlier: moving a timer costs more than finding that it came too early.
    timer: Pin<Box<Sleep>>,
    ended: bool,
}

impl<IO> FrameGuard<IO> {
    fn new(io: Socket<IO>, began: Instant, patience: Duration) -> Self {
        Self {
            io,
            preface: PREFACE,
            frames: Frames::default(),
            patience,
            deadline: None,
            timer: Box::pin(sleep_until(began + patience)),
            ended: false,
        }
    }

    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(deadline) = self.deadline else { return Poll::Pending };
        if self.timer.deadline() > deadline {
            self.timer.as_mut().reset(deadline);
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if deadline <= Instant::now() {
                return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
            }
            self.timer.as_mut().reset(deadline);
        }
        Poll::Pending
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for FrameGuard<IO> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.preface.is_empty() {
            let (now, later) = this.preface.split_at(this.preface.len().min(out.remaining()));
            out.put_slice(now);
            this.preface = later;
            return Poll::Ready(Ok(()));
        }
        let start = out.filled().len();
        match Pin::new(&mut this.io).poll_read(cx, out) {
            Poll::Ready(Ok(())) => {
                let read = &out.filled()[start..];
                this.ended = read.is_empty();
                let between = this.frames.read(read);
                if !this.frames.is_within() {
                    this.deadline = None;
                } else if between || this.deadline.is_none() {
                    this.deadline = Some(Instant::now() + this.patience);
                }
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => this.poll_patience(cx),
        }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for FrameGuard<IO> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().io).poll_write_vectored(cx, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.io.poll_close(cx, this.ended)
    }
}
