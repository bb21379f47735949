//! Which protocol a fresh connection speaks: told by its first bytes.
//!
//! HTTP/2 without TLS begins with a preface that is no HTTP/1 request (RFC 9113, section 3.4), so
//! one port serves both ("prior knowledge"). The way over HTTP/1's `Upgrade: h2c` is deprecated by the same RFC
//! and ignored here: its request is answered as HTTP/1.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::{Instant, timeout_at};

/// What an HTTP/2 connection begins with (RFC 9113, section 3.4).
pub(super) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// What a connection begins with.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Opening {
    /// The whole preface, and nothing was read behind it.
    Http2,
    /// These bytes, which are not the preface, or not all of it by the deadline: HTTP/1's rules judge
    /// them.
    Http1(Vec<u8>),
}

/// Reads until it can be told, at most as long as the preface and at most until `deadline`.
///
/// # Errors
/// The connection broke.
pub(super) async fn read<IO: AsyncRead + Unpin>(io: &mut IO, deadline: Instant) -> io::Result<Opening> {
    let mut bytes = [0; PREFACE.len()];
    let mut buffer = ReadBuf::new(&mut bytes);
    loop {
        let before = buffer.filled().len();
        let more = poll_fn(|cx| Pin::new(&mut *io).poll_read(cx, &mut buffer));
        let in_time = timeout_at(deadline, more).await;
        if let Ok(read) = in_time {
            read?;
        }
        let read = buffer.filled();
        if read == PREFACE {
            return Ok(Opening::Http2);
        }
        if !PREFACE.starts_with(read) || read.len() == before {
            return Ok(Opening::Http1(read.to_vec()));
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use std::time::Duration;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn the_preface_is_known_however_it_is_cut_and_what_is_behind_it_stays_unread() {
        for step in [1, 2, 7, 24] {
            let (mut client, mut server) = tokio::io::duplex(step);
            let sending = tokio::spawn(async move {
                client.write_all(PREFACE).await.unwrap();
                client.write_all(b"more").await.unwrap();
            });
            let opening = read(&mut server, Instant::now() + Duration::from_secs(5)).await.unwrap();
            assert_eq!(opening, Opening::Http2, "in pieces of {step}");
            let mut rest = String::new();
            server.read_to_string(&mut rest).await.unwrap();
            assert_eq!(rest, "more");
            sending.await.unwrap();
        }
    }

    #[tokio::test]
    async fn anything_else_is_left_to_http_1_at_the_first_byte_that_differs() {
        for (sent, read_as) in [
            ("GET / HTTP/1.1\r\n", "GET / HTTP/1.1\r\n"),
            ("PRI * HTTP/1.1\r\n", "PRI * HTTP/1.1\r\n"),
            ("POST", "POST"),
            ("\x16\x03\x01", "\x16\x03\x01"),
            ("PRI * HTTP/2.0\r\n\r\nSM\r\n\rX", "PRI * HTTP/2.0\r\n\r\nSM\r\n\rX"),
            // Cut off: the client is gone.
            ("PRI *", "PRI *"),
            ("", ""),
        ] {
            let opening = read(&mut sent.as_bytes(), Instant::now() + Duration::from_secs(5)).await;
            assert_eq!(opening.unwrap(), Opening::Http1(read_as.into()), "{sent:?}");
        }
    }

    #[tokio::test]
    async fn half_a_preface_is_not_waited_for_beyond_the_deadline() {
        let (mut client, mut server) = tokio::io::duplex(64);
        client.write_all(b"PRI * HT").await.unwrap();
        let opening = read(&mut server, Instant::now() + Duration::from_millis(50)).await.unwrap();
        assert_eq!(opening, Opening::Http1(b"PRI * HT".into()));
    }
}
