//! A connection whose frames and heads arrive in time, or not at all.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use super::frames::Frames;
use crate::front::preface::PREFACE;
use crate::front::socket::Socket;

/// A connection between the network and h2 that ends when a frame or a head takes too long.
pub(super) struct FrameGuard<IO> {
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
    pub(super) fn new(io: Socket<IO>, began: Instant, patience: Duration) -> Self {
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
