//! Connect's unary calls: plain HTTP with the message as the body, in JSON or protobuf. Errors are JSON
//! whatever the request was.
//!
//! Source: the Connect protocol, <https://connectrpc.com/docs/protocol>.

use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use data_encoding::BASE64_NOPAD;
use prost::Message;
use serde::Serialize;

use super::super::calls::Call;
use super::super::errors::Reason;
use super::super::messages::ErrorDetail;
use super::{Failed, Zitadel};
use crate::headers::respond;
use crate::json;

/// How a message is written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Codec {
    Json,
    Proto,
}

impl Codec {
    const fn content_type(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Proto => "application/proto",
        }
    }
}

#[derive(Serialize)]
struct Body<'a> {
    code: &'static str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<[Detail; 1]>,
}

#[derive(Serialize)]
struct Detail {
    #[serde(rename = "type")]
    kind: &'static str,
    value: String,
}

pub(super) async fn serve<C: Call>(
    zitadel: &Zitadel,
    codec: Codec,
    headers: &HeaderMap,
    body: &[u8],
) -> Response {
    // Unlike with the gateway, no body at all is no JSON. In protobuf it is the empty message.
    let request = match codec {
        Codec::Json => json::parse::<C::Request>(body).ok(),
        Codec::Proto => C::Request::decode(body).ok(),
    };
    let Some(request) = request else { return failure(&Reason::Malformed.into()) };
    match zitadel.run::<C>(headers, request).await {
        Ok(answer) => {
            let body = match codec {
                Codec::Json => serde_json::to_vec(&answer).expect("an answer is JSON"),
                Codec::Proto => answer.encode_to_vec(),
            };
            respond(StatusCode::OK, codec.content_type(), HeaderMap::new(), body)
        }
        Err(failed) => failure(&failed),
    }
}

/// What could not be done.
pub(super) fn failure(failed: &Failed) -> Response {
    let (told, headers) = failed.told();
    let detail = |(id, message): (&str, &str)| {
        let detail = ErrorDetail { id: id.to_owned(), message: message.to_owned() };
        [Detail { kind: "zitadel.v1.ErrorDetail", value: BASE64_NOPAD.encode(&detail.encode_to_vec()) }]
    };
    let body = Body { code: told.code.connect(), message: &told.message, details: told.detail.map(detail) };
    let body = serde_json::to_vec(&body).expect("texts are JSON");
    failed.note(respond(told.status, Codec::Json.content_type(), headers, body))
}

/// A body in none of the encodings that are served.
pub(super) fn unsupported(served: &'static str) -> Response {
    let mut response = Response::default();
    *response.status_mut() = StatusCode::UNSUPPORTED_MEDIA_TYPE;
    response.headers_mut().insert("accept-post", HeaderValue::from_static(served));
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use crate::observe::Cause;

    /// Shows: N9.
    #[tokio::test]
    async fn our_own_fault_is_told_without_its_cause() {
        let response = failure(&Reason::Internal(Cause("the disk is on fire".into())).into());
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        let body = axum::body::to_bytes(response.into_body(), 100).await.unwrap();
        assert_eq!(body, r#"{"code":"internal","message":"internal error"}"#);
    }
}
