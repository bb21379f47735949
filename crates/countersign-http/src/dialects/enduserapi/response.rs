//! What calls answer: always `{"code":…,"msg":…,"data":…,"extMsg":…}`, compact, nearly always with HTTP 200.

use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::Response;
use serde::Serialize;

use super::error::Problem;
use crate::headers::respond;

/// Carries the internal reason, where the tenant asked for it.
const REASON: HeaderName = HeaderName::from_static("countersign-reason");

/// `code` of a success. The source's example has 0, which its generator put there.
const SUCCESS: u16 = 200;

/// What a call did.
pub(super) enum Done {
    /// It has nothing to tell.
    Plain,
    /// Somebody is logged in.
    LoggedIn { access: Issued, refresh: Issued },
    /// The hook registered somebody, under this id.
    Registered { uid: String },
}

/// A token that was handed out.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Issued {
    pub(super) token: String,
    /// In seconds since the Unix epoch.
    pub(super) expiration_time: i64,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Envelope<'a> {
    code: u16,
    msg: &'a str,
    data: Option<Data>,
    ext_msg: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
enum Data {
    Tokens { access_token: Issued, refresh_token: Issued },
    User { uid: String },
}

/// The answer to a call that was done.
pub(super) fn success(done: Done) -> Response {
    let data = match done {
        Done::Plain => None,
        Done::LoggedIn { access, refresh } => {
            Some(Data::Tokens { access_token: access, refresh_token: refresh })
        }
        Done::Registered { uid } => Some(Data::User { uid }),
    };
    envelope(StatusCode::OK, &Envelope { code: SUCCESS, msg: "", data, ext_msg: None }, [])
}

/// The answer to a call that was not. `tell_reason` is for callers who have shown who they are.
pub(super) fn failure(problem: &Problem, tell_reason: bool) -> Response {
    let (code, msg) = problem.wire();
    let ext_msg = problem.ext_msg();
    let reason = tell_reason.then(|| (REASON, HeaderValue::from_static(problem.reason())));
    let retry_after = problem.retry_after().map(|seconds| (header::RETRY_AFTER, seconds.into()));
    let body = Envelope { code, msg: &msg, data: None, ext_msg: ext_msg.as_deref() };
    let mut response = envelope(problem.status(), &body, [reason, retry_after].into_iter().flatten());
    if let Some(cause) = problem.cause() {
        response.extensions_mut().insert(cause);
    }
    response
}

fn envelope(
    status: StatusCode,
    body: &Envelope<'_>,
    more: impl IntoIterator<Item = (HeaderName, HeaderValue)>,
) -> Response {
    let body = serde_json::to_vec(body).expect("numbers and texts are JSON");
    respond(status, "application/json", more.into_iter().collect(), body)
}
