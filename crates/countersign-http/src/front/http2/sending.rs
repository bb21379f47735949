//! Answers on their way to a client, as fast as it takes them.
//!
//! Two may keep an answer from leaving. The client's window may be closed: until it opens, the bytes stay here, and
//! h2 has nothing of them (it would keep any number). Or the network may take nothing, because the client does not
//! read: then the bytes are in h2's hands. Either way the answer takes room in [`Answers`] until its last byte is
//! written, for a while at most, and goes before its time when somebody else needs the room.
//!
//! [`Answers`]: crate::front::answers::Answers

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::body::{Body, Bytes};
use axum::http::Response;
use axum::http::header::{CONTENT_LENGTH, DATE, HeaderValue};
use bytes::Buf;
use h2::server::SendResponse;
use h2::{Reason, SendStream};
use http_body_util::BodyExt;
use hyper::body::{Body as _, Frame};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout};

use super::Caller;
use crate::front::answers::{Peer, Unsent};

/// How long an answer may be on its way to a client whose window is open, until it counts as one that waits for
/// its client.
const MOMENT: Duration = Duration::from_secs(1);

/// How long bytes that nobody is to get any more may stay in the hands of the network.
const STUCK: Duration = Duration::from_secs(5);

/// A piece of an answer. It lives until it is written to the network, or will never be.
pub(super) struct Piece {
    bytes: Bytes,
    _held: Option<Arc<oneshot::Sender<()>>>,
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

/// Sends an answer, as fast as the client takes it; resets its stream if that takes too long, or if somebody else
/// needs the room.
pub(super) async fn send(
    caller: &Caller,
    peer: Peer,
    mut respond: SendResponse<Piece>,
    response: Response<Body>,
) {
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
        Sending { caller, peer, stream, latest: None }.run(body).await;
    }
}

struct Sending<'a> {
    caller: &'a Caller,
    peer: Peer,
    stream: SendStream<Piece>,
    /// The latest frame of the body, unless it is gone.
    latest: Option<Latest>,
}

impl Sending<'_> {
    async fn run(mut self, body: Body) {
        let Err(reason) = self.frames(body).await else { return };
        self.stream.send_reset(reason); // nothing happens if it is reset already
        // h2 lets go of all of it but of what it is just writing.
        if let Some(mut latest) = self.latest
            && latest.gone().await.is_err()
            && timeout(STUCK, latest.gone).await.is_err()
        {
            self.caller.streams.stuck.notify_one();
        }
    }

    async fn frames(&mut self, mut body: Body) -> Result<(), Reason> {
        loop {
            let frame = tokio::select! {
                biased;
                _ = poll_fn(|cx| self.stream.poll_reset(cx)) => return Err(Reason::CANCEL),
                frame = body.frame() => frame,
                gone = gone(&mut self.latest), if self.latest.is_some() => {
                    gone?;
                    continue;
                }
            };
            match frame.transpose().map_err(broken)?.map(Frame::into_data) {
                Some(Ok(data)) => {
                    let ends = body.is_end_stream();
                    gone(&mut self.latest).await?; // or all of a long body could be in h2's hands
                    self.data(data, ends).await?;
                    if ends {
                        break;
                    }
                }
                Some(Err(trailers)) => {
                    let Ok(trailers) = trailers.into_trailers() else { continue };
                    self.stream.send_trailers(trailers).map_err(broken)?;
                    break;
                }
                None => {
                    let end = Piece { bytes: Bytes::new(), _held: None };
                    self.stream.send_data(end, true).map_err(broken)?;
                    break;
                }
            }
        }
        gone(&mut self.latest).await
    }

    /// Hands a frame of the body over to h2, as much as the client's window has room for at a time.
    async fn data(&mut self, data: Bytes, ends: bool) -> Result<(), Reason> {
        let front = &self.caller.front;
        let (held, gone) = oneshot::channel();
        let unsent = front.answers.enter(self.peer, data.len());
        let until = Instant::now() + front.options.answer_timeout;
        let Latest { unsent, .. } = self.latest.insert(Latest { unsent, until, gone });
        tokio::select! {
            biased;
            () = unsent.displaced() => Err(Reason::ENHANCE_YOUR_CALM),
            given = give(&mut self.stream, unsent, data, ends, held) => given,
            () = sleep_until(until) => Err(Reason::CANCEL),
        }
    }
}

/// A frame of a body, until it is gone.
struct Latest {
    unsent: Unsent,
    /// It may take so long.
    until: Instant,
    /// Completes when none of its pieces is left.
    gone: oneshot::Receiver<()>,
}

impl Latest {
    /// Waits until it is gone.
    async fn gone(&mut self) -> Result<(), Reason> {
        let mut next = self.until.min(Instant::now() + MOMENT);
        loop {
            tokio::select! {
                biased;
                _ = &mut self.gone => return Ok(()),
                () = self.unsent.displaced() => return Err(Reason::ENHANCE_YOUR_CALM),
                () = sleep_until(next) => {
                    if next == self.until {
                        return Err(Reason::CANCEL);
                    }
                    self.unsent.waits();
                    next = self.until;
                }
            }
        }
    }
}

/// Waits until the latest frame is gone, if there is one.
async fn gone(latest: &mut Option<Latest>) -> Result<(), Reason> {
    if let Some(frame) = latest {
        frame.gone().await?;
        *latest = None;
    }
    Ok(())
}

/// Gives data to h2 as the client's window has room for it. What was given holds on to `held`.
async fn give(
    stream: &mut SendStream<Piece>,
    unsent: &Unsent,
    mut data: Bytes,
    ends: bool,
    held: oneshot::Sender<()>,
) -> Result<(), Reason> {
    let held = Arc::new(held);
    let mut begun = false;
    loop {
        let room = if data.is_empty() { 0 } else { room(stream, unsent, data.len(), begun).await? };
        let bytes = data.split_to(room.min(data.len()));
        let last = data.is_empty();
        let piece = Piece { bytes, _held: Some(Arc::clone(&held)) };
        stream.send_data(piece, ends && last).map_err(broken)?;
        if last {
            return Ok(());
        }
        begun = true;
    }
}

/// How many bytes of so many the client takes now. If it takes none, waits until it takes some.
async fn room(
    stream: &mut SendStream<Piece>,
    unsent: &Unsent,
    wanted: usize,
    begun: bool,
) -> Result<usize, Reason> {
    stream.reserve_capacity(wanted);
    loop {
        match stream.capacity() {
            0 => {}
            room => return Ok(room),
        }
        let mut more = pin!(poll_fn(|cx| stream.poll_capacity(cx)));
        // Who took some of it may take more in a moment. Who took nothing has its window closed.
        let soon = if begun { timeout(MOMENT, more.as_mut()).await.ok() } else { None };
        let more = if let Some(more) = soon {
            more
        } else {
            unsent.waits();
            more.await
        };
        match more {
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Err(Reason::CANCEL),
        }
    }
}

fn broken<E>(_: E) -> Reason {
    Reason::INTERNAL_ERROR
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
