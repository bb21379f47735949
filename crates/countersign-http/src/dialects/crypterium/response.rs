//! What calls answer, compact and with the members in the documented order.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;
use zeroize::Zeroizing;

use super::error::Problem;
use crate::headers::respond;

/// Carries the internal reason, where the merchant asked for it.
const REASON: HeaderName = HeaderName::from_static("countersign-reason");
/// "Identifier of the component."
const SYSTEM: &str = "core";

/// What a call came to.
pub(super) enum Done {
    /// `{"result":"ok"}`.
    Accepted,
    /// Tokens for a proof.
    Tokens(TokenObject),
}

/// The source's token object.
#[derive(Serialize)]
pub(super) struct TokenObject {
    #[serde(serialize_with = "text")]
    pub(super) access_token: Zeroizing<String>,
    pub(super) token_type: &'static str,
    #[serde(serialize_with = "text")]
    pub(super) refresh_token: Zeroizing<String>,
    /// Whole seconds that the access token still lives.
    pub(super) expires_in: u64,
    pub(super) scope: &'static str,
}

fn text<S: serde::Serializer>(text: &Zeroizing<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(text)
}

#[derive(Serialize)]
struct Accepted {
    result: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure<'a> {
    error: &'a str,
    error_id: u16,
    message: &'a str,
    system_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<Data>,
}

#[derive(Serialize)]
struct Data {
    retry: Retry,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Retry {
    after_seconds: u64,
}

/// The order of the platform's authorisation server.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TokenFailure<'a> {
    error: &'a str,
    system_id: &'a str,
    error_id: u16,
    message: &'a str,
}

/// The answer. `reason_header`: whether errors carry the internal reason, which only who has shown a good
/// signature or token may learn.
pub(super) fn answer(outcome: Result<Done, Problem>, reason_header: bool) -> Response {
    match outcome {
        Ok(Done::Accepted) => json(StatusCode::OK, &Accepted { result: "ok" }, []),
        Ok(Done::Tokens(tokens)) => json(StatusCode::OK, &tokens, []),
        Err(problem) => failure(&problem, reason_header),
    }
}

fn failure(problem: &Problem, with_reason: bool) -> Response {
    let reason = with_reason.then(|| (REASON, HeaderValue::from_static(problem.reason())));
    // RFC 9110, section 15.5.2: a 401 names its scheme.
    let challenge = (problem.status() == StatusCode::UNAUTHORIZED)
        .then(|| (header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
    let retry_after = problem.retry_after().map(|seconds| (header::RETRY_AFTER, seconds.into()));
    let headers = [reason, challenge, retry_after].into_iter().flatten();
    let ((error_id, error), message) = (problem.id(), problem.message());
    let mut response = match problem {
        Problem::BadToken | Problem::TokenExpired => {
            let body = TokenFailure { error, system_id: SYSTEM, error_id, message: &message };
            json(problem.status(), &body, headers)
        }
        _ => {
            let data = problem.retry_in_data().map(|after_seconds| Data { retry: Retry { after_seconds } });
            let (message, field) = (&*message, problem.field());
            let body = Failure { error, error_id, message, system_id: SYSTEM, field, data };
            json(problem.status(), &body, headers)
        }
    };
    if let Some(cause) = problem.cause() {
        response.extensions_mut().insert(cause);
    }
    response
}

fn json(
    status: StatusCode,
    body: &impl Serialize,
    more: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
) -> Response {
    let body = serde_json::to_vec(body).expect("texts and numbers are JSON");
    respond(status, "application/json", more.into_iter().collect(), body)
}
