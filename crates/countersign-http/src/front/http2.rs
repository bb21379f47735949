//! HTTP/2 without TLS, as gRPC clients and proxies speak it: many requests at a time on one connection,
//! within the bounds that HTTP/1 has here.

use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime};

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, DATE, HOST, HeaderValue};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Request, Response, StatusCode, Uri};
use bytes::Buf;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Ping, PingPong, Reason, RecvStream, SendStream};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, Sleep, sleep, sleep_until, timeout, timeout_at};

use super::frames::Frames;
use super::framing::{Fault, MAX_FIELDS, MAX_HEAD, is_target};
use super::preface::PREFACE;
use super::seats::{Neighbour, Seat, Sitter};
use super::socket::Socket;
use super::{ANSWER_COST, ClientAddr, Front, MAX_BODY, Phase, exchange, guard};

/// Requests at a time on one connection. One more is refused so that the client may try again (h2
/// answers `REFUSED_STREAM`).
const MAX_STREAMS: u32 = 32;

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
pub(super) async fn serve<IO>(
    front: Arc<Front>,
    socket: Socket<IO>,
    began: Instant,
    peer: IpAddr,
    sitter: Arc<Sitter>,
) where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let (head, idle) = (front.options.head_timeout, front.options.idle_timeout);
    let mut phase = front.phase.clone();
    let handshake = Builder::new()
        .max_concurrent_streams(MAX_STREAMS)
        .max_pending_accept_reset_streams(MAX_PENDING_RESETS)
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
    let caller = Caller { front, streams: streams.clone(), peer, sitter };
    let mut quiet = pin!(sleep_until(began + head));
    loop {
        tokio::select! {
            // Whatever ends a connection early is the client's doing, and was answered if it could be.
            () = accept(&mut connection, &caller) => return,
            () = alive.as_mut() => return,
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
    peer: IpAddr,
    sitter: Arc<Sitter>,
}

async fn answer(
    caller: Caller,
    stream: Stream,
    request: Request<RecvStream>,
    mut respond: SendResponse<Piece>,
) {
    let (parts, body) = request.into_parts();
    let client = caller.front.options.trusted_proxies.client(caller.peer, &parts.headers);
    let response = tokio::select! {
        biased;
        // The client took it back, or is gone.
        _ = poll_fn(|cx| respond.poll_reset(cx)) => return,
        response = serve_one(&caller, client, parts, body) => response,
    };
    send(&caller.front, client, respond, response).await;
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
    let body = match judge(&mut parts) {
        Ok(()) => front.body(client, &parts.headers, Incoming::new(&parts.headers, body)).await,
        Err(fault) => Err(guard::status(fault)),
    };
    let _work = sitter.work();
    let place = front.requests.try_acquire();
    let body = if place.is_ok() { body } else { Err(StatusCode::SERVICE_UNAVAILABLE) };
    exchange(front, client, parts, body).await
}

/// The body of a request.
struct Incoming {
    stream: RecvStream,
    length: Option<u64>,
}

impl Incoming {
    fn new(headers: &HeaderMap, stream: RecvStream) -> Self {
        let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
        Self { stream, length }
    }
}

impl hyper::body::Body for Incoming {
    type Data = Bytes;
    type Error = h2::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        // Trailers mean nothing to any API here.
        Poll::Ready(ready!(self.stream.poll_data(cx)).map(|data| {
            let data = data?;
            self.stream.flow_control().release_capacity(data.len())?;
            Ok(Frame::data(data))
        }))
    }

    fn is_end_stream(&self) -> bool {
        self.stream.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let mut hint = SizeHint::default();
        hint.set_lower(self.length.unwrap_or(0));
        hint
    }
}

/// A piece of an answer. It lives until it is written to the network, or will never be.
struct Piece {
    bytes: Bytes,
    _unsent: Option<Arc<oneshot::Sender<()>>>,
}

impl Buf for Piece {
    fn remaining(&self) -> usize {
        self.bytes.remaining()
    }

    fn chunk(&self) -> &[u8] {
        self.bytes.chunk()
    }

    fn advance(&mut self, n: usize) {
        self.bytes.advance(n);
    }
}

/// What is left to be sent of an answer.
struct Unsent {
    _seat: Seat,
    gone: oneshot::Receiver<()>,
}

