//! What calls answer: always `{"success":…,"data":"…"}`, compact.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use super::config::Options;
use super::error::Problem;
use crate::headers::respond;

/// Carries the internal reason, where the tenant asked for it.
const REASON: HeaderName = HeaderName::from_static("countersign-reason");

/// What a call did. The texts are the platform's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Done {
    Generated,
    Resent,
    Verified,
    ResetSent,
    PasswordForwarded,
}

impl Done {
    fn text(self, options: &Options) -> &str {
        match self {
            Self::Generated => "OTP Generated",
            Self::Resent => &options.resent_text,
            Self::Verified => "OTP verified",
            Self::ResetSent => "Reset Email sent",
            Self::PasswordForwarded => "Password reset link sent to user's email address",
        }
    }
}

#[derive(Serialize)]
struct Envelope<'a> {
    success: bool,
    data: &'a str,
}

/// The answer to a known caller.
pub(super) fn answer(outcome: Result<Done, Problem>, options: &Options) -> Response {
    match outcome {
        Ok(done) => envelope(StatusCode::OK, true, done.text(options), []),
        Err(problem) => {
            let reason = options.reason_header.then(|| (REASON, HeaderValue::from_static(problem.reason())));
            failure(&problem, options, reason)
        }
    }
}

/// The answer to somebody who has shown no token yet: it carries no reason, whoever asked for them.
pub(super) fn answer_stranger(problem: &Problem) -> Response {
    failure(problem, &Options::default(), None)
}

fn failure(problem: &Problem, options: &Options, reason: Option<(HeaderName, HeaderValue)>) -> Response {
    // RFC 9110, section 15.5.2: a 401 names its scheme.
    let challenge = matches!(problem, Problem::Unauthorised)
        .then(|| (header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer")));
    let retry_after = problem.retry_after().map(|seconds| (header::RETRY_AFTER, seconds.into()));
    let headers = [reason, challenge, retry_after].into_iter().flatten();
    let mut response = envelope(problem.status(options), false, problem.text(), headers);
    if let Some(cause) = problem.cause() {
        response.extensions_mut().insert(cause);
    }
    response
}

fn envelope(
    status: StatusCode,
    success: bool,
    data: &str,
    more: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
) -> Response {
    let body = serde_json::to_vec(&Envelope { success, data }).expect("a flag and a text are JSON");
    respond(status, "application/json; charset=utf-8", more.into_iter().collect(), body)
}
