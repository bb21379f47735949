//! A connection that does not wait for ever for a client that reads nothing, and that closes so that
//! a client gets to read the last answer.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

/// How long a closing connection is read on, so that the client gets to read our answer before the
/// system resets a connection with unread bytes, and how many bytes that may be.
pub(super) const LINGER: Duration = Duration::from_secs(1);
const LINGER_BYTES: usize = 1024 * 1024;

/// How long a client may leave our answer unread.
const WRITE_STALL: Duration = Duration::from_secs(30);

/// The network's side of a connection.
#[derive(Debug)]
pub(super) struct Socket<IO> {
    io: IO,
    write_stall: Option<Pin<Box<Sleep>>>,
    linger: Option<(Pin<Box<Sleep>>, usize)>,
}

impl<IO: AsyncRead + AsyncWrite + Unpin> Socket<IO> {
    /// Takes over a fresh connection.
    pub(super) fn new(io: IO) -> Self {
        Self { io, write_stall: None, linger: None }
    }

    /// Ends our side. If the client may have sent what nobody read, reads on for a moment.
    pub(super) fn poll_close(&mut self, cx: &mut Context<'_>, all_read: bool) -> Poll<io::Result<()>> {
        if self.linger.is_none() {
            ready!(Pin::new(&mut self.io).poll_shutdown(cx))?;
            if all_read {
                return Poll::Ready(Ok(()));
            }
            self.linger = Some((Box::pin(tokio::time::sleep(LINGER)), LINGER_BYTES));
        }
        let (timer, budget) = self.linger.as_mut().expect("set above");
        let mut scratch = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut self.io).poll_read(cx, &mut buffer) {
                Poll::Pending => return timer.as_mut().poll(cx).map(Ok),
                Poll::Ready(Err(_)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(())) => {
                    let read = buffer.filled().len();
                    if read == 0 || read > *budget {
                        return Poll::Ready(Ok(()));
                    }
                    *budget -= read;
                }
            }
        }
    }

    fn poll_stalled(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let stall = self.write_stall.get_or_insert_with(|| Box::pin(tokio::time::sleep(WRITE_STALL)));
        stall.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncRead for Socket<IO> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_read(cx, out)
    }
}

impl<IO: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Socket<IO> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.io).poll_write(cx, bytes) {
            Poll::Pending => this.poll_stalled(cx),
            done @ Poll::Ready(_) => {
                this.write_stall = None;
                done
            }
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        match Pin::new(&mut this.io).poll_write_vectored(cx, bytes) {
            Poll::Pending => this.poll_stalled(cx),
            done @ Poll::Ready(_) => {
                this.write_stall = None;
                done
            }
        }
    }

    fn is_write_vectored(&self) -> bool {
        self.io.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().io).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().poll_close(cx, false)
    }
}
