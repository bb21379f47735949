//! The REST gateway: the user is in the path, the rest in a JSON body, which may be missing.
//!
//! An error is `{"code":9,"message":"Code is empty (PHONE-5xrra88eq8)","details":[…]}`: the number of gRPC's
//! status, text and id together, and both apart in the detail.

use std::sync::Arc;

use axum::body::to_bytes;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use super::super::calls::Call;
use super::super::errors::Reason;
use super::{Failed, Zitadel};
use crate::front::MAX_BODY;
use crate::headers::respond;
use crate::json;

const JSON: &str = "application/json";

/// The user of the path, where there is one; a segment that is no text names nobody.
type NamedUser = Result<Option<Path<String>>, PathRejection>;

#[derive(Serialize)]
struct Body<'a> {
    code: i32,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<[Detail; 1]>,
}

#[derive(Serialize)]
struct Detail {
    #[serde(rename = "@type")]
    kind: &'static str,
    id: &'static str,
    message: &'static str,
}

/// Serves a call with 200.
pub(crate) async fn ok<C: Call>(state: State<Arc<Zitadel>>, path: NamedUser, request: Request) -> Response {
    serve::<C>(StatusCode::OK, state, path, request).await
}

/// Serves a call with 201.
pub(crate) async fn created<C: Call>(
    state: State<Arc<Zitadel>>,
    path: NamedUser,
    request: Request,
) -> Response {
    serve::<C>(StatusCode::CREATED, state, path, request).await
}

async fn serve<C: Call>(
    success: StatusCode,
    State(zitadel): State<Arc<Zitadel>>,
    path: NamedUser,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    // The front has bounded the body already; whoever stands in for it in a test has not.
    let Ok(body) = to_bytes(body, MAX_BODY).await else {
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    let (Ok(mut request), Ok(user)) = (read::<C>(&body), path) else {
        return failure(&Reason::Malformed.into());
    };
    if let Some(Path(user)) = user {
        C::name_user(&mut request, user);
    }
    match zitadel.run::<C>(&head.headers, request).await {
        Ok(answer) => {
            let body = serde_json::to_vec(&answer).expect("an answer is JSON");
            respond(success, JSON, axum::http::HeaderMap::new(), body)
        }
        Err(failed) => failure(&failed),
    }
}

fn read<C: Call>(body: &[u8]) -> Result<C::Request, json::BadJson> {
    if body.is_empty() { Ok(C::Request::default()) } else { json::parse(body) }
}

/// What could not be done.
pub(crate) fn failure(failed: &Failed) -> Response {
    let (told, headers) = failed.told();
    let detail = |(id, message)| [Detail { kind: super::grpc::ERROR_DETAIL, id, message }];
    let body = Body { code: told.code.number(), message: &told.message, details: told.detail.map(detail) };
    let body = serde_json::to_vec(&body).expect("texts and a number are JSON");
    failed.note(respond(told.status, JSON, headers, body))
}
