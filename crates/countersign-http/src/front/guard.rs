//! A connection that passes on only what [`Framing`] let through, in time.
//!
//! What must not be read becomes an answer: the rest of the stream is replaced by one request of a
//! method that no client can name by accident ([`REFUSED`]), and the connection's [`Refusal`] says
//! what to answer to it. So a refusal goes out in order behind the answers to earlier requests, with
//! the headers and the log line of every other answer.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::http::StatusCode;
use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::framing::{Fault, Framing, Verdict};
use super::socket::Socket;

/// The method of the request that stands for what was refused.
pub(super) const REFUSED: &str = "COUNTERSIGN-REFUSED";
const REFUSED_HEAD: &[u8] = b"COUNTERSIGN-REFUSED / HTTP/1.1\r\nhost: -\r\nconnection: close\r\n\r\n";

/// No chunk begins with it: hyper gives up the body, and its reader learns of it.
const POISON: &[u8] = b"\0";

/// Why a connection is not read any further, shared with the service behind hyper.
#[derive(Clone, Debug, Default)]
pub(super) struct Refusal(Arc<AtomicU16>);

impl Refusal {
    /// The status to answer with; `None` while nothing was refused.
    pub(super) fn get(&self) -> Option<StatusCode> {
        StatusCode::from_u16(self.0.load(Ordering::Relaxed)).ok()
    }

    fn set(&self, status: StatusCode) {
        self.0.store(status.as_u16(), Ordering::Relaxed);
    }
}

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// For a whole head, from the connection's beginning or the head's first byte.
    pub(super) head: Duration,
    /// Between two requests.
    pub(super) idle: Duration,
}

/// What the connection waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Waiting {
    /// The rest of a head, or the first head of a fresh connection.
    Head,
    /// Another request.
    Idle,
    /// A body: whoever reads it keeps the time.
    Body,
}

/// A connection between the network and hyper.
#[derive(Debug)]
pub(super) struct Guard<IO> {
    io: Socket<IO>,
    framing: Framing,
    /// Received and not passed on. Empty as long as messages arrive in one piece.
    held: BytesMut,
    /// So many bytes at the beginning of `held` may be passed on.
    cleared: usize,
    refusal: Refusal,
    /// Whether what is in `held` is the last that hyper will read.
    ended: bool,
    patience: Patience,
    waiting: Option<Waiting>,
    deadline: Instant,
    /// Set to `deadline` or earlier: moving a timer costs more than finding that it came too early.
    timer: Pin<Box<Sleep>>,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Guard<IO> {
    /// Guards a connection that began at `began` and of which these bytes were read already.
    pub(super) fn new(
        io: Socket<IO>,
        began: Instant,
        read: &[u8],
        patience: Patience,
        refusal: Refusal,
    ) -> Self {
        let deadline = began + patience.head;
        let mut guard = Self {
            io,
            framing: Framing::new(),
            held: read.into(),
            cleared: 0,
            refusal,
            ended: false,
            patience,
            waiting: Some(Waiting::Head),
            deadline,
            timer: Box::pin(tokio::time::sleep_until(deadline)),
        };
        guard.judge_held();
        guard
    }

    /// Judges what `out` got beyond `start`: what is good stays there, what cannot be told yet is held
    /// back.
    fn judge_fresh(&mut self, out: &mut ReadBuf<'_>, start: usize) {
        let mut passed = start;
        let mut fault = None;
        while passed < out.filled().len() {
            match self.framing.judge(&out.filled()[passed..]) {
                Verdict::Pass(n) => passed += n,
                Verdict::Wait => break,
                Verdict::Stop(why) => {
                    fault = Some(why);
                    break;
                }
            }
        }
        self.held.extend_from_slice(&out.filled()[passed..]);
        out.set_filled(passed);
        if passed > start {
            self.waiting = None;
        }
        if let Some(fault) = fault {
            self.refuse(status(fault));
        }
    }

    /// Judges what is held.
    fn judge_held(&mut self) {
        while self.cleared < self.held.len() {
            match self.framing.judge(&self.held[self.cleared..]) {
                Verdict::Pass(n) => {
                    self.cleared += n;
                    self.waiting = None;
                }
                Verdict::Wait => return,
                Verdict::Stop(fault) => return self.refuse(status(fault)),
            }
        }
    }

    fn refuse(&mut self, status: StatusCode) {
        self.refusal.set(status);
        self.held.truncate(self.cleared);
        self.held.extend_from_slice(if self.framing.in_head() { REFUSED_HEAD } else { POISON });
        self.cleared = self.held.len();
        self.ended = true;
    }

    /// Nothing came: is it time to give up? Ready means that the state changed.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let waiting = match (self.framing.in_head(), self.held.is_empty(), self.waiting) {
            (false, ..) => Waiting::Body,
            (true, true, Some(Waiting::Head)) | (true, false, _) => Waiting::Head,
            (true, true, _) => Waiting::Idle,
        };
        if self.waiting != Some(waiting) {
            self.waiting = Some(waiting);
            self.deadline = Instant::now()
                + match waiting {
                    Waiting::Head => self.patience.head,
                    Waiting::Idle => self.patience.idle,
                    Waiting::Body => return Poll::Pending,
                };
            if self.timer.deadline() > self.deadline {
                self.timer.as_mut().reset(self.deadline);
            }
        }
        if waiting == Waiting::Body {
            return Poll::Pending;
        }
        while self.timer.as_mut().poll(cx).is_ready() {
            if Instant::now() < self.deadline {
                self.timer.as_mut().reset(self.deadline);
                continue;
            }
            if self.held.is_empty() {
                self.ended = true; // it never began a request: nothing is owed
            } else {
                self.refuse(StatusCode::REQUEST_TIMEOUT);
            }
            return Poll::Ready(());
        }
        Poll::Pending
    }
}

/// What a fault is answered with.
pub(super) fn status(fault: Fault) -> StatusCode {
    match fault {
        Fault::Malformed => StatusCode::BAD_REQUEST,
        Fault::HeadTooLarge => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for Guard<IO> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.cleared > 0 {
                let n = this.cleared.min(out.remaining());
                out.put_slice(&this.held[..n]);
                this.held.advance(n);
                this.cleared -= n;
                return Poll::Ready(Ok(()));
            }
            if this.ended {
                return Poll::Ready(Ok(()));
            }
            let start = out.filled().len();
            match Pin::new(&mut this.io).poll_read(cx, out) {
                Poll::Ready(Ok(())) if out.filled().len() == start => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) if this.held.is_empty() => {
                    this.judge_fresh(out, start);
                    if out.filled().len() > start {
                        return Poll::Ready(Ok(()));
                    }
                }
                Poll::Ready(Ok(())) => {
                    this.held.extend_from_slice(&out.filled()[start..]);
                    out.set_filled(start);
                    this.judge_held();
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => ready!(this.poll_patience(cx)),
            }
        }
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guard<IO> {
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
        let all_read = !this.ended && this.framing.in_head() && this.held.is_empty();
        this.io.poll_close(cx, all_read)
    }
}