/// Sends an answer, as fast as the client takes it. Bytes wait with us until the client's window has room for
/// them and in h2's hands until the network takes them; when that lasts too long or somebody else needs
/// the room, the stream is reset and they are let go.
async fn send(front: &Front, client: ClientAddr, mut respond: SendResponse<Piece>, response: Response<Body>) {
    let (mut parts, body) = response.into_parts();
    let ended = body.is_end_stream();
    if let (false, Some(length)) = (ended, body.size_hint().exact()) {
        parts.headers.entry(CONTENT_LENGTH).or_insert_with(|| length.into());
    }
    parts.headers.entry(DATE).or_insert_with(date);
    let Ok(stream) = respond.send_response(Response::from_parts(parts, ()), ended) else {
        return respond.send_reset(Reason::INTERNAL_ERROR);
    };
    if !ended {
        Sending { front, client, stream }.run(body).await;
    }
}

fn broken<E>(_: E) -> Reason {
    Reason::INTERNAL_ERROR
}

struct Sending<'a> {
    front: &'a Front,
    client: ClientAddr,
    stream: SendStream<Piece>,
}

impl Sending<'_> {
    async fn run(mut self, body: Body) {
        let sent = self.pieces(body).await;
        if let Err(reason) = sent {
            self.stream.send_reset(reason); // nothing happens if it is reset already
        }
    }

    async fn pieces(&mut self, mut body: Body) -> Result<(), Reason> {
        let mut unsent: Option<Unsent> = None;
        let mut until = Instant::now() + self.front.options.answer_timeout;
        loop {
            let frame = tokio::select! {
                biased;
                _ = poll_fn(|cx| self.stream.poll_reset(cx)) => return Err(Reason::CANCEL),
                frame = body.frame() => frame,
            };
            let data = match frame.transpose().map_err(broken)?.map(Frame::into_data) {
                Some(Ok(data)) => data,
                Some(Err(trailers)) => {
                    let Ok(trailers) = trailers.into_trailers() else { continue };
                    self.stream.send_trailers(trailers).map_err(broken)?;
                    break;
                }
                None => {
                    let end = Piece { bytes: Bytes::new(), _unsent: None };
                    self.stream.send_data(end, true).map_err(broken)?;
                    break;
                }
            };
            let ends = body.is_end_stream();
            let seat = self.front.answers.take(Some(Neighbour::of(self.client.ip)), data.len() + ANSWER_COST);
            let seat = seat.ok_or(Reason::ENHANCE_YOUR_CALM)?;
            let (held, gone) = oneshot::channel();
            until = Instant::now() + self.front.options.answer_timeout;
            tokio::select! {
                biased;
                () = seat.given_up() => return Err(Reason::ENHANCE_YOUR_CALM),
                () = sleep_until(until) => return Err(Reason::CANCEL),
                given = self.give(data, ends, Arc::new(held)) => given?,
            }
            unsent = Some(Unsent { _seat: seat, gone });
            if ends {
                break;
            }
        }
        let Some(Unsent { _seat: seat, gone }) = unsent else { return Ok(()) };
        tokio::select! {
            biased;
            _ = gone => Ok(()),
            () = seat.given_up() => Err(Reason::ENHANCE_YOUR_CALM),
            () = sleep_until(until) => Err(Reason::CANCEL),
        }
    }

    /// Gives data to h2, as much as the client's window has room for at a time.
    async fn give(
        &mut self,
        mut data: Bytes,
        ends: bool,
        held: Arc<oneshot::Sender<()>>,
    ) -> Result<(), Reason> {
        loop {
            let room = if data.is_empty() { 0 } else { self.room(data.len()).await? };
            let bytes = data.split_to(room.min(data.len()));
            let last = data.is_empty();
            let piece = Piece { bytes, _unsent: Some(Arc::clone(&held)) };
            self.stream.send_data(piece, ends && last).map_err(broken)?;
            if last {
                return Ok(());
            }
        }
    }

    /// How many bytes of so many the client takes now; waits until it is one at least.
    async fn room(&mut self, wanted: usize) -> Result<usize, Reason> {
        self.stream.reserve_capacity(wanted);
        loop {
            match self.stream.capacity() {
                0 => {}
                room => return Ok(room),
            }
            match poll_fn(|cx| self.stream.poll_capacity(cx)).await {
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(Reason::CANCEL),
            }
        }
    }
}

/// The present moment, as an answer's `Date` (RFC 9110, section 6.6.1).
#[expect(
    clippy::disallowed_methods,
    reason = "HTTP's own date is the machine's, and nothing is decided by it"
)]
fn date() -> HeaderValue {
    let date = httpdate::fmt_http_date(SystemTime::now());
    HeaderValue::from_str(&date).expect("a date is ASCII")
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
