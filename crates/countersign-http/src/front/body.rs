//! Bodies, read whole before anything else happens: bounded in size and time.

use std::time::Duration;

use axum::http::StatusCode;
use axum::http::header::{CONTENT_ENCODING, HeaderMap};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use hyper::body::Body;

/// The most bytes a body may have.
pub const MAX_BODY: usize = 16 * 1024;

/// Reads a body to its end.
///
/// # Errors
/// The status to refuse it with.
pub(super) async fn read(
    headers: &HeaderMap,
    body: impl Body<Data = Bytes> + Unpin,
    patience: Duration,
) -> Result<Bytes, StatusCode> {
    if body.size_hint().lower() > MAX_BODY as u64 {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let bytes = if body.is_end_stream() {
        Bytes::new()
    } else {
        tokio::time::timeout(patience, collect(body)).await.map_err(|_| StatusCode::REQUEST_TIMEOUT)??
    };
    // No API here takes compressed bodies, and one that was not meant to be read so would only be
    // misread. An encoding of nothing at all is still named on purpose.
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
    }
    Ok(bytes)
}

async fn collect(mut body: impl Body<Data = Bytes> + Unpin) -> Result<Bytes, StatusCode> {
    let mut whole = Bytes::new();
    let mut pieces = BytesMut::new();
    while let Some(frame) = body.frame().await {
        // The stream broke off, or its framing is bad.
        let Ok(data) = frame.map_err(|_| StatusCode::BAD_REQUEST)?.into_data() else { continue };
        if whole.len() + pieces.len() + data.len() > MAX_BODY {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        if whole.is_empty() && pieces.is_empty() {
            whole = data; // the usual case: one piece, no copy
        } else {
            pieces.extend_from_slice(&std::mem::take(&mut whole));
            pieces.extend_from_slice(&data);
        }
    }
    Ok(if pieces.is_empty() { whole } else { pieces.freeze() })
}
