//! gRPC and gRPC-Web, unary: one message behind a prefix of five bytes, and the status behind the answer:
//! in HTTP's own trailers, or (gRPC-Web) in a last frame of the body. One path serves these and Connect;
//! the content type tells them apart.
//!
//! Sources: <https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md> and `PROTOCOL-WEB.md` beside it.

use std::convert::Infallible;
use std::fmt::Write;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use data_encoding::BASE64_NOPAD;
use futures_util::stream;
use http_body_util::StreamBody;
use hyper::body::Frame;
use prost::Message;

use super::super::calls::Call;
use super::super::errors::Reason;
use super::super::messages::{Any, ErrorDetail, Status};
use super::connect::{self, Codec};
use super::{Failed, Zitadel};
use crate::front::MAX_BODY;
use crate::headers::single;

/// The type of the one detail that errors carry.
pub(super) const ERROR_DETAIL: &str = "type.googleapis.com/zitadel.v1.ErrorDetail";

const STATUS: HeaderName = HeaderName::from_static("grpc-status");
const MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");
const ENCODING: HeaderName = HeaderName::from_static("grpc-encoding");

/// Bytes before a message: whether it is compressed, and its length.
const PREFIX: usize = 5;
/// Marks gRPC-Web's last frame.
const TRAILERS: u8 = 0x80;

/// What a request speaks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Protocol {
    Connect(Codec),
    /// With the content type to answer in.
    Grpc(&'static str),
    GrpcWeb(&'static str),
}

impl Protocol {
    fn of(headers: &HeaderMap) -> Option<Self> {
        let value = single(headers, &header::CONTENT_TYPE).ok()??;
        let essence = value.split(';').next().unwrap_or_default().trim_ascii().to_ascii_lowercase();
        Some(match essence.as_str() {
            "application/json" => Self::Connect(Codec::Json),
            "application/proto" => Self::Connect(Codec::Proto),
            "application/grpc" => Self::Grpc("application/grpc"),
            "application/grpc+proto" => Self::Grpc("application/grpc+proto"),
            "application/grpc-web" => Self::GrpcWeb("application/grpc-web"),
            "application/grpc-web+proto" => Self::GrpcWeb("application/grpc-web+proto"),
            _ => return None,
        })
    }
}

/// Serves a call over Connect, gRPC and gRPC-Web.
pub(crate) async fn all<C: Call>(State(zitadel): State<Arc<Zitadel>>, request: Request) -> Response {
    serve::<C>(&zitadel, request, true).await
}

/// Serves a call over gRPC and gRPC-Web.
pub(crate) async fn without_connect<C: Call>(
    State(zitadel): State<Arc<Zitadel>>,
    request: Request,
) -> Response {
    serve::<C>(&zitadel, request, false).await
}

async fn serve<C: Call>(zitadel: &Zitadel, request: Request, with_connect: bool) -> Response {
    let (head, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let protocol = Protocol::of(&head.headers);
    match protocol {
        Some(Protocol::Connect(codec)) if with_connect => {
            connect::serve::<C>(zitadel, codec, &head.headers, &body).await
        }
        Some(Protocol::Connect(_)) | None => connect::unsupported(
            "application/json, application/proto, application/grpc, application/grpc+proto, \
             application/grpc-web, application/grpc-web+proto",
        ),
        Some(Protocol::Grpc(content_type)) => {
            let answer = run::<C>(zitadel, &head.headers, &body).await;
            over_http2(content_type, answer)
        }
        Some(Protocol::GrpcWeb(content_type)) => {
            let answer = run::<C>(zitadel, &head.headers, &body).await;
            in_the_body(content_type, answer)
        }
    }
}

/// Answers a call that nobody serves: in gRPC a status, elsewhere a path that is not there.
pub(crate) async fn unknown(request: Request) -> Response {
    let failed = Failed::from(Reason::Unimplemented("unknown method"));
    match Protocol::of(request.headers()) {
        Some(Protocol::Grpc(content_type)) => over_http2(content_type, Err(failed)),
        Some(Protocol::GrpcWeb(content_type)) => in_the_body(content_type, Err(failed)),
        Some(Protocol::Connect(_)) | None => super::rest::failure(&Reason::NoSuchPath.into()),
    }
}

async fn run<C: Call>(zitadel: &Zitadel, headers: &HeaderMap, body: &[u8]) -> Result<Vec<u8>, Failed> {
    let message = unframe(headers, body)?;
    let request = C::Request::decode(message).map_err(|_| Reason::Malformed)?;
    Ok(zitadel.run::<C>(headers, request).await?.encode_to_vec())
}

/// The one message of a unary request.
fn unframe<'a>(headers: &HeaderMap, body: &'a [u8]) -> Result<&'a [u8], Reason> {
    let plain = |encoding: &HeaderValue| encoding.as_bytes().eq_ignore_ascii_case(b"identity");
    if !headers.get(&ENCODING).is_none_or(plain) || body.first() == Some(&1) {
        return Err(Reason::Unimplemented("compressed messages are not served"));
    }
    let (prefix, message) = body.split_first_chunk::<PREFIX>().ok_or(Reason::Malformed)?;
    let [flag, length @ ..] = *prefix;
    let whole = usize::try_from(u32::from_be_bytes(length)).is_ok_and(|length| length == message.len());
    if flag == 0 && whole { Ok(message) } else { Err(Reason::Malformed) }
}

fn frame(flag: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("an answer has less than 4 GiB");
    [&[flag], &length.to_be_bytes()[..], payload].concat()
}

fn over_http2(content_type: &'static str, answer: Result<Vec<u8>, Failed>) -> Response {
    match answer {
        Ok(message) => {
            let frames = [Frame::data(Bytes::from(frame(0, &message))), Frame::trailers(success())];
            let frames = stream::iter(frames.map(Ok::<_, Infallible>));
            respond(content_type, Body::new(StreamBody::new(frames)))
        }
        // Without a message the status stands in the head ("Trailers-Only").
        Err(failed) => {
            let mut response = respond(content_type, Body::empty());
            response.headers_mut().extend(failure(&failed));
            failed.note(response)
        }
    }
}

fn in_the_body(content_type: &'static str, answer: Result<Vec<u8>, Failed>) -> Response {
    match answer {
        Ok(message) => {
            let body = [frame(0, &message), frame(TRAILERS, &written(&success()))].concat();
            respond(content_type, body.into())
        }
        Err(failed) => {
            let body = frame(TRAILERS, &written(&failure(&failed)));
            failed.note(respond(content_type, body.into()))
        }
    }
}

fn respond(content_type: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn success() -> HeaderMap {
    HeaderMap::from_iter([(STATUS, HeaderValue::from_static("0"))])
}

fn failure(failed: &Failed) -> HeaderMap {
    let (told, mut headers) = failed.told();
    headers.insert(STATUS, told.code.number().into());
    let message = HeaderValue::try_from(percent_encoded(&told.message)).expect("printable ASCII");
    headers.insert(MESSAGE, message);
    if let Some((id, text)) = told.detail {
        let detail = ErrorDetail { id: id.to_owned(), message: text.to_owned() };
        let detail = Any { type_url: ERROR_DETAIL.to_owned(), value: detail.encode_to_vec() };
        let status =
            Status { code: told.code.number(), message: told.message.into_owned(), details: vec![detail] };
        let status = BASE64_NOPAD.encode(&status.encode_to_vec());
        headers.insert(DETAILS, HeaderValue::try_from(status).expect("base64"));
    }
    headers
}

/// Trailers as gRPC-Web puts them into the body.
fn written(trailers: &HeaderMap) -> Vec<u8> {
    let line = |(name, value): (&HeaderName, &HeaderValue)| {
        [name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat()
    };
    trailers.iter().flat_map(line).collect()
}

/// What is not printable ASCII, and `%`, in hexadecimal.
fn percent_encoded(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut encoded, byte| {
        match byte {
            b'%' | ..b' ' | 0x7f.. => write!(encoded, "%{byte:02X}").expect("writing into memory"),
            plain => encoded.push(char::from(plain)),
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_frame_holds_one_plain_message_of_its_length() {
        let (none, gzip) = (HeaderMap::new(), HeaderMap::from_iter([(ENCODING, "gzip".parse().unwrap())]));
        assert_eq!(unframe(&none, &frame(0, b"abc")).unwrap(), b"abc");
        for bad in [&b""[..], b"\0\0\0\0", b"\0\0\0\0\x02a", b"\0\0\0\0\x01ab", b"\x80\0\0\0\0"] {
            assert!(matches!(unframe(&none, bad), Err(Reason::Malformed)), "{bad:?}");
        }
        assert!(matches!(unframe(&none, &frame(1, b"abc")), Err(Reason::Unimplemented(_))));
        assert!(matches!(unframe(&gzip, &frame(0, b"abc")), Err(Reason::Unimplemented(_))));
    }

    #[test]
    fn a_message_is_printable_ascii_in_a_trailer() {
        assert_eq!(percent_encoded("50 % für\n"), "50 %25 f%C3%BCr%0A");
    }
}
